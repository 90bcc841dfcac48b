"""Schema versions of the release log: `PRAGMA user_version` says how many of `MIGRATIONS` a file has had."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from cockpit.model import Actor, AuditRow, PlacementKey
from cockpit.store import audit, locks
from cockpit.store.schema import FIRST, INDEXES, OPERATIONS, index_of, only_added

Migration = tuple[str | Callable[[sqlite3.Connection], None], ...]  # statements and steps of one transaction

# Operations of any kind: the first schema knew deploys and rollbacks.
ANY_KIND: Migration = (
    OPERATIONS.replace("CREATE TABLE operations", "CREATE TABLE operations_2").replace(
        "CHECK (kind IN ('deploy', 'rollback'))", "CHECK (kind <> '')"
    ),
    "INSERT INTO operations_2 SELECT * FROM operations",
    "DROP TABLE operations",
    "ALTER TABLE operations_2 RENAME TO operations",
    *(each for each in INDEXES if index_of(each) == "operations"),
)


def _into_the_audit(db: sqlite3.Connection) -> None:
    """What the journal had becomes the beginning of the chain: from then on it cannot be changed unseen either."""
    rows = db.execute(
        """
        SELECT at, actor, text, service, environment, operation, entries.cli
        FROM entries LEFT JOIN placements ON placements.id = placement ORDER BY entries.id
        """
    )
    for at, actor, text, service, environment, operation, cli in rows.fetchall():
        key = PlacementKey(service, environment) if service else None
        audit.add(db, AuditRow(0, at, Actor(actor), "note", "done", key, operation, text, cli=cli))


# Who did what, chained, instead of the journal; locks of operators, and what an operation went through.
AUDIT: Migration = (
    "ALTER TABLE operations ADD COLUMN overrides TEXT NOT NULL DEFAULT ''",
    locks.TABLE,
    audit.TABLE,
    audit.INDEX,
    *only_added("audit"),
    _into_the_audit,
    "DROP TABLE entries",
)

MIGRATIONS: tuple[Migration, ...] = (FIRST, ANY_KIND, AUDIT)


def version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def migrate(db: sqlite3.Connection, path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the file up to date, each migration and its number in one transaction; an older one is copied first."""
    known = version(db)
    if 0 < known < len(migrations):
        _copy(db, path.with_name(f"{path.name}.v{known}"))
    db.execute("PRAGMA foreign_keys = OFF")  # a table that is made anew is gone for a moment
    try:
        for number, statements in enumerate(migrations[known:], start=known + 1):
            _apply(db, number, statements)
    finally:
        db.execute("PRAGMA foreign_keys = ON")


def _apply(db: sqlite3.Connection, number: int, statements: Migration) -> None:
    db.execute("BEGIN EXCLUSIVE")
    try:
        for statement in statements:
            statement(db) if callable(statement) else db.execute(statement)
        if db.execute("PRAGMA foreign_key_check").fetchone() is not None:
            raise sqlite3.IntegrityError("a migration would leave rows without what they refer to")
        db.execute(f"PRAGMA user_version = {number}")
        db.execute("COMMIT")
    except sqlite3.Error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _copy(db: sqlite3.Connection, into: Path) -> None:
    into.unlink(missing_ok=True)
    into.touch(mode=0o600)
    db.execute("VACUUM INTO ?", (str(into),))
