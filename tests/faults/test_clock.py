"""The clock of the engine's machine jumps, in a deploy and between: order, bakes and hot releases stay as they are."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from cockpit.model import Health, Tier
from tests.faults import jumping
from tests.faults.world import in_step, next_deploy_works, nobody_noticed, open_shop
from tests.stories import services
from tests.stories.world import World, succeeded, world
from tests.waiting import until

YEAR, HOUR = 365 * 86400, 3600

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]


class Jumping:
    """A world whose engine reads from a file how far its clock is ahead."""

    def __init__(self, shop: World) -> None:
        self.shop = shop
        self._file = shop.root / "ahead"
        self.set(0)
        shop.command = ("env", f"{jumping.FILE}={self._file}", *jumping.COMMAND)

    def set(self, seconds: int) -> None:
        beside = self._file.with_suffix(".new")
        beside.write_text(str(seconds))
        beside.replace(self._file)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clock() -> AsyncIterator[Jumping]:
    async with world() as made:
        clock = Jumping(made)
        await open_shop(made)
        made.configure("broom", keep_hot="0s")
        await made.reread("shop")
        for notes in ("first", "second"):
            await made.ships("broom", made.commit("broom", services.web(made.runtime, notes=notes)))
        yield clock


@pytest.mark.parametrize("ahead", [YEAR, -HOUR], ids=["+1y", "-1h"])
async def test_a_clock_that_jumps_in_a_deploy_and_back_again_changes_nothing(clock: Jumping, ahead: int) -> None:
    shop = clock.shop
    slow = services.web(shop.runtime, start=f"sleep 2\n{services.START}")
    async with shop.load("shop", rate=40) as load:
        before = (await shop.live("shop")).number
        operation = await shop.begin("shop", shop.commit("shop", slow, f"Ship while the clock jumps by {ahead} s"))
        await in_step(shop, operation, "verify")
        clock.set(ahead)
        ended = succeeded(await shop.ended(operation))
        await tidied(shop)
        releases = {each.number: each for each in await shop.releases("shop")}
        assert releases[ended.to_release or 0].tier is Tier.LIVE
        assert not releases[ended.to_release or 0].good, "nobody has watched it for ten minutes"
        assert releases[before].tier is Tier.HOT
        back = await shop.goes_back("shop", before)
        assert (await shop.live("shop")).number == before
        clock.set(0)
        await shop.release_hold("shop")
        shop.commit("shop", services.web(shop.runtime))
        await next_deploy_works(shop)
        await until(lambda: _healthy(shop), 10, "it is shown as healthy")
        assert (await shop.operation(back)).id > operation.id
    nobody_noticed(load)


async def test_a_year_that_passes_in_a_moment_ends_no_bake(clock: Jumping) -> None:
    """The live release has not been watched, so what it replaced stays hot."""
    shop = clock.shop
    before = (await shop.live("shop")).number
    await next_deploy_works(shop)
    clock.set(YEAR)
    await tidied(shop)
    releases = {each.number: each for each in await shop.releases("shop")}
    assert not releases[before + 1].good
    assert releases[before].tier is Tier.HOT
    clock.set(0)


async def tidied(shop: World) -> None:
    """The engine has stopped, freed and judged whatever it thinks it should, also of what stands before it."""
    await shop.ships("broom", shop.commit("broom", {"notes": os.urandom(8).hex()}))
    await until(lambda: len(shop.host.releases("broom", running=True)) == 2, 30, "the oldest of three stops")


async def _healthy(shop: World) -> bool:
    return (await shop.placement("shop")).health is Health.HEALTHY
