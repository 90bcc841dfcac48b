"""Behind another proxy: what it knows of the customer arrives, and nobody else is believed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from cockpit.edge.base import EdgePlan, Listener
from tests.edge.proxy import proxy
from tests.edge.world import App, World, ask, world
from tests.waiting import until

CUSTOMER = "127.0.0.55"


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


def front(directory: Path, edge: World) -> AbstractAsyncContextManager[int]:
    """It ends TLS and asks the edge over plain HTTP."""
    return proxy(directory, f"127.0.0.1:{edge.port}", tls=True)


async def through(port: int, path: str = "/") -> str:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="shop.test", local_addr=(CUSTOMER, 0)
    )
    writer.write(f"GET {path} HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n".encode())
    async with asyncio.timeout(15):
        answer = (await reader.read(-1)).decode()
    writer.close()
    return answer


async def answered(port: int) -> bool:
    try:
        return " 200 " in await through(port)
    except OSError:  # its certificate is not there yet
        return False


def told(app: App, name: str) -> str:
    """What the application was told last."""
    lines = (line.partition(": ") for line in app.requests[-1].split("\r\n"))
    return next((value for key, _, value in lines if key.lower() == name.lower()), "")


async def trusting(edge: World, *ranges: str) -> App:
    app = await edge.app("one")
    await edge.point(1, app)
    await edge.edge.load(EdgePlan((edge.route(),), (Listener(f"127.0.0.1:{edge.port}", ranges),)))
    return app


async def test_scheme_and_customer_arrive_through_a_proxy_that_is_trusted(edge: World, tmp_path: Path) -> None:
    app = await trusting(edge, "127.0.0.0/8")
    async with front(tmp_path, edge) as port:
        await until(lambda: answered(port))
        await through(port, "/last")
    assert app.requests[-1].startswith("GET /last HTTP/1.1\r\nHost: shop.test\r\n")
    assert told(app, "X-Forwarded-Proto") == "https"
    assert told(app, "X-Forwarded-For").split(", ") == [CUSTOMER, "127.0.0.1"]


async def test_a_public_listener_does_not_believe_a_stranger(edge: World, tmp_path: Path) -> None:
    app = await trusting(edge)
    async with front(tmp_path, edge) as port:
        await until(lambda: answered(port))
    assert told(app, "X-Forwarded-Proto") == "http"
    assert told(app, "X-Forwarded-For") == "127.0.0.1"


async def test_a_proxy_outside_the_ranges_is_not_believed(edge: World, tmp_path: Path) -> None:
    app = await trusting(edge, "10.0.0.0/8", "127.0.0.2/32")
    async with front(tmp_path, edge) as port:
        await until(lambda: answered(port))
    assert told(app, "X-Forwarded-Proto") == "http"


async def test_without_listeners_private_proxies_are_believed(edge: World, tmp_path: Path) -> None:
    app = await edge.app("one")
    await edge.point(1, app)
    async with front(tmp_path, edge) as port:
        await until(lambda: answered(port))
    assert told(app, "X-Forwarded-Proto") == "https"
    assert (await ask("127.0.0.1", edge.port)).body == "one"
