"""What a listener lets through: everything that takes its time, until a limit is set."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cockpit.edge.base import EdgePlan, Limits, Listener
from cockpit.model import PlacementKey
from tests.edge.world import App, World, world
from tests.waiting import until

BLOG = PlacementKey("blog", "production")
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


@contextlib.asynccontextmanager
async def opened(edge: World, text: str, seconds: float = 15) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(text.replace("\n", "\r\n").encode())
    try:
        async with asyncio.timeout(seconds):
            yield reader, writer
    finally:
        writer.close()


async def limited(edge: World, limits: Limits) -> App:
    app = await edge.app("one")
    await edge.point(1, app)
    listener = Listener(f"127.0.0.1:{edge.port}", limits=limits)
    assert await edge.edge.load(EdgePlan((edge.route(),), (listener,)))
    return app


async def switched_and_reloaded(edge: World) -> None:
    """Customers go elsewhere now, and the edge has loaded another configuration."""
    await edge.point(2, await edge.app("two"))
    assert (await edge.ask()).body == "two"
    assert await edge.edge.load((edge.route(), edge.route(BLOG, "blog.test")))
    assert (await edge.ask()).body == "two"


async def test_a_websocket_stays_with_its_release_through_a_switch_and_a_reload(edge: World) -> None:
    await edge.point(1, await edge.app("one"))
    upgrade = "GET /ws HTTP/1.1\nHost: shop.test\nConnection: Upgrade\nUpgrade: websocket\n\n"
    async with opened(edge, upgrade) as (reader, writer):
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        await switched_and_reloaded(edge)
        writer.write(b"still there?\n")
        assert await reader.readline() == b"one:still there?\n"


async def test_events_arrive_one_by_one_through_a_switch_and_a_reload(edge: World) -> None:
    one = await edge.app("one")
    await edge.point(1, one)
    one.events.put_nowait("first")
    async with opened(edge, "GET /sse HTTP/1.1\nHost: shop.test\n\n") as (reader, _):
        assert (await reader.readuntil(b"first\n\n")).endswith(b"data: one first\n\n")
        await switched_and_reloaded(edge)
        one.events.put_nowait("second")
        assert b"data: one second\n\n" in await reader.readuntil(b"second\n\n")


async def test_an_upload_that_is_under_way_ends_where_it_began(edge: World) -> None:
    one, half = await edge.app("one"), 8 * 1024 * 1024
    await edge.point(1, one)
    head = f"POST /upload HTTP/1.1\nHost: shop.test\nConnection: close\nContent-Length: {2 * half}\n\n"
    async with opened(edge, head) as (reader, writer):
        writer.write(b"x" * half)
        await until(lambda: one.received >= half)
        await switched_and_reloaded(edge)
        writer.write(b"y" * half)
        assert (await reader.read(-1)).endswith(b"one")
    assert one.received == 2 * half


@pytest.mark.slow
async def test_a_request_of_twenty_seconds_is_answered_through_a_switch_and_a_reload(edge: World) -> None:
    one = await edge.app("one")
    await edge.point(1, one)
    async with opened(edge, "GET /slow HTTP/1.1\nHost: shop.test\nConnection: close\n\n", seconds=40) as line:
        await until(lambda: len(one.requests) == 1)
        await switched_and_reloaded(edge)
        asyncio.get_running_loop().call_later(20, one.release.set)
        assert (await line[0].read(-1)).endswith(b"one")


def more(app: App) -> bool:
    app.events.put_nowait("more")
    return True


async def test_a_body_may_be_as_large_as_the_limit_and_no_larger(edge: World) -> None:
    app = await limited(edge, Limits(body=100_000))
    assert (await edge.ask(method="POST", body=b"x" * 100_000)).status == 200
    assert (await edge.ask(method="POST", body=b"x" * 100_001)).status == 413
    assert app.received < 200_001


async def test_a_head_that_does_not_come_ends_the_connection(edge: World) -> None:
    await limited(edge, Limits(header_timeout=0.2))
    async with opened(edge, "GET / HTTP/1.1\nHost:") as (reader, _):
        assert await reader.read(-1) == b""


async def test_a_connection_without_requests_ends(edge: World) -> None:
    await limited(edge, Limits(idle_timeout=0.2))
    async with opened(edge, "GET / HTTP/1.1\nHost: shop.test\n\n") as (reader, _):
        assert (await reader.read(-1)).endswith(b"one")


async def test_a_request_that_takes_too_long_to_arrive_is_taken_off_the_application(edge: World) -> None:
    app = await limited(edge, Limits(read_timeout=0.2))
    async with opened(edge, "POST / HTTP/1.1\nHost: shop.test\nContent-Length: 10\n\nfive!"):
        await until(lambda: app.cut == 1)


async def test_an_answer_that_takes_too_long_ends(edge: World) -> None:
    app = await limited(edge, Limits(write_timeout=0.2))
    app.events.put_nowait("first")
    async with opened(edge, "GET /sse HTTP/1.1\nHost: shop.test\n\n") as (reader, _):
        assert (await reader.readuntil(b"first\n\n")).endswith(b"data: one first\n\n")
        cut = asyncio.create_task(reader.read(-1))
        await until(lambda: more(app) and cut.done())
        assert not (await cut).endswith(b"0\r\n\r\n")


async def test_only_a_limit_that_changed_needs_a_reload(edge: World) -> None:
    listener = Listener(f"127.0.0.1:{edge.port}", limits=Limits(body=5))
    assert await edge.edge.load(EdgePlan((edge.route(),), (listener,)))
    assert not await edge.edge.load(EdgePlan((edge.route(),), (listener, Listener("127.0.0.1:1"))))
