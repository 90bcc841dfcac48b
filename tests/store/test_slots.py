"""Slots: no address goes to two releases, and none goes on before it has rested."""

from __future__ import annotations

from typing import Any

import pytest

from cockpit.errors import StoreError
from cockpit.model import PlacementKey
from cockpit.store.log import ReleaseLog

REST = 600.0
NONE: frozenset[int] = frozenset()


async def lease(log: ReleaseLog, add: Any, slots: int = 3, avoid: frozenset[int] = NONE) -> int:
    record = await add()
    return await log.lease_slot(record.key, record.number, slots, rest=REST, avoid=avoid)


async def test_slots_never_used_come_first_the_lowest_first(log: ReleaseLog, add: Any, clock: Any) -> None:
    first = await lease(log, add)
    await log.free_slot(first, clock.now())
    clock.time += REST
    assert (first, await lease(log, add)) == (0, 1)


async def test_a_slot_to_avoid_is_passed_over(log: ReleaseLog, add: Any) -> None:
    assert await lease(log, add, avoid=frozenset({0, 1})) == 2


async def test_a_freed_slot_rests_before_another_release_has_it(log: ReleaseLog, add: Any, clock: Any) -> None:
    await log.free_slot(await lease(log, add, 1), clock.now())
    clock.time += REST - 1
    with pytest.raises(StoreError, match="no free slot: 1 of 1"):
        await lease(log, add, 1)
    clock.time += 1
    assert await lease(log, add, 1) == 0


async def test_of_those_that_rested_the_longest_rested_comes_first(log: ReleaseLog, add: Any, clock: Any) -> None:
    for _ in range(3):
        await lease(log, add)
    for slot in (2, 0, 1):
        clock.time += 1
        await log.free_slot(slot, clock.now())
    clock.time += REST
    assert [await lease(log, add) for _ in range(3)] == [2, 0, 1]


async def test_a_clock_that_was_set_back_bars_no_freed_slot_for_longer(log: ReleaseLog, add: Any, clock: Any) -> None:
    """How long those have rested nobody knows, so they come after the ones of which that is known."""
    for slot in (await lease(log, add, 2), await lease(log, add, 2)):
        await log.free_slot(slot, clock.now() + (86400.0 if slot == 0 else 0.0))
    clock.time += REST
    assert [await lease(log, add, 2) for _ in range(2)] == [1, 0]


async def test_a_clock_that_was_set_back_a_little_shortens_no_rest(log: ReleaseLog, add: Any, clock: Any) -> None:
    await log.free_slot(await lease(log, add, 1), clock.now())
    clock.time -= 5
    with pytest.raises(StoreError, match="no free slot: 1 of 1"):
        await lease(log, add, 1)
    clock.time += REST + 5
    assert await lease(log, add, 1) == 0


async def test_freeing_again_does_not_begin_the_rest_again(log: ReleaseLog, add: Any, clock: Any) -> None:
    slot = await lease(log, add, 1)
    await log.free_slot(slot, clock.now())
    clock.time += REST
    await log.free_slot(slot, clock.now())
    assert await lease(log, add, 1) == slot


async def test_a_release_asked_for_twice_keeps_its_slot(log: ReleaseLog, add: Any, shop: PlacementKey) -> None:
    slot = await lease(log, add)
    assert await log.lease_slot(shop, 1, 3, rest=REST, avoid=NONE) == slot
    assert len(await log.leases()) == 1


async def test_the_release_knows_its_slot_until_it_is_freed(
    log: ReleaseLog, add: Any, shop: PlacementKey, clock: Any
) -> None:
    slot = await lease(log, add)
    held = await log.release(shop, 1)
    await log.free_slot(slot, 7.0)
    freed, (left,) = await log.release(shop, 1), await log.leases()
    assert held
    assert freed
    assert (held.slot, freed.slot, left.freed_at, left.key) == (0, None, 7.0, shop)


async def test_a_release_that_is_not_in_the_log_gets_none(log: ReleaseLog, shop: PlacementKey) -> None:
    with pytest.raises(StoreError):
        await log.lease_slot(shop, 1, 3, rest=REST, avoid=NONE)
    assert await log.leases() == ()


async def test_a_release_that_restarts_has_a_second_slot_until_it_moved(log: ReleaseLog, add: Any, clock: Any) -> None:
    record = await add()
    key, number = record.key, record.number
    first = await log.lease_slot(key, number, 3, rest=REST, avoid=NONE)
    second = await log.lease_spare(key, number, 3, rest=REST, avoid=NONE)
    assert first != second
    assert await log.lease_slot(key, number, 3, rest=REST, avoid=NONE) == first

    await log.update_release(key, number, slot=second)
    await log.free_slot(first, clock.now())
    moved = await log.release(key, number)
    assert moved is not None
    assert moved.slot == second
    assert await log.lease_slot(key, number, 3, rest=REST, avoid=NONE) == second


async def test_a_release_that_holds_a_slot_is_read_however_many_came_after_it(
    log: ReleaseLog, add: Any, shop: PlacementKey
) -> None:
    for _ in range(8):
        await add()
    await log.lease_slot(shop, 2, 16, rest=1.0, avoid=frozenset())
    (rows,) = await log.rows([shop], 3, {})
    assert [each.number for each in rows.releases] == [8, 7, 6, 2]
    await log.free_slot(0, 5.0)
    (rows,) = await log.rows([shop], 3, {})
    assert [each.number for each in rows.releases] == [8, 7, 6]
