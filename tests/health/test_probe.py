"""Probes through a real Caddy on a Unix socket: what the app says, and what the edge says in its place."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cockpit.edge.base import RUN, RUN_VARIABLE, EdgePlan
from cockpit.edge.config import PROBE_SOCKET, document
from cockpit.health.probe import EDGE_SILENT, REFUSED, Prober, reachable
from tests.waiting import until

ANSWERS = {
    "/up": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "/bad-gateway": b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
    "/forged": b"HTTP/1.1 200 OK\r\nServer: Caddy\r\nX-Cockpit-Error: gone\r\nContent-Length: 0\r\n\r\n",
    "/moved": b"HTTP/1.1 301 Moved\r\nLocation: https://shop.example/\x1b[31mup\r\nContent-Length: 0\r\n\r\n",
    "/noise": b"\x00\xff not HTTP at all\r\n\r\n",
}
_hosts = itertools.count(1)


class App:
    """Answers each path with fixed bytes; /close hangs up and /hang never answers."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.heads: list[str] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            path = head.split()[1]
            if path == "/hang":
                return
            writer.write(ANSWERS.get(path, b""))
            await writer.drain()
        writer.close()


@pytest.fixture
async def app() -> AsyncIterator[App]:
    host = f"127.{130 + os.getpid() % 100}.1.{next(_hosts)}"
    found = App("")
    server = await asyncio.start_server(found.serve, host, 0)
    found.address = f"{host}:{server.sockets[0].getsockname()[1]}"
    yield found
    server.close()
    for writer in found.writers:
        writer.close()


@pytest.fixture
async def edge() -> AsyncIterator[Path]:
    """The edge's own configuration, on a short path: a socket's may be 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="probe") as name:
        root = Path(name)
        (root / "log").mkdir()
        (root / RUN).mkdir()
        config = root / "caddy.json"
        config.write_bytes(document(EdgePlan(), root, "127.0.0.0/8")[0])
        quiet = asyncio.subprocess.DEVNULL
        caddy = Path(sys.executable).with_name("caddy")
        process = await asyncio.create_subprocess_exec(
            caddy, "run", "--config", config, stdout=quiet, stderr=quiet, env={**os.environ, RUN_VARIABLE: RUN}
        )
        try:
            await until((root / RUN / PROBE_SOCKET).exists)
            yield root / RUN / PROBE_SOCKET
        finally:
            process.kill()
            await process.wait()


@pytest.fixture
async def prober(edge: Path) -> AsyncIterator[Prober]:
    found = Prober(edge)
    yield found
    await found.close()


async def test_a_good_answer_has_its_status_and_its_time(prober: Prober, app: App) -> None:
    probe = await prober.probe(app.address, "/up", "shop.example", 5)
    assert (probe.status, probe.error, probe.good, probe.reached) == (200, "", True, True)
    assert probe.ms > 0
    assert probe.at > 0


async def test_the_app_is_asked_as_its_customers_ask_through_tls(prober: Prober, app: App) -> None:
    await prober.probe(app.address, "/up", "shop.example", 5)
    head = app.heads[0].lower()
    assert head.startswith("get /up http/1.1")
    for line in ("host: shop.example", "x-forwarded-proto: https", "user-agent: cockpit"):
        assert line in head


async def test_a_502_of_the_apps_own_is_its_answer(prober: Prober, app: App) -> None:
    probe = await prober.probe(app.address, "/bad-gateway", None, 5)
    assert (probe.status, probe.error) == (502, "")


async def test_an_app_cannot_pass_for_the_edge(prober: Prober, app: App) -> None:
    assert (await prober.probe(app.address, "/forged", None, 5)).status == 200


async def test_nothing_listening_is_a_refused_connection_and_no_status(prober: Prober, app: App) -> None:
    host = app.address.partition(":")[0]
    probe = await prober.probe(f"{host}:1", "/up", None, 5)
    assert (probe.status, probe.error, probe.reached) == (0, REFUSED, True)


@pytest.mark.parametrize("path", ["/close", "/noise"])
async def test_a_broken_answer_has_no_status_and_says_so(prober: Prober, app: App, path: str) -> None:
    probe = await prober.probe(app.address, path, None, 5)
    assert probe.status == 0
    assert probe.error
    assert probe.error != REFUSED


async def test_an_app_that_hangs_ends_at_the_time_out_and_is_not_the_edges_fault(prober: Prober, app: App) -> None:
    probe = await prober.probe(app.address, "/hang", None, 0.3)
    assert (probe.status, probe.error, probe.reached) == (0, "no answer within 0.3 s", True)


async def test_a_hundred_and_fifty_hung_replicas_do_not_delay_a_healthy_one(prober: Prober, app: App) -> None:
    hung = [asyncio.create_task(prober.probe(app.address, "/hang", None, 20)) for _ in range(150)]
    await until(lambda: len(app.heads) == 150)
    assert (await prober.probe(app.address, "/up", None, 5)).good
    for task in hung:
        task.cancel()
    await asyncio.gather(*hung, return_exceptions=True)


async def test_where_a_redirect_points_is_safe_to_show(prober: Prober, app: App) -> None:
    probe = await prober.probe(app.address, "/moved", None, 5)
    assert probe.status in (0, 301)  # Caddy may refuse such a header itself
    assert "\x1b" not in probe.location + probe.error


async def test_an_answer_that_the_edge_makes_itself_is_never_good(edge: Path) -> None:
    prober = Prober(edge)
    probe = await prober.probe("10.9.9.9:80", "/up", None, 5)  # not of its subnet
    await prober.close()
    assert (probe.status, probe.good) == (0, False)
    assert "not an address of" in probe.error


@pytest.mark.parametrize("host", ["müller.example", "a\r\nX-Evil: 1", ""])
async def test_a_host_name_that_no_header_can_hold_raises_nothing(prober: Prober, app: App, host: str) -> None:
    await prober.probe(app.address, "/up", host, 5)
    assert not any("evil" in line.lower().split(":")[0] for head in app.heads for line in head.split("\r\n"))


async def test_a_silent_edge_says_nothing_about_the_replica(tmp_path: Path) -> None:
    prober = Prober(tmp_path / "none.sock")
    probe = await prober.probe("127.0.0.1:1", "/up", None, 5)
    await prober.close()
    assert (probe.status, probe.error, probe.reached) == (0, EDGE_SILENT, False)


async def test_the_public_way_is_asked_without_the_private_listener(prober: Prober, app: App) -> None:
    assert (await prober.public(app.address, "up", "shop.example", 5)).good
    assert "host: shop.example" in app.heads[0].lower()


@pytest.mark.parametrize(
    ("listen", "where"),
    [
        (":80", "127.0.0.1:80"),
        ("0.0.0.0:80", "127.0.0.1:80"),
        ("[::]:80", "127.0.0.1:80"),
        ("10.0.0.5:81", "10.0.0.5:81"),
    ],
)
def test_a_listener_on_every_address_is_asked_on_this_host(listen: str, where: str) -> None:
    assert reachable(listen) == where
