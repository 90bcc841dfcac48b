"""The audit in the release log: rows that are only ever added, each chained to the one before in its own transaction.

A row names its service and environment itself: it must not come to say something else when another table does. And
the table checks nothing: a row that somebody changed is one to be named, not a damaged file to be set aside.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from typing import Any

from cockpit.model import Actor, AuditRow, OperationState, PlacementKey
from cockpit.store import chain

TABLE = """
CREATE TABLE audit (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    at            REAL NOT NULL,
    actor         TEXT NOT NULL,
    actor_uid     INTEGER NOT NULL,
    actor_login   TEXT NOT NULL,
    actor_claimed TEXT NOT NULL,
    action        TEXT NOT NULL,
    outcome       TEXT NOT NULL,
    service       TEXT,
    environment   TEXT,
    operation     INTEGER,
    text          TEXT NOT NULL,
    reason        TEXT NOT NULL,
    seconds       REAL,
    overrides     TEXT NOT NULL,
    cli           TEXT NOT NULL,
    previous      TEXT NOT NULL,
    hash          TEXT NOT NULL
) STRICT
"""
INDEX = "CREATE INDEX audit_placement ON audit (service, environment, id)"

_SELECT = """
SELECT id, at, actor, actor_uid, actor_login, actor_claimed, action, outcome, service, environment, operation,
       text, reason, seconds, overrides, cli, previous, hash
FROM audit
"""


def add(db: sqlite3.Connection, new: AuditRow) -> AuditRow:
    """Gives it back with its number and its hashes; what `new` has there is not looked at."""
    found = db.execute("SELECT hash FROM audit ORDER BY id DESC LIMIT 1").fetchone()
    row = chain.chained(dataclasses.replace(new, id=highest(db) + 1), found[0] if found else chain.GENESIS)
    db.execute(f"INSERT INTO audit VALUES ({', '.join('?' * 18)})", _values(row))
    return row


def highest(db: sqlite3.Connection) -> int:
    """The largest number that was ever given out: also when rows were taken away behind our back."""
    found = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'audit'").fetchone()
    (there,) = db.execute("SELECT coalesce(max(id), 0) FROM audit").fetchone()
    return max(int(found[0]) if found else 0, int(there))


def newest(db: sqlite3.Connection, limit: int, key: PlacementKey | None, before: int | None) -> tuple[AuditRow, ...]:
    where = "id < ?" + (" AND service = ? AND environment = ?" if key else "")
    values = (before if before is not None else 2**62, *((key.service, key.environment) if key else ()))
    return _rows(db, f"WHERE {where} ORDER BY id DESC LIMIT ?", (*values, limit))


def page(db: sqlite3.Connection, after: int, limit: int) -> tuple[AuditRow, ...]:
    """Oldest first."""
    return _rows(db, "WHERE id > ? ORDER BY id LIMIT ?", (after, limit))


def operation_began(db: sqlite3.Connection, operation: int, at: float, cli: str) -> AuditRow:
    return add(db, dataclasses.replace(_of_operation(db, operation), at=at, outcome="began", cli=cli))


def operation_ended(
    db: sqlite3.Connection, operation: int, state: OperationState, summary: str, at: float, *, recovered: bool
) -> AuditRow:
    """`recovered`: it was the engine that found it open and ended it, not who had begun it."""
    row = _of_operation(db, operation)
    row = dataclasses.replace(row, outcome=state.value, text=summary, seconds=max(0.0, at - row.at), at=at)
    if recovered:
        row = dataclasses.replace(row, actor=ENGINE, action="recovery", text=f"{row.action}: {summary}")
    return add(db, row)


ENGINE = Actor("cockpit")  # who did what nobody asked for


def _of_operation(db: sqlite3.Connection, operation: int) -> AuditRow:
    found = db.execute(
        """
        SELECT started_at, actor, actor_uid, actor_login, actor_claimed, kind, service, environment, reason, overrides
        FROM operations JOIN placements ON placements.id = placement WHERE operations.id = ?
        """,
        (operation,),
    ).fetchone()
    at, *actor, kind, service, environment, reason, overrides = found
    key = PlacementKey(service, environment)
    return AuditRow(0, at, Actor(*actor), kind, "", key, operation, reason=reason, overrides=lines_of(overrides))


def text_of(lines: tuple[str, ...]) -> str:
    return "\n".join(lines)


def lines_of(text: str) -> tuple[str, ...]:
    return tuple(text.split("\n")) if text else ()


def _values(row: AuditRow) -> tuple[Any, ...]:
    actor, key = row.actor, row.key
    return (
        row.id,
        row.at,
        *dataclasses.astuple(actor),
        row.action,
        row.outcome,
        key.service if key else None,
        key.environment if key else None,
        row.operation,
        row.text,
        row.reason,
        row.seconds,
        text_of(row.overrides),
        row.cli,
        row.previous,
        row.hash,
    )


def _rows(db: sqlite3.Connection, clause: str, values: tuple[Any, ...]) -> tuple[AuditRow, ...]:
    return tuple(_row(*found) for found in db.execute(f"{_SELECT} {clause}", values))


def _row(number: int, at: float, *more: Any) -> AuditRow:
    actor, (action, outcome, service, environment, operation, text, reason, seconds, overrides, *rest) = (
        more[:4],
        more[4:],
    )
    cli, previous, digest = rest
    key = None if service is None and environment is None else PlacementKey(service or "", environment or "")
    return AuditRow(
        number,
        at,
        Actor(*actor),
        action,
        outcome,
        key,
        operation,
        text,
        reason,
        seconds,
        lines_of(overrides),
        cli,
        previous,
        digest,
    )
