"""One of several engines changes a placement: who holds its lock on the host, and what becomes of whoever lost it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from cockpit.engine import exclusion
from cockpit.errors import EdgeError, Fenced, Refused
from cockpit.health.probe import Probe
from cockpit.model import Elsewhere, Operation, OperationState, PlacementKey, Side
from cockpit.protocol import (
    AUDIT,
    DEPLOY_SHEET,
    OPERATION,
    ROLLBACK_SHEET,
    STATUS,
    TAKEOVER,
    AuditRequest,
    CommitRequest,
    For,
    Nothing,
    OperationRequest,
    TakeoverRequest,
)
from cockpit.store.logs import path_of
from cockpit.targets.host_lock import HostLock, LockOrder
from tests.engine.rig import SHOP, TOM, Rig, rig
from tests.fakes.prober import FakeProber


@asynccontextmanager
async def second(first: Rig, directory: Path) -> AsyncIterator[Rig]:
    """Another bastion's engine on the same Docker host."""
    directory.mkdir()
    other = Rig(directory)
    other.bastion = "bastion-2"
    other.target, other.edge, other.clock, other.source = first.target, first.edge, first.clock, first.source
    other.prober = FakeProber(first.target, first.edge, first.clock)
    await other.up()
    try:
        yield other
    finally:
        await other.down()


def order(shop: Rig, **changes: object) -> LockOrder:
    """Of an engine that nobody knows anything of."""
    there = replace(shop.me, bastion="bastion-9", machine="machine-9", boot="another")
    return replace(LockOrder(SHOP, 5, "deploy", "tom", shop.clock.now(), there), **changes)  # type: ignore[arg-type]  # its own fields


async def taken(shop: Rig, **changes: object) -> HostLock:
    lock = await shop.target.take_lock(order(shop, **changes))
    assert lock is not None
    return lock


def heard(shop: Rig, lock: HostLock, beats: int) -> bool:
    return shop.engine.exclusion._hearts.get(lock.id, (-1, 0.0))[0] == beats


