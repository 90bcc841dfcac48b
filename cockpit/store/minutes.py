"""The minutes of health that are kept for a week: for people, not for recovery."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from cockpit.model import PlacementKey
from cockpit.store import placements
from cockpit.store.base import Minute


def add(db: sqlite3.Connection, minutes: Sequence[Minute]) -> None:
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


def since(db: sqlite3.Connection, start: float) -> tuple[Minute, ...]:
    """Of all placements, in one go: five hundred questions would hold up a start."""
    keys = {
        number: PlacementKey(*key) for number, *key in db.execute("SELECT id, service, environment FROM placements")
    }
    rows = db.execute(
        """
        SELECT placement, at, probes, failed, probe_p95_ms, requests, errors, p95_ms
        FROM placements CROSS JOIN minutes ON placement = id WHERE at >= ? ORDER BY placement, at
        """,
        (start,),
    )
    return tuple(Minute(keys[placement], *row) for placement, *row in rows)


def prune(db: sqlite3.Connection, before: float) -> None:
    db.execute("DELETE FROM minutes WHERE placement IN (SELECT id FROM placements) AND at < ?", (before,))
