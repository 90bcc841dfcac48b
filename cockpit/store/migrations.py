"""Schema versions of the release log: `PRAGMA user_version` says how many of `MIGRATIONS` a file has had."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from cockpit.store.schema import FIRST, INDEXES, OPERATIONS, index_of

Migration = tuple[str, ...]  # statements of one transaction

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

MIGRATIONS: tuple[Migration, ...] = (FIRST, ANY_KIND)


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
            db.execute(statement)
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
