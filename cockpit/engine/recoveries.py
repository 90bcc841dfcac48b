"""Operations that an engine left in the middle when it died: shown as such at once, and brought to their end.

How one is brought to its end says `recover.py`; here is who does it, and when.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar

from cockpit.engine import recover, workers
from cockpit.engine.acting import doing
from cockpit.engine.api import Handler, Peer
from cockpit.engine.audit import ENGINE, line_of
from cockpit.engine.exclusion import RECOVERY, Exclusion, elsewhere
from cockpit.engine.host import Host
from cockpit.engine.shared import Shared
from cockpit.engine.watch import Watch
from cockpit.engine.world import Seen
from cockpit.errors import CockpitError, Refused, StoreError, TargetDown, UsageError
from cockpit.model import AuditRow, Operation, OperationState, PlacementKey
from cockpit.protocol import RECOVER, TAKEOVER, Done, Event, OperationRequest, TakeoverRequest
from cockpit.store.base import ReleaseRecord
from cockpit.text import clean

T = TypeVar("T")

log = logging.getLogger(__name__)

FOLLOW_EVERY = 2.0  # seconds between looks for customers whom no operation moved


class Recoveries:
    def __init__(self, shared: Shared, watch: Watch, exclusion: Exclusion) -> None:
        self._ports = shared.ports
        self._world = shared.world
        self._hub = shared.hub
        self._audit = shared.audit
        self._watch = watch
        self._exclusion = exclusion
        self._left: list[Operation] = []

    async def find(self) -> None:
        """Before the socket opens: later ones are our own."""
        for operation in await self._ports.store.unfinished():
            if operation.key in self._world.known:
                self._left.append(operation)
                self._world.recovering.add(operation.key)
            else:  # its placement is gone: nothing of it serves, and nobody will ask about it
                text = "the engine died in it, and its service is no longer in the configuration"
                now, state = self._ports.clock.now(), OperationState.INTERRUPTED
                await self._ports.store.end_operation(operation.id, state, text, None, now, recovered=True)

    async def run(self) -> None:
        """Those of one placement one after another, the oldest first."""
        async with asyncio.TaskGroup() as group:
            for key in {each.key for each in self._left}:
                mine = [each for each in self._left if each.key == key]
                group.create_task(self._of_placement(mine), name=f"recovery of {key}")

    def handlers(self) -> Mapping[str, Handler]:
        return {RECOVER.name: self._again, TAKEOVER.name: self._take_over}

    async def _take_over(self, peer: Peer, asked: TakeoverRequest) -> Done:
        if asked.key not in self._world.known:
            raise UsageError(f"there is no {clean(str(asked.key))}", "cockpit status lists what there is")
        reason = clean(asked.reason, 500)
        if not reason:
            raise UsageError("a reason is needed", "say in a few words why its holder must not go on")
        self._world.ours(asked.key)
        lock = await self._exclusion.take_over(
            self._world.host(asked.key), asked.key, clean(asked.lock, 80), peer.actor, reason
        )
        await self._watch.look(asked.key)
        return Done(f"{lock.order.by} on {lock.order.holder.bastion} can change {asked.key} no more")

    async def _again(self, peer: Peer, asked: OperationRequest) -> Operation:
        """Of one that was given up."""
        number = asked.id
        found = await self._ports.store.operation(number)
        if found is None or found.state is not OperationState.STUCK:
            raise Refused(f"operation {number} is not stuck", "cockpit status says what runs")
        if found.key in self._world.known:
            self._world.ours(found.key)
        if self._world.busy(found.key) or found.key in self._world.recovering:
            raise Refused(f"something else is being done to {found.key}", "wait for its end")
        now, reason = self._ports.clock.now(), clean(asked.reason, 500)
        line = line_of(asked, RECOVER.name)
        row = AuditRow(0, now, peer.actor, RECOVER.name, "asked", found.key, number, reason=reason, cli=line)
        self._world.recovering.add(found.key)
        try:
            await self._ports.store.record(row)
        except CockpitError:
            self._world.recovering.discard(found.key)
            raise
        await self._of_placement([found])
        return await self._ports.store.operation(number) or found

    async def _of_placement(self, operations: list[Operation]) -> None:
        key = operations[0].key
        try:
            for operation in operations:
                await self._recover(operation)
            await self._watch.changed(key)
        except CockpitError as error:
            log.warning("after the recovery of %s: %s", key, error.message)
        finally:
            self._world.recovering.discard(key)
        with suppress(StoreError):  # clients ask again; the others' recovery goes on
            for operation in operations:
                if ended := await self._ports.store.operation(operation.id):
                    self._hub.publish(Event(operation=ended))

    async def _recover(self, operation: Operation) -> None:
        """Clients see that it is worked at, and what it waits for."""
        host, found = self._world.host(operation.key), self._world.as_it_is(operation)
        shown = replace(found, state=OperationState.RECOVERING, failure=None, ended_at=None)
        self._hub.publish(Event(operation=shown))

        def say(words: str) -> None:
            words = self._ports.secrets.known.hide(words)
            log.info("recovery of operation %d: %s", operation.id, words)
            self._hub.publish(Event(operation=replace(shown, summary=f"{shown.summary} · {words}")))

        once = partial(recover.once, self._ports, host, operation)
        work = partial(self._try, host, operation.key, operation.id, once)
        await recover.until_done(self._ports, host, operation, work, say)

    async def _try(self, host: Host, key: PlacementKey, number: int, work: Callable[[], Awaitable[T]]) -> T:
        """Cut short when a rollback wants the placement; Refused has it tried again."""
        if not self._world.may_recover(key):
            raise Refused(f"{key} is being rolled back", "the recovery waits")
        trying = asyncio.create_task(self._once(host, key, number, work), name=f"recovery of {key}")
        self._world.tries[key] = trying
        try:
            await asyncio.wait({trying})
        finally:
            del self._world.tries[key]
            trying.cancel()
        if trying.cancelled():
            raise Refused(f"{key} is being rolled back", "the recovery waits")
        return trying.result()

    async def _once(self, host: Host, key: PlacementKey, number: int, work: Callable[[], Awaitable[T]]) -> T:
        claim = await self._exclusion.claim(host, key, number, RECOVERY, ENGINE)
        try:
            with doing(RECOVERY, claim.fence(must=True)):
                return await work()
        finally:
            await self._exclusion.release(claim)

    # ------------------------------------------------------------ customers whom no operation moved

    async def follow(self) -> None:
        """Their workers take over where they are now, once nobody else is at it."""
        for key, seen in list(self._world.placements.items()):
            if seen.behind and seen.live is not None and self._may_follow(key, seen):
                if workers.behind(self._world, seen.live):
                    seen.behind = await self._follow(key, seen.live)
                else:
                    seen.behind = False

    def _may_follow(self, key: PlacementKey, seen: Seen) -> bool:
        host = self._world.host(key)
        ours = host.docker_ok and host.owner is None and elsewhere(host, key, self._ports.me) is None
        return ours and not seen.stuck and key not in self._world.recovering and self._world.may_recover(key)

    async def _follow(self, key: PlacementKey, live: ReleaseRecord) -> bool:
        """Whether it is to be tried again: not one that does not run, or it would begin again for ever."""
        outcome, host = "done", self._world.host(key)
        self._world.recovering.add(key)  # no deploy begins meanwhile, and a rollback cuts it short
        try:
            text = await self._try(host, key, 0, partial(workers.follow, self._ports, self._world, live))
        except (TargetDown, Refused):
            return True
        except CockpitError as error:
            outcome, text = "failed", f"the workers of {live.name} do not follow the customers: {error.message}"
            log.warning("%s: %s", key, text)
        finally:
            self._world.recovering.discard(key)
        await self._audit.record_anyway(self._audit.row(ENGINE, RECOVERY, outcome, key, text=text))
        await self._watch.changed(key)
        return False
