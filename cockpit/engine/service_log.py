"""The log of a service as it lives on: replica after replica, restart after restart, release after release."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator
from contextlib import aclosing

from cockpit.engine.following import of_containers
from cockpit.engine.learning import Learning
from cockpit.engine.shared import Shared
from cockpit.errors import CockpitError
from cockpit.model import LogLine, PlacementKey
from cockpit.protocol import MAX_TAIL, LogRequest
from cockpit.targets.base import Container

LOOK = 1.0  # seconds between looks for another live release, or a replica that came back
TAIL_OF_NEXT = 200  # lines of the release that takes over; it may have said something before it had customers

Lines = tuple[LogLine, ...]


class ServiceLog:
    """Of whichever release is live, when none is asked for. The first `tail` lines are history."""

    def __init__(self, shared: Shared, learning: Learning, key: PlacementKey, asked: LogRequest) -> None:
        self._ports = shared.ports
        self._world = shared.world
        self._rows = shared.rows
        self._learning = learning
        self._known = shared.ports.secrets.known
        self._key = key
        self._release = asked.release
        self._tail = min(asked.tail, MAX_TAIL)
        self._follow = asked.follow
        self._process = asked.process
        self._numbers = itertools.count()
        self._shown: int | None = None
        self._since: float | None = None  # what was written later has not been shown yet,
        self._after: dict[str, float] = {}  # … by a replica that has said something: what it wrote later
        self._said = ""

    async def lines(self) -> AsyncGenerator[Lines, None]:
        while True:
            containers = self._containers(self._wanted())
            if self._wanted() == self._shown:  # one of them came back
                containers = tuple(each for each in containers if each.running)
            if containers:
                async with aclosing(self._of(containers)) as lines:
                    async for batch in lines:
                        yield batch
            if not self._follow:
                return
            await self._ports.clock.sleep(LOOK)

    def _wanted(self) -> int | None:
        return self._release or self._rows.seen(self._key).row.live

    def _containers(self, release: int | None) -> tuple[Container, ...]:
        return tuple(
            each
            for each in self._world.of(self._key)
            if each.release == release and self._process in ("", each.process)
        )

    async def _of(self, containers: tuple[Container, ...]) -> AsyncGenerator[Lines, None]:
        """What these say until they end, or until another release has the customers."""
        again, first = containers[0].release == self._shown, self._shown is None
        if not again and not first:
            yield (self._own(f"── r{containers[0].release} took traffic ──"),)
        self._shown = containers[0].release
        tail = self._tail if first else None if again else TAIL_OF_NEXT
        if not again:
            self._since, self._after = None, {}
        host, since, after = self._world.host(self._key), self._since, dict(self._after)
        log = of_containers(
            host.target, self._known, containers, tail, self._follow, lambda name: after.get(name, since)
        )
        self._since = self._since or self._ports.clock.now()
        try:
            await self._learning.of(host, containers)
            async with aclosing(self._while_wanted(log)) as lines:
                async for batch in lines:
                    yield batch
        except CockpitError as error:
            if not self._follow:
                raise
            if first:  # nothing was shown, so its history is still to come
                self._shown = self._since = None
            if error.message != self._said:
                self._said = error.message
                yield (self._own(error.message),)

    async def _while_wanted(self, log: AsyncGenerator[Lines, None]) -> AsyncGenerator[Lines, None]:
        """Looks up from the stream now and then, also while nothing comes: another release, another process?"""
        getting: asyncio.Future[Lines] | None = None
        began = self._processes()
        try:
            while self._wanted() == self._shown and self._processes() <= began:
                getting = getting or asyncio.ensure_future(anext(log))
                done, _ = await asyncio.wait({getting}, timeout=LOOK)
                if done:
                    batch, getting = getting.result(), None
                    if batch:
                        self._after |= {line.source: line.at + 1e-6 for line in batch}
                        yield tuple(self._numbered(line) for line in batch)
        except StopAsyncIteration:
            return
        finally:
            if getting is not None:
                getting.cancel()
                await asyncio.wait({getting})
            await log.aclose()

    def _processes(self) -> frozenset[tuple[str, float | None]]:
        return frozenset((each.id, each.started_at) for each in self._containers(self._shown) if each.running)

    def _own(self, text: str) -> LogLine:
        return LogLine(next(self._numbers), self._ports.clock.now(), self._known.hide(text), "", "cockpit")

    def _numbered(self, line: LogLine) -> LogLine:
        return LogLine(next(self._numbers), line.at, line.text, line.source, line.stream)
