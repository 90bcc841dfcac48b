"""Starting, cancelling and ending operations: one on a placement at a time, and a rollback never queues."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cockpit.config.settings import PlacementSettings
from cockpit.engine import plan, steps
from cockpit.engine.hub import Hub
from cockpit.engine.journal import Backlog, Journal
from cockpit.engine.ports import Ports
from cockpit.engine.run import Run, StepWork, fresh_steps
from cockpit.engine.sheets import busy, refuse_deploy
from cockpit.engine.traffic import undo_start
from cockpit.engine.watch import Watch
from cockpit.engine.world import Seen, World
from cockpit.errors import Refused, SourceError, StoreError, UsageError
from cockpit.model import Actor, Operation, OperationKind, OperationState, PlacementKey, Tier
from cockpit.protocol import DeployRequest, Event, RollbackRequest
from cockpit.store.base import ReleaseRecord
from cockpit.store.logs import OperationLog
from cockpit.text import age, clean

UNLOGGED = 1_000_000_000  # ids of operations that the log could not take yet start here


class Operations:
    def __init__(self, ports: Ports, world: World, hub: Hub, watch: Watch, backlog: Backlog) -> None:
        self._ports = ports
        self._world = world
        self._hub = hub
        self._watch = watch
        self._backlog = backlog
        self._ready = asyncio.Event()
        self._starting: set[PlacementKey] = set()
        self._endings: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """What an engine before this one left is settled: from here on operations may start."""
        self._ready.set()

    @property
    def is_open(self) -> bool:
        return self._ready.is_set()

    def find(self, key: PlacementKey) -> PlacementSettings:
        placement = self._world.settings.placement(key)
        if placement is None:
            known = ", ".join(str(each.key) for each in self._world.settings.placements)
            raise UsageError(f"there is no {clean(str(key))}", f"there are: {known or 'none'}")
        return placement

    # ------------------------------------------------------------ deploy

    async def deploy(self, request: DeployRequest, actor: Actor) -> Operation:
        placement = self.find(request.key)
        with self._alone(request.key):
            seen = self._watch.seen(request.key)
            self._must_be_as_shown(seen, request.seen_live)
            commit = await self._full(placement, request.commit or (seen.pending.head if seen.pending else ""))
            scene = self._watch.scene(placement)
            refused = refuse_deploy(scene, commit)
            if refused and not (request.force and refused.startswith("nothing")):
                raise Refused(refused, "nothing was started")
            names = plan.steps(OperationKind.DEPLOY, placement.service)
            return await self._begin(
                OperationKind.DEPLOY, placement, actor, seen.live, None, commit, request.reason, names
            )

    async def _full(self, placement: PlacementSettings, name: str) -> str:
        """A commit's whole name, when the mirror knows it already; else the fetch step finds out."""
        try:
            return (await self._ports.source.commit(steps.repository(placement), name)).sha if name else ""
        except SourceError:
            return name

    # ------------------------------------------------------------ rollback

    async def rollback(self, request: RollbackRequest, actor: Actor) -> Operation:
        placement = self.find(request.key)
        seen = self._watch.seen(request.key)
        self._must_be_as_shown(seen, request.seen_live)
        await self._make_way(request.key, actor)
        with self._alone(request.key):
            seen = self._watch.seen(request.key)
            self._must_be_as_shown(seen, request.seen_live)
            target = self._target(seen, request.to)
            return await self._begin(
                OperationKind.ROLLBACK,
                placement,
                actor,
                seen.live,
                target,
                target.commit,
                request.reason,
                plan.steps(OperationKind.ROLLBACK, placement.service),
            )

    def _target(self, seen: Seen, wanted: int | None) -> ReleaseRecord:
        live = seen.row.live
        if live is None:
            raise Refused("nothing is live here: there is nothing to roll back")
        options = plan.returnable(seen.records, live)
        chosen = (
            plan.rollback_default(seen.records, live)
            if wanted is None
            else next((each for each in options if each.number == wanted), None)
        )
        if chosen is None:
            names = ", ".join(each.name for each in options) or "none"
            what = f"r{wanted} is not a release to go back to" if wanted is not None else "no release is known good"
            raise Refused(what, f"releases to go back to: {names}")
        return chosen

    async def _make_way(self, key: PlacementKey, actor: Actor) -> None:
        """A rollback never queues: a deploy that has not switched is cancelled, another one is about to end."""
        run = self._world.runs.get(key)
        if run is None:
            return
        if run.operation.kind is OperationKind.ROLLBACK:
            raise Refused(busy(run.operation, self._ports.clock.now()), "it is being done already")
        try:
            await run.cancel(actor.name)
        except Refused:
            await run.ended.wait()
        await self._watch.reload(key)

    # ------------------------------------------------------------ both

    def _must_be_as_shown(self, seen: Seen, shown: int | None) -> None:
        """What the sheet showed must still be so, or somebody was quicker."""
        live = seen.live
        if shown is None or shown == seen.row.live:
            return
        name = f"r{seen.row.live}" if seen.row.live else "nothing"
        who = ""
        if live is not None and live.live_since is not None:
            who = f": {live.by} did this {age(self._ports.clock.now() - live.live_since)} ago"
        raise Refused(f"{name} is live now, not r{shown}{who}", "open the sheet again to see what is so now")

    def _alone(self, key: PlacementKey) -> _Alone:
        if not self._ready.is_set():
            raise Refused("the engine is still finding out what the last one left behind", "try again in a few seconds")
        run = self._world.runs.get(key)
        if run is not None and not run.ended.is_set():
            raise Refused(busy(run.operation, self._ports.clock.now()), "wait for it, or cancel it with X")
        if key in self._starting:
            raise Refused("somebody pressed the same key at this moment", "look at the steps")
        return _Alone(self._starting, key)

    async def _begin(
        self,
        kind: OperationKind,
        placement: PlacementSettings,
        actor: Actor,
        live: ReleaseRecord | None,
        release: ReleaseRecord | None,
        commit: str,
        reason: str,
        names: tuple[str, ...],
    ) -> Operation:
        store, now = self._ports.store, self._ports.clock.now()
        subject = release.subject if release else ""
        reason = clean(reason, 500)
        try:
            number = await store.begin_operation(
                kind=kind,
                key=placement.key,
                actor=actor,
                from_release=live.number if live else None,
                to_release=release.number if release else None,
                commit=commit,
                subject=subject,
                reason=reason,
                steps=names,
                at=now,
            )
            usual = await store.usual_seconds(placement.key, kind)
        except StoreError:
            if kind is OperationKind.DEPLOY:
                raise
            number, usual = UNLOGGED + int(now), {}
        journal = Journal(self._backlog, must=kind is OperationKind.DEPLOY, unlogged=number >= UNLOGGED)
        operation = Operation(
            id=number,
            kind=kind,
            key=placement.key,
            actor=actor,
            state=OperationState.RUNNING,
            started_at=now,
            from_release=live.number if live else None,
            to_release=release.number if release else None,
            commit=commit,
            subject=subject,
            reason=reason,
            steps=fresh_steps(names, usual),
        )
        return await self._launch(operation, placement, live, release, journal)

    async def _launch(
        self,
        operation: Operation,
        placement: PlacementSettings,
        live: ReleaseRecord | None,
        release: ReleaseRecord | None,
        journal: Journal,
    ) -> Operation:
        run = Run(
            self._ports,
            operation,
            placement,
            world=self._world,
            live=live,
            log=await self._open_log(operation),
            journal=journal,
            publish=self._changed,
        )
        works: Mapping[str, StepWork] = steps.DEPLOY
        undo = steps.undo
        if release is not None:
            run.release = release
            run.was_hot = self._watch.tier(release) is Tier.HOT
            works, undo = steps.ROLLBACK, undo_start
            tier = self._watch.tier(release).value
            await run.row(lambda: self._ports.store.set_operation(operation.id, tier=tier))
        self._world.runs[operation.key] = run
        self._changed(operation)
        run.start(works, undo)
        ending = asyncio.create_task(self._after(run), name=f"after {operation.id}")
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        return operation

    async def _open_log(self, operation: Operation) -> OperationLog:
        """A rollback does without a log that stays, rather than not being done."""
        logs = self._ports.paths.logs
        try:
            return await asyncio.to_thread(OperationLog.open, logs, operation.id)
        except StoreError:
            if operation.kind is OperationKind.DEPLOY:
                raise
            elsewhere = Path(await asyncio.to_thread(tempfile.mkdtemp))
            return await asyncio.to_thread(OperationLog.open, elsewhere, operation.id)

    def _changed(self, operation: Operation) -> None:
        self._hub.publish(Event(operation=operation))

    async def _after(self, run: Run) -> None:
        await run.ended.wait()
        await self._watch.changed(run.operation.key)
        if self._world.runs.get(run.operation.key) is run:
            del self._world.runs[run.operation.key]

    def run(self, operation: int) -> Run | None:
        return next((run for run in self._world.runs.values() if run.operation.id == operation), None)

    def abandon(self) -> None:
        for run in self._world.runs.values():
            run.abandon()

    async def wait_abandoned(self) -> None:
        for run in list(self._world.runs.values()):
            await run.ended.wait()
        for ending in list(self._endings):
            ending.cancel()


class _Alone:
    """Between a request and its run, the placement is spoken for."""

    def __init__(self, starting: set[PlacementKey], key: PlacementKey) -> None:
        self._starting = starting
        self._key = key

    def __enter__(self) -> None:
        self._starting.add(self._key)

    def __exit__(self, *exception: object) -> None:
        self._starting.discard(self._key)
