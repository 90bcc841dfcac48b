"""All that the engine keeps in memory of a placement, read in one go: one state of the log, one trip to its thread."""

from __future__ import annotations

import sqlite3

from cockpit.model import Operation, OperationKind, PlacementKey
from cockpit.store import history, placements, releases, retention, slots
from cockpit.store.base import PlacementRows, ReleaseRecord

OPERATIONS = 5  # of a placement that are looked through for its newest deploy or rollback,
MANY = 500  # … and when all of those are restarts


def of(db: sqlite3.Connection, key: PlacementKey, limit: int, live: int | None) -> PlacementRows:
    """`live`: the release that is known to have the customers, whatever the log says."""
    row = placements.one(db, key)
    return PlacementRows(row, _releases(db, key, limit, row.live if live is None else live), _operations(db, key))


def _releases(db: sqlite3.Connection, key: PlacementKey, limit: int, live: int | None) -> tuple[ReleaseRecord, ...]:
    """The newest, and behind them the live one, the last good one, and what still has addresses on its host: many
    failed deploys must hide none of those."""
    found = {each.number: each for each in releases.newest(db, key, limit)}
    good = retention.last_good(db, key, live)
    needed = {live, good.number if good else None, *slots.held_by(db, key)} - found.keys() - {None}
    older = (releases.one(db, key, number) for number in sorted(filter(None, needed), reverse=True))
    return (*found.values(), *filter(None, older))


def _operations(db: sqlite3.Connection, key: PlacementKey) -> tuple[Operation, ...]:
    found = history.newest(db, key, OPERATIONS, told=1)
    if found and all(each.kind is OperationKind.RESTART for each in found):
        return history.newest(db, key, MANY, told=1)
    return found
