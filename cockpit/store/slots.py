"""Slots: which release has which block of addresses, and how long a freed one has rested."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from cockpit.errors import StoreError
from cockpit.model import PlacementKey
from cockpit.store import placements
from cockpit.store.base import SlotLease


@dataclass(frozen=True, slots=True)
class Correction:
    """What the log says otherwise of a placement than its host."""

    freed: tuple[int, ...] = ()  # leased, and nothing is there
    held: tuple[tuple[int, int], ...] = ()  # slot and release: its containers are there, and it has no lease
    moved: tuple[tuple[int, int], ...] = ()  # slot and release: it is there, and not where its row says


def correct(db: sqlite3.Connection, key: PlacementKey, found: Correction, at: float) -> None:
    placement = placements.find(db, key)
    for slot in found.freed:
        free(db, slot, at)
    for slot, release in found.held:
        _give(db, slot, placement, release, at)
    for slot, release in found.moved:
        db.execute("UPDATE releases SET slot = ? WHERE placement = ? AND number = ?", (slot, placement, release))


def lease(
    db: sqlite3.Connection,
    key: PlacementKey,
    release: int,
    slots: int,
    *,
    rest: float,
    avoid: frozenset[int],
    at: float,
) -> int:
    """A release that has a slot keeps it (unless it is to be avoided), so that a repeated step gets the same one."""
    placement = placements.find(db, key)
    held = _held(db, placement, release)
    if held is not None and held < slots and held not in avoid:
        return held
    chosen = _choose(db, slots, rest, avoid, at)
    if held is not None:
        free(db, held, at)
    _give(db, chosen, placement, release, at)
    db.execute("UPDATE releases SET slot = ? WHERE placement = ? AND number = ?", (chosen, placement, release))
    return chosen


def spare(
    db: sqlite3.Connection,
    key: PlacementKey,
    release: int,
    slots: int,
    *,
    rest: float,
    avoid: frozenset[int],
    at: float,
) -> int:
    """A second slot of a release that keeps the one it has, until it has moved: then its row says which it is."""
    chosen = _choose(db, slots, rest, avoid, at)
    _give(db, chosen, placements.find(db, key), release, at)
    return chosen


def _give(db: sqlite3.Connection, slot: int, placement: int | None, release: int, at: float) -> None:
    row = (slot, placement, release, at)
    db.execute("INSERT OR REPLACE INTO slots (slot, placement, release, leased_at) VALUES (?, ?, ?, ?)", row)


def free(db: sqlite3.Connection, slot: int, at: float) -> None:
    db.execute("UPDATE slots SET freed_at = ? WHERE slot = ? AND freed_at IS NULL", (at, slot))
    db.execute("UPDATE releases SET slot = NULL WHERE slot = ?", (slot,))


def held_by(db: sqlite3.Connection, key: PlacementKey) -> frozenset[int]:
    """Numbers of the placement's releases that hold one."""
    rows = db.execute("SELECT release FROM slots WHERE placement = ? AND freed_at IS NULL", (placements.find(db, key),))
    return frozenset(int(number) for (number,) in rows)


def leases(db: sqlite3.Connection) -> tuple[SlotLease, ...]:
    rows = db.execute(
        """
        SELECT slot, service, environment, release, leased_at, freed_at
        FROM slots JOIN placements ON id = placement ORDER BY slot
        """
    )
    return tuple(
        SlotLease(slot, PlacementKey(service, environment), release, leased_at, freed_at)
        for slot, service, environment, release, leased_at, freed_at in rows
    )


def _held(db: sqlite3.Connection, placement: int | None, release: int) -> int | None:
    row = db.execute(
        """
        SELECT slots.slot FROM slots JOIN releases
        ON slots.placement = releases.placement AND slots.release = number AND slots.slot = releases.slot
        WHERE slots.placement = ? AND number = ? AND freed_at IS NULL
        """,
        (placement, release),
    ).fetchone()
    return int(row[0]) if row else None


def _choose(db: sqlite3.Connection, slots: int, rest: float, avoid: frozenset[int], at: float) -> int:
    """The lowest that was never used, else the one that has rested longest. Those of a wrong clock come last."""
    used: dict[int, float | None] = dict(db.execute("SELECT slot, freed_at FROM slots"))
    never = next((slot for slot in range(slots) if slot not in used and slot not in avoid), None)
    if never is not None:
        return never
    rested = [
        (freed, slot)
        for slot, freed in used.items()
        if freed is not None and _rested(freed, rest, at) and slot < slots and slot not in avoid
    ]
    if not rested:
        raise StoreError(
            f"no free slot: {len(used)} of {slots} are leased or rest for {rest:.0f} s",
            "wait until one has rested, stop hot releases, or give the cockpit's network a larger subnet",
        )
    return min(rested)[1]


def _rested(freed: float, rest: float, at: float) -> bool:
    """Further ahead than a rest was written while the clock was wrong: nobody would have it until that time comes."""
    return freed + rest <= at or freed > at + rest
