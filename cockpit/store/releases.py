"""Releases in the release log: numbered per placement, one of them live, never deleted."""

from __future__ import annotations

import dataclasses
import sqlite3
from typing import Any, TypedDict

from cockpit.errors import StoreRejected
from cockpit.model import PlacementKey
from cockpit.store import placements
from cockpit.store.base import ReleaseRecord

_FIELDS = tuple(field.name for field in dataclasses.fields(ReleaseRecord) if field.name != "key")
_COLUMNS = {name: "commit_sha" if name == "commit" else name for name in _FIELDS}
_FLAGS = frozenset({"stopped", "failed", "image_removed"})
_FLAGGED = tuple(_FIELDS.index(name) for name in sorted(_FLAGS))
_SELECT = f"SELECT service, environment, {', '.join(_COLUMNS.values())} FROM releases JOIN placements ON id = placement"


class ReleaseChange(TypedDict, total=False):
    """What may change in a release after it was added."""

    operation: int
    commit: str
    tree: str
    subject: str
    author: str
    by: str
    created_at: float
    commits: int
    image: str
    spec: str
    slot: int | None
    took_traffic_at: float | None
    live_since: float | None
    left_traffic_at: float | None
    served_seconds: float
    good_at: float | None
    baking_until: float | None
    hot_until: float | None
    stopped: bool
    rolled_back_at: float | None
    bad_reason: str
    failed: bool
    image_removed: bool


_CHANGES = frozenset(ReleaseChange.__annotations__)


def add(db: sqlite3.Connection, record: ReleaseRecord) -> ReleaseRecord:
    placement = placements.ensure(db, record.key)
    if not record.number:
        (last,) = db.execute("SELECT max(number) FROM releases WHERE placement = ?", (placement,)).fetchone()
        record = dataclasses.replace(record, number=(last or 0) + 1)
    marks = ", ".join("?" * (len(_FIELDS) + 1))
    values = [_stored(getattr(record, name)) for name in _FIELDS]
    db.execute(
        f"INSERT INTO releases (placement, {', '.join(_COLUMNS.values())}) VALUES ({marks})", (placement, *values)
    )
    return record


def one(db: sqlite3.Connection, key: PlacementKey, number: int) -> ReleaseRecord | None:
    found = select(db, "service = ? AND environment = ? AND number = ?", (key.service, key.environment, number))
    return found[0] if found else None


def newest(db: sqlite3.Connection, key: PlacementKey, limit: int) -> tuple[ReleaseRecord, ...]:
    return select(
        db,
        "service = ? AND environment = ? ORDER BY number DESC LIMIT ?",
        (key.service, key.environment, limit),
    )


def update(db: sqlite3.Connection, key: PlacementKey, number: int, change: ReleaseChange) -> None:
    unknown = change.keys() - _CHANGES
    if unknown:
        raise TypeError(f"a release has no {', '.join(sorted(unknown))}")
    if not change:
        return
    assignments = ", ".join(f"{_COLUMNS[name]} = ?" for name in change)
    cursor = db.execute(
        f"UPDATE releases SET {assignments} WHERE placement = ? AND number = ?",
        (*(_stored(value) for value in change.values()), placements.find(db, key), number),
    )
    if not cursor.rowcount:
        raise StoreRejected(f"{key} has no release r{number} in the release log")


def set_live(
    db: sqlite3.Connection,
    key: PlacementKey,
    number: int,
    at: float,
    hot_until: float | None,
    baking_until: float | None,
) -> None:
    """Saying it twice changes nothing but the watch: recovery may repeat it."""
    placement = placements.find(db, key)
    db.execute(
        """
        UPDATE releases SET served_seconds = served_seconds + max(0.0, ? - live_since), live_since = NULL,
                            left_traffic_at = ?, hot_until = ?, baking_until = NULL
        WHERE placement = ? AND live_since IS NOT NULL AND number <> ?
        """,
        (at, at, hot_until, placement, number),
    )
    cursor = db.execute(
        """
        UPDATE releases SET live_since = coalesce(live_since, ?), took_traffic_at = coalesce(took_traffic_at, ?),
                            baking_until = ?, hot_until = NULL, stopped = 0, failed = 0
        WHERE placement = ? AND number = ?
        """,
        (at, at, baking_until, placement, number),
    )
    if not cursor.rowcount:
        raise StoreRejected(f"{key} has no release r{number} in the release log")


def hot_expired(db: sqlite3.Connection, now: float) -> tuple[ReleaseRecord, ...]:
    return select(db, "hot_until <= ? AND live_since IS NULL ORDER BY hot_until", (now,))


def select(db: sqlite3.Connection, where: str, values: tuple[Any, ...]) -> tuple[ReleaseRecord, ...]:
    return tuple(_record(row) for row in db.execute(f"{_SELECT} WHERE {where}", values))


def _record(row: tuple[Any, ...]) -> ReleaseRecord:
    service, environment, *values = row
    for place in _FLAGGED:
        values[place] = bool(values[place])
    return ReleaseRecord(PlacementKey(service, environment), *values)


def _stored(value: object) -> object:
    return int(value) if isinstance(value, bool) else value
