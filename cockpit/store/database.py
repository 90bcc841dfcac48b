"""One SQLite connection in one thread; a transaction is one function that runs there from BEGIN to COMMIT.

The thread's queue is the writer lock: nothing can come between the statements of a transaction, and a caller that is
cancelled while it waits leaves the transaction to finish by itself, in its turn.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import aiosqlite

from cockpit.errors import StoreError, StoreRejected
from cockpit.store.ballast import Ballast
from cockpit.store.checking import Checker
from cockpit.store.migrations import MIGRATIONS, Migration
from cockpit.store.opening import Opened, open_file, suspect

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

CLOSE_SECONDS = 10.0
CURE = "restart the engine: it sets the damaged file aside and begins a new one"


class Database:
    """`note` says what was unusual at opening; writes raise StoreError when `read_only_reason` is set."""

    def __init__(self, path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> None:
        self.path = path
        self.note = ""
        self.read_only_reason = ""
        self._migrations = migrations
        self._ballast = Ballast(path)
        self._checker = Checker(path)
        self._whole = True  # it was checked
        self._closed = False
        self._connection = aiosqlite.Connection(self._open, iter_chunk_size=64)
        self._connection._thread.daemon = True  # an unclosed connection must not hang the interpreter's exit

    @classmethod
    async def open(cls, path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> Database:
        database = cls(path, migrations)
        opening = asyncio.ensure_future(database._connect())
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(database._abandon)
            raise
        return database

    async def read(self, work: Work[T]) -> T:
        """Several statements in one `work` see one state: nothing is written between them."""
        return await self._run(work)

    async def write(self, work: Work[T], *, vital: bool = False) -> T:
        """All of `work` is durable, or none. A `vital` write may use the ballast when the disk is full."""
        if self.read_only_reason:
            raise StoreError(self.read_only_reason, "start the newer cockpit, or choose another state directory")

        def writing(db: sqlite3.Connection) -> T:
            with self._checker.aside():
                return self._transaction(db, work, vital)

        return await self._run(writing)

    async def check(self) -> str | None:
        """What is wrong in all that opening had no time for, "" when nothing is. None: somebody wrote, ask again.

        Damage is in `note` from then on, and at the next opening the file is set aside."""
        if self._whole:
            return ""
        found = await asyncio.to_thread(self._checker.run)
        if found is None:
            return None
        self._whole = True
        if found:
            await asyncio.to_thread(suspect(self.path).touch, mode=0o600)
            self.note = f"it is damaged ({found}): {CURE}"
        return found

    async def close(self) -> None:
        """What was asked before is finished first. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        if not self._whole:
            await asyncio.to_thread(self._checker.stop)
        closing = asyncio.ensure_future(self._connection.close())
        try:
            await asyncio.wait_for(asyncio.shield(closing), CLOSE_SECONDS)
        except (TimeoutError, sqlite3.Error) as error:
            raise StoreError(f"the release log did not close: {error or 'it is busy'}") from error

    async def _connect(self) -> None:
        try:
            await self._connection
        except BaseException:  # also a cancellation, which the thread does not hear of
            await asyncio.to_thread(self._connection._thread.join, CLOSE_SECONDS)  # it is ending: outlive it
            raise

    def _abandon(self, opened: asyncio.Task[None]) -> None:
        if not opened.cancelled() and opened.exception() is None:
            self._connection.stop()

    async def _run(self, work: Work[T]) -> T:
        def run() -> T:
            try:
                return work(self._connection._conn)
            except sqlite3.DatabaseError as error:
                if is_damage(error):
                    suspect(self.path).touch(mode=0o600)
                raise

        if self._closed:
            raise StoreError("the release log is closed")
        try:
            return cast(T, await cast(Any, self._connection)._execute(run))
        except sqlite3.Error as error:
            raise _store_error(error) from error
        except ValueError as error:  # a word that is no member of its enum
            raise StoreError(f"the release log holds what this cockpit does not know: {error}") from error

    def _open(self) -> sqlite3.Connection:
        opened: Opened = open_file(self.path, self._migrations)
        self.note, self.read_only_reason, self._whole = opened.note, opened.read_only_reason, opened.whole
        if not self.read_only_reason:
            self._ballast.hold()
        return opened.db

    def _transaction(self, db: sqlite3.Connection, work: Work[T], vital: bool) -> T:
        try:
            result = _transact(db, work)
        except sqlite3.OperationalError as error:
            if not (vital and is_full(error) and self._ballast.give_up()):
                raise
            return _transact(db, work)
        if not self._ballast.held:
            self._ballast.hold()
        return result


def is_full(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def is_damage(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _transact(db: sqlite3.Connection, work: Work[T]) -> T:
    db.execute("BEGIN IMMEDIATE")
    try:
        result = work(db)
        db.execute("COMMIT")
    except BaseException:  # whatever ends the work, no half of it stays
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return result


def _store_error(error: sqlite3.Error) -> StoreError:
    if is_full(error):
        return StoreError("the release log cannot be written: no space left on its disk", "free some space, then retry")
    if isinstance(error, sqlite3.IntegrityError):
        return StoreRejected(
            f"the release log refuses that: {error}", "this is a defect in the cockpit: please report it"
        )
    if isinstance(error, sqlite3.OperationalError):
        return StoreError(f"the release log cannot be used: {error}", "check the disk that holds the state directory")
    return StoreError(f"the release log is damaged: {error}", CURE)
