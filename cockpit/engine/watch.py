"""The engine's eyes: Docker, probes, customers' traffic, repositories; and telling clients what changed.

Each loop looks again and again and writes what it saw into the world; nothing here decides what is deployed.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from cockpit.config.settings import PlacementSettings, Settings
from cockpit.engine import identity, memory, ownership, rebuild, routing, tidy
from cockpit.engine.acting import guarded
from cockpit.engine.audit import ENGINE
from cockpit.engine.configuration import ConfigurationFile
from cockpit.engine.edges import Edges
from cockpit.engine.exclusion import Exclusion, elsewhere
from cockpit.engine.host import Host
from cockpit.engine.known import public_words
from cockpit.engine.probing import Probing
from cockpit.engine.repositories import Repositories
from cockpit.engine.rounds import Rounds
from cockpit.engine.rows import RECORDS
from cockpit.engine.shared import Shared
from cockpit.engine.tidy import Tidy
from cockpit.engine.window import Window
from cockpit.errors import CockpitError, EdgeError, StoreError, TargetDown, TargetError
from cockpit.model import AuditRow, PlacementKey
from cockpit.protocol import Event

log = logging.getLogger(__name__)

Work = Callable[[], Coroutine[Any, Any, object]]

LOOK = 2.0  # seconds between looks at Docker when nothing runs
LOOK_BUSY = 1.0
SILENT = 3.0  # seconds without an answer, after which Docker is said to hang
TELL = 0.5  # seconds between looks for what clients do not know yet
TIDY = 5.0


class Watch:
    def __init__(
        self,
        shared: Shared,
        window: Window,
        probing: Probing,
        configuration: ConfigurationFile,
        exclusion: Exclusion,
    ) -> None:
        self._ports = ports = shared.ports
        self._world = world = shared.world
        self._hub = hub = shared.hub
        self._rows = rows = shared.rows
        self._backlog = shared.backlog
        self._configuration = configuration
        self._exclusion = exclusion
        self._window = window
        self._probing = probing
        self._tidying = Tidy(ports, world, rows, exclusion)
        self.edges = Edges(ports, world)
        self.repositories = Repositories(ports, world, rows, hub)
        self._rereading = asyncio.Lock()
        self._wrong: dict[str, str] = {}  # what each loop's last look said that failed
        self._looks = Rounds(self._look_at)
        self._tidyings = Rounds(self._tidy_host)

    # ------------------------------------------------------------ coming up

    async def first_look(self) -> None:
        await self._once(self._look)
        await self._once(self.edges.look)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for work, every in (
                (self._look, self._look_every),
                (self._probing.tick, lambda: 1.0),
                (self._probing.traffic, lambda: 1.0),
                (self._probing.roll_up, lambda: 60.0),
                (self.repositories.tick, lambda: 1.0),
                (self.edges.look, lambda: LOOK),
                (self._tidy, lambda: TIDY),
                (self.reread, lambda: 2.0),
                (self._window.tell, lambda: TELL),
            ):
                group.create_task(self._forever(work, every), name=_name(work))

    async def close(self) -> None:
        for each in (self._looks, self._tidyings, self.edges):
            await each.close()

    async def forever(self, work: Work, every: float) -> None:
        """Another's look, kept up like our own."""
        await self._forever(work, lambda: every)

    async def _forever(self, work: Work, every: Callable[[], float]) -> None:
        while True:
            await self._once(work)
            await self._ports.clock.sleep(every())

    async def _once(self, work: Work, about: str = "") -> None:
        """A loop is a process edge: what goes wrong in one look must not end all looking. What goes on being wrong is
        told once: a full disk must not be filled with it."""
        name = f"{_name(work)} {about}".rstrip()
        try:
            await work()
            self._wrong.pop(name, None)
        except CockpitError as error:
            if self._wrong.get(name) != error.message:
                log.warning("%s: %s", name, error.message)
            self._wrong[name] = error.message
        except Exception:  # a process edge: the next look may succeed
            log.exception("%s", name)

    def _look_every(self) -> float:
        return LOOK_BUSY if self._world.runs else LOOK

    # ------------------------------------------------------------ looking

    async def _look(self) -> None:
        await self._looks.go(self._world.hosts.values())

    async def look(self, key: PlacementKey) -> None:
        """At the containers of one placement's host, now."""
        await self._look_at(self._world.host(key))

    async def _look_at(self, host: Host) -> None:
        """A Docker that hangs is told long before the look at it is given up."""
        silence = asyncio.get_running_loop().call_later(SILENT, host.falls_silent)
        try:
            await self._see(host)
        finally:
            silence.cancel()

    async def _see(self, host: Host) -> None:
        """A host that does not answer keeps what was last seen of it, with its age."""
        try:
            if host.docker_seen_at is None:
                host.subnet = await host.target.prepare()
            asked_at = self._ports.clock.monotonic()
            host.saw(await host.target.observe(), asked_at)
            await self._exclusion.look(host)
            if not host.caught_up:
                await self._catch_up(host)
        except CockpitError as error:
            host.docker_error, host.docker_hint = error.message, error.hint
            return
        except Exception as error:  # of one host; the others are looked at
            log.exception("%s", host.name)
            host.docker_error, host.docker_hint = f"the cockpit itself failed: {type(error).__name__}", ""
            return
        host.docker_error = host.docker_hint = ""
        host.docker_seen_at = self._ports.clock.now()
        host.forget_gone()

    async def _catch_up(self, host: Host) -> None:
        """What the host has and the log has not. A log that cannot be written now is caught up later."""
        if self._ports.store.read_only_reason or await self._is_anothers(host):
            return
        try:
            if await rebuild.rebuild(self._ports, host, host.containers, routing.edge_plan(self._world.on(host))):
                await self._rows.load()
            host.caught_up = True
        except (StoreError, EdgeError) as error:
            log.warning("the release log is not compared with %s yet: %s", host.name, error.message)

    async def _is_anothers(self, host: Host) -> bool:
        """Then it is only looked at. A host that nobody said anything about says from now on that it is ours."""
        ports, here = self._ports, self._world.on(host)
        placements = {each.key for each in here}
        in_networks = {each.key for each in here if each.environment.edge.networks}
        user = await asyncio.to_thread(identity.user_name, os.geteuid())
        mine = ownership.claim(ports.installation, ports.me, user, str(ports.paths.state))
        try:
            claims = await host.target.claims()
            host.owner = ownership.stranger(claims, mine, placements, in_networks)
            if host.owner is None and all(each.installation != mine.installation for each in claims):
                await host.target.claim(mine)
        except TargetDown:
            raise
        except TargetError as error:  # a host that cannot keep records has no owner either
            log.warning("%s: %s", host.name, error.message)
        return host.owner is not None

    async def reread(self) -> None:
        """When the configuration file changed, routes, placements and pending settings follow before this returns."""
        async with self._rereading:
            await self._configuration.refresh(self._must_stay)
            if self._configuration.settings != self._world.settings:
                await self._adopt(self._configuration.settings)

    async def _adopt(self, settings: Settings) -> None:
        """Hosts and rows first: what is configured is known, at every moment. What serves goes on serving without."""
        world = self._world
        await self.open_hosts(settings, {each.environment.host for each in settings.placements})
        configured = {each.key: each for each in settings.placements}
        for key in configured:
            await self._rows.reload(key)
        left = [key for key in world.known if key not in configured]
        self._ports.secrets.known.publish(public_words(settings))
        world.settings, world.known = settings, {**configured, **{key: world.known[key] for key in left}}
        for key in left:
            if world.placements[key].row.live is not None and not world.busy(key):
                await self._rows.keep(key)
        self._forget_left()
        await self.repositories.recount()
        await self.edges.look()

    async def open_hosts(self, settings: Settings, names: set[str]) -> None:
        """Those that are not open yet, at the same time: one that is away is waited for a moment."""
        new = sorted(names - self._world.hosts.keys())
        opened = await asyncio.gather(*(self._ports.open_host(name, settings) for name in new))
        self._world.hosts.update(zip(new, map(guarded, opened), strict=True))

    def _forget_left(self) -> None:
        """What is neither configured nor live, once no operation needs it."""
        world = self._world
        for key in [key for key in world.known if not world.configured(key)]:
            if world.placements[key].row.live is None and not world.busy(key) and key not in world.recovering:
                self._forget(key)

    def _forget(self, key: PlacementKey) -> None:
        del self._world.known[key]
        del self._world.placements[key]
        self._probing.samples.forget(key)
        self._hub.publish(Event(removed=key))

    def _must_stay(self, settings: Settings) -> str:
        """Why these settings are not taken; "" when they may be."""
        moved = [
            f"{key} is live on {self._world.known[key].environment.host}"
            for key, seen in self._world.placements.items()
            if seen.row.live is not None
            and (now := settings.placement(key)) is not None
            and now.environment.host != self._world.known[key].environment.host
        ]
        if moved:
            return f"{', '.join(moved)}: another host wants another environment's name"
        live = (key for key, seen in self._world.placements.items() if seen.row.live is not None)
        left = [self._world.known[key] for key in live if settings.placement(key) is None]
        both = routing.clash((*settings.placements, *left)) if left else ""
        return f"{both}, and the one that the file no longer has is live" if both else ""

    async def refresh(self, key: PlacementKey) -> None:
        """Everything about one placement, now."""
        await self.reread()
        await asyncio.gather(self.look(key), self.repositories.fetch(key))
        await self._probing.tick()
        await self.changed(key)

    # ------------------------------------------------------------ what time brings

    async def _tidy(self) -> None:
        store = self._ports.store
        if self._backlog:
            now = self._ports.clock.now()
            await self._backlog.enter(lambda text: store.record(AuditRow(0, now, ENGINE, "log", "failed", text=text)))
            for key in list(self._world.known):
                await self._rows.reload(key)
        self._forget_left()
        await self._tidyings.go(self._world.hosts.values())

    async def _tidy_host(self, host: Host) -> None:
        for placement in self._world.on(host):
            key = placement.key
            here = key not in self._world.runs and key not in self._world.recovering
            if here and host.owner is None and elsewhere(host, key, self._ports.me) is None:
                await self._once(functools.partial(self._tidy_one, placement), str(key))

    async def _tidy_one(self, placement: PlacementSettings) -> None:
        """One placement's trouble (a torn pointer, a container that does not end) is no other's."""
        if await self._tidying.one(placement):
            await self.changed(placement.key)

    async def changed(self, key: PlacementKey) -> None:
        """An operation ended, a release became good or stopped: look again and tell everyone."""
        if key not in self._world.known:
            return
        await self._rows.reload(key)
        await self.look(key)
        self._hub.publish(Event(releases=self._window.releases(key, RECORDS)))
        await self.repositories.recount(key)
        placement, host = self._world.known[key], self._world.host(key)
        if not host.docker_ok:
            return
        if await tidy.prune(self._ports, host.target, key, placement.service.retain):
            await self._rows.reload(key)
        with suppress(TargetDown):
            await memory.keep(host, self._ports.clock, key, self._rows.seen(key).records)


def _name(work: Work) -> str:
    """Not of what it is about: that may hold values of the configuration."""
    work = work.func if isinstance(work, functools.partial) else work
    return getattr(work, "__qualname__", repr(work))
