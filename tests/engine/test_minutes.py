"""What was measured by the minute is kept for a week, by whichever clock: one that jumps takes nothing away."""

from __future__ import annotations

from pathlib import Path

from cockpit.clock import JUMP
from cockpit.engine.probing import HOUR, WEEK
from cockpit.model import Minute
from tests.engine.rig import SHOP, Rig, rig

YEAR = 365 * 86400.0


async def rolled_up(shop: Rig) -> None:
    """As each minute, when something was measured."""
    shop.engine._probing.samples.add_request(SHOP, shop.clock.now() - 90.0, status=200, ms=1.0)
    shop.clock.ahead += 120.0
    await shop.engine._probing.roll_up()


async def kept(shop: Rig, at: float) -> bool:
    return any(each.at == at for each in await shop.store.minutes(0.0))


async def test_a_clock_that_is_a_year_ahead_for_a_while_drops_no_history(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        yesterday = shop.clock.now() // 60 * 60 - 86400.0
        await shop.store.add_minutes([Minute(SHOP, yesterday, probes=60)])
        await rolled_up(shop)
        shop.clock.jumped = YEAR
        await rolled_up(shop)
        assert await kept(shop, yesterday)
        shop.clock.jumped = 0.0
        await rolled_up(shop)
        assert await kept(shop, yesterday)


async def test_after_a_week_it_goes(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        long_ago = shop.clock.now() // 60 * 60 - WEEK - 120.0
        await shop.store.add_minutes([Minute(SHOP, long_ago, probes=60)])
        await rolled_up(shop)
        assert await kept(shop, long_ago)  # this engine has not seen yet that the clock runs evenly
        shop.clock.ahead += HOUR + JUMP
        await rolled_up(shop)
        assert not await kept(shop, long_ago)


async def test_minutes_of_a_clock_that_was_ahead_are_not_counted_by_the_next_engine(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.store.add_minutes([Minute(SHOP, shop.clock.now() // 60 * 60 + YEAR, requests=20, errors=20)])
        await shop.again()
        assert all(each.at <= shop.clock.now() for each in shop.engine._probing.samples._closed[SHOP].values())


async def test_a_release_that_went_live_by_a_clock_that_was_ahead_has_not_served_less_than_nothing(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as shop:
        shop.clock.jumped = YEAR
        await shop.shipped("first")
        shop.clock.jumped = 0.0
        (live,) = shop.engine.window.releases(SHOP, 5).releases
        assert live.served_seconds == 0.0
