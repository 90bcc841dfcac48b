"""The registry refuses, fails or is silent, or the repository is gone: a deploy ends, and everything else goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.build.registries import HANG, V2, answer, odd
from tests.faults.world import failed, next_deploy_works, nobody_noticed, open_shop
from tests.stories.world import World, world

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

REPOSITORY = "shop"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[World]:
    async with world() as made:
        await open_shop(made)
        yield made


@pytest.mark.parametrize(
    ("everywhere", "said"),
    [
        (answer("401 Unauthorized", WWW_Authenticate='Basic realm="x"'), "wants a login"),
        (answer("429 Too Many Requests", Retry_After="1"), "asks to slow down"),
        pytest.param(
            answer("500 Internal Server Error"), "server error", marks=pytest.mark.slow
        ),  # Docker asks for 50 s
    ],
    ids=["401", "429", "500"],
)
async def test_a_registry_that_refuses_a_push_ends_the_deploy_before_anything_starts(
    shop: World, everywhere: bytes, said: str
) -> None:
    live = (await shop.live("shop")).number
    async with shop.load("shop", rate=40) as load, odd(everywhere, V2) as registry:
        shop.configure("shop", image=f"{registry.address}/{REPOSITORY}")
        await shop.reread("shop")
        failure = failed(await shop.deploy("shop", shop.commit("shop", {"notes": said})))
        assert (failure.step, said in failure.summary) == ("push", True), failure
        assert set(shop.host.releases("shop")) >= {live}
        assert (await shop.live("shop")).number == live
        shop.configure("shop", image=...)
        await shop.reread("shop")
        await next_deploy_works(shop)
    nobody_noticed(load)


async def test_a_registry_that_is_silent_is_given_up_by_a_cancel_and_a_rollback_needs_none(shop: World) -> None:
    async with shop.load("shop", rate=40) as load, odd(HANG) as registry:
        shop.configure("shop", image=f"{registry.address}/{REPOSITORY}")
        await shop.reread("shop")
        operation = await shop.begin("shop", shop.commit("shop", {"notes": "silence"}))
        back = await shop.goes_back("shop")
        assert (await shop.get("shop")).headers["x-release"] == f"r{back.to_release}"
        assert (await shop.ended(operation)).state.ended
        shop.configure("shop", image=...)
        await shop.release_hold("shop")
        await shop.reread("shop")
        await next_deploy_works(shop)
    nobody_noticed(load)


async def test_a_repository_that_is_gone_ends_the_deploy_and_no_rollback(shop: World) -> None:
    aside: Path = shop.remote.path.with_name("aside")
    commit = shop.commit("shop", {"notes": "never fetched"})
    async with shop.load("shop", rate=40) as load:
        await asyncio.to_thread(shop.remote.path.rename, aside)
        failure = failed(await shop.deploy("shop", commit))
        assert failure.step == "fetch"
        back = await shop.goes_back("shop")
        assert (await shop.get("shop")).headers["x-release"] == f"r{back.to_release}"
        await asyncio.to_thread(aside.rename, shop.remote.path)
        await shop.release_hold("shop")
        await next_deploy_works(shop)
    nobody_noticed(load)
