"""One operation while it runs: its steps one after another, how it is cancelled, and how it ends."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

from cockpit.config.settings import PlacementSettings
from cockpit.engine import outcome
from cockpit.engine.acting import doing
from cockpit.engine.exclusion import Claim
from cockpit.engine.journal import Journal, unlogged
from cockpit.engine.starting import Values
from cockpit.errors import CockpitError, Failed, Refused, StoreError
from cockpit.model import Failure, LogLine, Operation, OperationKind, OperationState, StepState
from cockpit.protocol import Event
from cockpit.store.base import ReleaseRecord
from cockpit.store.logs import OperationLog

if TYPE_CHECKING:
    from cockpit.engine.shared import Shared

_log = logging.getLogger(__name__)

FLUSH = 0.1  # seconds between writes of the operation's log

StepWork = Callable[["Run"], Awaitable[str]]
Lines = Callable[[tuple[LogLine, ...]], None]


class Skip(Exception):
    """Raised by a step that has nothing to do; the text says why."""


class Run:
    """`release` is what the operation brings up, `live` what had the customers when it began.

    `committed` is set just before the traffic moves: from there on the operation can only go forward."""

    def __init__(
        self,
        shared: Shared,
        operation: Operation,
        placement: PlacementSettings,
        *,
        live: ReleaseRecord | None,
        log: OperationLog,
        claim: Claim,
        let_go: Callable[[], Awaitable[None]],
    ) -> None:
        self.ports = ports = shared.ports
        self.operation = operation
        self.placement = placement
        self.world = world = shared.world
        self.host = world.host(operation.key)
        self.values = Values(ports.secrets)
        self.known = ports.secrets.known
        self.settings = world.settings  # as they are now: a change meanwhile is for the next one
        self.live = live
        self.release: ReleaseRecord | None = None
        self.was_hot = False
        self.started_here = False  # containers of `release` were started by this operation
        self.committed = False
        self.switched = asyncio.Event()  # the switch is done and written
        self.halted = asyncio.Event()  # no step acts any more; what was made may still be taken away
        self.ended = asyncio.Event()
        self.log = log
        self.claim = claim
        self._let_go = let_go
        self.log_listeners: list[Lines] = []
        self._journal = Journal.of(operation, shared.backlog)
        self._hub = shared.hub
        self._rows = shared.rows
        self._steps: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._cancelled_by = ""
        self._abandoned = False

    # ------------------------------------------------------------ what steps use

    @property
    def bringing(self) -> ReleaseRecord:
        assert self.release is not None, "steps that need a release come after the one that makes it"
        return self.release

    def say(self, text: str, *, stream: str = "cockpit", source: str = "", cached: bool = False) -> None:
        """A line into the operation's log; every line of it is cleaned and masked here."""
        current = self.operation.current
        source = source or (current.name if current else "")
        lines = self.log.append((LogLine(0, self.ports.clock.now(), self.known.line(text), source, stream, cached),))
        for listener in list(self.log_listeners):
            listener(lines)

    def progress(self, detail: str, done: int | None = None, total: int | None = None) -> None:
        current, detail = self.operation.current, self.known.hide(detail)
        if current and (current.detail, current.done, current.total) != (detail, done, total):
            self._change(current.name, detail=detail, done=done, total=total)

    async def fact(self, write: Callable[[], Awaitable[object]]) -> None:
        """Write what is so now about a release or a placement; a rollback does not wait for a log that refuses."""
        await self._journal.fact(write)

    async def row(self, write: Callable[[], Awaitable[object]]) -> None:
        """Write into the operation's own rows."""
        await self._journal.row(write)

    def now_about(self, **fields: object) -> None:
        """Change the operation's own fields (release, commit) and tell everyone."""
        self.operation = replace(self.operation, **fields)  # type: ignore[arg-type]  # names are those of Operation
        self._tell()

    def _tell(self) -> None:
        self._hub.publish(Event(operation=self.operation))

    async def moved(self) -> None:
        """Read the placement's rows again: before anybody hears that customers were moved, or that this ended."""
        try:
            await self._rows.reload(self.operation.key)
        except StoreError as error:
            _log.warning("after operation %d: %s", self.operation.id, error.message)

    # ------------------------------------------------------------ from start to end

    def start(self, steps: Mapping[str, StepWork], undo: StepWork) -> None:
        self._tell()
        name = f"operation {self.operation.id}"
        self._steps = asyncio.create_task(self._take(steps), name=f"steps of {name}")
        self._task = asyncio.create_task(self._run(self._steps, undo), name=name)
        self._task.add_done_callback(lambda _: self.ended.set())  # one that is cancelled before it ran ends as well

    async def cancel(self, by: str) -> None:
        """Returns once everything is undone. Raises Refused after the switch."""
        if self.committed:
            raise Refused(
                "it is too late to cancel: customers are being moved or have moved", "roll back with B instead"
            )
        self._stop_steps(by)
        await self.ended.wait()

    @property
    def acts(self) -> bool:
        """Some step may still change something; a step that was cancelled only cleans up behind itself."""
        return not self.halted.is_set() and not self._cancelled_by

    async def give_way(self, by: str, still_wanted: Callable[[], None]) -> None:
        """To a rollback, which waits for no clean-up. Once customers are being moved, that is waited for, and
        `still_wanted` may refuse: then this one goes on."""
        if self.committed:
            waits = [asyncio.create_task(event.wait()) for event in (self.switched, self.halted)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            still_wanted()
        self._stop_steps(by)

    def _stop_steps(self, by: str) -> None:
        if self._steps and not self._steps.done() and not self._cancelled_by:
            self._cancelled_by = by
            self._steps.cancel()

    def abandon(self) -> None:
        """The engine stops: leave everything as it is, for recovery."""
        self._abandoned = True
        for task in (self._steps, self._task):
            if task:
                task.cancel()

    async def _take(self, steps: Mapping[str, StepWork]) -> None:
        """One after another. Once customers were moved, a step that fails keeps none of the others from being taken."""
        failed: Failed | None = None
        for step in self.operation.steps:
            try:
                await self._step(step.name, steps[step.name])
            except Failed as error:
                if not self.switched.is_set():  # nothing follows customers of whom nobody knows where they are
                    raise
                failed = failed or error
        if failed is not None:
            raise failed

    async def _run(self, steps: asyncio.Task[None], undo: StepWork) -> None:
        flushing = asyncio.create_task(self._flush(), name=f"log of {self.operation.id}")
        self.claim.tell.add(self.say)
        try:
            await asyncio.wait({steps})
            self.halted.set()
            if not self._abandoned:
                state, failure = self._judge(steps)
                with self._doing("undo"):
                    await self._undo(undo)
                with self._doing("end"):
                    await self._end(state, failure)
                await self.moved()
        finally:
            flushing.cancel()
            self.claim.tell.discard(self.say)
            self.halted.set()
            if not self._abandoned:
                await self._let_go()
            self.ended.set()
            await asyncio.to_thread(self.log.close)

    def _judge(self, steps: asyncio.Task[None]) -> tuple[OperationState, Failure | None]:
        """An operation's task is a process edge: whatever went wrong, it ends and says so."""
        if steps.cancelled():
            return (OperationState.SUCCEEDED if self.committed else OperationState.CANCELLED), None
        error = steps.exception()
        if error is None:
            return OperationState.SUCCEEDED, None
        if isinstance(error, Failed):
            return OperationState.FAILED, error.failure
        _log.error("operation %s", self.operation.id, exc_info=error)
        return OperationState.FAILED, self.known.failure(outcome.unexpected(error, self.operation))

    async def _flush(self) -> None:
        while True:
            await self.ports.clock.sleep(FLUSH)
            await asyncio.to_thread(self.log.flush)

    def _doing(self, what: str) -> AbstractContextManager[None]:
        kind = self.operation.kind
        return doing(f"{kind.value}/{what}", self.claim.fence(must=kind is not OperationKind.ROLLBACK))

    async def _step(self, name: str, work: StepWork) -> None:
        with self._doing(name):
            await self._take_step(name, work)

    async def _take_step(self, name: str, work: StepWork) -> None:
        inputs = json.dumps({"release": self.release.number if self.release else None})
        started, offset = self.ports.clock.now(), self.log.mark(name)
        try:
            await self.row(lambda: self.ports.store.intent(self.operation.id, name, inputs, started, log_offset=offset))
            self._change(name, state=StepState.RUNNING, started_at=started, log_offset=offset)
            try:
                detail, state = self.known.hide(await work(self)), StepState.DONE
            except Skip as skip:
                detail, state = self.known.hide(str(skip)), StepState.SKIPPED
            await self.row(self._outcome(name, state, detail))
        except asyncio.CancelledError:
            await asyncio.shield(self._ended_badly(name, "cancelled"))
            raise
        except CockpitError as error:
            failure = self.known.failure(outcome.as_failure(error, name))
            await self._ended_badly(name, failure.summary)
            raise Failed(failure) from error
        self._say_outcome(name, state, detail)

    async def _ended_badly(self, name: str, why: str) -> None:
        await self._journal.end(self._outcome(name, StepState.FAILED, why))
        self._say_outcome(name, StepState.FAILED, why)

    def _outcome(self, name: str, state: StepState, detail: str) -> Callable[[], Awaitable[object]]:
        at = self.ports.clock.now()
        return lambda: self.ports.store.outcome(self.operation.id, name, state, detail, at)

    def _say_outcome(self, name: str, state: StepState, detail: str) -> None:
        self._change(name, state=state, ended_at=self.ports.clock.now(), detail=detail, done=None, total=None)
        mark = {StepState.DONE: "✔", StepState.SKIPPED: "·", StepState.FAILED: "✖"}[state]
        self.say(f"{mark} {name}: {detail}", source=name)

    async def _undo(self, undo: StepWork) -> None:
        if self.committed:
            return
        try:
            await undo(self)
        except CockpitError as error:
            self.say(f"not cleaned up yet, the engine will try again: {error.message}")

    async def _end(self, state: OperationState, failure: Failure | None) -> None:
        at = self.ports.clock.now()
        how = outcome.Outcome(self.operation, self.live, state, failure, self._cancelled_by, self._customers, at)
        summary = how.summary + await self._lost_lines()
        store, operation = self.ports.store, self.operation
        await self._journal.end(
            lambda: store.end_operation(operation.id, state, summary, failure, at),
            instead=lambda: store.record(unlogged(operation, state.value, summary, at)),
        )
        self.say(summary)
        self.now_about(state=state, failure=failure, summary=summary, ended_at=at)

    @property
    def _customers(self) -> outcome.Customers:
        if not self.committed:
            return outcome.Customers.WHERE_THEY_WERE
        return outcome.Customers.MOVED if self.switched.is_set() else outcome.Customers.UNKNOWN

    async def _lost_lines(self) -> str:
        """A log that the disk did not take says nothing, so the outcome does."""
        await asyncio.to_thread(self.log.flush)
        return f" · {self.log.lost} lines of its log are lost: its disk is full" if self.log.lost else ""

    def _change(self, name: str, **fields: object) -> None:
        steps = tuple(
            replace(step, **fields) if step.name == name else step  # type: ignore[arg-type]  # fields of Step
            for step in self.operation.steps
        )
        self.now_about(steps=steps)
