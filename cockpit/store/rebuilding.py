"""Releases that the hosts still have and the release log has not: entered as they were found, or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cockpit.model import Hold, PlacementKey
from cockpit.store import placements, releases
from cockpit.store.base import ReleaseRecord


@dataclass(frozen=True, slots=True)
class Found:
    """Of one placement. `slots` are all that its containers are in, each with its release."""

    key: PlacementKey
    releases: tuple[ReleaseRecord, ...]
    live: int | None
    slots: tuple[tuple[int, int], ...] = ()
    hold: Hold | None = None


def enter(db: sqlite3.Connection, found: Found, at: float, hot_until: float) -> None:
    """Numbers of operations go on after the highest that made one of these releases: labels and logs have them too."""
    for record in found.releases:
        releases.add(db, replace(record, slot=None))
    for slot, release in found.slots:
        _lease(db, found.key, slot, release, at)
    for record in found.releases:
        releases.update(db, found.key, record.number, {"slot": record.slot})
    if found.live is not None:
        releases.set_live(db, found.key, found.live, at, hot_until, None)
    if found.hold is not None:
        placements.set_hold(db, found.key, found.hold)
    _go_on_after(db, max((record.operation for record in found.releases), default=0))


def _lease(db: sqlite3.Connection, key: PlacementKey, slot: int, release: int, at: float) -> None:
    """Whoever had it in the log has lost it: containers are facts."""
    placement = placements.find(db, key)
    db.execute("UPDATE releases SET slot = NULL WHERE slot = ? AND NOT (placement = ? AND number = ?)",
               (slot, placement, release))  # fmt: skip
    db.execute(
        "INSERT OR REPLACE INTO slots (slot, placement, release, leased_at) VALUES (?, ?, ?, ?)",
        (slot, placement, release, at),
    )


def _go_on_after(db: sqlite3.Connection, operation: int) -> None:
    changed = db.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'operations'", (operation,))
    if not changed.rowcount:
        db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('operations', ?)", (operation,))


def last_operation(db: sqlite3.Connection) -> int:
    (last,) = db.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'operations'").fetchone()
    return last or 0


def numbers(db: sqlite3.Connection, key: PlacementKey) -> Sequence[int]:
    """All numbers that the log has."""
    placement = placements.find(db, key)
    return [number for (number,) in db.execute("SELECT number FROM releases WHERE placement = ?", (placement,))]
