"""Operations that an engine left in the middle when it died: shown as such at once, and brought to their end.

How one is brought to its end says `recover.py`; here is who does it, and when.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from cockpit.engine import recover
from cockpit.engine.acting import doing
from cockpit.engine.api import Handler, Peer
from cockpit.engine.audit import ENGINE, line_of
from cockpit.engine.exclusion import RECOVERY, Exclusion
from cockpit.engine.host import Host
from cockpit.engine.shared import Shared
from cockpit.engine.watch import Watch
from cockpit.errors import CockpitError, Refused, StoreError, UsageError
from cockpit.model import AuditRow, Operation, OperationState
from cockpit.protocol import RECOVER, TAKEOVER, Done, Event, OperationRequest, TakeoverRequest
from cockpit.text import clean

log = logging.getLogger(__name__)


class Recoveries:
    def __init__(self, shared: Shared, watch: Watch, exclusion: Exclusion) -> None:
        self._ports = shared.ports
        self._world = shared.world
        self._hub = shared.hub
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
        host = self._world.host(operation.key)
        await recover.until_done(self._ports, host, operation, partial(self._try, host, operation))

    async def _try(self, host: Host, operation: Operation) -> None:
        """Cut short when a rollback wants the placement; Refused has it tried again."""
        key = operation.key
        if not self._world.may_recover(key):
            raise Refused(f"{key} is being rolled back", "the recovery waits")
        trying = self._world.tries[key] = asyncio.create_task(self._once(host, operation), name=f"recovery of {key}")
        try:
            await asyncio.wait({trying})
        finally:
            del self._world.tries[key]
            trying.cancel()
        if trying.cancelled():
            raise Refused(f"{key} is being rolled back", "the recovery waits")
        trying.result()

    async def _once(self, host: Host, operation: Operation) -> None:
        claim = await self._exclusion.claim(host, operation.key, operation.id, RECOVERY, ENGINE)
        try:
            with doing("recovery", claim.fence(must=True)):
                await recover.once(self._ports, host, operation)
        finally:
            await self._exclusion.release(claim)
