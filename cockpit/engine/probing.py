"""Probes of every running replica, customers' requests from the edge's log, and what both come to by the minute."""

from __future__ import annotations

import asyncio
import logging

from cockpit.clock import Evenly
from cockpit.engine import spec, views
from cockpit.engine.host import Host
from cockpit.engine.ports import Ports
from cockpit.engine.rounds import Rounds
from cockpit.engine.world import World
from cockpit.errors import EdgeError
from cockpit.health.samples import Samples
from cockpit.targets.base import Container
from cockpit.targets.orders import ContainerSpec

log = logging.getLogger(__name__)

CALM = 2.0  # seconds between probes of a replica that answers
ALERT = 1.0  # … of one that does not, or while an operation runs
HOUR = 3600.0
WEEK = 7 * 86400.0


class Probing:
    """`samples` has the last hour of every placement."""

    def __init__(self, ports: Ports, world: World) -> None:
        self._ports = ports
        self._world = world
        self.samples = Samples()
        self._evenly = Evenly(ports.clock, world.started_at)
        self._rounds = Rounds(self._hits)
        self._due: dict[str, float] = {}  # container id → monotonic time
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def tick(self) -> None:
        """Ask every replica that is due; one that is slow to answer holds up no other."""
        now = self._ports.clock.monotonic()
        here = set()
        for host in self._world.hosts.values():
            for container in host.containers:
                here.add(container.id)
                askable = container.running and container.port and container.id not in self._asking
                if askable and self._due.get(container.id, 0.0) <= now:
                    self._due[container.id] = now + self._every(host, container)
                    self._ask(host, container)
        self._due = {name: due for name, due in self._due.items() if name in here}

    def _every(self, host: Host, container: Container) -> float:
        probed = host.answers_at(views.address(container))
        busy = container.key in self._world.runs
        return ALERT if busy or probed.failed_in_row or not probed.recent else CALM

    def _ask(self, host: Host, container: Container) -> None:
        task = asyncio.create_task(self._probe(host, container), name=f"probe {container.name}")
        self._asking[container.id] = task
        task.add_done_callback(lambda _: self._asking.pop(container.id, None))

    async def _probe(self, host: Host, container: Container) -> None:
        process = self._process(container)
        name, health = process.hosts[0] if process.hosts else None, process.health
        probe = await host.prober.probe(views.address(container), health.path, name, health.timeout)
        if not probe.reached:
            return
        host.answers_at(views.address(container)).add(probe)
        seen = self._world.placements.get(container.key)
        if seen is not None and container.release == seen.row.live:
            self.samples.add_probe(container.key, probe.at, good=probe.good, ms=probe.ms)

    def _process(self, container: Container) -> ContainerSpec:
        seen = self._world.placements.get(container.key)
        records = seen.records if seen else ()
        record = next((each for each in records if each.number == container.release), None)
        processes = spec.from_text(record.spec).processes if record else {}
        return processes.get(container.process) or ContainerSpec(image=container.image)

    async def traffic(self) -> None:
        await self._rounds.go(self._world.hosts.values())

    async def _hits(self, host: Host) -> None:
        try:
            found = await host.edge.hits()
        except EdgeError as error:
            log.warning("requests at the edge of %s: %s", host.name, error.message)
            return
        for hit in found:
            self.samples.add_request(hit.key, hit.at, status=hit.status, ms=hit.ms)

    async def roll_up(self) -> None:
        """Into the log, by the minute; kept for a week. A clock that has just jumped is not believed so far that what
        it says was a week ago goes for good."""
        now, evenly = self._ports.clock.now(), self._evenly.since()
        minutes = self.samples.minutes(now)
        if minutes:
            await self._ports.store.add_minutes(minutes)
            if now - evenly >= HOUR:
                await self._ports.store.prune_minutes(now - WEEK)

    async def recall(self) -> None:
        """The last hour by the minute, as the log has it: an engine that is new does not begin from nothing."""
        now = self._ports.clock.now()
        found = await self._ports.store.minutes(now - HOUR)
        known = self._world.placements
        past = (each for each in found if each.at <= now)  # the others are of a clock that was ahead
        self.samples.remember(each for each in past if each.key in known)

    async def close(self) -> None:
        await self._rounds.close()
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
