"""The release log's own `Database` on real SQLite, without its thread: the loop runs what the thread would, in order.

Before each piece of work and before its answer time may pass, so that an engine dies before and after a commit.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, cast

from cockpit.store.ballast import Ballast
from cockpit.store.database import Database
from cockpit.store.migrations import MIGRATIONS, Migration
from tests.simulation.loop import SimulatedLoop, current_process

ROOM = 40  # commits that the ballast makes space for


class Disk:
    """Of one bastion; it outlives its engines. When it is `full`, only what the ballast makes room for is committed."""

    def __init__(self) -> None:
        self.full = False
        self.broken = ""  # what SQLite says to every commit
        self.ballast = False
        self.room = 0
        self.after_commit: list[Callable[[sqlite3.Connection], None]] = []

    def commit(self) -> None:
        if self.broken:
            raise sqlite3.OperationalError(self.broken)
        if self.full and not self.room:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        self.room -= self.full


class InLoopDatabase(Database):
    disk: Disk  # of the class that `on` makes

    def __init__(self, path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> None:
        super().__init__(path, migrations)
        self._connection = cast(Any, _InLoop(self._open, self.disk))  # what is used of aiosqlite's Connection
        self._ballast = _Ballast(path, self.disk)

    @classmethod
    def on(cls, disk: Disk) -> type[InLoopDatabase]:
        return type(cls.__name__, (cls,), {"disk": disk})


class _InLoop:
    def __init__(self, open_file: Callable[[], sqlite3.Connection], disk: Disk) -> None:
        self._open_file = open_file
        self._disk = disk
        self._conn: Any = None
        self._work: deque[tuple[Callable[[], Any], asyncio.Future[Any]]] = deque()
        self._thread = _NoThread()

    def __await__(self) -> Generator[Any, None, None]:
        return self._execute(self._open).__await__()

    async def close(self) -> None:
        await self._execute(self._conn.close)

    async def _execute(self, function: Callable[[], Any]) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._work.append((function, future))
        if len(self._work) == 1:
            self._soon()
        return await future

    def _soon(self) -> None:
        cast(SimulatedLoop, asyncio.get_running_loop()).later(self._next)

    def _next(self) -> None:
        function, future = self._work[0]
        cast(SimulatedLoop, asyncio.get_running_loop()).finish(future, function)
        self._work.popleft()
        if self._work:
            self._soon()

    def _open(self) -> None:
        db = self._open_file()
        db.execute("PRAGMA synchronous = OFF")  # the machine that runs this does not lose power
        self._conn = _Connection(db, self._disk)
        if (process := current_process()) is not None:
            process.on_death.append(db.close)


class _Connection:
    """SQLite's own, but for the disk under it."""

    def __init__(self, db: sqlite3.Connection, disk: Disk) -> None:
        self._db = db
        self._disk = disk

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if statement != "COMMIT":
            return self._db.execute(statement, *values)
        self._disk.commit()
        done = self._db.execute(statement)
        for look in self._disk.after_commit:
            look(self._db)
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


class _Ballast(Ballast):
    def __init__(self, path: Path, disk: Disk) -> None:
        super().__init__(path)
        self._disk = disk

    @property
    def held(self) -> bool:
        return self._disk.ballast

    def hold(self) -> bool:
        self._disk.ballast = self._disk.ballast or not self._disk.full
        return self._disk.ballast

    def give_up(self) -> bool:
        there, self._disk.ballast = self._disk.ballast, False
        self._disk.room += ROOM if there else 0
        return there


class _NoThread:
    daemon = True

    def join(self, _: float) -> None:
        """It was never started."""
