"""A prober that asks the fake target's containers: what runs answers 200, unless the test says otherwise."""

from __future__ import annotations

from cockpit.clock import Clock
from cockpit.health.probe import Probe
from tests.fakes.edge import FakeEdge
from tests.fakes.target import FakeTarget


class FakeProber:
    """`answers[43] = 503` is what release 43 says; status 0 is no answer."""

    def __init__(self, target: FakeTarget, edge: FakeEdge, clock: Clock) -> None:
        self.answers: dict[int, int] = {}
        self.public_answers: dict[int, int] = {}  # … to customers only
        self.closed = False
        self._target = target
        self._edge = edge
        self._clock = clock

    async def probe(self, address: str, path: str, host: str | None, timeout: float) -> Probe:
        if not self._edge.up:
            return Probe(0, 1.0, "the edge does not answer", at=self._clock.now(), reached=False)
        for container in self._target.containers:
            if f"{container.address}:{container.port}" == address and container.running:
                return self._answer(container.release)
        return Probe(0, 1.0, "connection refused", at=self._clock.now())

    async def public(self, listen: str, path: str, host: str | None, timeout: float, *, tls: bool = False) -> Probe:
        for key, pointer in self._edge.pointers.items():
            if any(route.key == key and (not route.hosts or host in route.hosts) for route in self._edge.routes):
                status = self.public_answers.get(pointer.release)
                return self._answer(pointer.release) if status is None else Probe(status, 1.5, at=self._clock.now())
        return Probe(503, 1.0, at=self._clock.now())

    async def close(self) -> None:
        self.closed = True

    def _answer(self, release: int) -> Probe:
        status = self.answers.get(release, 200)
        return Probe(status, 1.5, "" if status else "connection refused", at=self._clock.now())
