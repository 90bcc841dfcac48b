"""Operators' locks in the release log, which outlive the engine; the freeze is the one that names no placement."""

from __future__ import annotations

import sqlite3

from cockpit.model import Lock, PlacementKey

TABLE = """
CREATE TABLE locks (
    service     TEXT NOT NULL,
    environment TEXT NOT NULL,
    by          TEXT NOT NULL,
    at          REAL NOT NULL,
    reason      TEXT NOT NULL CHECK (reason <> ''),
    until       REAL NOT NULL,
    PRIMARY KEY (service, environment),
    CHECK ((service = '') = (environment = ''))
) STRICT, WITHOUT ROWID
"""


def put(db: sqlite3.Connection, key: PlacementKey | None, lock: Lock | None) -> None:
    """None lifts it. `key` None is the freeze."""
    where = (key.service, key.environment) if key else ("", "")
    db.execute("DELETE FROM locks WHERE service = ? AND environment = ?", where)
    if lock is not None:
        values = (*where, lock.by, lock.at, lock.reason, lock.until)
        db.execute("INSERT INTO locks VALUES (?, ?, ?, ?, ?, ?)", values)


def every(db: sqlite3.Connection) -> dict[PlacementKey | None, Lock]:
    rows = db.execute("SELECT service, environment, by, at, reason, until FROM locks")
    return {
        PlacementKey(service, environment) if service else None: Lock(*rest) for service, environment, *rest in rows
    }
