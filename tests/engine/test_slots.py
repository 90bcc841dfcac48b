"""The log's leases follow what the host has: containers are facts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from cockpit.engine.slots import correction
from cockpit.store.slots import Correction
from cockpit.targets.base import Container
from tests.engine.rig import SHOP, Rig, rig


async def said(shop: Rig, *containers: Container) -> Correction:
    return correction(shop.engine.rows.seen(SHOP), await shop.store.leases(), containers)


async def held(shop: Rig) -> dict[int, int]:
    return {each.slot: each.release for each in await shop.store.leases() if each.freed_at is None}


async def test_what_agrees_is_left_as_it_is(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        assert await said(shop, *shop.target.containers) == Correction()


async def test_a_release_that_is_gone_from_the_host_gives_its_slot_back_unless_customers_are_sent_there(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        assert await said(shop) == Correction(freed=(0,))


async def test_a_release_that_another_bastion_restarted_is_where_its_containers_are(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        moved = [replace(each, slot=7) if each.release == 1 else each for each in shop.target.containers]
        wanted = await said(shop, *moved)
        assert wanted == Correction(freed=(0,), held=((7, 1),), moved=((7, 1),))
        await shop.store.correct_slots(SHOP, wanted)
        record = await shop.store.release(SHOP, 1)
        assert record is not None
        assert (record.slot, await held(shop)) == (7, {1: 2, 7: 1})


async def test_in_the_middle_of_a_restart_a_release_is_in_two_slots(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        (first,) = shop.target.containers
        assert await said(shop, first, replace(first, slot=5)) == Correction(held=((5, 1),))


async def test_what_a_restart_leased_before_its_engine_died_is_given_back(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.store.lease_spare(SHOP, 1, 8, rest=0.0, avoid=frozenset())
        assert await held(shop) == {0: 1, 1: 1}
        await shop.again()
        shop.clock.hurry()
        async with asyncio.timeout(10):
            while await held(shop) != {0: 1}:  # noqa: ASYNC110 a row has no event
                await asyncio.sleep(0.01)
