"""Which releases a placement can go back to, and whose images may go."""

from __future__ import annotations

import sqlite3

from cockpit.model import PlacementKey
from cockpit.store import releases
from cockpit.store.base import ReleaseRecord

_GOOD = "good_at IS NOT NULL AND rolled_back_at IS NULL AND bad_reason = '' AND NOT failed AND NOT image_removed"


def last_good(db: sqlite3.Connection, key: PlacementKey, excluding: int | None = None) -> ReleaseRecord | None:
    found = _good(db, key, 1, excluding)
    return found[0] if found else None


def removable(db: sqlite3.Connection, key: PlacementKey, keep: int) -> tuple[ReleaseRecord, ...]:
    """Oldest first. An image that a kept release of any placement has as well is not among them."""
    having = releases.select(
        db,
        "service = ? AND environment = ? AND image <> '' AND NOT image_removed ORDER BY number",
        (key.service, key.environment),
    )
    kept = _kept(db, key, having, keep)
    candidates = [record for record in having if record.number not in kept]
    images = {record.image for record in having if record.number in kept}
    images |= {image for image in {record.image for record in candidates} if _kept_elsewhere(db, key, image, keep)}
    return tuple(record for record in candidates if record.image not in images)


def _good(db: sqlite3.Connection, key: PlacementKey, limit: int, excluding: int | None) -> tuple[ReleaseRecord, ...]:
    return releases.select(
        db,
        f"service = ? AND environment = ? AND {_GOOD} AND number IS NOT ? ORDER BY number DESC LIMIT ?",
        (key.service, key.environment, excluding, limit),
    )


def _kept(db: sqlite3.Connection, key: PlacementKey, having: tuple[ReleaseRecord, ...], keep: int) -> set[int]:
    """Live, running or kept stopped, being deployed, the newest `keep` good ones, and where a rollback would go."""
    live = next((record.number for record in having if record.live_since is not None), None)
    kept = {record.number for record in _good(db, key, keep, None)}
    kept |= {record.number for record in _good(db, key, 1, live)}
    kept |= {record.number for record in having if _in_use(record)}
    return kept | _in_operation(db, key)


def _in_use(record: ReleaseRecord) -> bool:
    running = record.live_since is not None or record.hot_until is not None or record.slot is not None
    return running or record.stopped


def _in_operation(db: sqlite3.Connection, key: PlacementKey) -> set[int]:
    """A release that an unfinished operation makes or leaves, also before it has a slot."""
    rows = db.execute(
        """
        SELECT from_release, to_release FROM operations JOIN placements ON placements.id = placement
        WHERE state IN ('running', 'stuck') AND service = ? AND environment = ?
        """,
        (key.service, key.environment),
    )
    return {number for row in rows for number in row if number is not None}


def _kept_elsewhere(db: sqlite3.Connection, key: PlacementKey, image: str, keep: int) -> bool:
    sharing = releases.select(db, "image = ? AND NOT image_removed", (image,))
    for other in {record.key for record in sharing} - {key}:
        theirs = tuple(record for record in sharing if record.key == other)
        kept = _kept(db, other, theirs, keep)
        if any(record.number in kept for record in theirs):
            return True
    return False
