"""One bastion of a simulation: its disk and its clock, and one engine after another, each a process that may be killed.

Only here is an engine put together; the ports are the host's fakes behind faults, and a release log on its own disk.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextvars import Context
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from cockpit.config.settings import Settings
from cockpit.engine.api import Peer
from cockpit.engine.configuration import ConfigurationFile
from cockpit.engine.core import Cockpit
from cockpit.engine.host import EdgePlace, Host
from cockpit.engine.ports import Ports
from cockpit.engine.secrets import Secrets
from cockpit.errors import CockpitError, EngineUnreachable
from cockpit.model import Actor
from cockpit.paths import Paths
from cockpit.protocol import Call
from cockpit.store.log import ReleaseLog
from cockpit.targets.host_lock import Holder
from cockpit.targets.subnet import Subnet
from tests.fakes.builder import FakeBuilder
from tests.simulation.clock import VirtualClock
from tests.simulation.database import Disk, InLoopDatabase
from tests.simulation.faults import (
    Faulty,
    FaultyProber,
    builder_gone,
    edge_gone,
    source_gone,
    target_gone,
)
from tests.simulation.loop import Process
from tests.simulation.scene import Scene

P = TypeVar("P")
R = TypeVar("R")

About = Callable[["Bastion", str, tuple[Any, ...]], None]


class Bastion:
    """`about` hears of each call that its engine makes to the host."""

    def __init__(self, name: str, directory: Path, scene: Scene, settings: Settings, about: About) -> None:
        self.name = name
        self.clock = VirtualClock(scene.loop)
        self.disk = Disk()
        self.settings = settings
        self.engine: Cockpit | None = None
        self.process: Process | None = None
        self.dead: list[Process] = []
        self.said: list[Exception] = []  # why an engine did not come up
        self.powered = True
        self._scene = scene
        self._about = about
        self._lives = 0
        self._calls: Process | None = None
        state = directory / name
        state.mkdir(parents=True)
        (state / "secret.key").write_bytes(bytes(32))
        self.paths = Paths(state / "cockpit.yaml", state, state / "socket")
        self.paths.config.touch()

    @property
    def life(self) -> str:
        """The name of its newest engine."""
        return self.process.name if self.process is not None else self.name

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.alive

    @property
    def looks(self) -> bool:
        """Its engine is up and gets time."""
        return self.alive and self.engine is not None and self.process is not None and not self.process.paused

    def lives(self, holder: Holder) -> bool:
        """The engine that holds that is up and gets time."""
        return self.looks and holder == self._me()

    def start(self) -> None:
        """Nothing happens when one runs, or the machine is off."""
        if self.alive or not self.powered:
            return
        if self.process is not None:
            self._forget(self.process, self._calls)
        self._lives += 1
        self.process, self.engine = Process(f"{self.name}{self._lives}"), None
        self._calls = Process(f"calls of {self.process.name}", self.process)
        self.process.on_death.append(self._again)
        self.process.begin(self._live(self.process), "main")

    def _again(self) -> None:
        """As a system service does; not as part of the one that died."""
        wait = self._scene.faults.random.uniform(0.3, 1.5)
        asyncio.get_running_loop().call_later(wait, self.start, context=Context())

    def kill(self) -> None:
        if self.process is not None:
            self.process.die()

    def power(self, on: bool) -> None:
        """Off: nothing starts the engine again until it is on."""
        self.powered = on
        if on:
            self.start()
        else:
            self.kill()

    def pause(self, seconds: float) -> None:
        """As SIGSTOP does, and SIGCONT after it. What it has asked the host for is done meanwhile."""
        process = self.process
        if process is not None and self.alive and not process.paused:
            process.pause()
            asyncio.get_running_loop().call_later(seconds, process.go_on, context=Context())

    async def stop(self) -> None:
        """As SIGTERM does."""
        if self.alive and self.engine is not None and self.process is not None:
            closing = self.process.begin(self.engine.close(), "close")
            await asyncio.wait([closing, self._death()], return_when=asyncio.FIRST_COMPLETED)
        self.kill()

    async def ask(self, call: Call[P, R], asked: P, actor: Actor) -> R:
        """As a client does: starts an engine that is not there. Raises EngineUnreachable when it dies meanwhile."""
        self.start()
        process = self.process
        if process is None or not process.alive:
            raise EngineUnreachable("its machine is off")
        answer = process.begin(self._answer(call, asked, actor), f"request {call.name}")
        either: list[asyncio.Future[Any]] = [answer, self._death()]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise EngineUnreachable("the engine died")
        return answer.result()

    async def _answer(self, call: Call[P, R], asked: P, actor: Actor) -> R:
        while self.engine is None:  # noqa: ASYNC110 the socket that a client waits for is not part of this
            await asyncio.sleep(0.01)
        handler = self.engine.handlers()[call.name]
        return cast(R, await handler(Peer(actor, "cli"), asked))

    def _death(self) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        assert self.process is not None, "only asked of one that there is"

        def tell() -> None:
            if not future.done():
                future.set_result(None)

        self.process.on_death.append(tell)
        if not self.process.alive:
            tell()
        return future

    async def _live(self, process: Process) -> None:
        try:
            await self._open()
        except Exception as error:  # a process edge: whatever it is, this engine does not come up
            self.said.append(error)
            process.die()

    async def _open(self) -> None:
        shutil.rmtree(self.paths.state / "scratch", ignore_errors=True)
        database = await InLoopDatabase.on(self.disk).open(self.paths.database)
        ports = Ports(
            installation="test",
            paths=self.paths,
            clock=self.clock,
            store=ReleaseLog(database, self.clock),
            source=self._faulty(self._scene.source, source_gone),
            secrets=Secrets(self.paths.state / "secret.key"),
            open_host=self._open_host,
            me=self._me(),
            lives=self._is_alive,
        )
        engine = Cockpit(ports, ConfigurationFile(self.paths.config, lambda _: self.settings, self.clock))
        await engine.start()
        self.engine = engine

    async def _open_host(self, name: str, _: Settings) -> Host:
        scene = self._scene
        builder = FakeBuilder(self.clock, images=scene.images)
        return Host(
            name=name,
            target=self._faulty(scene.target, target_gone, daemon=True),
            edge=self._faulty(scene.edge, edge_gone),
            prober=FaultyProber(scene.prober, scene.faults),
            builder=self._faulty(builder, builder_gone, daemon=True),
            subnet=Subnet("10.231.0.0/18"),
            docker_url="unix:///run/docker.sock",
            edge_place=self._edge_place,
        )

    def _me(self) -> Holder:
        """Each life is a process of its own; each bastion a machine of its own."""
        return Holder(self.name, self.name, "boot", "processes", 1, self._lives)

    def _is_alive(self, other: Holder) -> bool | None:
        return other == self._me() and self.alive if other.machine == self.name else None

    async def _edge_place(self) -> EdgePlace:
        return EdgePlace(self.paths.edge)

    def _faulty(self, port: Any, gone: Callable[[str], CockpitError], *, daemon: bool = False) -> Any:
        about = partial(self._about, self)
        assert self._calls is not None, "an engine opens its ports"
        return Faulty(port, self._scene.faults, gone, about, self._calls, daemon=daemon)

    def _forget(self, *processes: Process | None) -> None:
        self.dead += [each for each in processes if each is not None]

    def bury(self) -> None:
        """The story is over."""
        self._forget(self.process, self._calls)
        for each in self.dead:
            each.bury()