async def test_an_operation_holds_the_lock_from_its_begin_to_its_end(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        shop.builder.gate = asyncio.Event()
        operation = await shop.deploy(shop.commit("first"))
        lock = await shop.target.lock_of(SHOP)
        shop.builder.gate.set()
        assert lock is not None
        assert (lock.order.by, lock.order.kind, lock.order.operation) == ("ana", "deploy", operation.id)
        assert lock.order.holder == shop.me
        await shop.ended(operation)
        assert await shop.target.lock_of(SHOP) is None


async def test_who_another_bastion_holds_up_is_told_who_since_when_and_how_to_follow_or_take_over(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as shop:
        lock = await taken(shop)
        with pytest.raises(Refused) as refused:
            await shop.deploy(shop.commit("first"))
        assert "tom on bastion-9 began a deploy" in refused.value.message
        assert f"cockpit takeover shop production {lock.short}" in refused.value.hint
        assert await shop.target.lock_of(SHOP) == lock
        assert await shop.store.operations(SHOP) == ()


async def test_everybody_sees_that_another_bastion_is_at_a_placement_and_what_that_means_for_both_sheets(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")

        async def seen() -> Elsewhere | None:
            await shop.engine.watch.look(SHOP)
            (found,) = [each for each in (await shop.call(STATUS, Nothing())).placements if each.key == SHOP]
            return found.elsewhere

        assert await seen() is None
        lock = await taken(shop)
        assert await seen() == Elsewhere("tom", "bastion-9", "deploy", lock.order.since, lock.short)
        told = "tom on bastion-9 began a deploy"
        assert told in " ".join((await shop.call(DEPLOY_SHEET, CommitRequest(SHOP, shop.commit("third")))).warnings)
        assert told in " ".join((await shop.call(ROLLBACK_SHEET, For(SHOP))).warnings)
        await shop.target.release_lock(lock)
        assert await seen() is None


async def test_an_operation_of_this_engine_is_not_said_to_be_elsewhere(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        shop.builder.gate = asyncio.Event()
        operation = await shop.deploy(shop.commit("first"))
        await shop.engine.watch.look(SHOP)
        assert shop.engine.world.host(SHOP).locks
        placements = (await shop.call(STATUS, Nothing())).placements
        assert [each.elsewhere for each in placements if each.key == SHOP] == [None]
        shop.builder.gate.set()
        await shop.ended(operation)


async def test_a_lock_whose_holder_died_on_this_machine_is_taken_over_at_once(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await taken(shop, holder=replace(shop.me, started=0))
        assert (await shop.shipped("first")).state is OperationState.SUCCEEDED


async def test_a_lock_whose_heart_stands_still_goes_by_itself_and_that_is_in_the_audit(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        lock = await taken(shop)
        await shop.until(partial(heard, shop, lock, 0))
        for _ in range(2):
            shop.clock.ahead += exclusion.SILENT / 2
            await shop.engine.watch.look(SHOP)
        await shop.until(lambda: not shop.target.held)
        rows = (await shop.call(AUDIT, AuditRequest(SHOP))).rows
        (row,) = [each for each in rows if each.action == "takeover"]
        assert lock.short in row.text
        assert "tom on bastion-9" in row.text


async def test_a_lock_whose_heart_beats_is_left_alone(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        lock = await taken(shop)
        for beats in range(1, 4):
            assert await shop.target.beat_lock(lock, beats)
            await shop.until(partial(heard, shop, lock, beats))
            shop.clock.ahead += exclusion.SILENT / 2
        assert SHOP in shop.target.held


async def test_a_heart_that_could_not_be_heard_while_docker_was_away_is_listened_to_anew(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        lock = await taken(shop)
        await shop.until(partial(heard, shop, lock, 0))
        shop.target.down = "Docker does not answer"
        shop.clock.ahead += exclusion.SILENT + 1
        shop.target.down = ""
        await shop.engine.watch.look(SHOP)
        assert SHOP in shop.target.held


async def test_a_rollback_cuts_a_deploy_short_whose_lock_docker_does_not_give(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        hangs, give = asyncio.Event(), shop.target.take_lock

        async def hang(order: LockOrder) -> HostLock | None:
            if order.kind != "deploy":
                return await give(order)
            hangs.set()
            await asyncio.Event().wait()
            return None

        shop.target.take_lock = hang  # type: ignore[method-assign]  # a Docker that hangs
        deploy = asyncio.create_task(shop.deploy(shop.commit("third")))
        await hangs.wait()
        await shop.ended(await shop.rollback(TOM))
        assert shop.customers_on() == 1
        with pytest.raises(Refused, match="gave way to a rollback"):
            await deploy


async def test_a_living_holders_lock_is_taken_over_only_by_who_types_its_id(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        lock = await taken(shop)
        with pytest.raises(Refused):
            await shop.call(TAKEOVER, TakeoverRequest(SHOP, "feedfeedfeed", "bastion-9 hangs"))
        assert await shop.target.lock_of(SHOP) == lock
        await shop.call(TAKEOVER, TakeoverRequest(SHOP, lock.short, "bastion-9 hangs"))
        assert (await shop.shipped("first")).state is OperationState.SUCCEEDED


async def test_a_rollback_takes_over_from_another_bastions_deploy_and_never_from_its_rollback(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        await taken(shop, kind="rollback")
        with pytest.raises(Refused):
            await shop.rollback()
        shop.target.held.clear()
        await taken(shop)
        await shop.ended(await shop.rollback())
        assert shop.customers_on() == 1


async def test_an_engine_that_was_taken_over_changes_nothing_more(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.prober.answers[2] = 503
        operation = await shop.deploy(shop.commit("second"))
        await shop.until(lambda: shop.running() == {1, 2})
        lock = await shop.target.lock_of(SHOP)
        assert lock is not None
        await shop.target.release_lock(lock)
        other = await taken(shop)
        shop.target.calls.clear()
        shop.prober.answers[2] = 200
        ended = await shop.ended(operation)
        assert ended.state is OperationState.FAILED
        assert ended.failure is not None
        assert "tom on bastion-9 has taken shop/production over" in ended.failure.summary
        assert shop.customers_on() == 1
        assert await shop.target.lock_of(SHOP) == other
        changing = ("start", "stop", "remove ", "activate")
        assert [each for each in shop.target.calls if each.startswith(changing)] == []


async def test_a_hot_rollback_goes_on_without_docker_and_without_a_lock(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        shop.target.down = "Docker does not answer"
        await shop.ended(await shop.rollback())
        assert shop.customers_on() == 1


async def test_a_deploy_without_docker_is_refused_by_its_lock(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        shop.target.down = "Docker does not answer"
        commit = shop.commit("first")
        with pytest.raises(Exception, match="Docker does not answer"):
            await shop.deploy(commit)


async def test_a_lock_that_docker_kept_while_it_was_away_is_let_go_of_later(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.target.take_lock(LockOrder(SHOP, 1, "deploy", "ana", shop.clock.now(), shop.me))
        await shop.until(lambda: not shop.target.held)


async def test_two_bastions_that_press_at_once_do_not_both_deploy(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop, second(shop, tmp_path / "two") as other:
        commit = shop.commit("first")
        answers = await asyncio.gather(shop.deploy(commit), other.deploy(commit, TOM), return_exceptions=True)
        assert sorted(isinstance(each, Refused) for each in answers) == [False, True]


async def test_who_does_not_know_what_another_bastion_deployed_learns_it_before_anything_is_begun(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as shop, second(shop, tmp_path / "two") as other:
        await shop.shipped("first")
        with pytest.raises(Refused, match="another bastion has changed shop/production meanwhile: r1 is live"):
            await other.deploy(shop.commit("second"), TOM)
        done = await other.ended(await other.deploy(shop.commit("third"), TOM))
        assert (done.from_release, done.to_release) == (1, 2)
        assert shop.running() == {1, 2}


async def test_b_goes_back_from_what_another_bastion_deployed(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        async with second(shop, tmp_path / "two") as other:
            await shop.shipped("second")
            await other.ended(await other.rollback(TOM))
            assert shop.customers_on() == 1
            await shop.until(lambda: shop.engine.rows.seen(SHOP).row.live == 1)


async def test_the_staged_pointer_of_who_was_taken_over_is_worth_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        pointer = shop.edge.pointers[SHOP]
        await shop.edge.guard(SHOP, "theirs")
        with pytest.raises(Fenced):
            await shop.edge.point(SHOP, pointer, "ours")


async def test_two_engines_of_one_machine_know_which_of_them_lives(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.again()
        assert (await shop.shipped("second")).state is OperationState.SUCCEEDED


async def _deploying(shop: Rig) -> Operation:
    """r2 is live, and r3 runs and never gets well."""
    await shop.shipped("first")
    await shop.shipped("second")
    shop.prober.answers[3] = 503
    deploy = await shop.deploy(shop.commit("third"))
    await shop.until(lambda: 3 in shop.running())
    return deploy


async def test_a_rollback_beside_a_deploy_that_still_cleans_up_is_seen_as_a_rollback_by_others(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        deploy = await _deploying(shop)
        cleaned = shop.target.hold_stops()
        rolling = await shop.rollback(TOM)
        lock = await shop.target.lock_of(SHOP)
        assert lock is not None
        assert (lock.order.kind, lock.order.by, lock.order.operation) == ("rollback", "tom", rolling.id)
        await shop.until(lambda: shop.customers_on() == 1)
        assert not (await shop.call(OPERATION, OperationRequest(deploy.id))).state.ended
        cleaned.set()
        assert (await shop.ended(deploy)).state is OperationState.CANCELLED
        assert (await shop.ended(rolling)).state is OperationState.SUCCEEDED
        assert shop.running() == {1, 2}
        await shop.until(lambda: not shop.target.held)
        assert "takeover" not in {each.action for each in await shop.store.audit(50)}


async def test_a_rollback_beside_a_deploy_that_still_cleans_up_is_not_taken_over_from_by_another_rollback(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as shop, second(shop, tmp_path / "two") as other:
        await _deploying(shop)
        await other.until(lambda: other.engine.rows.seen(SHOP).row.live == 2)
        cleaned, asked = shop.target.hold_stops(), asyncio.Event()
        shop.prober.probe = _hanging(asked)  # type: ignore[assignment, method-assign]  # its verification takes its time
        await shop.rollback()
        await asked.wait()
        with pytest.raises(Refused, match="ana on bastion-1 began a rollback"):
            await other.rollback(TOM)
        cleaned.set()


def _hanging(asked: asyncio.Event) -> Callable[..., Awaitable[Probe]]:
    async def probe(*_: object) -> Probe:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody lets it go on")

    return probe


async def test_a_rollback_that_shares_a_deploys_lock_waits_a_second_at_most_for_a_docker_that_hangs(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as shop:
        await _deploying(shop)
        cleaned = shop.target.hold_stops()

        async def hang(*_: object) -> HostLock | None:
            await asyncio.Event().wait()
            return None

        shop.target.lock_of = hang  # type: ignore[assignment, method-assign]  # a Docker that hangs
        shop.target.take_lock = hang  # type: ignore[assignment, method-assign]
        shop.clock.ahead += 60  # its bake was long
        async with asyncio.timeout(10 * exclusion.PATIENCE):
            await shop.rollback(TOM)
            await shop.until(lambda: shop.customers_on() == 1)
        cleaned.set()


async def test_a_rollback_whose_lock_cannot_be_read_any_more_goes_on_after_a_second(tmp_path: Path) -> None:
    """It has the lock, and each of its changes asks for it."""
    async with rig(tmp_path) as shop:
        await _deploying(shop)
        asked = 0

        async def hang(*_: object) -> HostLock | None:
            nonlocal asked
            asked += 1
            await asyncio.Event().wait()
            return None

        taken = shop.target.take_lock

        async def take(order: LockOrder) -> HostLock | None:
            lock = await taken(order)
            if lock is not None and order.kind == "rollback":
                shop.target.lock_of = hang  # type: ignore[assignment, method-assign]  # from here on Docker hangs
            return lock

        shop.target.take_lock = take  # type: ignore[method-assign]
        await shop.rollback(TOM)
        await shop.until(lambda: shop.customers_on() == 1)
        assert asked


async def test_an_edge_that_could_not_guard_the_pointer_at_first_is_asked_again_before_the_switch(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.edge.refuses = "no space left on device"
        shop.prober.answers[2] = 503
        operation = await shop.deploy(shop.commit("second"))
        await shop.until(lambda: 2 in shop.running())
        assert shop.customers_on() == 1
        shop.edge.refuses = ""
        shop.prober.answers[2] = 200
        assert (await shop.ended(operation)).state is OperationState.SUCCEEDED
        assert shop.customers_on() == 2


async def test_an_edge_that_never_guards_the_pointer_is_what_the_failure_names_and_no_takeover(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")

        async def full(key: PlacementKey, token: str) -> None:
            raise EdgeError("a file of the edge cannot be used: No space left on device")

        shop.edge.guard = full  # type: ignore[method-assign]  # and the pointer itself could be moved
        ended = await shop.shipped("second")
        assert ended.failure is not None
        assert (ended.failure.step, ended.failure.side) == ("switch", Side.INFRASTRUCTURE)
        assert ended.failure.summary == "a file of the edge cannot be used: No space left on device"
        assert "customers were never on it" in ended.summary
        assert (shop.customers_on(), shop.running()) == (1, {1})


async def test_a_lock_that_the_engine_before_this_one_left_is_no_takeover_in_the_audit(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await taken(shop, holder=replace(shop.me, started=0))
        await shop.until(lambda: not shop.target.held)
        await taken(shop, holder=replace(shop.me, started=0))
        assert (await shop.shipped("first")).state is OperationState.SUCCEEDED
        assert "takeover" not in {each.action for each in await shop.store.audit(50)}


async def test_a_lock_that_a_dead_engine_of_another_state_directory_left_is_one(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await taken(shop, holder=replace(shop.me, started=0, state="/srv/other"))
        await shop.until(lambda: not shop.target.held)
        (row,) = [each for each in await shop.store.audit(50) if each.action == "takeover"]
        assert "its holder is gone" in row.text


async def test_an_operation_whose_lock_is_gone_says_so_in_its_own_log(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        operation = await _deploying(shop)
        shop.target.held.clear()
        shop.clock.hurry()
        log = path_of(shop.paths.logs, operation.id)
        said = "the lock of shop/production is gone from its host: somebody took the placement over"
        await shop.until(lambda: log.exists() and said in log.read_text())
        await shop.ended(operation)
        assert log.read_text().count(said) == 1
