"""One operation while it runs: its steps one after another, how it is cancelled, and how it ends."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from cockpit.config.settings import PlacementSettings
from cockpit.engine.journal import Journal
from cockpit.engine.ports import Ports
from cockpit.errors import BuildError, CockpitError, ConfigError, EdgeError, Failed, Refused, SourceError, TargetError
from cockpit.model import Failure, LogLine, Operation, OperationKind, OperationState, Side, Step, StepState
from cockpit.store.base import ReleaseRecord
from cockpit.store.logs import OperationLog
from cockpit.text import clean_log, took

if TYPE_CHECKING:
    from cockpit.engine.world import World

_log = logging.getLogger(__name__)

FLUSH = 0.1  # seconds between writes of the operation's log

StepWork = Callable[["Run"], Awaitable[str]]
Lines = Callable[[tuple[LogLine, ...]], None]

SIDES: dict[type[CockpitError], Side] = {
    ConfigError: Side.CONFIGURATION,
    SourceError: Side.SOURCE,
    BuildError: Side.BUILD,
    EdgeError: Side.INFRASTRUCTURE,
    TargetError: Side.INFRASTRUCTURE,
}


class Skip(Exception):
    """Raised by a step that has nothing to do; the text says why."""


class Run:
    """`release` is what the operation brings up, `live` what had the customers when it began.

    `committed` is set just before the traffic moves: from there on the operation can only go forward."""

    def __init__(
        self,
        ports: Ports,
        operation: Operation,
        placement: PlacementSettings,
        *,
        world: World,
        live: ReleaseRecord | None,
        log: OperationLog,
        journal: Journal,
        publish: Callable[[Operation], None],
    ) -> None:
        self.ports = ports
        self.operation = operation
        self.placement = placement
        self.world = world
        self.settings = world.settings  # as they are now: a change meanwhile is for the next one
        self.live = live
        self.release: ReleaseRecord | None = None
        self.was_hot = False
        self.started_here = False  # containers of `release` were started by this operation
        self.committed = False
        self.ended = asyncio.Event()
        self.log = log
        self.log_listeners: list[Lines] = []
        self._journal = journal
        self._publish = publish
        self._task: asyncio.Task[None] | None = None
        self._cancelled_by = ""
        self._abandoned = False

    # ------------------------------------------------------------ what steps use

    @property
    def bringing(self) -> ReleaseRecord:
        assert self.release is not None, "steps that need a release come after the one that makes it"
        return self.release

    def say(self, text: str, *, stream: str = "cockpit", source: str = "", cached: bool = False) -> None:
        """A line into the operation's log; every line of it is cleaned here."""
        current = self.operation.current
        source = source or (current.name if current else "")
        lines = self.log.append((LogLine(0, self.ports.clock.now(), clean_log(text), source, stream, cached),))
        for listener in list(self.log_listeners):
            listener(lines)

    def progress(self, detail: str, done: int | None = None, total: int | None = None) -> None:
        current = self.operation.current
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
        self._publish(self.operation)

    # ------------------------------------------------------------ from start to end

    def start(self, steps: Mapping[str, StepWork], undo: StepWork) -> None:
        self._task = asyncio.create_task(self._run(steps, undo), name=f"operation {self.operation.id}")

    async def cancel(self, by: str) -> None:
        """Returns once everything is undone. Raises Refused after the switch."""
        if self.committed:
            raise Refused(
                "it is too late to cancel: customers are being moved or have moved", "roll back with B instead"
            )
        if self._task and not self._cancelled_by:
            self._cancelled_by = by
            self._task.cancel()
        await self.ended.wait()

    def abandon(self) -> None:
        """The engine stops: leave everything as it is, for recovery."""
        self._abandoned = True
        if self._task:
            self._task.cancel()

    async def _run(self, steps: Mapping[str, StepWork], undo: StepWork) -> None:
        flushing = asyncio.create_task(self._flush(), name=f"log of {self.operation.id}")
        try:
            for step in self.operation.steps:
                await self._step(step.name, steps[step.name])
        except Failed as error:
            await self._undone(undo, OperationState.FAILED, error.failure)
        except asyncio.CancelledError:
            if self._abandoned:
                raise
            await self._undone(undo, OperationState.CANCELLED, None)
        except Exception as error:  # an operation's task is a process edge: whatever happens, it ends and says so
            _log.exception("operation %s", self.operation.id)
            await self._undone(undo, OperationState.FAILED, unexpected(error, self.operation))
        else:
            await self._end(OperationState.SUCCEEDED, None)
        finally:
            flushing.cancel()
            await asyncio.to_thread(self.log.close)
            self.ended.set()

    async def _flush(self) -> None:
        while True:
            await self.ports.clock.sleep(FLUSH)
            await asyncio.to_thread(self.log.flush)

    async def _step(self, name: str, work: StepWork) -> None:
        clock = self.ports.clock
        inputs = json.dumps({"release": self.release.number if self.release else None})
        started = clock.now()
        offset = self.log.mark(name)
        await self.row(lambda: self.ports.store.intent(self.operation.id, name, inputs, started, log_offset=offset))
        self._change(name, state=StepState.RUNNING, started_at=started, log_offset=offset)
        try:
            detail, state = await work(self), StepState.DONE
        except Skip as skip:
            detail, state = str(skip), StepState.SKIPPED
        except asyncio.CancelledError:
            await asyncio.shield(self._outcome(name, StepState.FAILED, "cancelled"))
            raise
        except CockpitError as error:
            failure = as_failure(error, name)
            await self._outcome(name, StepState.FAILED, failure.summary)
            raise Failed(failure) from error
        await self._outcome(name, state, detail)

    async def _outcome(self, name: str, state: StepState, detail: str) -> None:
        at = self.ports.clock.now()
        await self.row(lambda: self.ports.store.outcome(self.operation.id, name, state, detail, at))
        self._change(name, state=state, ended_at=at, detail=detail, done=None, total=None)
        mark = {StepState.DONE: "✔", StepState.SKIPPED: "·", StepState.FAILED: "✖"}[state]
        self.say(f"{mark} {name}: {detail}", source=name)

    async def _undone(self, undo: StepWork, state: OperationState, failure: Failure | None) -> None:
        """Before the switch: take away what was made. Cancelling again does not stop the cleaning up."""
        cleaning = asyncio.ensure_future(self._undo(undo))
        while not cleaning.done():
            try:
                await asyncio.shield(cleaning)
            except asyncio.CancelledError:
                if self._abandoned:
                    raise
        await self._end(state, failure)

    async def _undo(self, undo: StepWork) -> None:
        if self.committed:
            return
        try:
            await undo(self)
        except CockpitError as error:
            self.say(f"could not clean up: {error.message}; the engine will try again")

    async def _end(self, state: OperationState, failure: Failure | None) -> None:
        at = self.ports.clock.now()
        summary = self._summary(state, failure)
        await self.row(lambda: self.ports.store.end_operation(self.operation.id, state, summary, failure, at))
        self.say(summary)
        self.now_about(state=state, failure=failure, summary=summary, ended_at=at)

    def _summary(self, state: OperationState, failure: Failure | None) -> str:
        operation = self.operation
        verb = "Deploy" if operation.kind is OperationKind.DEPLOY else "Rollback"
        name = f"r{operation.to_release}" if operation.to_release else operation.commit[:7]
        seconds = took(self.ports.clock.now() - operation.started_at)
        serves = f"r{self.live.number} serves" if self.live else "nothing serves"
        if state is OperationState.SUCCEEDED:
            return f"{operation.key.service} is on {name} in {operation.key.environment}, after {seconds}"
        if state is OperationState.CANCELLED:
            return f"{verb} {name} was cancelled by {self._cancelled_by} · customers were never on it · {serves}"
        where = f" at {failure.step}" if failure else ""
        if self.committed:
            return f"{verb} {name} moved the customers and then failed{where} after {seconds} · {name} serves"
        return f"{verb} {name} failed{where} after {seconds} · customers were never on it · {serves}"

    def _change(self, name: str, **fields: object) -> None:
        steps = tuple(
            replace(step, **fields) if step.name == name else step  # type: ignore[arg-type]  # fields of Step
            for step in self.operation.steps
        )
        self.now_about(steps=steps)


def as_failure(error: CockpitError, step: str) -> Failure:
    """Any of our errors as what a person is shown; the step that it happened in is told by the run."""
    if isinstance(error, Failed):
        return replace(error.failure, step=error.failure.step or step)
    side = next((side for kind, side in SIDES.items() if isinstance(error, kind)), Side.COCKPIT)
    line = error.log_tail[-1] if isinstance(error, BuildError) and error.log_tail else ""
    return Failure(step, side, error.message, line=line, next=error.hint)


def unexpected(error: Exception, operation: Operation) -> Failure:
    step = operation.current.name if operation.current else ""
    return Failure(
        step,
        Side.COCKPIT,
        f"the cockpit itself failed: {type(error).__name__}",
        line=clean_log(str(error)),
        means="this is a defect of the cockpit, not of your service",
        next="`cockpit doctor` shows where its log is",
    )


def fresh_steps(names: tuple[str, ...], usual: Mapping[str, float]) -> tuple[Step, ...]:
    return tuple(Step(name, usual_seconds=usual.get(name)) for name in names)
