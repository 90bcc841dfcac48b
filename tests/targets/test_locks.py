"""The lock of a placement on its host, the real one and the one in memory alike."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from cockpit.model import PlacementKey
from cockpit.targets.host_lock import Holder, LockOrder
from tests.targets.rigs import KEY, Rig

HOLDER = Holder("bastion-1", "machine", "boot", "processes", 4711, 99)
ORDER = LockOrder(KEY, 7, "deploy", "ana", 1_790_000_000.5, HOLDER)


async def test_of_many_who_ask_at_once_one_has_it(rig: Rig) -> None:
    orders = [replace(ORDER, operation=number) for number in range(6)]
    taken = [each for each in await asyncio.gather(*map(rig.target.take_lock, orders)) if each is not None]
    assert len(taken) == 1
    assert await rig.target.lock_of(KEY) == taken[0]


async def test_who_has_it_can_be_read_by_everybody(rig: Rig) -> None:
    taken = await rig.target.take_lock(ORDER)
    found = await rig.target.lock_of(KEY)
    assert found is not None
    assert taken == found
    assert (found.order, found.beats) == (ORDER, 0)
    assert len(found.short) == 12


async def test_another_placement_has_a_lock_of_its_own(rig: Rig) -> None:
    other = PlacementKey("shop", "staging")
    assert await rig.target.take_lock(ORDER) is not None
    assert await rig.target.lock_of(other) is None
    assert await rig.target.take_lock(replace(ORDER, key=other)) is not None
    assert {each.order.key for each in await rig.target.locks()} == {KEY, other}


async def test_another_installation_has_locks_of_its_own(rig: Rig) -> None:
    assert await rig.target.take_lock(ORDER) is not None
    neighbour = rig.neighbour()
    assert await neighbour.lock_of(KEY) is None
    assert await neighbour.take_lock(ORDER) is not None
    await neighbour.close()


async def test_the_heart_of_its_holder_is_seen_to_beat(rig: Rig) -> None:
    lock = await rig.target.take_lock(ORDER)
    assert lock is not None
    for beats in (1, 2, 300_000):
        assert await rig.target.beat_lock(lock, beats)
        assert await rig.target.lock_of(KEY) == replace(lock, beats=beats)


async def test_a_released_lock_can_be_taken_and_who_releases_late_releases_nothing(rig: Rig) -> None:
    first = await rig.target.take_lock(ORDER)
    assert first is not None
    await rig.target.release_lock(first)
    assert not await rig.target.beat_lock(first, 1)
    second = await rig.target.take_lock(replace(ORDER, by="tom"))
    assert second is not None
    await rig.target.release_lock(first)
    assert not await rig.target.beat_lock(first, 2)
    assert await rig.target.lock_of(KEY) == second


async def test_a_lock_is_no_release(rig: Rig) -> None:
    assert await rig.target.take_lock(ORDER) is not None
    assert await rig.target.observe() == ()
