"""One throw-away world for a story: a real engine, repository, edge and host, and customers who ask all the time."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import docker

from cockpit import launch
from cockpit.client import Client, connect
from cockpit.clock import SystemClock
from cockpit.demo import background, play
from cockpit.demo.exchange import Connection, Response
from cockpit.demo.load import Load
from cockpit.model import Operation, OperationState, Placement, PlacementKey, Release
from cockpit.paths import Paths, find
from cockpit.protocol import (
    DEPLOY,
    LOGS_OPEN,
    OPERATION,
    REFRESH,
    RELEASES,
    ROLLBACK,
    STATUS,
    UNHOLD,
    DeployRequest,
    For,
    LogChunk,
    LogKind,
    LogRequest,
    Nothing,
    OperationRequest,
    RollbackRequest,
    Snapshot,
    UnholdRequest,
)
from cockpit.targets.docker import DockerTarget
from tests.source.remotes import Remote
from tests.stories.host import Host
from tests.world import fresh_installation, runtime_image

PRODUCTION = "production"
PARTING = 10.0  # seconds for an engine that was told to end
QUICK: dict[str, Any] = {
    "healthcheck": {"path": "/up", "interval": "0.2s", "timeout": "1s", "retries": 2},
    "deploy_timeout": "20s",
    "stop_grace_period": "2s",
    "drain_timeout": "2s",
    "branch": "main",
}


def key(service: str) -> PlacementKey:
    return PlacementKey(service, PRODUCTION)


class World:
    """Everything is below `root` or carries `installation`. `client` is connected from the first `up` on."""

    def __init__(self, root: Path, host: Host, runtime: str) -> None:
        self.root = root
        self.host = host
        self.runtime = runtime
        self.paths: Paths = find(root / "cockpit.yaml", root / "state")
        self.port = free_port()
        self.engine_host = "local"
        self.edge: dict[str, Any] = {}  # what is configured of it besides the listener
        self.services: dict[str, dict[str, Any]] = {}
        self.more: dict[str, Any] = {}  # of the configuration's other keys
        self.remote = Remote(root / "repository")
        self.client: Client
        self.command: Sequence[str] = launch.ENGINE  # how clients start the engine
        self._environment = dict(os.environ)  # where this engine's socket is: a test's home comes and goes

    # ------------------------------------------------------------ its ground

    def prepare(self) -> None:
        self.paths.state.mkdir(mode=0o700)
        (self.paths.state / "installation").write_text(f"{self.host.installation}\n", encoding="ascii")
        self.remote.path.mkdir()
        self.remote.git("init", "--quiet", "--initial-branch=main")

    def commit(self, service: str, files: Mapping[str, str], subject: str = "") -> str:
        """A new commit with these files of a service; its sha."""
        named = {f"{service}/{name}": content for name, content in files.items()}
        return self.remote.commit(subject or f"Change {service}", named)

    def configure(self, service: str, **changes: Any) -> None:
        """Keys of the configuration file; None takes one away again. The engine is not told."""
        usual = {"repo": str(self.remote.path), "path": service, "hosts": [f"{service}.localhost"], **QUICK}
        wanted = {**(self.services.get(service) or usual), **changes}
        self.services[service] = {name: value for name, value in wanted.items() if value is not Ellipsis}
        self._write()

    def _write(self) -> None:
        document = {
            "environments": {
                PRODUCTION: {"edge": {"listen": f"127.0.0.1:{self.port}", **self.edge}, "host": self.engine_host}
            },
            "services": self.services,
            "fetch_every": "3600s",
            **self.more,
        }
        beside = self.paths.config.with_suffix(".new")
        beside.write_text(json.dumps(document))
        beside.replace(self.paths.config)

    # ------------------------------------------------------------ its engine

    async def up(self) -> None:
        self.client = await connect(self.paths, client="cli", command=self.command)

    @property
    def engine_pid(self) -> int:
        """Of the one that `client` talked to last."""
        assert self.client.welcome is not None
        return self.client.welcome.pid

    async def end_engine(self) -> None:
        await background.end(self.paths.lock, "cockpit.engine", str(self.paths.state), patience=PARTING)

    async def end_engine_at_once(self) -> None:
        """As power does."""
        os.kill(self.engine_pid, signal.SIGKILL)

    async def deploy(self, service: str, commit: str) -> Operation:
        """To its end."""
        return await self.ended(await self.begin(service, commit))

    async def ships(self, service: str, commit: str) -> Operation:
        return succeeded(await self.deploy(service, commit))

    async def begin(self, service: str, commit: str) -> Operation:
        return await play.once_ready(lambda: self.client.call(DEPLOY, DeployRequest(key(service), commit)))

    async def roll_back(self, service: str, to: int | None = None) -> Operation:
        return await self.client.call(ROLLBACK, RollbackRequest(key(service), to))

    async def goes_back(self, service: str, to: int | None = None) -> Operation:
        return succeeded(await self.ended(await self.roll_back(service, to)))

    async def ended(self, operation: Operation) -> Operation:
        return await play.ended(self.client, operation)

    async def operation(self, operation: Operation) -> Operation:
        """As it is now."""
        return await self.client.call(OPERATION, OperationRequest(operation.id))

    async def release_hold(self, service: str) -> None:
        await self.client.call(UNHOLD, UnholdRequest(key(service), reason="the story goes on"))

    async def reread(self, service: str) -> None:
        """The engine looks at the configuration, the repository and the host now."""
        await self.client.call(REFRESH, For(key(service)))

    async def snapshot(self) -> Snapshot:
        return await self.client.call(STATUS, Nothing())

    async def edge_up(self) -> None:
        """The engine has seen the edge answer."""
        async with asyncio.timeout(20):
            while True:
                if (await self.snapshot()).engine.edge_ok:
                    return
                await asyncio.sleep(0.05)

    async def placement(self, service: str) -> Placement:
        return next(each for each in (await self.snapshot()).placements if each.key == key(service))

    async def live(self, service: str) -> Release:
        live = (await self.placement(service)).live
        assert live is not None, f"nothing is live of {service}"
        return live

    async def releases(self, service: str) -> tuple[Release, ...]:
        return (await self.client.call(RELEASES, For(key(service)))).releases

    async def log_of(self, operation: Operation) -> list[str]:
        """Its lines, each as `source: text`; asked for by a client of its own."""
        reader = await connect(self.paths, client="cli", start=False)
        try:
            changes = reader.changes()
            await anext(changes)
            request = LogRequest(LogKind.OPERATION, operation=operation.id, follow=False)
            await reader.call(LOGS_OPEN, request)
            lines: list[str] = []
            async with asyncio.timeout(10):
                async for change in changes:
                    if isinstance(change, LogChunk):
                        lines += [f"{line.source}: {line.text}" for line in change.lines]
                        if change.ended:
                            break
            return lines
        finally:
            await reader.close()

    async def says(self, *words: str) -> str:
        """What the command line prints: `says("status")`."""
        options = ("--config", str(self.paths.config), "--state", str(self.paths.state))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cockpit.cli.main", *options, *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=Path(__file__).parents[2],
            env=self._environment,
        )
        output, _ = await process.communicate()
        return output.decode()

    # ------------------------------------------------------------ what stands on disk

    def pointer(self, service: str) -> str:
        """The release that the edge follows, as the file says: "r4"."""
        return (self.paths.edge / "pointers" / f"{service}@{PRODUCTION}").read_text().split()[0]

    def engine_log(self) -> str:
        return self.paths.engine_log.read_text() if self.paths.engine_log.exists() else ""

    def scratch(self) -> list[str]:
        directory = self.paths.state / "scratch"
        return sorted(each.name for each in directory.iterdir()) if directory.exists() else []

    def leased(self, service: str) -> set[int]:
        """Numbers of the releases that hold a slot."""
        with closing(sqlite3.connect(f"file:{self.paths.database}?mode=ro", uri=True)) as db:
            rows = db.execute(
                "SELECT slots.release FROM slots JOIN placements ON placements.id = slots.placement"
                " WHERE placements.service = ? AND slots.freed_at IS NULL",
                (service,),
            )
            return {int(number) for (number,) in rows}

    # ------------------------------------------------------------ its customers

    def url(self, service: str) -> str:
        return f"http://{service}.localhost:{self.port}/"

    async def get(self, service: str, path: str = "/") -> Response:
        """One customer's question. Raises Cut."""
        connection = await Connection.open("127.0.0.1", self.port)
        try:
            head = f"GET {path} HTTP/1.1\r\nHost: {service}.localhost:{self.port}\r\nConnection: close\r\n\r\n"
            return await connection.exchange(head.encode())
        finally:
            connection.close()

    def load(self, service: str, rate: float = 60.0, **more: Any) -> Load:
        return Load((self.url(service),), rate, **more)


def succeeded(operation: Operation) -> Operation:
    assert operation.state is OperationState.SUCCEEDED, operation
    return operation


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    """With nothing configured yet, and no engine."""
    root = Path(tempfile.mkdtemp(prefix="story-"))
    client = docker.from_env()
    made = World(root, Host(client, fresh_installation()), await asyncio.to_thread(runtime_image, client))
    try:
        await asyncio.to_thread(made.prepare)
        yield made
        assert " ERROR cockpit" not in made.engine_log(), made.engine_log()
    finally:
        if hasattr(made, "client"):
            await made.client.close()
        await made.end_engine()
        made.paths.socket.unlink(missing_ok=True)
        await remove_all(made.host.installation)
        client.close()
        shutil.rmtree(root, ignore_errors=True)


async def remove_all(installation: str) -> None:
    target = DockerTarget("local", installation, subnet=None, clock=SystemClock())
    try:
        await target.remove_all()
    finally:
        await target.close()


_given: Iterator[int] = iter(range(21_300 + os.getpid() % 500 * 10, 32_000))  # below what the kernel gives to others


def free_port() -> int:
    """Nothing listens there, and no client of this host is given it by chance."""
    for port in _given:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
