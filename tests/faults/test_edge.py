"""The edge is killed, removed, restarted, or cannot be told anything: customers are served again, and deploys go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from docker.errors import NotFound

from cockpit.demo.exchange import Cut
from tests.faults.world import in_step, next_deploy_works, nobody_noticed, open_shop
from tests.stories import services
from tests.stories.host import Host
from tests.stories.world import World, succeeded, world
from tests.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

BACK = 10.0  # seconds until customers are served again


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[World]:
    async with world() as made:
        await open_shop(made)
        yield made


def removed(host: Host) -> None:
    host.client.api.remove_container(host.edge, force=True)


def killed(host: Host) -> None:
    host.client.api.kill(host.edge)


def restarted(host: Host) -> None:
    host.client.api.restart(host.edge, timeout=1)


def started_at(host: Host) -> str:
    try:
        return str(host.inspect(host.edge)["State"]["StartedAt"])
    except NotFound:
        return ""


async def served(shop: World) -> str:
    """The release that answers; "" when nobody does."""
    try:
        return (await shop.get("shop")).headers.get("x-release", "")
    except Cut:
        return ""


@pytest.mark.parametrize("end", [killed, removed, restarted])
async def test_an_edge_that_ends_in_a_deploy_is_back_by_itself_and_the_deploy_succeeds(
    shop: World, end: Callable[[Host], None]
) -> None:
    slow = services.web(shop.runtime, start=f"sleep 2\n{services.START}", notes=end.__name__)
    before = started_at(shop.host)
    operation = await shop.begin("shop", shop.commit("shop", slow))
    await in_step(shop, operation, "verify")
    ended_at = time.monotonic()
    await asyncio.to_thread(end, shop.host)
    await until(lambda: started_at(shop.host) not in ("", before), BACK, "another edge")
    await until(lambda: _answers(shop), BACK - (time.monotonic() - ended_at), "customers are served")
    async with shop.load("shop", rate=40) as load:
        ended = succeeded(await shop.ended(operation))
        assert await served(shop) == shop.pointer("shop") == f"r{ended.to_release}"
        await shop.edge_up()
        shop.commit("shop", services.web(shop.runtime))
        await next_deploy_works(shop)
    nobody_noticed(load)


async def _answers(shop: World) -> bool:
    return await served(shop) != ""


async def test_without_its_admin_socket_the_edge_moves_customers_and_what_it_cannot_do_is_said(shop: World) -> None:
    """A switch is a file; only other routes are told through the socket."""
    async with shop.load("shop", rate=40) as load, without_admin(shop):
        await next_deploy_works(shop)
        await shop.goes_back("shop")
        await shop.release_hold("shop")
        shop.configure("blog")
        await shop.reread("shop")
        await until(lambda: _edge_says(shop, "admin socket is gone"), 10, "the status names the edge")
    nobody_noticed(load)
    async with shop.load("shop", rate=40) as load:
        await shop.edge_up()
        shop.commit("blog", services.web(shop.runtime))
        await shop.ships("blog", shop.remote.head)
        assert (await shop.get("blog")).body.startswith(b"blog r1 ")
    nobody_noticed(load)


def admin(shop: World) -> Path:
    return shop.paths.edge / "run" / "admin.sock"


def aside(shop: World) -> Path:
    return admin(shop).with_suffix(".aside")


@asynccontextmanager
async def without_admin(shop: World) -> AsyncIterator[None]:
    admin(shop).rename(aside(shop))
    try:
        yield
    finally:
        aside(shop).replace(admin(shop))


async def _edge_says(shop: World, words: str) -> bool:
    engine = (await shop.snapshot()).engine
    return not engine.edge_ok and words in engine.edge


async def test_a_reply_of_the_edge_that_is_lost_is_asked_for_again(shop: World) -> None:
    """Its routes are in force, and the engine heard nothing: it looks before it judges."""
    lost: list[bytes] = []

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        its_reader, its_writer = await asyncio.open_unix_connection(str(aside(shop)))
        asked = await reader.read(2**20)
        its_writer.write(asked)
        if asked.startswith(b"POST /load"):
            its_writer.write_eof()
            lost.append(await its_reader.read())
        else:
            writer.write(await its_reader.read(2**20))
        its_writer.close()
        writer.close()

    shop.configure("news")
    commit = shop.commit("news", services.web(shop.runtime))
    async with shop.load("shop", rate=40) as load:
        async with without_admin(shop), await asyncio.start_unix_server(pass_on, str(admin(shop))):
            await shop.reread("shop")
            await until(lambda: bool(lost), 10, "new routes are told")
            await shop.edge_up()
            await shop.ships("news", commit)
            assert (await shop.get("news")).body.startswith(b"news r1 ")
        await next_deploy_works(shop)
    nobody_noticed(load)
