"""Looking through the whole release log for damage while it is used: of years of history that takes seconds.

On a connection of its own, in the caller's thread. With a rollback journal nobody can commit while it reads, so that
whoever writes interrupts it, which takes it a millisecond; later it begins again.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAUSE = 0.0005  # seconds between two interrupts: one that comes before SQLite has begun is lost


class Checker:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._writing = 0
        self._reading: sqlite3.Connection | None = None

    def run(self) -> str | None:
        """What is wrong, "" when nothing is, None when it had to make way. Blocks."""
        try:
            where = f"{self._path.absolute().as_uri()}?mode=rw"  # it is never made anew
            db = sqlite3.connect(where, uri=True, timeout=0.0, check_same_thread=False)
            try:
                return self._run(db)
            finally:
                db.close()
        except sqlite3.OperationalError:  # interrupted, or somebody has it for himself
            return None
        except sqlite3.DatabaseError as error:
            return str(error)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Nothing is looked at meanwhile."""
        self.stop()
        try:
            yield
        finally:
            with self._lock:
                self._writing -= 1

    def stop(self) -> None:
        """For good. Blocks until it has let go."""
        with self._lock:
            self._writing += 1
        while self._interrupt():
            time.sleep(PAUSE)

    def _interrupt(self) -> bool:
        with self._lock:
            if self._reading is None:
                return False
            self._reading.interrupt()
            return True

    def _run(self, db: sqlite3.Connection) -> str | None:
        with self._lock:
            if self._writing:
                return None
            self._reading = db
        try:
            return problem(db)
        finally:
            with self._lock:
                self._reading = None


def problem(db: sqlite3.Connection, table: str | None = None) -> str:
    """The first that is wrong in one table, or in the whole file; "" when nothing is."""
    of = "1" if table is None else f"'{table}'"
    (found,) = db.execute(f"PRAGMA quick_check({of})").fetchone()
    return "" if found == "ok" else str(found).splitlines()[0]
