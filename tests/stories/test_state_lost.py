"""The engine's state directory is gone, or its log alone: customers keep their release, and B still works."""

from __future__ import annotations

import asyncio
import functools
import shutil
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from cockpit.demo.exchange import Cut
from cockpit.model import Tier
from tests.stories import services
from tests.stories.test_switching import some_more
from tests.stories.world import World, world
from tests.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

SERVED = 10.0  # seconds from the next client to customers who are served, however much is gone


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[World]:
    """r3 has the customers, r2 is hot, r1 is retained: its containers are gone, its image is not."""
    async with world() as made:
        made.configure("shop", replicas=2, environment={"COLOUR": "green"}, keep_hot="1s", bake="1s")
        await made.up()
        for number in (1, 2, 3):
            if number == 3:
                made.configure("shop", keep_hot="600s")
            await made.ships("shop", made.commit("shop", {**services.web(made.runtime), "notes": str(number)}))
            await until(functools.partial(good, made, number))
        await stands(made, {3: Tier.LIVE, 2: Tier.HOT, 1: Tier.RETAINED})
        await until(lambda: made.host.releases("shop") == {2: 2, 3: 2})
        yield made


async def good(shop: World, number: int) -> bool:
    return any(each.good for each in await shop.releases("shop") if each.number == number)


async def stands(shop: World, tiers: dict[int, Tier], within: float = 20.0) -> None:
    """The log says so, in the end."""
    found: dict[int, Tier] = {}

    async def look() -> bool:
        nonlocal found
        found = {each.number: each.tier for each in await shop.releases("shop")}
        return found == tiers

    try:
        await until(look, within=within)
    except AssertionError:
        raise AssertionError(f"{found}, not {tiers}; {shop.engine_log()}") from None


async def come_back(shop: World) -> None:
    """The next client starts an engine."""
    await shop.client.close()
    await shop.up()


async def test_a_lost_log_costs_no_request_and_no_way_back(shop: World) -> None:
    await shop.end_engine_at_once()
    async with shop.load("shop") as load:
        for each in shop.paths.state.glob("releases.db*"):
            each.unlink()
        await some_more(load)
        await come_back(shop)
        await stands(shop, {3: Tier.LIVE, 2: Tier.HOT, 1: Tier.RETAINED})
        assert (await shop.goes_back("shop")).to_release == 2
        await some_more(load)
    assert (load.stats().lost, load.stats().non_2xx) == (0, 0)
    assert "the release log lacked r1, r2, r3" in shop.engine_log()


async def test_a_damaged_log_is_set_aside_and_costs_no_request_either(shop: World) -> None:
    await shop.end_engine_at_once()
    async with shop.load("shop") as load:
        shop.paths.database.write_bytes(b"\0" * 40_000)
        await come_back(shop)
        await stands(shop, {3: Tier.HOT, 2: Tier.LIVE, 1: Tier.RETAINED})
        assert (await shop.placement("shop")).hold is not None, "customers were rolled back from r3"
        await some_more(load)
    assert (load.stats().lost, load.stats().non_2xx) == (0, 0)
    assert list(shop.paths.state.glob("releases.db.damaged-*"))


async def test_without_its_state_directory_the_next_client_finds_everything_again(shop: World) -> None:
    """Customers get 503 from the moment when their pointer is gone: the edge reads it on every request."""
    await shop.end_engine_at_once()
    await asyncio.to_thread(shutil.rmtree, shop.paths.state)
    assert (await shop.get("shop")).status == 503
    began = time.monotonic()
    await come_back(shop)
    assert await until_served(shop, began) < SERVED
    await stands(shop, {3: Tier.HOT, 2: Tier.LIVE, 1: Tier.RETAINED})
    assert shop.host.installation == (shop.paths.state / "installation").read_text().strip()
    async with shop.load("shop") as load:
        await shop.release_hold("shop")
        assert (await shop.goes_back("shop", to=3)).to_release == 3, "hot"
        assert (await shop.goes_back("shop", to=1)).to_release == 1, "cold, from its image"
        await some_more(load)
        await shop.release_hold("shop")
        assert (await shop.ships("shop", shop.commit("shop", {"notes": "4"}))).to_release == 4
    assert (load.stats().lost, load.stats().non_2xx) == (0, 0)


async def test_an_engine_whose_state_directory_is_removed_under_it_begins_anew_by_itself(shop: World) -> None:
    pid = shop.engine_pid
    began = time.monotonic()
    await asyncio.to_thread(shutil.rmtree, shop.paths.state)
    assert await until_served(shop, began) < SERVED
    await until(lambda: shop.client.welcome is not None and shop.client.welcome.pid == pid, within=20)
    await stands(shop, {4: Tier.LIVE, 3: Tier.HOT, 2: Tier.HOT, 1: Tier.HOT})


async def until_served(shop: World, began: float) -> float:
    """Seconds until a customer gets the page."""

    async def page() -> bool:
        try:
            return (await shop.get("shop")).status == 200
        except (OSError, Cut):
            return False

    await until(page, within=30)
    took = time.monotonic() - began
    print(f"served again after {took:.1f} s")
    return took
