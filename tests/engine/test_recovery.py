"""After a crash the pointer and the containers are believed, and everything reaches an end by itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cockpit.edge.base import Pointer
from cockpit.errors import Refused, StoreError
from cockpit.model import Operation, OperationKind, OperationState, PlacementKey, Step
from cockpit.protocol import DEPLOY, OPERATION, RECOVER, STATUS, DeployRequest, Event, Nothing, OperationRequest
from cockpit.store.log import ReleaseLog
from tests.engine.rig import ANA, SHOP, Rig, rig, service, settings
from tests.waiting import until


async def _died_in(shop: Rig, *, switched: bool) -> int:
    """An engine that was killed while r2 was being deployed: rows as they were, containers as they are."""
    await shop.shipped("first")
    shop.prober.answers[2] = 0
    running = await shop.deploy(shop.commit("second"))
    await shop.until(lambda: 2 in shop.running())
    if switched:
        where = tuple(f"{each.address}:{each.port}" for each in shop.target.containers if each.release == 2)
        shop.edge.pointers[SHOP] = Pointer(2, where)
    shop.prober.answers.clear()
    await shop.again()
    return running.id


async def _is_live(shop: Rig, number: int) -> bool:
    return await shop.live() == number


async def test_a_crash_before_the_switch_leaves_the_old_release_serving(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        operation = await _died_in(shop, switched=False)
        found = await shop.call(OPERATION, OperationRequest(operation))
        assert found.state is OperationState.INTERRUPTED
        assert "customers were never on it · r1 serves" in found.summary
        assert {each.release for each in shop.target.containers} == {1}
        assert shop.customers_on() == await shop.live() == 1
        leases = [lease for lease in await shop.store.leases() if lease.freed_at is None]
        assert [lease.release for lease in leases] == [1]


async def test_those_who_look_are_told_how_a_recovered_operation_ended(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        operation = await _died_in(shop, switched=False)

        def told() -> bool:
            heard = [each.operation for each in shop.notes if isinstance(each, Event) and each.operation]
            return any(each.id == operation and each.state is OperationState.INTERRUPTED for each in heard)

        await shop.until(told)


async def test_a_crash_after_the_switch_goes_forward(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        operation = await _died_in(shop, switched=True)
        found = await shop.call(OPERATION, OperationRequest(operation))
        assert found.state is OperationState.SUCCEEDED
        assert found.switched_at is not None
        assert shop.customers_on() == await shop.live() == 2
        assert shop.running() == {1, 2}


async def test_after_a_recovery_the_next_deploy_works(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await _died_in(shop, switched=False)
        assert (await shop.shipped("third")).state is OperationState.SUCCEEDED
        assert shop.customers_on() == await shop.live() == 3


async def test_a_rollback_that_died_after_the_switch_still_holds_the_placement(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        now = shop.clock.now()
        steps = tuple(map(Step, ("start", "verify", "switch", "confirm", "settle")))
        rolling = Operation(0, OperationKind.ROLLBACK, SHOP, ANA, OperationState.RUNNING, now, None, 2, 1, steps=steps)
        await shop.store.begin_operation(replace(rolling, reason="5xx"))
        where = tuple(f"{each.address}:{each.port}" for each in shop.target.containers if each.release == 1)
        shop.edge.pointers[SHOP] = Pointer(1, where)
        await shop.again()
        assert await shop.live() == 1
        with pytest.raises(Refused, match="held by ana"):
            await shop.deploy(shop.commit("third"))


async def test_recovery_waits_for_docker_and_operations_wait_for_recovery(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.prober.answers[2] = 0
        running = await shop.deploy(shop.commit("second"))
        await shop.until(lambda: 2 in shop.running())
        await shop.down()
        shop.target.down = "connection refused"
        await shop.up(wait=False)
        with pytest.raises(Refused, match="still finding out"):
            await shop.deploy(shop.commit("third"))
        shop.target.down = ""
        await shop.settled()
        found = await shop.call(OPERATION, OperationRequest(running.id))
        assert found.state is OperationState.INTERRUPTED


async def test_where_log_and_pointer_disagree_the_pointer_is_right(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        where = tuple(f"{each.address}:{each.port}" for each in shop.target.containers if each.release == 1)
        shop.edge.pointers[SHOP] = Pointer(1, where)
        await shop.again()
        await until(lambda: _is_live(shop, 1))


async def test_a_row_that_nobody_foresaw_parks_its_operation_and_nothing_else(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.prober.answers[2] = 0
        running = await shop.deploy(shop.commit("second"))
        await shop.until(lambda: 2 in shop.running())
        await shop.down()
        log = await ReleaseLog.open(shop.paths.database, shop.clock)
        await log.update_release(SHOP, 2, spec='{"port": "eighty"}')
        await log.close()
        shop.clock.hurry()
        await shop.up()
        found = await shop.call(OPERATION, OperationRequest(running.id))
        assert found.state is OperationState.STUCK
        assert shop.engine.rows.seen(SHOP).row.live == 1


async def test_what_begins_while_the_engine_comes_up_is_not_taken_for_a_leftover(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.down()
        gate = shop.target.hold_looks()
        await shop.up(wait=False)
        deploying = asyncio.create_task(shop.deploy(shop.commit("first")))
        await shop.until(lambda: SHOP in shop.target.held)
        gate.set()
        assert (await shop.ended(await deploying)).state is OperationState.SUCCEEDED


async def test_a_pointer_moved_by_hand_is_seen_and_believed(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        where = tuple(f"{each.address}:{each.port}" for each in shop.target.containers if each.release == 1)
        shop.edge.pointers[SHOP] = Pointer(1, where)
        shop.clock.hurry()
        await shop.until(lambda: shop.engine.rows.seen(SHOP).records[0].hot_until is not None)
        assert shop.engine.rows.seen(SHOP).row.live == 1
        assert "customers were found on r1" in (await shop.store.audit(1, SHOP))[0].text
        assert shop.running() == {1, 2}


async def test_recovery_that_fails_five_times_parks_the_operation_and_says_what_to_do(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.prober.answers[2] = 0
        running = await shop.deploy(shop.commit("second"))
        await shop.until(lambda: 2 in shop.running())
        await shop.down()
        shop.edge.broken = "the pointer is torn"
        shop.clock.hurry()
        await shop.up()
        found = await shop.call(OPERATION, OperationRequest(running.id))
        assert found.state is OperationState.STUCK
        assert f"cockpit recover {running.id}" in found.summary
        assert {1, 2} <= shop.running()
        with pytest.raises(Refused):
            await shop.call(RECOVER, OperationRequest(running.id - 1))
        shop.edge.broken = ""
        found = await shop.call(RECOVER, OperationRequest(running.id))
        assert found.state is OperationState.INTERRUPTED
        await shop.until(lambda: shop.running() == {1})


async def test_an_operation_whose_engine_died_is_not_shown_as_running(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.prober.answers[2] = 0
        running = await shop.deploy(shop.commit("second"))
        await shop.until(lambda: 2 in shop.running())
        await shop.down()
        shop.target.down = "Docker does not answer"
        await shop.up(wait=False)
        snapshot = await shop.call(STATUS, Nothing())
        shown = [*snapshot.operations, await shop.call(OPERATION, OperationRequest(running.id))]
        assert {each.state for each in shown} == {OperationState.RECOVERING}
        shop.target.down = ""
        await shop.settled()
        found = await shop.call(OPERATION, OperationRequest(running.id))
        assert found.state is OperationState.INTERRUPTED


async def test_an_operation_of_a_service_that_is_gone_reaches_an_end_too(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        shop.prober.answers[1] = 0
        running = await shop.deploy(shop.commit("first"))
        await shop.until(lambda: 1 in shop.running())
        await shop.down()
        shop.settings = settings((PlacementKey("other", "production"), service(hosts=("other.example.com",))))
        await shop.up()
        found = await shop.store.operation(running.id)
        assert found is not None
        assert found.state is OperationState.INTERRUPTED
        assert await shop.store.unfinished() == ()


def heard_of(shop: Rig, operation: int) -> list[Operation]:
    """In the order in which clients were told."""
    told = [each.operation for each in shop.notes if isinstance(each, Event) and each.operation]
    return [each for each in told if each.id == operation]


async def test_those_who_look_see_that_an_operation_is_recovered_and_once_what_that_waits_for(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.prober.answers[2] = 0
        running = await shop.deploy(shop.commit("second"))
        await shop.until(lambda: 2 in shop.running())
        await shop.down()
        shop.target.down = "Docker does not answer"
        shop.notes.clear()
        shop.clock.hurry()
        await shop.up(wait=False)
        waits = "finding out how it is · it waits: Docker does not answer"
        await shop.until(lambda: any(waits in each.summary for each in heard_of(shop, running.id)))
        asked = len(shop.target.calls)
        await shop.until(lambda: len(shop.target.calls) > asked + 50)  # it was tried again and again
        assert sum(waits in each.summary for each in heard_of(shop, running.id)) == 1
        shop.target.down = ""
        await shop.settled()
        await shop.until(lambda: heard_of(shop, running.id)[-1].state is OperationState.INTERRUPTED)
        assert [each.state for each in heard_of(shop, running.id)][:-1] == [OperationState.RECOVERING] * 2


async def test_a_recovery_that_is_cut_short_while_its_last_row_is_written_is_not_done_twice(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        shop.prober.answers[3] = 0
        running = await shop.deploy(shop.commit("third"))
        await shop.until(lambda: 3 in shop.running())
        await shop.down()
        await shop.make()
        ends, written = shop.store.end_operation, asyncio.Event()

        async def end_operation(operation: int, *rest: Any, **more: Any) -> None:
            await ends(operation, *rest, **more)
            if operation == running.id:
                written.set()
                await asyncio.Event().wait()  # the row is there, and the one who wrote it never hears of it

        shop.store.end_operation = end_operation  # type: ignore[method-assign]
        await shop.engine.start()
        await written.wait()
        done = await shop.ended(await shop.rollback())
        await shop.settled()
        assert done.state is OperationState.SUCCEEDED
        assert shop.customers_on() == 1
        ended = [each for each in await shop.store.audit(50, SHOP) if each.operation == running.id]
        assert [each.outcome for each in ended if each.action == "recovery"] == ["interrupted"]


async def test_a_recovery_whose_end_cannot_be_read_back_keeps_no_other_from_its_end(tmp_path: Path) -> None:
    other = PlacementKey("blog", "production")
    async with rig(tmp_path, settings((SHOP, service()), (other, service()))) as shop:
        shop.prober.answers[1] = 0
        commit = shop.commit("first")
        left = [await shop.call(DEPLOY, DeployRequest(key, commit)) for key in (SHOP, other)]
        await shop.until(lambda: len(shop.target.containers) == 2)
        await shop.down()
        await shop.make()
        reads, refused = shop.store.operation, asyncio.Event()

        async def read(operation: int) -> Operation | None:
            found = await reads(operation)
            if operation == left[0].id and found is not None and found.state.ended:
                refused.set()
                raise StoreError("disk I/O error")
            return found

        shop.store.operation = read  # type: ignore[method-assign]
        await shop.engine.start()
        await shop.settled()
        await refused.wait()
        states = [found.state for each in left if (found := await reads(each.id)) is not None]
        assert states == [OperationState.INTERRUPTED] * 2
        await shop.until(lambda: shop.running() == set())
        assert (await shop.ended(await shop.call(DEPLOY, DeployRequest(other, commit)))).state.ended
