"""Opening the release log's file: what to trust, how to journal, what to do with a damaged or a newer one.

All of it blocks, so it runs in the database's own thread.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cockpit.errors import StoreError
from cockpit.store.migrations import MIGRATIONS, Migration, migrate, version

APPLICATION_ID = 0x636F636B  # "cock": another program's database is never touched
BUILD = sqlite3.sqlite_version_info
BUSY_SECONDS = 1.0  # nobody else has business in it, and a rollback waits for it twice
SIDECARS = ("-journal", "-wal", "-shm")
CHECK_SECONDS = 0.1  # neither a start nor a rollback must wait for a check of years of history
FIRST_CHECKED = ("placements", "slots", "releases", "operations")  # what a rollback stands on


@dataclass(frozen=True, slots=True)
class Opened:
    """`note` says what was unusual; `read_only_reason` is set when nothing may be written."""

    db: sqlite3.Connection
    note: str = ""
    read_only_reason: str = ""


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
            return Opened(_open(path, migrations).db, note)
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
    found = _check(db, path)
    for pragma in ("foreign_keys = ON", "trusted_schema = OFF", "cell_size_check = ON", "synchronous = FULL"):
        db.execute(f"PRAGMA {pragma}")
    if found > len(migrations):
        db.execute("PRAGMA query_only = ON")
        reason = f"the release log was written by a newer cockpit (schema {found}, this one knows {len(migrations)})"
        return Opened(db, read_only_reason=reason)
    suspect(path).unlink(missing_ok=True)
    db.execute(f"PRAGMA journal_mode = {journal_mode()}").fetchone()
    if not found:
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    migrate(db, path, migrations)
    return Opened(db)


def _check(db: sqlite3.Connection, path: Path) -> int:
    """The schema's version, 0 for an empty file. Raises _Damaged, or StoreError for another program's file."""
    try:
        found = version(db)
        application = int(db.execute("PRAGMA application_id").fetchone()[0])
        tables = int(db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
        problem = _problem(db, None if suspect(path).exists() else CHECK_SECONDS)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise _Damaged(str(error)) from error
    if problem != "ok":
        raise _Damaged(problem.splitlines()[0])
    if application != APPLICATION_ID and (application or tables):
        raise StoreError(f"{path} belongs to another program", "choose another state directory (COCKPIT_STATE)")
    return found


def suspect(path: Path) -> Path:
    """There when the log showed damage while it was used: then the next check takes all the time it needs."""
    return path.with_name(f"{path.name}.suspect")


def _problem(db: sqlite3.Connection, limit: float | None) -> str:
    """ "ok", also when nothing was found within `limit` seconds."""
    there = {str(name) for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    arguments = [f"'{table}'" for table in FIRST_CHECKED if table in there] + ["1"]
    if limit is not None:
        end = time.monotonic() + limit
        db.set_progress_handler(lambda: time.monotonic() > end, 10_000)
    try:
        found = (str(db.execute(f"PRAGMA quick_check({each})").fetchone()[0]) for each in arguments)
        return next((problem for problem in found if problem != "ok"), "ok")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return "ok"
    finally:
        db.set_progress_handler(None, 0)


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
