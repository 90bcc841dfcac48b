"""When an operation may begin: one on a placement at a time, on what its sheet showed, and a rollback never queues."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from cockpit.config.settings import PlacementSettings
from cockpit.engine import plan, spec, steps
from cockpit.engine.acting import doing
from cockpit.engine.catching_up import AGAIN, CatchingUp
from cockpit.engine.deploy_sheet import GONE, busy, refuse_deploy
from cockpit.engine.exclusion import Claim, Exclusion
from cockpit.engine.runs import Runs
from cockpit.engine.shared import Shared
from cockpit.engine.window import Window
from cockpit.engine.world import Seen
from cockpit.errors import Refused, SourceError, StoreError
from cockpit.model import Actor, Operation, OperationKind, OperationState, PlacementKey, Step
from cockpit.protocol import DeployRequest, RestartRequest, RollbackRequest
from cockpit.store.base import ReleaseRecord
from cockpit.text import age, clean


class Operations:
    def __init__(self, shared: Shared, window: Window, exclusion: Exclusion, runs: Runs) -> None:
        self._ports = shared.ports
        self._world = shared.world
        self._rows = shared.rows
        self._window = window
        self._exclusion = exclusion
        self._runs = runs
        self._catching_up = CatchingUp(shared)
        self._backlog = shared.backlog
        self._starting: dict[PlacementKey, _Alone] = {}
        self._claiming: dict[PlacementKey, asyncio.Task[Claim]] = {}  # of deploys and restarts

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
            id=self._runs.number(),
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
                return await self._runs.begin(operation, placement, live, release, claim)
            except BaseException:  # also a cancellation: a claim without an operation would bar the next one
                await self._exclusion.release(claim)
                raise

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
