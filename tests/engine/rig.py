"""A whole engine on fakes, with a real release log: what a test of the engine's behaviour stands on."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from cockpit.clock import SystemClock
from cockpit.config.settings import Environment, Healthcheck, PlacementSettings, Process, Service, Settings
from cockpit.engine.api import Note, Peer
from cockpit.engine.configuration import ConfigurationFile
from cockpit.engine.core import Cockpit
from cockpit.engine.host import EdgePlace, Host
from cockpit.engine.ports import Ports
from cockpit.engine.secrets import Secrets
from cockpit.errors import StoreError
from cockpit.model import Actor, AuditRow, Operation, PlacementKey
from cockpit.paths import Paths
from cockpit.protocol import (
    DEPLOY,
    ROLLBACK,
    Call,
    DeployRequest,
    RollbackRequest,
)
from cockpit.store.database import Database
from cockpit.store.log import ReleaseLog
from cockpit.targets.host_lock import Holder
from cockpit.targets.subnet import Subnet
from tests.fakes.builder import FakeBuilder
from tests.fakes.edge import FakeEdge
from tests.fakes.prober import FakeProber
from tests.fakes.source import FakeSource
from tests.fakes.target import FakeTarget

P = TypeVar("P")
R = TypeVar("R")

SHOP = PlacementKey("shop", "production")
ANA = Actor("ana", 1000, "ana")
TOM = Actor("tom", 1001, "tom")


def service(**changes: Any) -> Service:
    """Quick to judge, so that tests are; what is a process's is that of its one process, web."""
    usual: dict[str, Any] = {
        "repo": "git@example.com:shop.git",
        "branch": "main",
        "port": 8000,
        "healthcheck": Healthcheck(interval=0.1, timeout=1.0, retries=2),
        "deploy_timeout": 2.0,
        "stop_grace_period": 0.1,
        "drain_timeout": 0.0,
    }
    keys = usual | changes
    web = {key: keys.pop(key) for key in Process.model_fields if key in keys}
    return Service(**{"processes": {"web": Process(**web)}} | keys)


def settings(*placements: tuple[PlacementKey, Service]) -> Settings:
    environments = {key.environment: Environment(protected=key.environment == "production") for key, _ in placements}
    return Settings(
        environments=environments,
        placements=tuple(
            PlacementSettings(key=key, environment=environments[key.environment], service=each)
            for key, each in placements
        ),
    )


_engines = itertools.count(1)  # each begins later than the one before


class Hurrying(SystemClock):
    """The real clock, whose sleeps a test may make short, and which it may set ahead by seconds; `jumped` are seconds
    by which only the wall clock was set."""

    longest = 3600.0
    ahead = 0.0
    jumped = 0.0

    def __init__(self) -> None:
        super().__init__()
        self._hurried = asyncio.Event()

    def now(self) -> float:
        return super().now() + self.ahead + self.jumped

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead

    def hurry(self) -> None:
        """Also those who sleep already."""
        self.longest = 0.02
        self._hurried.set()

    async def sleep(self, seconds: float) -> None:
        if self._hurried.is_set():
            await super().sleep(min(seconds, self.longest))
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurried.wait()


