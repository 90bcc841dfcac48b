"""Operations in the release log, as they are written: a step's intent before its effect, its outcome after."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Sequence
from typing import TypedDict

from cockpit.errors import StoreRejected
from cockpit.model import Failure, Operation, OperationState, StepState
from cockpit.store import audit, placements

_COLUMNS = {"commit": "commit_sha"}


class OperationChange(TypedDict, total=False):
    """What may change in an operation while it runs, besides its steps, its switch and its end."""

    from_release: int | None
    to_release: int | None
    commit: str
    subject: str
    reason: str
    tier: str
    summary: str


_CHANGES = frozenset(OperationChange.__annotations__)


def begin(db: sqlite3.Connection, new: Operation) -> int:
    """Gives its number, which is the next one when `new` has 0."""
    cursor = db.execute(
        """
        INSERT INTO operations (id, placement, kind, state, actor, actor_uid, actor_login, actor_claimed, started_at,
                                from_release, to_release, commit_sha, subject, reason, overrides)
        VALUES (?, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        (
            new.id or None,
            placements.ensure(db, new.key),
            new.kind.value,
            *dataclasses.astuple(new.actor),
            new.started_at,
            new.from_release,
            new.to_release,
            new.commit,
            new.subject,
            new.reason,
            audit.text_of(new.overrides),
        ),
    )
    operation = int(cursor.lastrowid or 0)
    _add_steps(db, operation, [step.name for step in new.steps])
    _event(db, operation, "begin", new.started_at, text=new.reason)
    return operation


def change(db: sqlite3.Connection, operation: int, fields: OperationChange) -> None:
    unknown = fields.keys() - _CHANGES
    if unknown:
        raise TypeError(f"an operation has no {', '.join(sorted(unknown))}")
    if not fields:
        return
    assignments = ", ".join(f"{_COLUMNS.get(name, name)} = ?" for name in fields)
    _expect(db.execute(f"UPDATE operations SET {assignments} WHERE id = ?", (*fields.values(), operation)), operation)


def intent(db: sqlite3.Connection, operation: int, step: str, inputs: str, at: float, log_offset: int | None) -> None:
    cursor = db.execute(
        """
        UPDATE steps SET state = 'running', started_at = ?, ended_at = NULL, detail = '',
                         log_offset = coalesce(log_offset, ?)
        WHERE operation = ? AND name = ?
        """,
        (at, log_offset, operation, step),
    )
    _expect(cursor, operation, step)
    _event(db, operation, "intent", at, step=step, text=inputs)


def outcome(db: sqlite3.Connection, operation: int, step: str, state: StepState, detail: str, at: float) -> None:
    cursor = db.execute(
        "UPDATE steps SET state = ?, ended_at = ?, detail = ? WHERE operation = ? AND name = ?",
        (state.value, at, detail, operation, step),
    )
    _expect(cursor, operation, step)
    _event(db, operation, "outcome", at, step=step, state=state.value, text=detail)


def switched(db: sqlite3.Connection, operation: int, at: float) -> None:
    """The first time counts: customers are there since."""
    cursor = db.execute("UPDATE operations SET switched_at = coalesce(switched_at, ?) WHERE id = ?", (at, operation))
    _expect(cursor, operation)
    _event(db, operation, "switched", at)


def end(
    db: sqlite3.Connection, operation: int, state: OperationState, summary: str, failure: Failure | None, at: float
) -> None:
    """No step is left open: what ran has failed, what waited was skipped. An ended one does not end again, but a
    stuck one does."""
    cursor = db.execute(
        """
        UPDATE operations SET state = ?, summary = ?, failure = ?, ended_at = ?
        WHERE id = ? AND state IN ('running', 'stuck')
        """,
        (state.value, summary, _failure(failure), at, operation),
    )
    if not cursor.rowcount:
        raise StoreRejected(f"operation {operation} has ended already, or never began")
    db.execute(
        "UPDATE steps SET state = 'failed', ended_at = ? WHERE operation = ? AND state = 'running'", (at, operation)
    )
    db.execute("UPDATE steps SET state = 'skipped' WHERE operation = ? AND state = 'pending'", (operation,))
    _event(db, operation, "end", at, state=state.value, text=summary)


def _add_steps(db: sqlite3.Connection, operation: int, steps: Sequence[str]) -> None:
    db.executemany(
        "INSERT INTO steps (operation, position, name) VALUES (?, ?, ?)",
        [(operation, position, name) for position, name in enumerate(steps)],
    )


def _event(
    db: sqlite3.Connection, operation: int, kind: str, at: float, *, step: str = "", state: str = "", text: str = ""
) -> None:
    db.execute(
        "INSERT INTO events (operation, kind, step, state, text, at) VALUES (?, ?, ?, ?, ?, ?)",
        (operation, kind, step, state, text, at),
    )


def _failure(failure: Failure | None) -> str | None:
    return None if failure is None else json.dumps(dataclasses.asdict(failure))


def _expect(cursor: sqlite3.Cursor, operation: int, step: str = "") -> None:
    if not cursor.rowcount:
        what = f"step {step} in operation {operation}" if step else f"operation {operation}"
        raise StoreRejected(f"the release log has no {what}")
