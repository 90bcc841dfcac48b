"""What clients change by operations, ask of them, and do to one that runs or to what one left behind."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cockpit.engine.api import Handler, Peer
from cockpit.engine.audit import line_of
from cockpit.engine.locking import needed
from cockpit.engine.operations import Operations
from cockpit.engine.runs import Runs
from cockpit.engine.shared import Shared
from cockpit.engine.watch import Watch
from cockpit.errors import Refused, UsageError
from cockpit.model import Operation, PlacementKey
from cockpit.protocol import (
    CANCEL,
    DEPLOY,
    OPERATION,
    OPERATIONS,
    RESTART,
    ROLLBACK,
    UNHOLD,
    DeployRequest,
    Done,
    OperationRequest,
    OperationsRequest,
    RestartRequest,
    RollbackRequest,
    UnholdRequest,
)
from cockpit.protocol import Operations as OperationList
from cockpit.text import clean

COMMIT = re.compile(r"[0-9a-fA-F]{4,40}")
REASON = 500  # characters


class Changes:
    def __init__(self, shared: Shared, watch: Watch, operations: Operations, runs: Runs) -> None:
        self._ports = shared.ports
        self._world = shared.world
        self._audit = shared.audit
        self._watch = watch
        self._operations = operations
        self._runs = runs

    def handlers(self) -> Mapping[str, Handler]:
        return {
            DEPLOY.name: self._deploy,
            ROLLBACK.name: self._rollback,
            RESTART.name: self._restart,
            CANCEL.name: self._cancel,
            OPERATION.name: self._operation,
            OPERATIONS.name: self._list_operations,
            UNHOLD.name: self._unhold,
        }

    async def about(self, operation: int) -> PlacementKey | None:
        found = await self._find(operation)
        return found.key if found else None

    async def _find(self, number: int) -> Operation | None:
        return self._runs.operation(number) or await self._ports.store.operation(number)

    async def _deploy(self, peer: Peer, asked: DeployRequest) -> Operation:
        if asked.commit and not COMMIT.fullmatch(asked.commit):  # no operation, and no log, has it as a commit
            raise UsageError(f"{clean(asked.commit, 80)!r} is not a commit's sha", "give its hexadecimal digits")
        await self._watch.reread()  # what was saved a moment ago is what is meant
        self._world.ours(asked.key)
        return await self._operations.deploy(asked, peer.actor)

    async def _rollback(self, peer: Peer, asked: RollbackRequest) -> Operation:
        self._world.ours(asked.key)
        return await self._operations.rollback(asked, peer.actor)

    async def _restart(self, peer: Peer, asked: RestartRequest) -> Operation:
        self._world.ours(asked.key)
        return await self._operations.restart(asked, peer.actor)

    async def _cancel(self, peer: Peer, asked: OperationRequest) -> Done:
        run = self._runs.run(asked.id)
        if run is None:
            raise Refused(f"operation {asked.id} is not running", "cockpit status shows what is")
        began = self._ports.clock.monotonic()
        await run.cancel(peer.actor.name)
        row = self._audit.row(
            peer.actor,
            "cancel",
            "succeeded",
            run.operation.key,
            operation=asked.id,
            text=run.operation.summary,
            reason=clean(asked.reason, REASON),
            seconds=self._ports.clock.monotonic() - began,
            cli=line_of(asked),
        )
        await self._audit.record_anyway(row)
        return Done(run.operation.summary)

    async def _operation(self, _: Peer, asked: OperationRequest) -> Operation:
        found = await self._find(asked.id)
        if found is None:
            raise UsageError(f"there is no operation {asked.id}", "cockpit status names those that run")
        return self._world.as_it_is(found)

    async def _list_operations(self, _: Peer, asked: OperationsRequest) -> OperationList:
        found = await self._ports.store.operations(asked.key, limit=min(asked.limit, 500))
        running = {run.operation.id: run.operation for run in self._world.runs.values()}
        return OperationList(tuple(running.get(each.id) or self._world.as_it_is(each) for each in found))

    async def _unhold(self, peer: Peer, asked: UnholdRequest) -> Done:
        self._world.find(asked.key)
        reason = needed(asked.reason, "why deploying is safe again")
        row = self._audit.row(peer.actor, "unhold", "done", asked.key, reason=reason, cli=line_of(asked))
        await self._ports.store.release_hold(asked.key, row)
        await self._watch.changed(asked.key)
        return Done(f"{asked.key} may be deployed again")