class Disk:
    """The release log's database, on a disk that a test may break: `refuses` is what each write then says."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.refuses = ""

    async def write(self, work: Any, *, vital: bool = False) -> Any:
        if self.refuses:
            raise StoreError(self.refuses, "free space")
        return await self._database.write(work, vital=vital)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


class Rig:
    """One engine and the world around it; `again` is a new engine on what the last one left."""

    def __init__(self, directory: Path, wanted: Settings | None = None) -> None:
        state = directory / "state"
        state.mkdir(exist_ok=True)
        self.paths = Paths(directory / "cockpit.yaml", state, directory / "socket")
        self.clock = Hurrying()
        self.settings = wanted or settings((SHOP, service()))
        self.source = FakeSource(self.clock)
        self.builder = FakeBuilder(self.clock)
        self.target = FakeTarget()
        self.edge = FakeEdge()
        self.prober = FakeProber(self.target, self.edge, self.clock)
        self.bastion = "bastion-1"
        self.me: Holder
        self.recorded: Callable[[AuditRow], None] = lambda row: None
        self.engine: Cockpit
        self.notes: list[Note] = []
        self.peer = Peer(ANA, "tui", self.notes.append)

    async def up(self, *, wait: bool = True) -> None:
        await self.make()
        await self.engine.start()
        self.engine.joined(self.peer)
        self.engine.hub.subscribe(self.peer)
        if wait:
            await self.settled()

    async def make(self) -> Cockpit:
        """An engine that has not started."""
        self.disk = Disk(await Database.open(self.paths.database))
        self.store = ReleaseLog(self.disk, self.clock, self.recorded)  # type: ignore[arg-type]  # the part of a Database it uses
        machine, started = f"machine of {self.bastion}", next(_engines)
        me = self.me = Holder(self.bastion, machine, "boot", "processes", 1, started, str(self.paths.state))
        ports = Ports(
            installation="test",
            paths=self.paths,
            clock=self.clock,
            store=self.store,
            source=self.source,
            secrets=await asyncio.to_thread(Secrets, self.paths.state / "secret.key"),
            open_host=self._open_host,
            me=me,
            lives=lambda other: other == me if other.machine == me.machine else None,
        )
        self.paths.config.touch()
        self.engine = Cockpit(ports, ConfigurationFile(self.paths.config, lambda _: self.settings, self.clock))
        return self.engine

    async def _open_host(self, name: str, _: Settings) -> Host:
        async def place() -> EdgePlace:
            return EdgePlace(self.paths.edge)

        return Host(
            name=name,
            target=self.target,
            edge=self.edge,
            prober=self.prober,
            builder=self.builder,
            subnet=Subnet("10.231.0.0/18"),
            docker_url="unix:///run/docker.sock",
            edge_place=place,
        )

    @property
    def host(self) -> Host:
        return self.engine.world.hosts["local"]

    async def settled(self) -> None:
        """Recovery is over, so that operations may start."""
        await self.until(lambda: not self.engine.world.recovering and self.host.docker_seen_at is not None)

    async def down(self) -> None:
        await self.engine.close()

    async def again(self) -> None:
        await self.down()
        await self.up()

    async def call(self, call: Call[P, R], params: P, actor: Actor = ANA) -> R:
        handler = self.engine.handlers()[call.name]
        result: R = await handler(Peer(actor, "cli"), params)
        return result

    async def deploy(self, commit: str = "", actor: Actor = ANA, **more: Any) -> Operation:
        return await self.call(DEPLOY, DeployRequest(SHOP, commit, **more), actor)

    async def rollback(self, actor: Actor = ANA, **more: Any) -> Operation:
        return await self.call(ROLLBACK, RollbackRequest(SHOP, **more), actor)

    async def ended(self, operation: Operation) -> Operation:
        from cockpit.protocol import OPERATION, OperationRequest

        async with asyncio.timeout(15):
            while True:
                found = await self.call(OPERATION, OperationRequest(operation.id))
                if found.state.ended and SHOP not in self.engine.world.runs:
                    return found
                await asyncio.sleep(0.01)

    async def shipped(self, subject: str, **more: Any) -> Operation:
        """A new commit, deployed to its end."""
        return await self.ended(await self.deploy(self.commit(subject), **more))

    def commit(self, subject: str) -> str:
        return self.source.add(subject, {"Dockerfile": "FROM scratch\n", "notes": subject})

    async def reconfigured(self, wanted: Settings) -> None:
        """The configuration file says something else now."""
        self.settings = wanted
        self.paths.config.write_text(str(self.clock.now()))
        await self.until(lambda: self.engine.world.settings == wanted)

    async def make_good(self, number: int) -> None:
        """As time would."""
        await self.store.update_release(SHOP, number, good_at=self.clock.now())
        await self.engine.watch.changed(SHOP)

    async def live(self) -> int | None:
        return (await self.store.placement(SHOP)).live

    def running(self) -> set[int]:
        return {each.release for each in self.target.containers if each.running}

    def customers_on(self) -> int | None:
        pointer = self.edge.pointers.get(SHOP)
        return pointer.release if pointer else None

    async def until(self, condition: Callable[[], bool], within: float = 10.0) -> None:
        async with asyncio.timeout(within):
            while not condition():  # noqa: ASYNC110 what is waited for has no event of its own
                await asyncio.sleep(0.01)


@asynccontextmanager
async def rig(directory: Path, wanted: Settings | None = None) -> AsyncIterator[Rig]:
    made = Rig(directory, wanted)
    await made.up()
    try:
        yield made
    finally:
        await made.down()
