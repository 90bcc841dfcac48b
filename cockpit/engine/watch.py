"""The engine's eyes: Docker, probes, customers' traffic, repositories; and telling clients what changed.

Each loop looks again and again and writes what it saw into the world; nothing here decides what is deployed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from cockpit import __version__
from cockpit.config.settings import PlacementSettings, Settings
from cockpit.edge.base import Pointer
from cockpit.engine import plan, recover, tidy, views
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

Work = Callable[[], Coroutine[Any, Any, object]]

LOOK = 2.0  # seconds between looks at Docker when nothing runs
LOOK_BUSY = 1.0
TELL = 0.5  # seconds between looks for what clients do not know yet
TIDY = 5.0
RECORDS = 50  # releases of a placement kept in memory


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
        self._hosts = {each.environment.host for each in world.settings.placements}
        self._status_sent: EngineStatus | None = None
        self._rereading = asyncio.Lock()

    # ------------------------------------------------------------ coming up

    async def load(self) -> None:
        """What the log knows, before anything is asked of the outside."""
        for placement in self._world.settings.placements:
            await self.reload(placement.key)

    async def first_look(self) -> None:
        await self._once(self._look)
        await self._once(self._edge)

    async def reload_all(self) -> None:
        for key in list(self._world.placements):
            await self.reload(key)

    async def run(self) -> None:
        """Until cancelled."""
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

    async def _forever(self, work: Work, every: Callable[[], float]) -> None:
        while True:
            await self._once(work)
            await self._ports.clock.sleep(every())

    async def _once(self, work: Work) -> None:
        """A loop is a process edge: what goes wrong in one look must not end all looking."""
        try:
            await work()
        except CockpitError as error:
            log.warning("%s: %s", work.__qualname__, error.message)
        except Exception:
            log.exception("%s", work.__qualname__)

    def _look_every(self) -> float:
        return LOOK_BUSY if self._world.runs else LOOK

    # ------------------------------------------------------------ looking

    async def _look(self) -> None:
        world, now = self._world, self._ports.clock.now
        try:
            if world.docker_seen_at is None:
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
        try:
            if await self._ports.edge.answers():
                await self._ports.edge.load(views.routes(world.settings))
                world.edge_error = ""
                return
        except CockpitError as error:
            world.edge_error = error.message
            raise
        world.edge_error = "does not answer"
        if world.docker_ok:
            world.edge_error = await bring_up_edge(self._ports, world.settings)

    async def reread(self) -> None:
        """When the configuration file changed, routes, placements and pending settings follow before this returns."""
        async with self._rereading:
            if await self._configuration.refresh(self._must_stay):
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

    def _must_stay(self, settings: Settings) -> str:
        """Why these settings are not taken while the engine runs; "" when they may be.

        A name mistyped in an editor must not take the route of a live service away within two seconds."""
        missing = [
            str(key)
            for key, seen in self._world.placements.items()
            if seen.row.live is not None and settings.placement(key) is None
        ]
        if missing:
            return f"{', '.join(missing)} is live and no longer in it: restart the engine to take its route away"
        moved = {each.environment.host for each in settings.placements} - self._hosts
        return f"another Docker host ({', '.join(moved)}) needs a restart of the engine" if moved else ""

    async def refresh(self, key: PlacementKey) -> None:
        """Everything about one placement, now."""
        await self.reread()
        await asyncio.gather(self._look(), self._repositories.fetch(key))
        await self._probing.tick()
        await self.changed(key)

    # ------------------------------------------------------------ what time brings

    async def _tidy(self) -> None:
        store = self._ports.store
        await self._backlog.enter(lambda text: store.add_entry(at=self._ports.clock.now(), actor="cockpit", text=text))
        for placement in self._world.settings.placements:
            key = placement.key
            if key not in self._world.runs and key not in self._world.recovering:
                await self._once(lambda placement=placement: self._tidy_one(placement))  # type: ignore[misc]  # bound now

    async def _tidy_one(self, placement: PlacementSettings) -> None:
        """One placement's trouble (a torn pointer, a container that does not end) is no other's."""
        key, ports, world = placement.key, self._ports, self._world
        changed = await recover.believe_pointer(ports, key)
        seen = self.seen(key)
        if seen.health in (Health.HEALTHY, Health.DEGRADED):
            changed |= await tidy.mark_good(ports, seen, world.started_at)
        if world.docker_ok and not seen.stuck:
            changed |= await self._tidy_containers(placement, seen)
        if changed:
            await self.changed(key)

    async def _tidy_containers(self, placement: PlacementSettings, seen: Seen) -> bool:
        ports, world, changed = self._ports, self._world, False
        if seen.row.live is not None and seen.settled != seen.row.live:
            await ports.target.activate(placement.key, seen.row.live, live=True)
            seen.settled = seen.row.live
        spare = plan.rollback_default(seen.records, seen.row.live)
        for record in tidy.to_stop(world.containers, seen, ports.clock.now()):
            changed |= await tidy.stop(ports, world, record, keep=record is spare)
        for record in tidy.to_remove(seen):
            changed |= await tidy.remove(ports, world, record)
        return changed

    # ------------------------------------------------------------ rows

    def seen(self, key: PlacementKey) -> Seen:
        found = self._world.placements.get(key)
        if found is None:
            raise UsageError(f"there is no {key}", "cockpit status lists what there is")
        return found

    async def reload(self, key: PlacementKey) -> None:
        """The rows, without asking anyone but the log."""
        store = self._ports.store
        row = await store.placement(key)
        records = await store.releases(key, limit=RECORDS)
        older = [row.live, getattr(await store.last_good(key, excluding=row.live), "number", None)]
        for number in older:  # many failed deploys must not hide them
            if number is not None and all(each.number != number for each in records):
                found = await store.release(key, number)
                records += (found,) if found else ()
        newest = next(iter(await store.operations(key, limit=1)), None)
        seen = self._world.placements.setdefault(key, Seen(row))
        seen.row, seen.records, seen.newest = row, records, newest

    async def changed(self, key: PlacementKey) -> None:
        """An operation ended, a release became good or stopped: look again and tell everyone."""
        await self.reload(key)
        await self._look()
        if key not in self._world.placements:
            return
        self._hub.publish(Event(releases=self.releases(key, RECORDS)))
        await self._repositories.recount(key)
        placement = self._world.settings.placement(key)
        if placement is not None and self._world.docker_ok:
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
            log_note=" · ".join(
                filter(
                    None,
                    (
                        ports.store.read_only_reason or self._backlog.reason or ports.store.note,
                        self._configuration.note,
                    ),
                )
            ),
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
            back = plan.rollback_default(seen.records, seen.row.live)
            if back is not None and back.number in self._world.running(key) and self._world.addresses(back):
                found.append((key, Pointer(back.number, self._world.addresses(back))))
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
