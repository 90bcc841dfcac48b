"""The engine's eyes: Docker, probes, customers' traffic, repositories; and telling clients what changed.

Each loop looks again and again and writes what it saw into the world; nothing here decides what is deployed.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from cockpit.config.settings import PlacementSettings, Settings
from cockpit.edge.base import Route
from cockpit.engine import tidy, views
from cockpit.engine.configuration import ConfigurationFile
from cockpit.engine.edges import bring_up_edge
from cockpit.engine.hub import Hub
from cockpit.engine.journal import Backlog
from cockpit.engine.ports import Ports
from cockpit.engine.probing import Probing
from cockpit.engine.repositories import Repositories
from cockpit.engine.rows import RECORDS, Rows
from cockpit.engine.tidy import Tidy
from cockpit.engine.window import Window
from cockpit.engine.world import World
from cockpit.errors import CockpitError
from cockpit.model import PlacementKey
from cockpit.protocol import Event

log = logging.getLogger(__name__)

Work = Callable[[], Coroutine[Any, Any, object]]

LOOK = 2.0  # seconds between looks at Docker when nothing runs
LOOK_BUSY = 1.0
TELL = 0.5  # seconds between looks for what clients do not know yet
TIDY = 5.0
COMPARE = 60.0


class Watch:
    def __init__(
        self,
        ports: Ports,
        world: World,
        hub: Hub,
        rows: Rows,
        window: Window,
        probing: Probing,
        configuration: ConfigurationFile,
        backlog: Backlog,
    ) -> None:
        self._ports = ports
        self._world = world
        self._hub = hub
        self._configuration = configuration
        self._backlog = backlog
        self._rows = rows
        self._window = window
        self._probing = probing
        self._tidying = Tidy(ports, world, rows)
        self.repositories = Repositories(ports, world, hub)
        self._hosts = {each.environment.host for each in world.settings.placements}
        self._rereading = asyncio.Lock()
        self._routes: tuple[Route, ...] = ()
        self._routes_at = 0.0

    # ------------------------------------------------------------ coming up

    async def first_look(self) -> None:
        await self._once(self._look)
        await self._once(self._edge)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for work, every in (
                (self._look, self._look_every),
                (self._probing.tick, lambda: 1.0),
                (self._probing.traffic, lambda: 1.0),
                (self._probing.roll_up, lambda: 60.0),
                (self.repositories.tick, lambda: 1.0),
                (self._edge, lambda: LOOK),
                (self._tidy, lambda: TIDY),
                (self.reread, lambda: 2.0),
                (self._window.tell, lambda: TELL),
            ):
                group.create_task(self._forever(work, every), name=_name(work))

    async def _forever(self, work: Work, every: Callable[[], float]) -> None:
        while True:
            await self._once(work)
            await self._ports.clock.sleep(every())

    async def _once(self, work: Work) -> None:
        """A loop is a process edge: what goes wrong in one look must not end all looking."""
        try:
            await work()
        except CockpitError as error:
            log.warning("%s: %s", _name(work), error.message)
        except Exception:
            log.exception("%s", _name(work))

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
        """Routes are compared with what the edge runs when they are new, when it was away, and once a minute."""
        world, now = self._world, self._ports.clock.monotonic()
        routes = views.routes(world.settings)
        try:
            if await self._ports.edge.answers():
                if routes != self._routes or world.edge_error or now - self._routes_at >= COMPARE:
                    await self._ports.edge.load(routes)
                    self._routes, self._routes_at = routes, now
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
            await self._configuration.refresh(self._must_stay)
            if self._configuration.settings != self._world.settings:
                await self._adopt(self._configuration.settings)

    async def _adopt(self, settings: Settings) -> None:
        """All rows first: what is configured is known, at every moment."""
        configured = {each.key for each in settings.placements}
        for key in configured:
            await self._rows.reload(key)
        self._world.settings = settings
        for key in [key for key in self._world.placements if key not in configured]:
            del self._world.placements[key]
            self._probing.samples.forget(key)
            self._hub.publish(Event(removed=key))
        await self.repositories.recount()
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
        await asyncio.gather(self._look(), self.repositories.fetch(key))
        await self._probing.tick()
        await self.changed(key)

    # ------------------------------------------------------------ what time brings

    async def _tidy(self) -> None:
        store = self._ports.store
        await self._backlog.enter(lambda text: store.add_entry(at=self._ports.clock.now(), actor="cockpit", text=text))
        for placement in self._world.settings.placements:
            key = placement.key
            if key not in self._world.runs and key not in self._world.recovering:
                await self._once(functools.partial(self._tidy_one, placement))

    async def _tidy_one(self, placement: PlacementSettings) -> None:
        """One placement's trouble (a torn pointer, a container that does not end) is no other's."""
        if await self._tidying.one(placement):
            await self.changed(placement.key)

    async def changed(self, key: PlacementKey) -> None:
        """An operation ended, a release became good or stopped: look again and tell everyone."""
        await self._rows.reload(key)
        await self._look()
        if key not in self._world.placements:
            return
        self._hub.publish(Event(releases=self._window.releases(key, RECORDS)))
        await self.repositories.recount(key)
        placement = self._world.settings.placement(key)
        if placement is not None and self._world.docker_ok:
            await tidy.prune(self._ports, key, placement.service.retain)


def _name(work: Work) -> str:
    return getattr(work, "__qualname__", repr(work))
