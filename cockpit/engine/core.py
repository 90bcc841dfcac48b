"""The engine: what it knows, what it watches, and what clients may ask of it.

`requests.py` answers questions, `changes.py` takes what is to be changed to `operations.py`, which lets deploys and
rollbacks begin, `runs.py` has those that did, `watch.py` looks; this file only brings them up and takes them down.
Each that answers calls hands out its `handlers()`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from cockpit import __version__
from cockpit.engine.acting import ports_that_tell
from cockpit.engine.api import Handler, Peer, Standing
from cockpit.engine.audit import ENGINE, Audit
from cockpit.engine.auto import Auto
from cockpit.engine.changes import Changes
from cockpit.engine.commands import Commands
from cockpit.engine.configuration import ConfigurationFile
from cockpit.engine.exclusion import Exclusion
from cockpit.engine.following import Following
from cockpit.engine.hosts import Hosts
from cockpit.engine.hub import Hub
from cockpit.engine.journal import Backlog
from cockpit.engine.known import public_words
from cockpit.engine.locking import Locking
from cockpit.engine.locks import Locks
from cockpit.engine.logs import Logs
from cockpit.engine.operations import Operations
from cockpit.engine.permission import Permission
from cockpit.engine.picture import Picture
from cockpit.engine.ports import Ports
from cockpit.engine.probing import Probing
from cockpit.engine.quiet import quiet, reasons
from cockpit.engine.recoveries import FOLLOW_EVERY, Recoveries
from cockpit.engine.requests import Requests
from cockpit.engine.rows import Rows
from cockpit.engine.runs import Runs
from cockpit.engine.shared import Shared
from cockpit.engine.watch import Watch
from cockpit.engine.window import Window
from cockpit.engine.world import World
from cockpit.errors import Refused, StoreError
from cockpit.model import PlacementKey
from cockpit.protocol import STOP_ENGINE, Call, Event, ExecEnded, OperationRequest

log = logging.getLogger(__name__)

AUTO_EVERY = 2.0  # seconds between looks for a commit that is deployed by itself
CHECK_AGAIN = 5.0  # seconds until the log is checked again after somebody wrote


class Cockpit:
    """The engine of one state directory. `assembly.py` opens it with real ports, tests with fakes."""

    def __init__(self, ports: Ports, configuration: ConfigurationFile) -> None:
        self.ports = ports = ports_that_tell(quiet(ports))
        self.known = ports.secrets.known
        self.known.publish(public_words(configuration.settings))
        self.hub = Hub()
        self.backlog = Backlog()
        self.audit = Audit(ports.store, ports.clock, self.backlog)
        self.following = Following(ports.clock, self.known)
        self.world = World(configuration.settings, ports.clock.now(), Locks(ports.clock))
        self.rows = Rows(ports, self.world)
        self._probing = Probing(ports, self.world)
        picture = Picture(self.world, self._probing.samples, ports.me)
        shared = Shared(ports, self.world, self.rows, self.hub, self.audit, self.backlog)
        self.window = Window(shared, picture, configuration)
        self.exclusion = Exclusion(ports, self.audit)
        self.watch = Watch(shared, self.window, self._probing, configuration, self.exclusion)
        self.runs = Runs(shared, self.watch, self.exclusion)
        self.operations = Operations(shared, self.window, self.exclusion, self.runs)
        self.recoveries = Recoveries(shared, self.watch, self.exclusion)
        self._locking = Locking(shared, self.window)
        self._commands = Commands(shared, self.watch)
        self._changes = Changes(shared, self.watch, self.operations, self.runs)
        hosts = Hosts(shared, self.watch)
        self._handlers = {
            **Requests(shared, self.window, self.watch).handlers(),
            **self._changes.handlers(),
            **self._commands.handlers(),
            **hosts.handlers(),
            **Logs(shared, self.following, hosts, self.runs).handlers(),
            **self._locking.handlers(),
            **self.audit.handlers(),
            **self.recoveries.handlers(),
        }
        self._permission = Permission(self.world)
        self._auto = Auto(self.world, self.operations, ports.clock)
        self._loops: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.rows.load()
        text = " · ".join(filter(None, (f"cockpit {__version__}", self.ports.store.note)))
        await self.audit.record_anyway(self.audit.row(ENGINE, "engine start", "done", text=text))
        hosts = {each.environment.host for each in self.world.known.values()}
        await self.watch.open_hosts(self.world.settings, hosts)
        await self._probing.recall()
        await self.runs.load()
        await self.recoveries.find()
        self._loops = asyncio.create_task(self._bring_up(), name="bring-up")

    async def _bring_up(self) -> None:
        """Docker may be away: the socket answers meanwhile, and says so. Each loop outlives what it can foresee."""
        await self.watch.first_look()
        with suppress(StoreError):  # then they are numbered as at the start, and rollbacks go on
            await self.runs.load()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.watch.run(), name="watch")
            group.create_task(self.rows.complete(), name="history")
            group.create_task(self.watch.forever(self._auto.tick, AUTO_EVERY), name="automatic deploys")
            group.create_task(self.watch.forever(self._locking.expire, 1.0), name="locks that are over")
            group.create_task(self.recoveries.run(), name="recovery")
            group.create_task(self.watch.forever(self.recoveries.follow, FOLLOW_EVERY), name="workers that are behind")
            group.create_task(self._check_log(), name="check of the release log")

    async def _check_log(self) -> None:
        """What its opening had no time for. It makes way to whoever writes."""
        while (damage := await self.ports.store.check()) is None:
            await self.ports.clock.sleep(CHECK_AGAIN)
        if damage:
            log.critical("the release log: %s", self.ports.store.note)
            await self.audit.record_anyway(self.audit.row(ENGINE, "release log", "damaged", text=damage))

    async def lasts(self) -> None:
        assert self._loops is not None, "asked of an engine that has started"
        await asyncio.shield(self._loops)

    async def close(self) -> None:
        self.runs.abandon()
        if self._loops is not None:
            self._loops.cancel()
            await asyncio.gather(self._loops, return_exceptions=True)
        await self.following.close_all()
        await self.runs.wait_abandoned()
        await self.watch.close()
        await self._probing.close()
        for host in self.world.hosts.values():
            await host.close()
        await self.ports.source.close()
        await self.audit.record_anyway(self.audit.row(ENGINE, "engine stop", "done"))
        await self.ports.store.close()

    def handlers(self) -> Mapping[str, Handler]:
        return self.audit.watching(reasons(self._handlers, self.known), self._about)

    def standing(self, peer: Peer) -> Standing:
        return self._permission.standing(peer)

    async def permit(self, peer: Peer, call: Call[Any, Any], params: Any) -> None:
        try:
            self._permission.require(peer, call, params, await self._about(params))
        except Refused as refusal:
            log.warning("%s (uid %s): %s", call.name, peer.actor.uid, refusal.message)
            await self.audit.refused(peer.actor, call, params, await self._about(params), refusal)
            raise
        if call is STOP_ENGINE:  # the server answers it, and refuses while an operation runs
            outcome = "asked" if self.idle() else "refused"
            await self.audit.record_anyway(
                self.audit.row(peer.actor, "engine stop", outcome, cli="cockpit engine stop")
            )

    async def _about(self, params: Any) -> PlacementKey | None:
        """The placement of a request, also where it names only an operation or a command."""
        match params:
            case OperationRequest():
                return await self._changes.about(params.id)
            case ExecEnded():
                return self._commands.about(params.id)
        key = getattr(params, "key", None)
        return key if isinstance(key, PlacementKey) else None

    def idle(self) -> bool:
        return self.runs.idle()

    def joined(self, peer: Peer) -> None:
        self.hub.joined(peer)
        self._tell_who_looks()

    def left(self, peer: Peer) -> None:
        self.hub.left(peer)
        self.following.left(peer)
        self._tell_who_looks()

    def _tell_who_looks(self) -> None:
        self.hub.publish(Event(engine=self.window.status()))
