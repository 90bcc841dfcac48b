"""A real edge without Docker: Caddy as a child process, and small applications on loopback addresses."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from cockpit.edge.base import RUN, RUN_VARIABLE, Pointer, Route
from cockpit.edge.caddy import CaddyEdge
from cockpit.edge.config import ADMIN_SOCKET
from cockpit.edge.files import LocalFiles
from cockpit.http import Http
from cockpit.model import PlacementKey
from cockpit.targets.edge_image import caddy_binary
from tests.waiting import until

SUBNET = "127.0.0.0/9"
SHOP = PlacementKey("shop", "production")

_addresses = itertools.count(1)


def fresh_address() -> str:
    """Of this process alone, so that parallel test workers do not meet."""
    return f"127.{1 + os.getpid() % 120}.{os.getpid() // 120 % 250}.{next(_addresses) % 250 + 1}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class App:
    """One replica: says its release, holds what /slow, /sse and /ws ask it to hold."""

    def __init__(self, name: str, address: str | None = None, port: int = 8080) -> None:
        self.name, self.host, self.port = name, address or fresh_address(), port
        self.release = asyncio.Event()  # lets /slow answer
        self.requests: list[str] = []  # heads, as received
        self.received = 0  # bytes of bodies
        self.cut = 0  # requests that ended within their body
        self.events: asyncio.Queue[str] = asyncio.Queue()  # what /sse says
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._closing = False

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    async def start(self) -> App:
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        return self

    async def die(self) -> None:
        """As with kill -9: nobody listens, open connections are cut."""
        if self._server is not None:
            self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        self._server = None

    async def die_between_requests(self) -> None:
        """Nobody listens any more; a connection is cut as soon as no request is under way on it."""
        assert self._server is not None
        self._server.close()
        self._server, self._closing = None, True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.requests.append(head)
                length = next(
                    (int(x.split(":")[1]) for x in head.split("\r\n") if x.lower().startswith("content-le")), 0
                )
                while length:
                    part = await reader.read(min(length, 65536))
                    if not part:
                        self.cut += 1
                        return
                    length, self.received = length - len(part), self.received + len(part)
                if head.startswith("GET /ws"):
                    await self._echo(reader, writer)
                    return
                if head.startswith("GET /sse"):
                    await self._tell(writer)
                    return
                if "/die" in head.split("\r\n")[0]:
                    return
                if head.startswith("GET /slow"):
                    await self.release.wait()
                status = "500 Oh" if head.startswith("GET /500") else "200 OK"
                body = self.name.encode()
                last = "Connection: close\r\n" if self._closing else ""
                writer.write(f"HTTP/1.1 {status}\r\n{last}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
                if last:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _tell(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        while event := await self.events.get():
            writer.write(f"data: {self.name} {event}\n\n".encode())
            await writer.drain()

    async def _echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        while line := await reader.readline():
            writer.write(self.name.encode() + b":" + line)
            await writer.drain()


@dataclass
class World:
    directory: Path
    edge: CaddyEdge
    port: int
    process: asyncio.subprocess.Process | None = None
    apps: list[App] = field(default_factory=list)

    def route(self, key: PlacementKey = SHOP, *hosts: str, process: str = "") -> Route:
        return Route(key, f"127.0.0.1:{self.port}", hosts, process)

    async def app(self, name: str, address: str | None = None) -> App:
        self.apps.append(await App(name, address).start())
        return self.apps[-1]

    async def up(self) -> None:
        config = str(self.directory / "config.json")
        (self.directory / RUN).mkdir(exist_ok=True)
        errors = os.open(self.directory / "caddy.err", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self.process = await asyncio.create_subprocess_exec(
            str(await asyncio.to_thread(caddy_binary)),
            "run",
            "--config",
            config,
            stderr=errors,
            env={**os.environ, RUN_VARIABLE: RUN},
        )
        os.close(errors)
        try:
            await until(self.edge.answers)
        except TimeoutError:
            raise AssertionError((self.directory / "caddy.err").read_text()) from None

    async def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()
        self.process = None

    async def point(self, release: int, *apps: App, key: PlacementKey = SHOP) -> None:
        await self.edge.point(key, Pointer(release, tuple(app.address for app in apps)))

    async def holds_against(self, app: App) -> None:
        """Waits until the edge has tried it in vain, and still remembers that."""
        admin = Http(self.edge.files.sockets / ADMIN_SOCKET)

        async def tried() -> bool:
            known = json.loads((await admin.ask("GET", "http://edge/reverse_proxy/upstreams", timeout=3)).body)
            return any(each["address"] == app.address and each["fails"] for each in known)

        await until(tried, what=f"a failure of {app.name} in the edge's memory")
        await admin.close()

    async def ask(self, path: str = "/", *, method: str = "GET", host: str = "shop.test", body: bytes = b"") -> Reply:
        return await ask("127.0.0.1", self.port, path, method=method, host=host, body=body)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: str
    seconds: float


async def ask(
    address: str,
    port: int,
    path: str = "/",
    *,
    method: str = "GET",
    host: str = "shop.test",
    body: bytes = b"",
) -> Reply:
    """One request on a fresh connection. Raises OSError or EOFError when no whole answer came."""
    started = time.monotonic()
    reader, writer = await asyncio.open_connection(address, port)
    try:
        fields = f"Host: {host}\r\nContent-Length: {len(body)}\r\nConnection: close"
        writer.write(f"{method} {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode() + body)
        async with asyncio.timeout(15):
            head, _, rest = (await reader.read(-1)).partition(b"\r\n\r\n")
    finally:
        writer.close()
    if not head:
        raise EOFError("no answer")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Reply(int(first.split()[1]), headers, rest.decode(), time.monotonic() - started)


@contextlib.asynccontextmanager
async def world(directory: Path, *hosts: str) -> AsyncIterator[World]:
    """An edge that runs, with one placement and no pointer yet."""
    directory = directory / "edge"
    made = World(directory, CaddyEdge(LocalFiles(directory), SUBNET, inside=directory), free_port())
    try:
        await made.edge.load((made.route(SHOP, *hosts),))
        await made.up()
        yield made
    finally:
        if made.process is not None:
            await made.kill()
        for app in made.apps:
            await app.die()
        await made.edge.close()


@dataclass
class Load:
    """An open-loop client: a request each `every` seconds, on fresh and on kept-alive connections, no matter what.

    `looks`: it takes no kept-alive connection that was closed meanwhile, as every browser and proxy does."""

    port: int
    every: float = 0.005
    address: str = "127.0.0.1"
    looks: bool = False
    statuses: dict[int, int] = field(default_factory=dict)
    bodies: list[str] = field(default_factory=list)
    slowest: float = 0.0
    lost: list[str] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def hears(self, more: int) -> None:
        """Waits for that many answers beyond those it has."""
        wanted = len(self.bodies) + more
        await until(lambda: len(self.bodies) >= wanted, what=f"{more} more answers")

    async def run(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        for number in itertools.count():
            if stop.is_set():
                break
            task = asyncio.create_task(self._one(number))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(max(0.0, start + (number + 1) * self.every - loop.time()))
        await asyncio.gather(*self._tasks)
        for _, writer in self._idle:
            writer.close()

    async def _one(self, number: int) -> None:
        started = time.monotonic()
        keep = number % 2 == 0
        method = "POST" if number % 3 == 0 else "GET"
        try:
            while self.looks and self._idle and self._idle[-1][0].at_eof():
                self._idle.pop()[1].close()
            if keep and self._idle:
                reader, writer = self._idle.pop()
            else:
                reader, writer = await asyncio.open_connection(self.address, self.port)
            writer.write(
                f"{method} /customer/{number} HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 0\r\n\r\n".encode()
            )
            async with asyncio.timeout(15):
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    int(x.split(":")[1]) for x in head.split("\r\n") if x.lower().startswith("content-length")
                )
                body = (await reader.readexactly(length)).decode()
            if keep:
                self._idle.append((reader, writer))
            else:
                writer.close()
        except (OSError, EOFError, TimeoutError) as error:
            self.lost.append(repr(error))
            return
        status = int(head.split()[1])
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.bodies.append(body)
        self.slowest = max(self.slowest, time.monotonic() - started)


@contextlib.asynccontextmanager
async def load(world: World, every: float = 0.005) -> AsyncIterator[Load]:
    """Nothing is left to answer when this ends."""
    async with customers(Load(world.port, every)) as made:
        yield made


@contextlib.asynccontextmanager
async def customers(made: Load) -> AsyncIterator[Load]:
    stop = asyncio.Event()
    task = asyncio.create_task(made.run(stop))
    try:
        yield made
    finally:
        stop.set()
        await task
