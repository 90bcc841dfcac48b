"""The operations that run now: how one gets its number, begins in the log, and is forgotten when it has ended."""

from __future__ import annotations

import asyncio
import itertools
import logging
import tempfile
from collections import deque
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from cockpit.config.settings import PlacementSettings
from cockpit.engine import steps
from cockpit.engine.acting import doing
from cockpit.engine.audit import line_of
from cockpit.engine.exclusion import Claim, Exclusion
from cockpit.engine.journal import UNLOGGED, unlogged
from cockpit.engine.run import Run
from cockpit.engine.shared import Shared
from cockpit.engine.traffic import MOVE, undo_start
from cockpit.engine.watch import Watch
from cockpit.errors import CockpitError, StoreError
from cockpit.model import Operation, OperationKind, OperationState, Tier
from cockpit.protocol import DeployRequest, RestartRequest, RollbackRequest
from cockpit.store.base import ReleaseRecord
from cockpit.store.logs import OperationLog

log = logging.getLogger(__name__)

REMEMBERED = 20  # operations without a row that have ended: who follows one asks for its end once more


class Runs:
    def __init__(self, shared: Shared, watch: Watch, exclusion: Exclusion) -> None:
        self._shared = shared
        self._ports = shared.ports
        self._world = shared.world
        self._watch = watch
        self._exclusion = exclusion
        self._unended: set[Run] = set()  # also those that gave way and still clean up
        self._endings: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)
        self._unlogged = itertools.count(UNLOGGED + int(shared.ports.clock.now()))
        self._rowless: deque[Operation] = deque(maxlen=REMEMBERED)

    async def load(self) -> None:
        """Operations are numbered here, so that a lock can name its own. Again when the log learnt of more."""
        last = await self._ports.store.last_operation()
        self._numbers = itertools.count(max(next(self._numbers), last + 1))

    def number(self) -> int:
        return next(self._numbers)

    def run(self, operation: int) -> Run | None:
        return next((run for run in self._unended if run.operation.id == operation), None)

    def operation(self, number: int) -> Operation | None:
        """One that runs, or has ended and never got a row; the others are in the log."""
        run = self.run(number)
        return run.operation if run else next((each for each in self._rowless if each.id == number), None)

    def idle(self) -> bool:
        return not self._unended

    # ------------------------------------------------------------ beginning

    async def begin(
        self,
        operation: Operation,
        placement: PlacementSettings,
        live: ReleaseRecord | None,
        release: ReleaseRecord | None,
        claim: Claim,
    ) -> Operation:
        """With `claim`, which it gives back when it has ended; one that never began raises, and leaves it.

        `live` has the customers, `release` is what it brings up, when there is one already."""
        entered = await self._enter(operation)
        try:
            return await self._launch(entered, placement, live, release, claim)
        except CockpitError as error:
            await self._never_began(entered, error)
            raise

    async def _enter(self, operation: Operation) -> Operation:
        """With what its steps usually take. A rollback goes on when the log refuses it."""
        store, cli = self._ports.store, _line(operation)
        try:
            usual = await store.usual_seconds(operation.key, operation.kind)
            await store.begin_operation(operation, cli)
        except StoreError as error:
            if operation.kind is OperationKind.DEPLOY:
                raise
            return self._unentered(operation, cli, error)
        return replace(
            operation, steps=tuple(replace(step, usual_seconds=usual.get(step.name)) for step in operation.steps)
        )

    def _unentered(self, operation: Operation, cli: str, error: StoreError) -> Operation:
        """It has no rows; that it began is kept for the audit."""
        operation = replace(operation, id=next(self._unlogged))
        row = unlogged(operation, "began", "", operation.started_at, cli)
        self._shared.backlog.keep(lambda: self._ports.store.record(row), error)
        return operation

    async def _launch(
        self,
        operation: Operation,
        placement: PlacementSettings,
        live: ReleaseRecord | None,
        release: ReleaseRecord | None,
        claim: Claim,
    ) -> Operation:
        log, let_go = await self._open_log(operation), partial(self._exclusion.release, claim)
        run = Run(self._shared, operation, placement, live=live, log=log, claim=claim, let_go=let_go)
        works, undo = steps.DEPLOY, steps.undo
        # From asking how far away the release is to being the placement's run, nothing else may get a word in.
        if release is not None:
            tier = self._shared.rows.tier(release)
            run.release, run.was_hot = release, tier is Tier.HOT
            works, undo = MOVE, undo_start
        self._world.runs[operation.key] = run
        self._unended.add(run)
        self._world.at_work.add(operation.id)
        if release is not None:
            await run.row(lambda: self._ports.store.set_operation(operation.id, tier=tier.value))
        run.start(works, undo)
        ending = asyncio.create_task(self._after(run), name=f"after {operation.id}")
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        return operation

    async def _open_log(self, operation: Operation) -> OperationLog:
        """A rollback does without a log that stays, rather than not being done."""
        try:
            return await asyncio.to_thread(OperationLog.open, self._ports.paths.logs, operation.id)
        except StoreError:
            if operation.kind is OperationKind.DEPLOY:
                raise
            return await asyncio.to_thread(OperationLog.open, await asyncio.to_thread(_elsewhere), operation.id)

    async def _never_began(self, operation: Operation, error: CockpitError) -> None:
        """What stands in the log has an end there as well."""
        at = self._ports.clock.now()
        with suppress(StoreError):  # then the next engine finds it
            await self._ports.store.end_operation(operation.id, OperationState.FAILED, error.message, None, at)

    # ------------------------------------------------------------ ending

    async def _after(self, run: Run) -> None:
        key = run.operation.key
        await run.ended.wait()
        try:
            with doing(f"{run.operation.kind.value}/after"):
                await self._watch.changed(key)
        except CockpitError as error:
            log.warning("after operation %d: %s", run.operation.id, error.message)
        finally:
            if run.operation.id >= UNLOGGED:
                self._rowless.append(run.operation)
            self._unended.discard(run)
            self._world.at_work.discard(run.operation.id)
            if self._world.runs.get(key) is run:
                del self._world.runs[key]

    def abandon(self) -> None:
        """The engine stops: what runs is left to recovery."""
        for run in self._unended:
            run.abandon()

    async def wait_abandoned(self) -> None:
        for run in list(self._unended):
            await run.ended.wait()
        for ending in list(self._endings):
            ending.cancel()


def _elsewhere() -> Path:
    """Where a log may be written that nobody keeps: not on a disk, when all of those are full."""
    try:
        return Path(tempfile.mkdtemp())
    except OSError:
        return Path(tempfile.mkdtemp(dir="/dev/shm"))


def _line(operation: Operation) -> str:
    """The command line that asks for the same."""
    key, reason = operation.key, operation.reason
    if operation.kind is OperationKind.ROLLBACK:
        return line_of(RollbackRequest(key, operation.to_release, reason=reason))
    if operation.kind is OperationKind.RESTART:
        return line_of(RestartRequest(key, reason=reason))
    return line_of(DeployRequest(key, operation.commit, reason=reason))
