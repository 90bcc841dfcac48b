"""What the engine did, line by line, and the minutes of health; the journal is for people, not for recovery."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from cockpit.model import PlacementKey
from cockpit.store import placements
from cockpit.store.base import Entry, Minute


def add_entry(db: sqlite3.Connection, entry: Entry) -> int:
    """Gives the new entry's id; the one in `entry` is not looked at."""
    placement = placements.ensure(db, entry.key) if entry.key else None
    cursor = db.execute(
        "INSERT INTO entries (at, actor, text, placement, operation, cli) VALUES (?, ?, ?, ?, ?, ?)",
        (entry.at, entry.actor, entry.text, placement, entry.operation, entry.cli),
    )
    return int(cursor.lastrowid or 0)


def entries(db: sqlite3.Connection, limit: int, key: PlacementKey | None) -> tuple[Entry, ...]:
    where, values = ("WHERE placement = ?", (placements.find(db, key),)) if key else ("", ())
    rows = db.execute(
        f"""
        SELECT entries.id, at, actor, text, service, environment, operation, cli
        FROM entries LEFT JOIN placements ON placements.id = placement {where} ORDER BY entries.id DESC LIMIT ?
        """,
        (*values, limit),
    )
    return tuple(
        Entry(number, at, actor, text, PlacementKey(service, environment) if service else None, operation, cli)
        for number, at, actor, text, service, environment, operation, cli in rows
    )


def add_minutes(db: sqlite3.Connection, minutes: Sequence[Minute]) -> None:
    """A minute that comes again replaces itself."""
    rows = [
        (
            placements.ensure(db, minute.key),
            minute.at,
            minute.probes,
            minute.failed,
            minute.probe_p95_ms,
            minute.requests,
            minute.errors,
            minute.p95_ms,
        )
        for minute in minutes
    ]
    db.executemany("INSERT OR REPLACE INTO minutes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


def minutes(db: sqlite3.Connection, key: PlacementKey, since: float) -> tuple[Minute, ...]:
    rows = db.execute(
        """
        SELECT at, probes, failed, probe_p95_ms, requests, errors, p95_ms
        FROM minutes WHERE placement = ? AND at >= ? ORDER BY at
        """,
        (placements.find(db, key), since),
    )
    return tuple(Minute(key, *row) for row in rows)


def prune_minutes(db: sqlite3.Connection, before: float) -> None:
    db.execute("DELETE FROM minutes WHERE placement IN (SELECT id FROM placements) AND at < ?", (before,))
