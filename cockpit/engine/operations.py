"""Starting, cancelling and ending operations: one on a placement at a time, and a rollback never queues."""

from __future__ import annotations

import asyncio
import itertools
import logging
import tempfile
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from cockpit.config.settings import PlacementSettings
from cockpit.engine import plan, spec, steps
from cockpit.engine.acting import doing
from cockpit.engine.audit import line_of
from cockpit.engine.catching_up import AGAIN, CatchingUp
from cockpit.engine.deploy_sheet import GONE, busy, refuse_deploy
from cockpit.engine.exclusion import Claim, Exclusion
from cockpit.engine.journal import Journal
from cockpit.engine.run import Run, StepWork
from cockpit.engine.shared import Shared
from cockpit.engine.traffic import MOVE, undo_start
from cockpit.engine.watch import Watch
from cockpit.engine.window import Window
from cockpit.engine.world import Seen
from cockpit.errors import CockpitError, Refused, SourceError, StoreError
from cockpit.model import Actor, AuditRow, Operation, OperationKind, OperationState, PlacementKey, Step, Tier
from cockpit.protocol import DeployRequest, Event, RestartRequest, RollbackRequest
from cockpit.store.base import ReleaseRecord
from cockpit.store.logs import OperationLog
from cockpit.text import age, clean

log = logging.getLogger(__name__)

UNLOGGED = 1_000_000_000  # ids of operations that the log could not take yet start here


