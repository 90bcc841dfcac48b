"""The engine's eyes: Docker, probes, customers' traffic, repositories; and telling clients what changed.

Each loop looks again and again and writes what it saw into the world; nothing here decides what is deployed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from cockpit import __version__
from cockpit.config.settings import PlacementSettings
from cockpit.edge.base import Pointer
from cockpit.engine import recover, tidy, views
from cockpit.engine.configuration import ConfigurationFile
from cockpit.engine.edges import bring_up_edge
from cockpit.engine.hub import Hub
from cockpit.engine.journal import Backlog
from cockpit.engine.picture import Picture
from cockpit.engine.ports import Ports
from cockpit.engine.probing import Probing
from cockpit.engine.repositories import Repositories
from cockpit.engine.sheets import Scene
from cockpit.engine.world import Seen, World
from cockpit.errors import CockpitError, UsageError
from cockpit.model import EngineStatus, Health, Operation, Pending, PlacementKey, Tier
from cockpit.protocol import Event, Releases, Snapshot
from cockpit.store.base import ReleaseRecord

log = logging.getLogger(__name__)

LOOK = 2.0  # seconds between looks at Docker when nothing runs
LOOK_BUSY = 1.0
TELL = 0.5  # seconds between looks for what clients do not know yet
TIDY = 5.0
RECORDS = 50  # releases of a placement kept in memory
STALE = 8.0  # seconds without an answer of Docker's that make it worth a word


class Watch:
    def __init__(
        self, ports: Ports, world: World, hub: Hub, configuration: ConfigurationFile, backlog: Backlog
    ) -> None:
        self._ports = ports
        self._world = world
        self._hub = hub
        self._configuration = configuration
        self._backlog = backlog
        self._probing = Probing(ports, world)
        self._picture = Picture(world, self._probing.samples)
        self._repositories = Repositories(ports, world, hub)
        self._status_sent: EngineStatus | None = None
        self._rereading = asyncio.Lock()

    # ------------------------------------------------------------ coming up

    async def load(self) -> None:
        """What the log knows, before anything is asked of the outside."""
        for placement in self._world.settings.placements:
            await self.reload(placement.key)

    async def first_look(self) -> None:
        await self._look()
        await self._edge()

    async def reload_all(self) -> None:
        for key in list(self._world.placements):
            await self.reload(key)

    async def run(self) -> None:
        """Until cancelled. A loop that fails is told to the log and goes on."""
        async with asyncio.TaskGroup() as group:
            for work, every in (
                (self._look, self._look_every),
                (self._probing.tick, lambda: 1.0),
                (self._probing.traffic, lambda: 1.0),
                (self._probing.roll_up, lambda: 60.0),
                (self._repositories.tick, lambda: 1.0),
                (self._edge, lambda: LOOK),
                (self._tidy, lambda: TIDY),
                (self.reread, lambda: 2.0),
                (self._tell, lambda: TELL),
            ):
                group.create_task(self._forever(work, every), name=work.__qualname__)

    async def _forever(self, work: Callable[[], Awaitable[object]], every: Callable[[], float]) -> None:
        while True:
            try:
                await work()
            except CockpitError as error:
                log.warning("%s: %s", work.__qualname__, error.message)
            await self._ports.clock.sleep(every())

    def _look_every(self) -> float:
        return LOOK_BUSY if self._world.runs else LOOK

    # ------------------------------------------------------------ looking

    async def _look(self) -> None:
        world, now = self._world, self._ports.clock.now
        try:
            if world.subnet is None:
                world.subnet = await self._ports.target.prepare()
            world.containers = await self._ports.target.observe()
        except CockpitError as error:
            world.docker_error = error.message
            return
        world.docker_error = ""
        world.docker_seen_at = now()
        world.forget_gone()

    async def _edge(self) -> None:
        world = self._world
        if await self._ports.edge.answers():
            await self._ports.edge.load(views.routes(world.settings))
            world.edge_error = ""
            return
        world.edge_error = "does not answer"
        if world.docker_ok:
            world.edge_error = await bring_up_edge(self._ports, world.settings)

    async def reread(self) -> None:
        """When the configuration file changed, routes, placements and pending settings follow before this returns."""
        async with self._rereading:
            if await self._configuration.refresh():
                await self._adopt()

    async def _adopt(self) -> None:
        self._world.settings = self._configuration.settings
        configured = {each.key for each in self._world.settings.placements}
        for key in [key for key in self._world.placements if key not in configured]:
            del self._world.placements[key]
            self._hub.publish(Event(removed=key))
        for key in configured:
            await self.reload(key)
        await self._repositories.recount()
        await self._edge()

    async def refresh(self, key: PlacementKey) -> None:
        """Everything about one placement, now."""
        await self.reread()
        await asyncio.gather(self._look(), self._repositories.fetch(key))
        await self._probing.tick()
        await self.changed(key)

    # ------------------------------------------------------------ what time brings

    async def _tidy(self) -> None:
        await self._backlog.enter()
        for key in await recover.believe_pointers(self._ports, busy=self._world.runs):
            await self.changed(key)
        for placement in self._world.settings.placements:
            if placement.key not in self._world.runs:
                await self._tidy_one(placement)

    async def _tidy_one(self, placement: PlacementSettings) -> None:
        key, ports, now = placement.key, self._ports, self._ports.clock.now()
        seen = self.seen(key)
        changed = False
        if seen.live is not None and seen.health in (Health.HEALTHY, Health.DEGRADED):
            changed = await tidy.mark_good(ports, seen.row, seen.live, seen.failing_since)
        if self._world.docker_ok and not seen.stuck:
            spare = tidy.spare(seen.records, seen.row.live)
            for record in tidy.to_stop(self._world.containers, key, seen.records, seen.row.live, now):
                changed |= await tidy.stop(ports, record, keep=record is spare)
            for record in tidy.to_remove(seen.records, seen.row.live):
                await tidy.remove(ports, record)
                changed = True
        if changed:
            await self.changed(key)

    # ------------------------------------------------------------ rows

    def seen(self, key: PlacementKey) -> Seen:
        found = self._world.placements.get(key)
        if found is None:
            raise UsageError(f"there is no {key}", "cockpit status lists what there is")
        return found

    async def reload(self, key: PlacementKey) -> None:
        row = await self._ports.store.placement(key)
        records = await self._ports.store.releases(key, limit=RECORDS)
        seen = self._world.placements.setdefault(key, Seen(row))
        seen.row, seen.records = row, records
        seen.newest = next(iter(await self._ports.store.operations(key, limit=1)), None)

    async def changed(self, key: PlacementKey) -> None:
        """An operation ended, a release became good or stopped: look again and tell everyone."""
        await self._look()
        await self.reload(key)
        self._hub.publish(Event(releases=self.releases(key, RECORDS)))
        await self._repositories.recount(key)
        placement = self._world.settings.placement(key)
        if placement is not None and key not in self._world.runs and self._world.docker_ok:
            await tidy.prune(self._ports, key, placement.service.retain)

    # ------------------------------------------------------------ telling

    async def _tell(self) -> None:
        now = self._ports.clock.now()
        for placement in self._world.settings.placements:
            seen = self.seen(placement.key)
            view = self._picture.placement(placement, seen, now)
            if self._picture.worth_telling(seen, view, now):
                seen.sent, seen.sent_at = view, now
                self._hub.publish(Event(placement=view))
        status = self.status()
        if _without_age(status) != _without_age(self._status_sent):
            self._status_sent = status
            self._hub.publish(Event(engine=status))

    def status(self) -> EngineStatus:
        world, ports = self._world, self._ports
        docker = world.docker_error
        return EngineStatus(
            version=__version__,
            pid=self._picture.pid,
            started_at=world.started_at,
            docker=docker or "ok",
            docker_ok=not docker,
            docker_seen_at=world.docker_seen_at,
            edge=world.edge_error or "ok",
            edge_ok=not world.edge_error,
            config_path=str(ports.paths.config),
            state_path=str(ports.paths.state),
            connected=self._hub.names,
            log_note=ports.store.read_only_reason or self._backlog.reason or ports.store.note,
        )

    async def snapshot(self) -> Snapshot:
        now = self._ports.clock.now()
        placements = tuple(
            self._picture.placement(each, self.seen(each.key), now) for each in self._world.settings.placements
        )
        return Snapshot(self.status(), placements, self._newest_operations())

    def _newest_operations(self) -> tuple[Operation, ...]:
        running = {key: run.operation for key, run in self._world.runs.items()}
        newest = {key: seen.newest for key, seen in self._world.placements.items() if seen.newest}
        return tuple((newest | running).values())

    def releases(self, key: PlacementKey, limit: int) -> Releases:
        seen, now = self.seen(key), self._ports.clock.now()
        running = self._world.running(key)
        return Releases(key, tuple(views.release(each, seen.row.live, running, now) for each in seen.records[:limit]))

    async def pending(self, key: PlacementKey, limit: int) -> Pending:
        return await self._repositories.pending(key, limit)

    def tier(self, record: ReleaseRecord) -> Tier:
        return views.tier(record, self.seen(record.key).row.live, self._world.running(record.key))

    def ways_back(self) -> tuple[tuple[PlacementKey, Pointer], ...]:
        """Where each placement's customers could go at once: to the hot release that a rollback would choose."""
        found = []
        for key, seen in self._world.placements.items():
            back = tidy.spare(seen.records, seen.row.live)
            hot = [each for each in self._world.of(key) if back and each.release == back.number and each.running]
            where = tuple(filter(None, (views.address(each) for each in sorted(hot, key=lambda each: each.index))))
            if back is not None and where:
                found.append((key, Pointer(back.number, where)))
        return tuple(found)

    def scene(self, placement: PlacementSettings) -> Scene:
        seen, now = self.seen(placement.key), self._ports.clock.now()
        failing = tuple(
            each.key.service
            for each in self._world.settings.placements
            if each.key != placement.key and self.seen(each.key).health is Health.FAILING
        )
        run = self._world.runs.get(placement.key)
        return Scene(
            placement=placement,
            row=seen.row,
            records=seen.records,
            seen=self._picture.placement(placement, seen, now),
            running=self._world.running(placement.key),
            operation=run.operation if run and not run.ended.is_set() else None,
            failing_elsewhere=failing,
            now=now,
        )


def _without_age(status: EngineStatus | None) -> EngineStatus | None:
    """When Docker was last seen is told only while it does not answer."""
    return status and replace(status, docker_seen_at=None if status.docker_ok else status.docker_seen_at)
