"""An operation's rows: intent before the effect, outcome after.

A deploy stops when the log cannot be written. A rollback never waits for it: what could not be written is kept and
entered later, in order, by `enter`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Self

from cockpit.errors import StoreError, StoreRejected
from cockpit.model import AuditRow, Operation, OperationKind

Write = Callable[[], Awaitable[object]]

UNLOGGED = 1_000_000_000  # ids of operations that the log could not take yet start here


class Backlog:
    """Writes that the log refused, oldest first; shared by all operations of an engine."""

    def __init__(self) -> None:
        self._writes: deque[Write] = deque()
        self.reason = ""

    def __len__(self) -> int:
        return len(self._writes)

    def keep(self, write: Write, error: StoreError) -> None:
        self._writes.append(write)
        self.reason = error.message

    async def enter(self, say: Callable[[str], Awaitable[object]]) -> None:
        """Try again, in order. What the log rejects for good is dropped, and `say` writes that into it."""
        while self._writes:
            try:
                await self._writes[0]()
            except StoreRejected as error:
                await say(f"could not be entered late: {error.message}")
            except StoreError as error:
                self.reason = error.message
                return
            self._writes.popleft()
        self.reason = ""


class Journal:
    """What one operation writes. With `must`, a write that fails raises StoreError; without, it goes to the backlog.

    `unlogged`: the operation has no row of its own, because the log refused it; only facts are entered later."""

    def __init__(self, backlog: Backlog, *, must: bool, unlogged: bool = False) -> None:
        self._backlog = backlog
        self._must = must
        self._unlogged = unlogged

    @classmethod
    def of(cls, operation: Operation, backlog: Backlog) -> Self:
        return cls(backlog, must=operation.kind is OperationKind.DEPLOY, unlogged=operation.id >= UNLOGGED)

    async def row(self, write: Write) -> None:
        """About the operation itself: intents, outcomes, its end."""
        if not self._unlogged:
            await self.fact(write)

    async def end(self, write: Write, instead: Write | None = None) -> None:
        """The operation's end: kept for later when it cannot be written now, because it did end. `instead` is what is
        written of an operation without a row. After what is kept already: a log is in order."""
        if self._unlogged:
            if instead is None:
                return
            write = instead
        try:
            if len(self._backlog):
                raise StoreError(self._backlog.reason)
            await write()
        except StoreError as error:
            self._backlog.keep(write, error)

    async def fact(self, write: Write) -> None:
        """About releases and placements: who is live, what is held."""
        if not self._must and len(self._backlog):
            self._backlog.keep(write, StoreError(self._backlog.reason))
            return
        try:
            await write()
        except StoreError as error:
            if self._must:
                raise
            self._backlog.keep(write, error)


def unlogged(operation: Operation, outcome: str, text: str, at: float, cli: str = "") -> AuditRow:
    """The audit's row of an operation that has no row of its own, because the log refused it."""
    seconds = None if outcome == "began" else max(0.0, at - operation.started_at)
    return AuditRow(
        0,
        at,
        operation.actor,
        operation.kind.value,
        outcome,
        operation.key,
        operation.id,
        text=text,
        reason=operation.reason,
        seconds=seconds,
        overrides=operation.overrides,
        cli=cli,
    )
