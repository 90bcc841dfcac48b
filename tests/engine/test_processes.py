"""Services of several processes: one release, one switch, and the workers follow the customers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cockpit.config.settings import Healthcheck, Process, Settings
from cockpit.edge.base import Pointer
from cockpit.engine import spec, tidy
from cockpit.errors import Refused
from cockpit.model import Health, Operation, OperationKind, OperationState, StepState
from cockpit.protocol import RESTART, RestartRequest
from cockpit.targets.host_lock import LockOrder
from tests.engine.rig import SHOP, Rig, rig, service, settings
from tests.fakes.target import Program
from tests.waiting import until

QUICK = Healthcheck(interval=0.1, timeout=1.0, retries=2)
WEB = Process(port=8000, healthcheck=QUICK, stop_grace_period=0.1)
WORKER = Process(command=("work",), stop_grace_period=0.1)
RUNS = Program(health="healthy")


def shop_with(**processes: Process) -> Settings:
    return settings((SHOP, service(processes=processes)))


def workers_run(shop: Rig, *names: str) -> None:
    """At once, where the real ones would have to run for ten seconds."""
    for number in range(1, 6):
        for name in names:
            shop.target.process_programs.setdefault((number, name), RUNS)


def running(shop: Rig, process: str) -> set[int]:
    return {each.release for each in shop.target.containers if each.running and each.process == process}


def acts(shop: Rig, process: str) -> list[str]:
    return [call for call in shop.target.calls if process in call and call.split()[0] in ("start", "stop")]


async def restarted(shop: Rig, **more: Any) -> Operation:
    return await shop.ended(await shop.call(RESTART, RestartRequest(SHOP, **more)))


async def test_one_deploy_brings_all_processes_and_the_workers_follow_the_customers(tmp_path: Path) -> None:
    async with rig(tmp_path, shop_with(web=WEB, worker=WORKER)) as shop:
        workers_run(shop, "worker")
        first = await shop.shipped("first")
        assert [step.name for step in first.steps][-4:] == ["switch", "confirm", "processes", "settle"]
        second = await shop.shipped("second")
        assert second.state is OperationState.SUCCEEDED
        assert (running(shop, "web"), running(shop, "worker")) == ({1, 2}, {2})


async def test_a_rollback_brings_the_workers_back_too(tmp_path: Path) -> None:
    async with rig(tmp_path, shop_with(web=WEB, worker=WORKER)) as shop:
        workers_run(shop, "worker")
        await shop.shipped("first")
        await shop.shipped("second")
        back = await shop.ended(await shop.rollback())
        assert back.state is OperationState.SUCCEEDED
        assert back.steps[0].state is StepState.SKIPPED  # web was hot
        assert (shop.customers_on(), running(shop, "worker")) == (1, {1})


async def test_a_worker_that_does_not_run_leaves_its_predecessor_working_and_says_which_it_is(tmp_path: Path) -> None:
    async with rig(tmp_path, shop_with(web=WEB, worker=WORKER)) as shop:
        workers_run(shop, "worker")
        await shop.shipped("first")
        shop.target.process_programs[2, "worker"] = Program(exits=1)
        second = await shop.shipped("second")
        assert second.state is OperationState.FAILED
        assert second.failure is not None
        assert (second.failure.step, second.failure.summary[:8]) == ("processes", "worker: ")
        assert (shop.customers_on(), running(shop, "worker")) == (2, {1})
        assert shop.engine.window.snapshot().placements[0].health is Health.DEGRADED
        back = await shop.ended(await shop.rollback())
        assert back.state is OperationState.SUCCEEDED
        assert (shop.customers_on(), running(shop, "worker")) == (1, {1})


async def test_customers_without_an_answer_are_failing_whatever_the_worker_does(tmp_path: Path) -> None:
    async with rig(tmp_path, shop_with(web=WEB, worker=WORKER)) as shop:
        workers_run(shop, "worker")
        await shop.shipped("first")
        shop.prober.answers[1] = 503

        def seen() -> tuple[Health, str]:
            placement = shop.engine.window.snapshot().placements[0]
            return placement.health, placement.why

        await shop.until(lambda: seen() == (Health.FAILING, "503"))
        shop.prober.answers[1] = 200
        await shop.until(lambda: seen() == (Health.HEALTHY, ""))
        await shop.target.stop(SHOP, 1, process="worker", grace=0.0, remove=True)
        await shop.until(lambda: seen() == (Health.DEGRADED, "worker: no container"))


async def test_what_must_not_run_twice_is_stopped_before_its_successor_starts(tmp_path: Path) -> None:
    clock = WORKER.model_copy(update={"replace": "recreate"})
    async with rig(tmp_path, shop_with(web=WEB, clock=clock)) as shop:
        workers_run(shop, "clock")
        await shop.shipped("first")
        twice: list[set[int]] = []
        begun = shop.target.start

        async def start(order: Any) -> Any:
            if order.process == "clock":
                twice.append(running(shop, "clock"))
            return await begun(order)

        shop.target.start = start  # type: ignore[method-assign]  # to look at the moment of the start
        assert (await shop.shipped("second")).state is OperationState.SUCCEEDED
        assert twice == [set()]
        assert running(shop, "clock") == {2}


async def test_a_service_without_customers_moves_when_its_new_process_runs(tmp_path: Path) -> None:
    async with rig(tmp_path, shop_with(mailer=WORKER)) as shop:
        workers_run(shop, "mailer")
        await shop.shipped("first")
        shop.target.process_programs[2, "mailer"] = Program(exits=3)
        failed = await shop.shipped("second")
        assert failed.state is OperationState.FAILED
        assert (await shop.live(), running(shop, "mailer")) == (1, {1})
        assert (await shop.shipped("third")).state is OperationState.SUCCEEDED
        assert (await shop.live(), running(shop, "mailer")) == (3, {3})


async def test_a_process_that_a_release_no_longer_has_stops_after_the_switch(tmp_path: Path) -> None:
    async with rig(tmp_path, shop_with(web=WEB, worker=WORKER, mailer=WORKER)) as shop:
        workers_run(shop, "worker", "mailer")
        await shop.shipped("first")
        await shop.reconfigured(shop_with(web=WEB, worker=WORKER))
        assert (await shop.shipped("second")).state is OperationState.SUCCEEDED
        assert (running(shop, "worker"), running(shop, "mailer")) == ({2}, set())


async def test_two_processes_that_customers_reach_move_in_one_line(tmp_path: Path) -> None:
    admin = Process(port=9000, hosts=("admin.example.com",), healthcheck=QUICK)
    web = WEB.model_copy(update={"hosts": ("shop.example.com",)})
    async with rig(tmp_path, shop_with(web=web, admin=admin)) as shop:
        assert (await shop.shipped("first")).state is OperationState.SUCCEEDED
        pointer = shop.edge.pointers[SHOP]
        assert (len(pointer.addresses), [name for name, _ in pointer.others]) == (1, ["admin"])
        assert {(route.process, route.hosts) for route in shop.edge.routes} == {
            ("", ("shop.example.com",)),
            ("admin", ("admin.example.com",)),
        }


async def test_an_engine_that_died_after_the_switch_lets_the_workers_follow(tmp_path: Path) -> None:
    async with rig(tmp_path, shop_with(web=WEB, worker=WORKER)) as shop:
        workers_run(shop, "worker")
        await shop.shipped("first")
        shop.target.process_programs[2, "worker"] = Program(starts_in=3600.0)
        deploying = await shop.deploy(shop.commit("second"))
        await shop.until(lambda: shop.customers_on() == 2)
        shop.target.process_programs[2, "worker"] = RUNS
        await shop.again()
        found = await shop.store.operation(deploying.id)
        assert found is not None
        assert found.state is OperationState.SUCCEEDED
        assert running(shop, "worker") == {2}


# ---------------------------------------------------------------- restart


async def test_a_restart_brings_the_same_release_in_new_containers_and_clears_the_old_ones(tmp_path: Path) -> None:
    async with rig(tmp_path, shop_with(web=WEB, worker=WORKER)) as shop:
        workers_run(shop, "worker")
        await shop.shipped("first")
        before = {each.id for each in shop.target.containers}
        pointer = shop.edge.pointers[SHOP]
        done = await restarted(shop, reason="leaks")
        assert (done.kind, done.state) == (OperationKind.RESTART, OperationState.SUCCEEDED)
        assert await shop.live() == shop.customers_on() == 1
        assert shop.edge.pointers[SHOP] != pointer

        shop.clock.hurry()
        shop.clock.ahead = 60.0  # what was open has had its time
        await shop.until(lambda: not before & {each.id for each in shop.target.containers})
        assert (running(shop, "web"), running(shop, "worker")) == ({1}, {1})
        assert (await shop.shipped("second")).state is OperationState.SUCCEEDED


async def test_a_restart_that_does_not_come_up_leaves_everything_as_it_was(tmp_path: Path) -> None:
    async with rig(tmp_path, shop_with(web=WEB)) as shop:
        await shop.shipped("first")
        before = shop.target.containers
        pointer = shop.edge.pointers[SHOP]
        shop.target.programs[1] = Program(exits=1)
        done = await restarted(shop)
        assert done.state is OperationState.FAILED
        assert shop.edge.pointers[SHOP] == pointer
        assert {each.id for each in shop.target.containers} == {each.id for each in before}
        live = await shop.store.release(SHOP, 1)
        assert live is not None
        assert spec.from_text(live.spec).pointer(1, live.slot or 0, shop.host.subnet) == pointer


@pytest.mark.parametrize("moved", [False, True])
async def test_an_engine_that_died_in_a_restart_finds_which_containers_have_the_customers(
    tmp_path: Path, moved: bool
) -> None:
    async with rig(tmp_path, shop_with(web=WEB)) as shop:
        await shop.shipped("first")
        old = await shop.store.release(SHOP, 1)
        assert old is not None
        shop.prober.answers[1] = 0  # so that it stays in verify
        restarting = await shop.call(RESTART, RestartRequest(SHOP))
        await shop.until(lambda: len(shop.target.containers) == 2)
        spare = next(each.slot for each in shop.target.containers if each.slot != old.slot)
        if moved:
            shop.edge.pointers[SHOP] = spec.from_text(old.spec).pointer(1, spare, shop.host.subnet)
        shop.prober.answers[1] = 200
        await shop.again()
        found = await shop.store.operation(restarting.id)
        live = await shop.store.release(SHOP, 1)
        assert found is not None
        assert live is not None
        assert found.state is OperationState.INTERRUPTED
        assert live.slot == (spare if moved else old.slot)
        shop.clock.hurry()
        shop.clock.ahead = 60.0
        await shop.until(lambda: {each.slot for each in shop.target.containers} == {live.slot})


async def test_nothing_is_restarted_where_nothing_is_live(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        with pytest.raises(Refused, match="nothing is live"):
            await shop.call(RESTART, RestartRequest(SHOP))


# ---------------------------------------------------------------- what an operation leaves behind


async def test_the_last_worker_of_a_service_stops_when_the_configuration_loses_it(tmp_path: Path) -> None:
    async with rig(tmp_path, shop_with(web=WEB, worker=WORKER)) as shop:
        workers_run(shop, "worker")
        await shop.shipped("first")
        await shop.reconfigured(shop_with(web=WEB))
        assert (await shop.shipped("second")).state is OperationState.SUCCEEDED
        assert running(shop, "worker") == set()
        back = await shop.ended(await shop.rollback())
        assert (back.state, running(shop, "worker")) == (OperationState.SUCCEEDED, {1})
        await shop.ended(await shop.rollback(to=2))
        assert running(shop, "worker") == set()


async def test_a_worker_that_outlived_a_failed_takeover_gives_way_to_the_next_one(tmp_path: Path) -> None:
    async with rig(tmp_path, shop_with(web=WEB, worker=WORKER)) as shop:
        workers_run(shop, "worker")
        await shop.shipped("first")
        shop.target.process_programs[2, "worker"] = Program(exits=1)
        await shop.shipped("second")
        assert running(shop, "worker") == {1}
        assert (await shop.shipped("third")).state is OperationState.SUCCEEDED
        assert running(shop, "worker") == {3}


async def test_what_must_not_run_twice_does_not_while_it_learns_to(tmp_path: Path) -> None:
    async with rig(tmp_path, shop_with(clock=WORKER)) as shop:
        workers_run(shop, "clock")
        await shop.shipped("first")
        await shop.reconfigured(shop_with(clock=WORKER.model_copy(update={"replace": "recreate"})))
        beside: list[set[int]] = []
        begun = shop.target.start

        async def start(order: Any) -> Any:
            beside.append(running(shop, "clock"))
            return await begun(order)

        shop.target.start = start  # type: ignore[method-assign]  # to look at the moment of the start
        assert (await shop.shipped("second")).state is OperationState.SUCCEEDED
        assert (beside, running(shop, "clock")) == ([set()], {2})


async def test_an_engine_that_died_in_a_restart_leaves_one_worker(tmp_path: Path) -> None:
    clock = WORKER.model_copy(update={"replace": "recreate"})
    async with rig(tmp_path, shop_with(web=WEB, clock=clock)) as shop:
        workers_run(shop, "clock")
        await shop.shipped("first")
        gate = shop.target.hold_stops()
        await shop.call(RESTART, RestartRequest(SHOP))
        await shop.until(lambda: any(call == f"stop {SHOP} r1" for call in shop.target.calls))
        await shop.down()
        gate.set()
        await shop.up()
        assert len([each for each in shop.target.containers if each.running and each.process == "clock"]) == 1


async def test_an_engine_that_died_in_the_restart_of_a_worker_keeps_the_one_that_the_log_has(tmp_path: Path) -> None:
    async with rig(tmp_path, shop_with(mailer=WORKER)) as shop:
        workers_run(shop, "mailer")
        await shop.shipped("first")
        await shop.shipped("second")
        for number in (1, 2):  # so that a restart's block of addresses comes before the one that is held
            record = await shop.store.release(SHOP, number)
            assert record is not None
            assert record.slot == number - 1
        await shop.store.free_slot(0, shop.clock.now() - 3600)
        await shop.target.stop(SHOP, 1, grace=0, remove=True)
        old = {each.id for each in shop.target.containers if each.running}
        shop.target.process_programs[2, "mailer"] = Program(starts_in=3600.0)
        avoid = frozenset(range(1, shop.host.subnet.slots))
        await shop.store.lease_spare(SHOP, 2, shop.host.subnet.slots, rest=0.0, avoid=avoid)
        restarting = await shop.call(RESTART, RestartRequest(SHOP))
        await shop.until(lambda: len(shop.target.containers) == 2)
        shop.target.process_programs[2, "mailer"] = RUNS
        await shop.again()
        found = await shop.store.operation(restarting.id)
        live = await shop.store.release(SHOP, 2)
        assert found is not None
        assert live is not None
        assert (found.state, live.slot) == (OperationState.INTERRUPTED, 1)
        assert old <= {each.id for each in shop.target.containers if each.running}


async def test_a_worker_that_does_not_come_up_in_a_restart_leaves_the_old_one_working(tmp_path: Path) -> None:
    async with rig(tmp_path, shop_with(web=WEB, worker=WORKER)) as shop:
        workers_run(shop, "worker")
        await shop.shipped("first")
        old = next(each.id for each in shop.target.containers if each.process == "worker")
        shop.target.process_programs[1, "worker"] = Program(exits=1)
        assert (await restarted(shop)).state is OperationState.FAILED
        shop.clock.ahead = 60.0
        await shop.engine.watch.look(SHOP)
        await tidy.clear(shop.engine.ports, shop.engine.world, shop.engine.rows.seen(SHOP))
        assert old in {each.id for each in shop.target.containers if each.running}


async def test_a_restart_whose_switch_was_not_written_is_believed_to_the_edge(tmp_path: Path) -> None:
    async with rig(tmp_path, shop_with(web=WEB)) as shop:
        await shop.shipped("first")
        old = next(each.slot for each in shop.target.containers)
        await restarted(shop)
        new = next(each.slot for each in shop.target.containers if each.slot != old)
        await shop.store.update_release(SHOP, 1, slot=old)
        shop.clock.hurry()
        shop.clock.ahead = 60.0
        await shop.until(lambda: {each.slot for each in shop.target.containers} == {new})
        live = await shop.store.release(SHOP, 1)
        assert live is not None
        assert live.slot == new


async def test_a_release_that_goes_frees_also_what_a_restart_of_it_left(tmp_path: Path) -> None:
    quick = service(processes={"web": WEB}, keep_hot=0.0)
    async with rig(tmp_path, settings((SHOP, quick))) as shop:
        await shop.shipped("first")
        await restarted(shop)
        for number, subject in ((2, "second"), (3, "third")):
            await shop.shipped(subject)
            await shop.make_good(number)
        shop.clock.hurry()
        shop.clock.ahead = 3600.0
        await shop.until(lambda: {each.release for each in shop.target.containers} <= {2, 3})
        await shop.until(lambda: 1 not in {each.number for each in shop.engine.rows.seen(SHOP).records if each.slot})
        assert {each.release for each in await shop.store.leases() if each.freed_at is None} <= {2, 3}


async def test_a_hot_release_that_lost_a_process_is_made_whole_before_customers_return(tmp_path: Path) -> None:
    admin = Process(port=9000, hosts=("admin.example.com",), healthcheck=QUICK)
    async with rig(tmp_path, shop_with(web=WEB, admin=admin)) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        await shop.target.stop(SHOP, 1, grace=0, remove=True, process="admin")
        await shop.engine.watch.look(SHOP)
        back = await shop.ended(await shop.rollback())
        assert back.state is OperationState.SUCCEEDED
        assert 1 in running(shop, "admin")


# ---------------------------------------------------------------- customers whom no operation moved


def moved_by_hand(shop: Rig, release: int) -> None:
    where = tuple(
        f"{each.address}:{each.port}" for each in shop.target.containers if each.port and each.release == release
    )
    shop.edge.pointers[SHOP] = Pointer(release, where)


async def recorded(shop: Rig, action: str, outcome: str) -> list[str]:
    return [each.text for each in await shop.store.audit(50, SHOP) if (each.action, each.outcome) == (action, outcome)]


async def test_workers_follow_a_pointer_that_was_moved_by_hand(tmp_path: Path) -> None:
    async with rig(tmp_path, shop_with(web=WEB, worker=WORKER)) as shop:
        workers_run(shop, "worker")
        await shop.shipped("first")
        await shop.shipped("second")
        shop.clock.hurry()
        moved_by_hand(shop, 1)
        await shop.until(lambda: running(shop, "worker") == {1} and not shop.engine.rows.seen(SHOP).behind)
        assert (shop.customers_on(), await shop.live(), running(shop, "web")) == (1, 1, {1, 2})
        assert "worker took over on r1, where customers were found" in await recorded(shop, "recovery", "done")
        assert shop.engine.world.recovering == set()


async def test_a_worker_that_does_not_run_where_customers_were_moved_by_hand_leaves_its_predecessor_working(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path, shop_with(web=WEB, worker=WORKER)) as shop:
        workers_run(shop, "worker")
        await shop.shipped("first")
        await shop.shipped("second")
        shop.target.programs[1] = Program(exits=1)  # of what is started from now on
        shop.clock.hurry()
        moved_by_hand(shop, 1)

        async def told() -> bool:
            return bool(await recorded(shop, "recovery", "failed"))

        await until(told)
        (text,) = await recorded(shop, "recovery", "failed")
        assert text.startswith("the workers of r1 do not follow the customers: ")
        assert 2 in running(shop, "worker")
        assert "stop shop/production r2" not in shop.target.calls
        await shop.until(lambda: not shop.engine.rows.seen(SHOP).behind)  # it is not begun again for ever


async def test_a_rollback_waits_for_no_worker_that_follows_a_pointer_moved_by_hand(tmp_path: Path) -> None:
    async with rig(tmp_path, shop_with(web=WEB, worker=WORKER)) as shop:
        workers_run(shop, "worker")
        await shop.shipped("first")
        await shop.shipped("second")
        await shop.shipped("third")
        shop.target.process_programs[2, "worker"] = Program(starts_in=3600.0)
        starting = "start shop/production r2"
        shop.target.calls.clear()
        moved_by_hand(shop, 2)
        await shop.until(lambda: starting in shop.target.calls)
        done = await shop.ended(await shop.rollback())
        assert done.state is OperationState.SUCCEEDED
        await shop.until(lambda: not shop.engine.rows.seen(SHOP).behind)
        assert (shop.customers_on(), running(shop, "worker")) == (1, {1})


async def test_nothing_follows_while_another_bastion_is_at_it_or_where_all_is_in_its_place(tmp_path: Path) -> None:
    async with rig(tmp_path, shop_with(web=WEB, worker=WORKER)) as shop:
        workers_run(shop, "worker")
        await shop.shipped("first")
        await shop.shipped("second")
        there = replace(shop.me, bastion="bastion-9", machine="machine-9", boot="another")
        lock = await shop.target.take_lock(LockOrder(SHOP, 5, "deploy", "tom", shop.clock.now(), there))
        assert lock is not None
        await shop.engine.watch.look(SHOP)
        seen = shop.engine.rows.seen(SHOP)
        seen.behind = True
        shop.target.calls.clear()
        await shop.engine.recoveries.follow()
        assert seen.behind
        await shop.target.release_lock(lock)
        await shop.engine.watch.look(SHOP)
        await shop.engine.recoveries.follow()
        assert not seen.behind
        assert acts(shop, "worker") == []
        assert await recorded(shop, "recovery", "done") == []
