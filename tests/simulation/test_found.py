"""What the simulation has found, each as small as it gets, because a seed may no longer lead there."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from cockpit.config.settings import Healthcheck, Process
from cockpit.edge.base import Pointer
from cockpit.engine import tidy
from cockpit.engine.exclusion import RECOVERY
from cockpit.engine.journal import Backlog, Journal
from cockpit.errors import Fenced, Refused, StoreError, TargetDown
from cockpit.model import OperationState, PlacementKey
from cockpit.targets.base import Standing
from cockpit.targets.host_lock import HostLock, LockOrder
from tests.engine.rig import ANA, SHOP, Rig, rig, service, settings
from tests.engine.test_exclusion import second, taken
from tests.fakes.target import Program

WEB = Process(port=8000, healthcheck=Healthcheck(interval=0.1, timeout=1.0, retries=2), stop_grace_period=0.1)
WORKER = Process(command=("work",), stop_grace_period=0.1)
WITH_WORKER = settings((SHOP, service(processes={"web": WEB, "worker": WORKER})))
RUNS = Program(health="healthy")  # known at once, where a real one has to run for ten seconds


def workers(shop: Rig) -> set[int]:
    return {each.release for each in shop.target.containers if each.running and each.process == "worker"}


async def leased(shop: Rig) -> list[int]:
    return [lease.release for lease in await shop.store.leases() if lease.freed_at is None]


async def test_workers_follow_the_customers_also_when_these_get_no_answer(tmp_path: Path) -> None:
    async with rig(tmp_path, WITH_WORKER) as shop:
        shop.target.process_programs |= {(1, "worker"): RUNS, (2, "worker"): RUNS}
        await shop.shipped("first")
        shop.prober.public_answers[2] = 500
        second = await shop.shipped("second")
        assert second.failure is not None
        assert (second.state, second.failure.step) == (OperationState.FAILED, "confirm")
        assert (shop.customers_on(), workers(shop)) == (2, {2})


async def test_the_only_worker_is_not_stopped_with_the_release_that_it_belongs_to(tmp_path: Path) -> None:
    async with rig(tmp_path, WITH_WORKER) as shop:
        shop.target.process_programs[1, "worker"] = RUNS
        await shop.shipped("first")
        shop.target.process_programs[2, "worker"] = Program(refuses="no such device")
        await shop.shipped("second")
        await shop.make_good(2)
        seen, later = shop.engine.rows.seen(SHOP), shop.clock.now() + 86_400
        assert workers(shop) == {1}
        assert tidy.to_stop(shop.target.containers, seen, later) == ()
        without = tuple(each for each in shop.target.containers if each.process == "web")
        assert [each.number for each in tidy.to_stop(without, seen, later)] == [1]


async def test_addresses_of_a_release_are_given_back_although_the_log_could_not_say_that_it_failed(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.prober.answers[2] = 503
        running = await shop.deploy(shop.commit("second"))
        await shop.until(lambda: 2 in shop.running())
        shop.disk.refuses = "no space left"
        await shop.until(lambda: SHOP not in shop.engine.world.runs)
        shop.disk.refuses = ""
        assert await leased(shop) == [1, 2]
        shop.clock.hurry()
        await shop.until(lambda: {each.release for each in shop.target.containers} == {1})
        await shop.until(lambda: shop.engine.rows.seen(SHOP).records[0].slot is None)
        assert await leased(shop) == [1]
        assert (await shop.ended(running)).state is OperationState.FAILED


async def test_what_customers_are_sent_to_comes_back_when_docker_is_restarted_at_that_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    standings: list[Standing] = []
    async with rig(tmp_path) as shop:
        point = shop.edge.point

        async def look(key: PlacementKey, pointer: Pointer, token: str = "") -> None:
            standings.extend(each.standing for each in shop.target.containers)
            await point(key, pointer, token)

        monkeypatch.setattr(shop.edge, "point", look)
        await shop.shipped("first")
        assert standings
        assert Standing.OFF not in standings


async def test_a_recovery_starts_again_what_customers_are_sent_to(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.prober.answers[2] = 0
        await shop.deploy(shop.commit("second"))
        await shop.until(lambda: 2 in shop.running())
        second = [each for each in shop.target.containers if each.release == 2]
        await shop.down()
        shop.edge.pointers[SHOP] = Pointer(2, tuple(f"{each.address}:{each.port}" for each in second))
        for each in second:
            shop.target.die(each.name, 137)
        assert shop.running() == {1}
        shop.prober.answers.clear()
        await shop.up()
        assert (shop.customers_on(), shop.running()) == (2, {1, 2})


async def test_what_a_wrong_clock_kept_hot_for_a_year_does_not_stay_hot_once_it_is_right(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.clock.ahead = 365 * 86_400.0
        await shop.shipped("second")
        await shop.make_good(2)
        seen, target = shop.engine.rows.seen(SHOP), shop.target
        assert tidy.to_stop(target.containers, seen, shop.clock.now()) == ()
        shop.clock.ahead = 0.0
        assert [each.number for each in tidy.to_stop(target.containers, seen, shop.clock.now())] == [1]


async def test_a_rollback_and_a_recovery_that_ask_at_the_same_time_share_one_claim_and_give_it_back_once(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as shop:
        exclusion, slow = shop.engine.exclusion, asyncio.Event()
        take = shop.target.take_lock

        async def take_slowly(order: LockOrder) -> HostLock | None:
            if order.kind == "rollback":
                await slow.wait()
            return await take(order)

        shop.target.take_lock = take_slowly  # type: ignore[method-assign]  # Docker is slow for one of them
        rollback = asyncio.create_task(exclusion.claim(shop.host, SHOP, 2, "rollback", ANA))
        recovery = await exclusion.claim(shop.host, SHOP, 1, RECOVERY, ANA)
        claim = await rollback
        assert claim is recovery
        assert claim.lock == await shop.target.lock_of(SHOP) is not None
        await exclusion.release(recovery)
        assert await shop.target.lock_of(SHOP) is not None
        await exclusion.release(claim)
        assert await shop.target.lock_of(SHOP) is None


async def test_a_rollback_cuts_a_recovery_short_which_is_done_after_it(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        shop.prober.answers[3] = 0
        third = await shop.deploy(shop.commit("third"))
        await shop.until(lambda: 3 in shop.running())
        await shop.down()
        gate = shop.target.hold_stops()
        await shop.up(wait=False)
        await shop.until(lambda: any("remove shop/production r3" in call for call in shop.target.calls))
        back = await shop.rollback()
        assert not shop.engine.world.tries
        gate.set()
        assert (await shop.ended(back)).state is OperationState.SUCCEEDED
        assert SHOP in shop.engine.world.recovering
        await shop.settled()
        assert (await shop.ended(third)).state is OperationState.INTERRUPTED
        assert (shop.customers_on(), shop.running()) == (1, {1, 2})


async def test_the_end_of_an_operation_is_entered_after_what_is_kept_already() -> None:
    backlog, written = Backlog(), list[str]()

    async def outcome() -> None:
        written.append("outcome")

    async def end() -> None:
        written.append("end")

    backlog.keep(outcome, StoreError("no space left"))
    await Journal(backlog, must=True).end(end)
    assert written == []
    await backlog.enter(lambda text: outcome())
    assert written == ["outcome", "end"]


async def test_two_bastions_call_no_two_releases_by_one_number(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop, second(shop, tmp_path / "second") as other:
        await shop.shipped("first")
        shop.prober.answers[2] = 503
        assert (await shop.shipped("second")).state is OperationState.FAILED
        await other.until(lambda: other.engine.rows.seen(SHOP).row.live == 1)
        third = await other.shipped("third")
        assert (third.state, third.to_release) == (OperationState.SUCCEEDED, 3)
        with pytest.raises(Refused, match="r3 is live now"):
            await shop.deploy(shop.commit("fourth"))
        assert [each.commit for each in shop.engine.rows.seen(SHOP).records if each.number == 3] == [third.commit]


async def test_a_rollback_that_went_on_without_a_lock_has_it_as_soon_as_docker_answers(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        deploy = await taken(shop)
        await shop.edge.guard(SHOP, "of the deploy")
        take, answers = shop.target.take_lock, asyncio.Event()

        async def take_slowly(order: LockOrder) -> HostLock | None:
            await answers.wait()
            return await take(order)

        shop.target.take_lock = take_slowly  # type: ignore[method-assign]  # Docker hangs
        claim = await shop.engine.exclusion.claim(shop.host, SHOP, 2, "rollback", ANA)
        assert claim.lock is None
        with pytest.raises(Fenced):
            await shop.edge.point(SHOP, shop.edge.pointers[SHOP], "of the deploy")
        answers.set()
        await shop.until(lambda: claim.lock is not None)
        assert claim.lock == await shop.target.lock_of(SHOP) != deploy
        await shop.edge.point(SHOP, shop.edge.pointers[SHOP], claim.token)
        await shop.engine.exclusion.release(claim)


async def test_a_rollback_that_nobody_heard_of_getting_its_lock_finds_it(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        take = shop.target.take_lock

        async def take_unheard(order: LockOrder) -> HostLock | None:
            await take(order)
            shop.target.take_lock = take  # type: ignore[method-assign]
            raise TargetDown("the answer was lost")

        shop.target.take_lock = take_unheard  # type: ignore[method-assign]
        claim = await shop.engine.exclusion.claim(shop.host, SHOP, 2, "rollback", ANA)
        await shop.until(lambda: claim.lock is not None)
        assert claim.lock == await shop.target.lock_of(SHOP)
        await shop.engine.exclusion.release(claim)


async def test_a_rollback_that_slept_is_stopped_also_when_who_took_over_is_done(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        claim = await shop.engine.exclusion.claim(shop.host, SHOP, 1, "rollback", ANA)
        fence = claim.fence(must=False)
        shop.target.held.clear()
        await fence()  # somebody pruned containers
        await shop.edge.guard(SHOP, "of another bastion")
        with pytest.raises(Fenced, match="taken shop/production over"):
            await fence()
        await shop.engine.exclusion.release(claim)


async def test_an_operation_that_fails_leaves_running_what_another_bastion_sent_customers_to(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.prober.answers[2] = 503
        failing = await shop.deploy(shop.commit("second"))
        await shop.until(lambda: 2 in shop.running())
        there = tuple(f"{each.address}:{each.port}" for each in shop.target.containers if each.release == 2)
        shop.edge.pointers[SHOP] = Pointer(2, there)
        assert (await shop.ended(failing)).state is OperationState.FAILED
        assert 2 in shop.running()


async def test_the_only_worker_goes_on_also_in_a_release_that_this_log_thinks_never_served(tmp_path: Path) -> None:
    async with rig(tmp_path, WITH_WORKER) as shop:
        shop.target.process_programs |= {(1, "worker"): RUNS, (2, "worker"): RUNS}
        await shop.shipped("first")
        await shop.shipped("second")
        seen = shop.engine.rows.seen(SHOP)
        first = replace(seen.records[1], failed=True, took_traffic_at=None, hot_until=None)
        seen.records = (seen.records[0], first)
        (web, worker) = [
            next(each for each in shop.target.containers if each.process == process and each.release == release)
            for process, release in (("web", 2), ("worker", 1))
        ]
        running = replace(worker, state=web.state)
        assert tidy.to_remove((web, running), seen, shop.clock.now()) == ()
        assert [each.number for each in tidy.to_remove((web,), seen, shop.clock.now())] == [1]
