"""The Docker host of a simulation: the fakes, whose containers do what their commit says, and who looks at each effect.

A commit's files hold the word for what its containers do: a `Flavour`. Time on the host is the host's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from cockpit.clock import Clock
from cockpit.edge.base import Pointer
from cockpit.health.probe import Probe
from cockpit.model import PlacementKey
from cockpit.targets.base import Container
from cockpit.targets.orders import StartOrder
from tests.fakes.edge import FakeEdge
from tests.fakes.prober import FakeProber
from tests.fakes.target import FakeTarget, Program, _Box
from tests.simulation.loop import current_process

Breach = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Flavour:
    program: Program = field(default_factory=Program)
    status: int = 200  # what it answers
    sick_after: float | None = None  # seconds after its start it answers 503
    serves: bool = True  # whether it may ever have customers


FLAVOURS = {
    "good": Flavour(),
    "slow": Flavour(Program(starts_in=1.5)),
    "unhealthy": Flavour(status=503, serves=False),
    "silent": Flavour(status=0, serves=False),
    "crashing": Flavour(Program(exits=1, after=0.4), status=0, serves=False),
    "refused": Flavour(Program(refuses="no such device"), serves=False),
    "sickens": Flavour(sick_after=40.0),
    "dies": Flavour(Program(exits=137, after=45.0)),
}


class SimulatedTarget(FakeTarget):
    """`flavours` is by commit. `ended` hears of each container that an engine, and nobody else, has ended."""

    def __init__(self, clock: Clock, random: Random, ended: Callable[[Container], None]) -> None:
        super().__init__(clock=clock)
        self.flavours: dict[str, Flavour] = {}
        self._random = random
        self._ended = ended
        self._commits: dict[str, str] = {}  # by container id
        self._by_itself = False

    def flavour(self, container: Container) -> Flavour:
        return self.flavours[self.commit(container)]

    def commit(self, container: Container) -> str:
        return self._commits[container.id]

    def answer(self, container: Container) -> int:
        flavour, began = self.flavour(container), container.started_at or 0.0
        sick = flavour.sick_after is not None and self._clock.now() >= began + flavour.sick_after
        return 503 if sick else flavour.status

    def reboot(self) -> None:
        """The daemon was killed and came back: what ran has ended, and what always restarts runs again."""
        for box in self._boxes.values():
            if box.container.running:
                self._exit(box, 137, oom=False)

    def _program(self, order: StartOrder) -> Program:
        return self.flavours[order.environment["COCKPIT_COMMIT"]].program

    def _made(self, order: StartOrder, name: str, index: int, address: str) -> Container:
        made = super()._made(order, name, index, address)
        self._commits[made.id] = order.environment["COCKPIT_COMMIT"]
        return made

    async def _between(self) -> None:
        calls = current_process()
        if calls is not None and calls.sender is not None:
            await calls.sender.going_on()
        if self._random.random() < 0.5:
            await asyncio.sleep(self._random.uniform(0.0, 0.05))
        self._up()

    def _exit(self, box: _Box, status: int, oom: bool) -> None:
        self._by_itself = True
        super()._exit(box, status, oom)
        self._by_itself = False

    def _end(self, box: _Box, status: int, oom: bool = False) -> None:
        if box.container.running and not self._by_itself:
            self._ended(box.container)
        super()._end(box, status, oom)


class SimulatedEdge(FakeEdge):
    """`moved` hears of each pointer that is written."""

    def __init__(self, moved: Callable[[PlacementKey, Pointer], None]) -> None:
        super().__init__()
        self._moved = moved

    async def point(self, key: PlacementKey, pointer: Pointer, token: str = "") -> None:
        try:
            await super().point(key, pointer, token)
        finally:
            if self.pointers.get(key) == pointer:
                self._moved(key, pointer)


class SimulatedProber(FakeProber):
    """`streaks`: how often in a row each container has answered well, and when it last did."""

    def __init__(self, target: SimulatedTarget, edge: FakeEdge, clock: Clock) -> None:
        super().__init__(target, edge, clock)
        self.streaks: dict[str, tuple[int, float]] = {}  # by container id
        self._simulated = target

    async def probe(self, address: str, path: str, host: str | None, timeout: float) -> Probe:
        if not self._edge.up:
            return await super().probe(address, path, host, timeout)
        for container in self._target.containers:
            if f"{container.address}:{container.port}" == address and container.running:
                probe = self._said(container)
                streak = self.streaks.get(container.id, (0, 0.0))[0]
                self.streaks[container.id] = (streak + 1 if probe.good else 0, probe.at)
                return probe
        return Probe(0, 1.0, "connection refused", at=self._clock.now())

    async def public(self, listen: str, path: str, host: str | None, timeout: float, *, tls: bool = False) -> Probe:
        for key, pointer in self._edge.pointers.items():
            if any(route.key == key and (not route.hosts or host in route.hosts) for route in self._edge.routes):
                there = [each for each in self._target.containers if f"{each.address}:{each.port}" in pointer.addresses]
                return next((self._said(each) for each in there if each.running), Probe(502, 1.0, at=self._clock.now()))
        return Probe(503, 1.0, at=self._clock.now())

    def _said(self, container: Container) -> Probe:
        status = self._simulated.answer(container)
        return Probe(status, 1.5, "" if status else "connection refused", at=self._clock.now())
