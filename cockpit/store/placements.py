"""Placements in the release log: which release is live, and who holds it."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from cockpit.model import Hold, PlacementKey
from cockpit.store.base import PlacementRecord

_SELECT = """
SELECT service, environment, number, hold_by, hold_at, hold_reason, hold_bad
FROM placements LEFT JOIN releases ON placement = id AND live_since IS NOT NULL
"""


def find(db: sqlite3.Connection, key: PlacementKey) -> int | None:
    """The placement's row id."""
    row = db.execute(
        "SELECT id FROM placements WHERE service = ? AND environment = ?", (key.service, key.environment)
    ).fetchone()
    return int(row[0]) if row else None


def ensure(db: sqlite3.Connection, key: PlacementKey) -> int:
    known = find(db, key)
    if known is not None:
        return known
    cursor = db.execute("INSERT INTO placements (service, environment) VALUES (?, ?)", (key.service, key.environment))
    return int(cursor.lastrowid or 0)


def one(db: sqlite3.Connection, key: PlacementKey) -> PlacementRecord:
    row = db.execute(f"{_SELECT} WHERE service = ? AND environment = ?", (key.service, key.environment)).fetchone()
    return _record(row) if row else PlacementRecord(key)


def every(db: sqlite3.Connection) -> tuple[PlacementRecord, ...]:
    return tuple(_record(row) for row in db.execute(f"{_SELECT} ORDER BY service, environment"))


def set_hold(db: sqlite3.Connection, key: PlacementKey, hold: Hold | None) -> None:
    values: tuple[Any, ...] = (None, None, None, "[]")
    if hold:
        values = (hold.by, hold.at, hold.reason, json.dumps(hold.bad_commits))
    db.execute(
        "UPDATE placements SET hold_by = ?, hold_at = ?, hold_reason = ?, hold_bad = ? WHERE id = ?",
        (*values, ensure(db, key)),
    )


def _record(row: tuple[Any, ...]) -> PlacementRecord:
    service, environment, live, by, at, reason, bad = row
    hold = None if by is None else Hold(by, at, reason, tuple(json.loads(bad)))
    return PlacementRecord(PlacementKey(service, environment), live, hold)