class Operations:
    def __init__(self, shared: Shared, window: Window, watch: Watch, exclusion: Exclusion) -> None:
        self._ports = shared.ports
        self._world = shared.world
        self._hub = shared.hub
        self._rows = shared.rows
        self._window = window
        self._watch = watch
        self._exclusion = exclusion
        self._catching_up = CatchingUp(shared)
        self._backlog = shared.backlog
        self._starting: dict[PlacementKey, _Alone] = {}
        self._claiming: dict[PlacementKey, asyncio.Task[Claim]] = {}  # of deploys and restarts
        self._endings: set[asyncio.Task[None]] = set()
        self._unlogged = itertools.count(UNLOGGED + int(shared.ports.clock.now()))
        self._numbers = itertools.count(1)
        self._unended: set[Run] = set()  # also those that gave way and still clean up

    async def load(self) -> None:
        """Operations are numbered here, so that a lock can name its own. Again when the log learnt of more."""
        last = await self._ports.store.last_operation()
        self._numbers = itertools.count(max(next(self._numbers), last + 1))

    # ------------------------------------------------------------ deploy

    async def deploy(self, request: DeployRequest, actor: Actor) -> Operation:
        placement = self._world.find(request.key)
        with self._alone(request.key):
            await self._rows.reload(request.key)  # a hold may have been entered late
            seen = self._rows.seen(request.key)
            self._must_be_as_shown(seen, request.seen_live)
            commit = await self._full(placement, request.commit or (seen.pending.head if seen.pending else ""))
            scene = self._window.scene(placement)
            refused = self._refuse(request.key) or refuse_deploy(scene, commit, force=request.force)
            if refused:
                raise Refused(refused, "nothing was started")
            names = plan.steps(placement.service, _frozen(seen.live))
            operation = self._new(OperationKind.DEPLOY, request, actor, seen.live, None, commit, names)
            return await self._begin(operation, placement, seen.live, None)

    def _refuse(self, key: PlacementKey) -> str:
        """A deploy can wait for a whole picture; a rollback cannot."""
        if not self._world.configured(key):
            return GONE.format(key)
        if key in self._world.recovering:
            return "the engine is still finding out what the last one left behind: try again in a few seconds"
        if self._backlog:
            return f"the release log cannot be written ({self._backlog.reason}): only rollbacks go on"
        return ""

    async def _full(self, placement: PlacementSettings, name: str) -> str:
        """A commit's whole name, when the mirror knows it already; else the fetch step finds out."""
        try:
            return (await self._ports.source.commit(steps.repository(placement), name)).sha if name else ""
        except SourceError:
            return name

    # ------------------------------------------------------------ rollback

    async def rollback(self, request: RollbackRequest, actor: Actor) -> Operation:
        placement = self._world.find(request.key)
        seen = await self._rows.whole(request.key)
        await self._catching_up.by_pointer(placement)
        self._must_be_as_shown(seen, request.seen_live)
        await self._make_way(request, actor)
        with self._alone(request.key), self._world.before_recovery(request.key):
            self._must_be_as_shown(seen, request.seen_live)
            target = plan.rollback_target(seen.records, seen.row.live, request.to)
            names = plan.moves(spec.from_text(target.spec), _frozen(seen.live))
            operation = self._new(OperationKind.ROLLBACK, request, actor, seen.live, target, target.commit, names)
            return await self._begin(operation, placement, seen.live, target)

    async def _make_way(self, request: RollbackRequest, actor: Actor) -> None:
        """A rollback never queues: a deploy that has not switched is cancelled, another one is cut short."""
        if (claiming := self._claiming.get(request.key)) is not None and claiming.cancel():
            self._starting.pop(request.key, None)
        run = self._world.runs.get(request.key)
        if run is None or not run.acts:
            return
        if run.operation.kind is OperationKind.ROLLBACK:
            raise Refused(busy(run.operation, self._ports.clock.now()), "it is being done already")
        seen = self._rows.seen(request.key)
        await run.give_way(actor.name, lambda: self._must_be_as_shown(seen, request.seen_live))
        with suppress(StoreError):  # then what is in memory has to do
            await self._rows.reload(request.key)

    # ------------------------------------------------------------ restart

    async def restart(self, request: RestartRequest, actor: Actor) -> Operation:
        """The live release in new containers beside the old ones, and then the switch to them."""
        placement = self._world.find(request.key)
        with self._alone(request.key):
            seen = self._rows.seen(request.key)
            self._must_be_as_shown(seen, request.seen_live)
            live = seen.live
            if live is None:
                raise Refused("nothing is live here: there is nothing to restart")
            if request.key in self._world.recovering or self._backlog:
                raise Refused(self._refuse(request.key), "nothing was started")
            if locked := self._world.locks.refusal(request.key):
                raise Refused(locked, "nothing was started")
            names = plan.moves(spec.from_text(live.spec), None)
            operation = self._new(OperationKind.RESTART, request, actor, live, live, live.commit, names)
            return await self._begin(operation, placement, live, live)

    # ------------------------------------------------------------ all

    def _must_be_as_shown(self, seen: Seen, shown: int | None) -> None:
        """What the sheet showed must still be so, or somebody was quicker."""
        live = seen.live
        if shown is None or shown == seen.row.live:
            return
        name = f"r{seen.row.live}" if seen.row.live else "nothing"
        who = ""
        if live is not None and live.live_since is not None:
            who = f": {live.by} did this {age(self._ports.clock.now() - live.live_since)} ago"
        raise Refused(f"{name} is live now, not r{shown}{who}", AGAIN)

    def _alone(self, key: PlacementKey) -> _Alone:
        run = self._world.runs.get(key)
        if run is not None and run.acts:
            raise Refused(busy(run.operation, self._ports.clock.now()), "wait for it, or cancel it with X")
        if key in self._starting:
            raise Refused("somebody pressed the same key at this moment", "look at the steps")
        return _Alone(self._starting, key)

    def _new(
        self,
        kind: OperationKind,
        request: DeployRequest | RollbackRequest | RestartRequest,
        actor: Actor,
        live: ReleaseRecord | None,
        release: ReleaseRecord | None,
        commit: str,
        names: tuple[str, ...],
    ) -> Operation:
        """`release` is what it brings up, when there is one already."""
        return Operation(
            id=next(self._numbers),
            kind=kind,
            key=request.key,
            actor=actor,
            state=OperationState.RUNNING,
            started_at=self._ports.clock.now(),
            from_release=live.number if live else None,
            to_release=release.number if release else None,
            commit=commit,
            subject=release.subject if release else "",
            reason=clean(request.reason, 500),
            steps=tuple(map(Step, names)),
            overrides=self._world.locks.overrides(request.key) if kind is OperationKind.ROLLBACK else (),
        )

    async def _begin(
        self,
        operation: Operation,
        placement: PlacementSettings,
        live: ReleaseRecord | None,
        release: ReleaseRecord | None,
    ) -> Operation:
        """The lock comes first: what stands in the log has had the right to act."""
        with doing(f"{operation.kind.value}/begin"):
            claim = await self._claimed(operation, placement)
            try:
                if operation.kind is OperationKind.ROLLBACK:
                    await self._catching_up.must_not_have_moved(operation, placement)
                entered = await self._entered(operation)
                try:
                    return await self._launch(entered, placement, live, release, claim)
                except CockpitError as error:
                    await self._never_began(entered, error)
                    raise
            except BaseException:  # also a cancellation: a claim without an operation would bar the next one
                await self._exclusion.release(claim)
                raise

    async def _never_began(self, operation: Operation, error: CockpitError) -> None:
        """What stands in the log has an end there as well."""
        at = self._ports.clock.now()
        with suppress(StoreError):  # then the next engine finds it
            await self._ports.store.end_operation(operation.id, OperationState.FAILED, error.message, None, at)

    async def _claimed(self, operation: Operation, placement: PlacementSettings) -> Claim:
        """A Docker that hangs takes its time over it: a rollback waits for none of it, and cuts a deploy's short."""
        key, host = placement.key, self._world.host(placement.key)
        taking = self._exclusion.claim(host, key, operation.id, operation.kind.value, operation.actor)
        if operation.kind is OperationKind.ROLLBACK:
            return await taking
        claiming = asyncio.create_task(self._knowing(taking, placement), name=f"claim of {operation.id}")
        self._claiming[key] = claiming
        try:
            await asyncio.wait({claiming})
        finally:
            claiming.cancel()
            if self._claiming.get(key) is claiming:
                del self._claiming[key]
        if claiming.cancelled():
            raise Refused(f"it gave way to a rollback of {key}", "cockpit status says what runs")
        return claiming.result()

    async def _knowing(self, taking: Coroutine[Any, Any, Claim], placement: PlacementSettings) -> Claim:
        claim = await taking
        try:
            await self._catching_up.must_know_all(placement)
        except BaseException:  # also a cancellation: a claim without an operation would bar the next one
            await self._exclusion.release(claim)
            raise
        return claim

    async def _entered(self, operation: Operation) -> Operation:
        """With what its steps usually take. A rollback goes on when the log refuses it."""
        store, cli = self._ports.store, _line(operation)
        try:
            usual = await store.usual_seconds(operation.key, operation.kind)
            await store.begin_operation(operation, cli)
        except StoreError as error:
            if operation.kind is OperationKind.DEPLOY:
                raise
            return self._unentered(operation, cli, error)
        steps = tuple(replace(step, usual_seconds=usual.get(step.name)) for step in operation.steps)
        return replace(operation, steps=steps)

    def _unentered(self, operation: Operation, cli: str, error: StoreError) -> Operation:
        """It has no rows; that it began is kept for the audit."""
        operation = replace(operation, id=next(self._unlogged))
        row = AuditRow(
            0,
            operation.started_at,
            operation.actor,
            operation.kind.value,
            "began",
            operation.key,
            operation.id,
            reason=operation.reason,
            overrides=operation.overrides,
            cli=cli,
        )
        self._backlog.keep(lambda: self._ports.store.record(row), error)
        return operation

    async def _launch(
        self,
        operation: Operation,
        placement: PlacementSettings,
        live: ReleaseRecord | None,
        release: ReleaseRecord | None,
        claim: Claim,
    ) -> Operation:
        run = Run(
            self._ports,
            operation,
            placement,
            world=self._world,
            live=live,
            log=await self._open_log(operation),
            claim=claim,
            let_go=partial(self._exclusion.release, claim),
            journal=Journal(
                self._backlog, must=operation.kind is OperationKind.DEPLOY, unlogged=operation.id >= UNLOGGED
            ),
            publish=self._changed,
        )
        works: Mapping[str, StepWork] = steps.DEPLOY
        undo = steps.undo
        # From asking how far away the release is to being the placement's run, nothing else may get a word in.
        if release is not None:
            tier = self._rows.tier(release)
            run.release, run.was_hot = release, tier is Tier.HOT
            works, undo = MOVE, undo_start
        self._world.runs[operation.key] = run
        self._unended.add(run)
        self._world.at_work.add(operation.id)
        if release is not None:
            await run.row(lambda: self._ports.store.set_operation(operation.id, tier=tier.value))
        self._changed(operation)
        run.start(works, undo, lambda: self._reload(run))
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

    def _changed(self, operation: Operation) -> None:
        self._hub.publish(Event(operation=operation))

    async def _reload(self, run: Run) -> None:
        """Before anybody hears that customers were moved, or that the operation ended."""
        try:
            await self._rows.reload(run.operation.key)
        except StoreError as error:
            log.warning("after operation %d: %s", run.operation.id, error.message)

    async def _after(self, run: Run) -> None:
        key = run.operation.key
        await run.ended.wait()
        try:
            with doing(f"{run.operation.kind.value}/after"):
                await self._watch.changed(key)
        except CockpitError as error:
            log.warning("after operation %d: %s", run.operation.id, error.message)
        finally:
            self._unended.discard(run)
            self._world.at_work.discard(run.operation.id)
            if self._world.runs.get(key) is run:
                del self._world.runs[key]

    def idle(self) -> bool:
        return not self._unended

    def run(self, operation: int) -> Run | None:
        return next((run for run in self._unended if run.operation.id == operation), None)

    def abandon(self) -> None:
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


def _frozen(record: ReleaseRecord | None) -> spec.ReleaseSpec | None:
    return spec.from_text(record.spec) if record is not None else None


class _Alone:
    """Between a request and its run, the placement is spoken for."""

    def __init__(self, starting: dict[PlacementKey, _Alone], key: PlacementKey) -> None:
        self._starting = starting
        self._key = key

    def __enter__(self) -> None:
        self._starting[self._key] = self

    def __exit__(self, *exception: object) -> None:
        if self._starting.get(self._key) is self:  # a rollback may have taken its place
            del self._starting[self._key]
