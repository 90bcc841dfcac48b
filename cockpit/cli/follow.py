"""Watching an operation to its end: its steps as they go, its log as it is written, across restarts of the engine."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from cockpit.cli import render
from cockpit.cli.output import document, part, say, words
from cockpit.client import Client
from cockpit.errors import CockpitError, EngineUnreachable, StoreError
from cockpit.model import LogLine, Operation, OperationState, Step, StepState
from cockpit.protocol import (
    LOGS_OPEN,
    OPERATION,
    Change,
    Connected,
    Event,
    LogChunk,
    LogKind,
    LogRequest,
    Lost,
    OperationRequest,
)

WAITS = 3.0  # seconds that a step runs until a line says what it does
NOTHING = (StepState.PENDING, False)
OUTCOMES = "✔·✖"  # marks of a step that ended, in an operation's log
LAST_LINES = 2.0  # seconds that the log gets to arrive after the operation has ended


@dataclass
class Screen:
    """What has been printed of one operation, so that nothing is printed twice."""

    as_json: bool
    shown: dict[str, tuple[StepState, bool]] = field(default_factory=dict)  # and whether it was said what it waits for
    next_line: int = 0

    def operation(self, each: Operation) -> None:
        if self.as_json:
            document({"operation": each})
            return
        for step in each.steps:
            state, told = self.shown.get(step.name, NOTHING)
            waits = not told and _waits(step)
            if step.state is not state or waits:
                say(render.step_line(step))
            self.shown[step.name] = step.state, told or waits

    def lines(self, chunk: LogChunk) -> None:
        if chunk.dropped and not self.as_json:
            say(words(("…", "muted"), f"{chunk.dropped} lines left out"))
        for line in chunk.lines:
            if line.number >= self.next_line:
                self.next_line = line.number + 1
                if self.as_json or not _says_outcome(line):
                    print_line(line, self.as_json, indent="  ")

    def note(self, text: str) -> None:
        if not self.as_json:
            say(words(("▲", "warn"), text))


def _waits(step: Step) -> bool:
    """So long that one asks oneself for what."""
    return step.state is StepState.RUNNING and bool(step.detail) and time.time() - (step.started_at or 0.0) > WAITS


def _says_outcome(line: LogLine) -> bool:
    """The engine's word in the log on how a step ended, which its step shows here already."""
    return line.stream == "cockpit" and line.text.startswith(tuple(f"{mark} {line.source}:" for mark in OUTCOMES))


def print_line(line: LogLine, as_json: bool, indent: str = "") -> None:
    if as_json:
        document({"log": line})
    else:
        source = part((line.source, "muted"))
        say(f"{indent}{source}{' ' if source else ''}{part(line.text)}")


async def follow(client: Client, id: int, as_json: bool) -> Operation:
    """The operation as it ended."""
    screen = Screen(as_json)
    watch = Watch(client, id, screen)
    async with aclosing(client.changes()) as changes:
        while not watch.over:
            try:
                async with asyncio.timeout(LAST_LINES if watch.ended else None):
                    await watch.take(await anext(changes))
            except TimeoutError:
                break
    assert watch.ended is not None, "changes go on until the operation has ended"
    if as_json:
        document({"operation": watch.ended})
    else:
        say(*render.ending(watch.ended))
    return watch.ended


@dataclass
class Watch:
    client: Client
    id: int
    screen: Screen
    ended: Operation | None = None
    log_over: bool = False

    @property
    def over(self) -> bool:
        return self.ended is not None and self.log_over

    async def take(self, change: Change) -> None:
        if isinstance(change, Connected):
            await self._join(change)
        elif isinstance(change, Lost):
            self.screen.note(f"{change.reason}; the operation is not lost with it")
        elif isinstance(change, Event) and change.operation and change.operation.id == self.id:
            self._see(change.operation)
        elif isinstance(change, LogChunk):
            self.screen.lines(change)
            self.log_over = change.ended

    async def _join(self, connected: Connected) -> None:
        if connected.restarted:
            self.screen.note(f"the engine was restarted (pid {connected.welcome.pid})")
        try:
            self._see(await self.client.call(OPERATION, OperationRequest(self.id)))
            await self.client.call(LOGS_OPEN, LogRequest(LogKind.OPERATION, operation=self.id))
        except EngineUnreachable:
            return  # it went again: the next change says so
        except StoreError as error:  # the steps are still to be seen
            self.screen.note(error.message)
            self.log_over = True

    def _see(self, operation: Operation) -> None:
        if operation.state.ended:
            self.ended = operation
        if not (self.screen.as_json and self.ended):
            self.screen.operation(operation)


async def follow_log(client: Client, request: LogRequest, as_json: bool) -> None:
    """Until the log ends; with `follow`, until ctrl+c. After a restart of the engine it goes on with new lines only."""
    async with aclosing(client.changes()) as changes:
        await _open(client, request, await anext(changes))
        async for change in changes:
            if isinstance(change, Lost) and not request.follow:
                raise CockpitError(f"The log broke off: {change.reason}", "Ask again")
            if isinstance(change, Connected):
                await client.call(LOGS_OPEN, replace(request, tail=0))
            if isinstance(change, LogChunk):
                for line in change.lines:
                    print_line(line, as_json)
                if change.note and not as_json:
                    say(words(("▲", "warn"), change.note))
                if change.ended:
                    return


async def _open(client: Client, request: LogRequest, first: Change) -> None:
    if isinstance(first, Lost):
        raise CockpitError(f"The log cannot be read: {first.reason}")
    await client.call(LOGS_OPEN, request)


def exit_status(operation: Operation) -> int:
    return 0 if operation.state is OperationState.SUCCEEDED else 1
