"""Opening the release log's file: what to trust, how to journal, what to do with a damaged or a newer one.

All of it blocks, so it runs in the database's own thread.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cockpit.errors import StoreError
from cockpit.store.checking import problem
from cockpit.store.migrations import MIGRATIONS, Migration, migrate, version

APPLICATION_ID = 0x636F636B  # "cock": another program's database is never touched
BUILD = sqlite3.sqlite_version_info
BUSY_SECONDS = 1.0  # nobody else has business in it, and a rollback waits for it twice
SIDECARS = ("-journal", "-wal", "-shm")
WHOLE_BYTES = 8 * 2**20  # of a log that is checked whole at opening, in 50 ms; of a larger one `checking` does the rest
DECISIVE = ("placements", "slots", "locks", "releases")  # what a start and a rollback stand on; 70 000 releases: 40 ms


@dataclass(frozen=True, slots=True)
class Opened:
    """`note` says what was unusual; `read_only_reason` is set when nothing may be written. `whole`: all was checked."""

    db: sqlite3.Connection
    note: str = ""
    read_only_reason: str = ""
    whole: bool = True


class _Damaged(Exception):
    pass


def journal_mode(sqlite: tuple[int, ...] = BUILD) -> str:
    """WAL only where its reset race is fixed (3.51.3, 3.50.7, 3.44.6), else PERSIST."""
    fixed = (
        sqlite >= (3, 51, 3) or (3, 50, 7) <= sqlite < (3, 51) or (3, 44, 6) <= sqlite < (3, 45)
    )  # the release lines that got the fix
    return "wal" if fixed else "persist"


def open_file(path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> Opened:
    """Raises StoreError when the file can be neither used nor set aside."""
    try:
        _create(path)
        try:
            return _open(path, migrations)
        except _Damaged as damage:
            aside = _set_aside(path)
            _create(path)
            note = f"the release log was damaged ({damage}); it is kept as {aside.name}, a new one was begun"
            return replace(_open(path, migrations), note=note)
    except (sqlite3.Error, OSError, _Damaged) as error:
        raise StoreError(
            f"the release log {path} cannot be opened: {error}",
            "check that its directory is on a local disk, has space, and belongs to the engine's user",
        ) from error


def _create(path: Path) -> None:
    """Only the owner may read it; SQLite gives its sidecars the same mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():  # closing a file that SQLite has open in this process would drop its locks
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)


def _open(path: Path, migrations: Sequence[Migration]) -> Opened:
    db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
    try:
        return _ready(db, path, migrations)
    except BaseException:  # nobody else knows of the connection yet
        db.close()
        raise


def _ready(db: sqlite3.Connection, path: Path, migrations: Sequence[Migration]) -> Opened:
    found, whole = _check(db, path)
    for pragma in ("foreign_keys = ON", "trusted_schema = OFF", "cell_size_check = ON", "synchronous = FULL"):
        db.execute(f"PRAGMA {pragma}")
    if found > len(migrations):
        db.execute("PRAGMA query_only = ON")
        reason = f"the release log was written by a newer cockpit (schema {found}, this one knows {len(migrations)})"
        return Opened(db, read_only_reason=reason, whole=whole)
    suspect(path).unlink(missing_ok=True)
    db.execute(f"PRAGMA journal_mode = {journal_mode()}").fetchone()
    if not found:
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    migrate(db, path, migrations)
    return Opened(db, whole=whole)


def _check(db: sqlite3.Connection, path: Path) -> tuple[int, bool]:
    """The schema's version, 0 for an empty file, and whether all of it was checked.

    Raises _Damaged, or StoreError for another program's file."""
    try:
        found = version(db)
        application = int(db.execute("PRAGMA application_id").fetchone()[0])
        tables = int(db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
        whole = suspect(path).exists() or _bytes(db) <= WHOLE_BYTES
        damage = problem(db) if whole else next(filter(None, (problem(db, each) for each in _decisive(db))), "")
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise _Damaged(str(error)) from error
    if damage:
        raise _Damaged(damage)
    if application != APPLICATION_ID and (application or tables):
        raise StoreError(f"{path} belongs to another program", "choose another state directory (COCKPIT_STATE)")
    return found, whole


def suspect(path: Path) -> Path:
    """There when the log showed damage while it was used: then the next opening checks all of it."""
    return path.with_name(f"{path.name}.suspect")


def _bytes(db: sqlite3.Connection) -> int:
    pages, size = (int(db.execute(f"PRAGMA {each}").fetchone()[0]) for each in ("page_count", "page_size"))
    return pages * size


def _decisive(db: sqlite3.Connection) -> Sequence[str]:
    """Those of them that there are already."""
    there = {str(name) for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    return [table for table in DECISIVE if table in there]


def _set_aside(path: Path) -> Path:
    """Moved together under one name, because SQLite finds a database's sidecars by it."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = path.with_name(f"{path.name}.damaged-{stamp}-{os.getpid()}")
    for suffix in ("", *SIDECARS):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.rename(aside.with_name(aside.name + suffix))
    suspect(path).unlink(missing_ok=True)
    return aside
