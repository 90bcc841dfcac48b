"""The corners where deploy tools hurt people: races, dead peers, and logs that refuse."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from cockpit.config.settings import Environment
from cockpit.edge.base import Pointer
from cockpit.engine.journal import Backlog
from cockpit.errors import Refused, StoreError, StoreRejected
from cockpit.model import OperationState, PlacementKey, StepState
from cockpit.protocol import PENDING, ROLLBACK_SHEET, UNHOLD, For, UnholdRequest
from tests.engine.rig import SHOP, TOM, Rig, rig, service, settings
from tests.engine.test_logs import Reader, follow
from tests.fakes.target import Program

OTHER = PlacementKey("other", "production")


def _addresses(shop: Rig, release: int) -> tuple[str, ...]:
    return tuple(f"{each.address}:{each.port}" for each in shop.target.containers if each.release == release)


async def test_a_release_that_is_being_stopped_is_waited_for_and_started_again(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        with shop.engine.world.stopping(SHOP, 1) as allowed:
            assert allowed
            back = await shop.rollback()
            await asyncio.sleep(0)
            assert shop.customers_on() == 2
            await shop.target.stop(SHOP, 1, grace=0, remove=False)
        done = await shop.ended(back)
        assert done.state is OperationState.SUCCEEDED
        assert done.steps[0].state is StepState.DONE
        assert 1 in shop.running()


async def test_what_an_operation_needs_is_not_stopped(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        shop.prober.answers[3] = 0
        running = await shop.deploy(shop.commit("third"))
        with shop.engine.world.stopping(SHOP, 1) as allowed:
            assert not allowed
        await shop.rollback()
        await shop.ended(running)


async def test_what_the_pointer_names_is_never_stopped_whatever_the_log_says(tmp_path: Path) -> None:
    async with rig(tmp_path, settings((SHOP, service(keep_hot=0.0)))) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        await shop.make_good(2)
        shop.edge.pointers[SHOP] = Pointer(1, _addresses(shop, 1))
        shop.disk.refuses = "database is locked"
        shop.clock.hurry()
        looks = shop.target.calls.count("observe")
        await shop.until(lambda: shop.target.calls.count("observe") > looks + 20)
        assert shop.running() == {1, 2}


async def test_one_torn_pointer_does_not_keep_the_others_from_being_tidied(tmp_path: Path) -> None:
    quick = service(keep_hot=0.0)
    async with rig(tmp_path, settings((OTHER, quick), (SHOP, quick))) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        shop.edge.torn.add(OTHER)
        await shop.make_good(2)
        shop.clock.hurry()
        await shop.until(lambda: shop.running() == {2})


async def test_an_edge_that_refuses_its_routes_at_the_start_stops_no_watching(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.down()

        shop.edge.refuses_routes = "unknown directive"
        await shop.up()
        assert not shop.engine.window.status().edge_ok
        assert (await shop.shipped("second")).state is OperationState.SUCCEEDED


async def test_recovery_holds_up_neither_other_placements_nor_rollbacks(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        shop.prober.answers[3] = 0
        await shop.deploy(shop.commit("third"))
        await shop.until(lambda: 3 in shop.running())
        await shop.down()
        shop.target.down = "connection refused"
        await shop.up(wait=False)
        back = await shop.ended(await shop.rollback())
        assert back.state is OperationState.SUCCEEDED
        assert shop.customers_on() == 1
        shop.target.down = ""
        await shop.settled()
        assert shop.customers_on() == await shop.live() == 1
        assert 3 not in shop.running()


async def test_after_a_restart_without_docker_a_hot_release_still_takes_the_customers(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        await shop.down()
        shop.target.down = "connection refused"
        await shop.up(wait=False)
        done = await shop.ended(await shop.rollback())
        assert done.state is OperationState.SUCCEEDED
        assert done.steps[0].state is StepState.SKIPPED
        assert shop.customers_on() == 1


async def test_a_rollback_does_not_wait_for_the_clean_up_of_a_cancelled_deploy(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        shop.prober.answers[3] = 0
        deploying = await shop.deploy(shop.commit("third"))
        await shop.until(lambda: 3 in shop.running())
        gate = shop.target.hold_stops()
        await shop.rollback(TOM)
        await shop.until(lambda: shop.customers_on() == 1)
        assert 3 in shop.running()
        gate.set()
        await shop.until(lambda: 3 not in shop.running())
        await shop.until(lambda: SHOP not in shop.engine.world.runs)
        cancelled = await shop.store.operation(deploying.id)
        assert cancelled is not None
        assert cancelled.state is OperationState.CANCELLED


async def test_a_release_that_fails_its_confirmation_still_settles(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.prober.public_answers[2] = 502
        failed = await shop.shipped("second")
        assert failed.state is OperationState.FAILED
        assert failed.failure is not None
        assert failed.failure.step == "confirm"
        assert "r2 serves" in failed.summary
        assert failed.steps[-1].state is StepState.DONE
        assert all(shop.target.always(each.name) for each in shop.target.containers if each.release == 2)


async def test_undoing_a_mistaken_rollback_makes_nothing_bad(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        await shop.ended(await shop.rollback())
        await shop.ended(await shop.rollback(to=2))
        assert shop.customers_on() == await shop.live() == 2
        assert (await shop.store.placement(SHOP)).hold is None
        sheet = await shop.call(ROLLBACK_SHEET, For(SHOP))
        assert sheet.selected is not None
        assert sheet.options[sheet.selected].release.number == 1
        assert (await shop.shipped("third")).state is OperationState.SUCCEEDED


async def test_when_an_operation_is_said_to_have_ended_the_picture_is_already_the_new_one(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        for subject in ("second", "third"):
            running = await shop.deploy(shop.commit(subject))
            run = shop.engine.world.runs[SHOP]
            await run.ended.wait()
            assert shop.engine.rows.seen(SHOP).row.live == running.id


async def test_a_cancel_that_comes_while_a_failed_deploy_ends_returns(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.target.programs[2] = Program(exits=1)
        await shop.deploy(shop.commit("second"))
        run = shop.engine.world.runs[SHOP]
        await run.halted.wait()
        async with asyncio.timeout(5):
            await run.cancel("tom")
        assert run.operation.state is OperationState.FAILED


async def test_deploys_wait_until_what_the_log_refused_has_been_entered(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        shop.disk.refuses = "disk full"
        await shop.rollback()
        await shop.until(lambda: shop.customers_on() == 1 and SHOP not in shop.engine.world.runs)
        with pytest.raises(Refused, match="only rollbacks go on"):
            await shop.deploy(shop.commit("third"))
        shop.disk.refuses = ""
        await shop.until(lambda: not shop.engine.backlog)
        await shop.call(UNHOLD, UnholdRequest(SHOP, "it was the disk"))
        assert (await shop.shipped("fourth")).state is OperationState.SUCCEEDED


async def test_docker_that_dies_while_a_failed_release_is_taken_away_leaves_nothing_for_ever(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.prober.answers[2] = 0
        running = await shop.deploy(shop.commit("second"))
        await shop.until(lambda: 2 in shop.running())
        shop.target.down = "connection refused"
        await shop.until(lambda: SHOP not in shop.engine.world.runs)
        shop.target.down = ""
        shop.clock.hurry()
        await shop.until(lambda: {each.release for each in shop.target.containers} == {1})
        lost = await shop.store.release(SHOP, 2)
        assert lost is not None
        assert (lost.failed, lost.slot) == (True, None)
        assert (await shop.ended(running)).state is OperationState.FAILED


async def test_a_live_service_that_the_configuration_loses_goes_on_and_says_so(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.make_good(1)
        await shop.shipped("second")
        await shop.reconfigured(settings((OTHER, service(hosts=("other.test",)))))
        await shop.until(lambda: {route.key for route in shop.edge.routes} == {SHOP, OTHER})
        seen = {each.key: each for each in shop.engine.window.snapshot().placements}
        assert (seen[SHOP].configured, seen[OTHER].configured) == (False, True)
        assert (await shop.call(PENDING, For(SHOP))).count == 0
        with pytest.raises(Refused, match="not in the configuration any more"):
            await shop.deploy(shop.commit("third"))

        await shop.again()  # also for an engine that never knew its configuration
        await shop.until(lambda: {route.key for route in shop.edge.routes} == {SHOP, OTHER})
        assert (await shop.ended(await shop.rollback())).state is OperationState.SUCCEEDED
        assert shop.customers_on() == 1


async def test_a_service_that_never_served_goes_with_its_configuration(tmp_path: Path) -> None:
    async with rig(tmp_path, settings((SHOP, service()), (OTHER, service(hosts=("other.test",))))) as shop:
        await shop.shipped("first")
        await shop.reconfigured(settings((SHOP, service())))
        await shop.until(lambda: [each.key for each in shop.engine.window.snapshot().placements] == [SHOP])


async def test_fifty_failed_deploys_do_not_hide_where_to_go_back_to(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.make_good(1)
        await shop.shipped("second")
        live = await shop.store.release(SHOP, 2)
        assert live is not None
        for _ in range(55):
            await shop.store.add_release(
                replace(live, number=0, slot=None, live_since=None, took_traffic_at=None, failed=True)
            )
        await shop.engine.watch.changed(SHOP)
        assert (await shop.ended(await shop.rollback())).to_release == 1


async def test_a_release_that_was_left_meanwhile_is_not_taken_away_by_its_own_recovery(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.prober.answers[2] = 0
        running = await shop.deploy(shop.commit("second"))
        await shop.until(lambda: 2 in shop.running())
        shop.edge.pointers[SHOP] = Pointer(2, _addresses(shop, 2))
        shop.prober.answers.clear()
        await shop.down()
        shop.target.down = "connection refused"
        await shop.up(wait=False)
        back = await shop.ended(await shop.rollback())
        assert (back.from_release, back.state) == (2, OperationState.SUCCEEDED)
        shop.target.down = ""
        shop.clock.hurry()
        await shop.settled()
        assert shop.customers_on() == 1
        ended = await shop.store.operation(running.id)
        assert ended is not None
        assert ended.state is not OperationState.RUNNING


async def test_while_the_log_refuses_the_sheets_know_where_customers_are(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        for subject in ("first", "second", "third"):
            await shop.shipped(subject)
        shop.disk.refuses = "read-only file system"
        await shop.rollback()
        await shop.until(lambda: shop.customers_on() == 2 and SHOP not in shop.engine.world.runs)
        sheet = await shop.call(ROLLBACK_SHEET, For(SHOP))
        assert sheet.live is not None
        assert sheet.live.number == 2
        assert not sheet.armed
        assert [option.release.number for option in sheet.options] == [3, 1]


async def test_a_log_that_fails_during_a_switch_does_not_send_b_one_release_too_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        moved = shop.edge.point

        async def then_fill_the_disk(key: PlacementKey, pointer: Pointer, token: str = "") -> None:
            await moved(key, pointer, token)
            shop.disk.refuses = "no space left"

        with monkeypatch.context() as patched:
            patched.setattr(shop.edge, "point", then_fill_the_disk)
            await shop.deploy(shop.commit("third"))
            await shop.until(lambda: SHOP not in shop.engine.world.runs)
        assert shop.engine.rows.seen(SHOP).row.live == 3
        await shop.rollback()
        await shop.until(lambda: shop.customers_on() == 2)


async def test_a_rollback_asked_for_before_a_switch_is_refused_after_it_and_disturbs_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        shop.prober.public_answers[3] = 503
        deploying = await shop.deploy(shop.commit("third"))
        await shop.until(lambda: shop.customers_on() == 3)
        with pytest.raises(Refused, match="r3 is live now, not r2"):
            await shop.rollback(TOM, seen_live=2)
        failed = await shop.ended(deploying)
        assert "gave way" not in failed.summary
        assert failed.steps[-1].state is StepState.DONE


async def test_a_rollback_waits_for_no_start_that_is_being_taken_back(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        shop.target.programs[3] = Program(starts_in=30.0)
        deploying = await shop.deploy(shop.commit("third"))
        await shop.until(lambda: any(call == f"start {SHOP} r3" for call in shop.target.calls))
        gate = shop.target.hold_take_back()
        await shop.rollback(TOM)
        await shop.until(lambda: shop.customers_on() == 1)
        assert not shop.engine.idle()
        gate.set()
        await shop.until(shop.engine.idle)
        cancelled = await shop.store.operation(deploying.id)
        assert cancelled is not None
        assert cancelled.state is OperationState.CANCELLED


async def test_a_full_disk_is_told_as_a_full_disk(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.prober.answers[2] = 0
        await shop.deploy(shop.commit("second"))
        run = shop.engine.world.runs[SHOP]
        await shop.until(lambda: 2 in shop.running())
        shop.disk.refuses = "no space left on its disk"
        shop.prober.answers.clear()
        await shop.until(run.ended.is_set)
        assert run.operation.failure is not None
        assert run.operation.failure.summary == "no space left on its disk"
        assert shop.customers_on() == 1


async def test_a_log_that_was_locked_for_a_moment_loses_nothing(tmp_path: Path) -> None:
    backlog, tries, said = Backlog(), 0, []

    async def locked_once() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise StoreError("database is locked")

    async def say(text: str) -> None:
        said.append(text)

    backlog.keep(locked_once, StoreError("database is locked"))
    await backlog.enter(say)
    assert (len(backlog), backlog.reason) == (1, "database is locked")
    await backlog.enter(say)
    assert (len(backlog), tries, said) == (0, 2, [])


async def test_what_the_log_rejects_for_good_does_not_block_what_comes_after(tmp_path: Path) -> None:
    backlog, said, entered = Backlog(), [], []

    async def rejected() -> None:
        raise StoreRejected("operation 7 has ended already")

    async def fine() -> None:
        entered.append("fine")

    async def say(text: str) -> None:
        said.append(text)

    for write in (rejected, fine):
        backlog.keep(write, StoreError("disk full"))
    await backlog.enter(say)
    assert (len(backlog), entered, said) == (0, ["fine"], ["could not be entered late: operation 7 has ended already"])


async def test_one_of_two_replicas_that_comes_back_is_followed_on(tmp_path: Path) -> None:
    async with rig(tmp_path, settings((SHOP, service(replicas=2)))) as shop:
        await shop.shipped("first")
        reader = Reader()
        await follow(shop, reader)
        one, two = (each.name for each in shop.target.containers)
        shop.target.write(one, "from one")
        shop.target.write(two, "from two")
        await shop.until(lambda: {"from one", "from two"} <= set(reader.texts))
        shop.target.die(one)
        shop.target.write(one, "from one again")
        await shop.until(lambda: "from one again" in reader.texts)
        shop.target.write(two, "from two again")
        await shop.until(lambda: "from two again" in reader.texts)


async def test_a_service_that_would_take_the_customers_of_one_that_the_file_lost_is_not_taken(tmp_path: Path) -> None:
    async with rig(tmp_path, settings((SHOP, service(hosts=("shop.example.com",))))) as shop:
        await shop.shipped("first")
        shop.settings = settings((OTHER, service(hosts=("shop.example.com",))))
        shop.paths.config.write_text("renamed")
        await shop.until(lambda: bool(shop.engine.window.status().config_note))
        assert "other/production and shop/production both want shop.example.com" in (
            shop.engine.window.status().config_note
        )
        assert [each.key for each in shop.engine.window.snapshot().placements] == [SHOP]


async def test_a_running_edge_is_not_told_to_listen_where_somebody_else_does(tmp_path: Path) -> None:
    """One that fails to listen does not recover by itself."""
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        loaded = shop.edge.routes
        shop.target.taken_ports.add(8100)
        moved = settings((SHOP, service()))
        (placement,) = moved.placements
        environment = Environment.model_validate({"edge": {"listen": ":8100"}})
        placement = placement.model_copy(update={"environment": environment})
        shop.settings = moved.model_copy(update={"placements": (placement,)})
        shop.paths.config.write_text("moved")
        await shop.until(lambda: "port 8100 is taken by nginx" in shop.host.edge_error)
        assert shop.edge.routes == loaded
        shop.target.taken_ports.clear()
        await shop.until(lambda: [each.listen for each in shop.edge.routes] == [":8100"])


async def test_a_service_that_leaves_the_file_keeps_the_names_that_others_call_it_by(tmp_path: Path) -> None:
    named = service(networks=("backend",), aliases=("shop-api",))
    shop = Rig(tmp_path, settings((SHOP, named)))
    shop.target.networks.add("backend")
    await shop.up()
    try:
        await shop.until(lambda: len(shop.edge.plan.aliases) == 1)
        aliases = shop.edge.plan.aliases
        await shop.shipped("first")
        await shop.reconfigured(settings((OTHER, service(hosts=("other.test",)))))
        await shop.until(lambda: {route.key for route in shop.edge.routes} == {SHOP, OTHER})
        assert shop.edge.plan.aliases == aliases
        await shop.again()
        assert shop.edge.plan.aliases == aliases
    finally:
        await shop.down()
