"""An engine in virtual time, in a process of its own, and what it holds: `python -m bench.day SECONDS EVERY`.

It stands on tests/simulation: the engine's own code on fakes of Docker, edge and repository, with real SQLite. Each
line that it prints is a sample, as JSON; bench/soak.py judges them.
"""

from __future__ import annotations

import asyncio
import gc
import heapq
import json
import logging
import os
import sqlite3
import sys
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from bench.vitals import vitals
from cockpit.edge.base import Hit, Pointer
from cockpit.engine.api import Peer
from cockpit.errors import CockpitError
from cockpit.model import Actor, Minute, PlacementKey
from cockpit.protocol import (
    DEPLOY,
    DEPLOY_SHEET,
    LOCK,
    OPERATIONS,
    PENDING,
    RELEASES,
    RESTART,
    ROLLBACK,
    ROLLBACK_SHEET,
    STATUS,
    UNHOLD,
    UNLOCK,
    CommitRequest,
    DeployRequest,
    For,
    LockRequest,
    Nothing,
    OperationsRequest,
    RestartRequest,
    RollbackRequest,
    UnholdRequest,
    UnlockRequest,
)
from cockpit.store import minutes, placements, releases
from cockpit.store.base import ReleaseRecord
from cockpit.store.opening import open_file
from cockpit.targets.base import Container
from tests.simulation.bastion import Bastion
from tests.simulation.clock import EPOCH
from tests.simulation.loop import SimulatedLoop, simulated
from tests.simulation.scene import Scene
from tests.simulation.story import settings
from tests.simulation.witness import Witness

ANA = Actor("ana", 1000, "ana")
DEPLOY_EVERY = 1800.0
VISIT_EVERY = 120.0
CUSTOMERS_EVERY = 1.0
OFFSET = 600.0  # seconds after a deploy, when what it left hot has been stopped
WEEK = 7 * 1440  # minutes
NOWHERE = "0" * 40
PAGE = 60  # releases before the first one that counts: the page of them that an engine keeps is full, and
FIRST_EVERY = 60.0  # … as many deploys follow at this pace: what a host remembers is as much as it will ever be


@dataclass(frozen=True, slots=True)
class Sample:
    """`objects` are instances of the cockpit's own classes, `entries` what is in the collections that they hold."""

    at: float
    tasks: int
    fds: int
    threads: int
    rss_mb: float
    objects: int
    entries: int
    rows: int  # of the log's minutes, which are kept for a week
    kinds: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)


class _Nobody(Witness):
    """Remembers nothing: what is measured is the engine."""

    def ended(self, container: Container) -> None: ...

    def moved(self, key: PlacementKey, pointer: Pointer) -> None: ...


class Day:
    def __init__(self, loop: SimulatedLoop, directory: Path) -> None:
        self.done: Counter[str] = Counter()
        self._loop = loop
        self._scene = Scene(loop, Random(1), _Nobody(loop))
        self._scene.faults.heal()
        wanted = settings()
        self._key = wanted.placements[0].key
        self._bastion = Bastion("a", directory, self._scene, wanted, lambda *_: None)
        self._commits = [self._scene.commit("good") for _ in range(2)]
        _fill(self._bastion.paths.database, self._key)

    async def live(self, seconds: float, every: float) -> None:
        self._bastion.start()
        await asyncio.sleep(5.0)
        around = [asyncio.create_task(each) for each in (self._visits(), self._customers())]
        for number in range(PAGE):
            await self._deploy(number)
            await asyncio.sleep(FIRST_EVERY)
        self.done.clear()
        around += [asyncio.create_task(each) for each in (self._deploys(), self._refuses_now_and_then())]
        await asyncio.sleep(OFFSET)
        end = self._loop.time() + seconds
        while self._loop.time() < end:
            await asyncio.sleep(every)
            print(json.dumps(asdict(self._sample())), flush=True)
        for each in around:
            each.cancel()
        self._bastion.bury()

    # ------------------------------------------------------------ what happens

    async def _deploys(self) -> None:
        number, began = 0, self._loop.time()
        while True:
            await self._deploy(number)
            await asyncio.sleep(60.0)
            if number % 4 == 1:
                await self._ask("rollbacks", ROLLBACK, RollbackRequest(self._key, reason="5xx"))
                await asyncio.sleep(30.0)
                await self._ask("", UNHOLD, UnholdRequest(self._key, "the cause is known"))
            if number % 4 == 2:
                await self._ask("restarts", RESTART, RestartRequest(self._key))
                await asyncio.sleep(30.0)
            if number % 4 == 3:
                await self._ask("locks", LOCK, LockRequest(self._key, "the sale", 3600.0))
                await self._ask("", UNLOCK, UnlockRequest(self._key, "it is over"))
            number += 1
            await asyncio.sleep(began + number * DEPLOY_EVERY - self._loop.time())

    async def _deploy(self, number: int) -> None:
        await self._ask("deploys", DEPLOY, DeployRequest(self._key, self._commits[number % 2], force=True))

    async def _visits(self) -> None:
        """A cockpit opens, looks around and is closed."""
        engine = self._bastion.engine
        assert engine is not None, "it was given time to start"
        while True:
            peer = Peer(ANA, "tui", lambda _: None)
            engine.joined(peer)
            engine.hub.subscribe(peer)
            for call, asked in (
                (STATUS, Nothing()),
                (RELEASES, For(self._key)),
                (PENDING, For(self._key)),
                (OPERATIONS, OperationsRequest(self._key)),
                (DEPLOY_SHEET, CommitRequest(self._key)),
                (ROLLBACK_SHEET, For(self._key)),
            ):
                await self._ask("", call, asked)
            await asyncio.sleep(VISIT_EVERY / 2)
            engine.left(peer)
            peer.close()
            self.done["visits"] += 1
            await asyncio.sleep(VISIT_EVERY / 2)

    async def _customers(self) -> None:
        while True:
            edge, now = self._scene.edge, EPOCH + self._loop.time()
            release = edge.pointers[self._key].release if edge.pointers else 0
            edge.customers += [Hit(now, self._key, release, 200, 10.0 + number) for number in range(5)]
            self.done["requests"] += 5
            await asyncio.sleep(CUSTOMERS_EVERY)

    async def _refuses_now_and_then(self) -> None:
        """Docker is away for some seconds, once an hour."""
        while True:
            await asyncio.sleep(3600.0)
            self._scene.target.down = "connection refused"
            await asyncio.sleep(20.0)
            self._scene.target.down = ""
            self.done["outages"] += 1

    async def _ask(self, what: str, call: Any, asked: Any) -> None:
        """What is refused (nothing to go back to, a lock) is an answer."""
        engine, process = self._bastion.engine, self._bastion.process
        assert engine is not None, "it was given time to start"
        assert process is not None, "as above"
        handler = engine.handlers()[call.name]

        async def asking() -> None:
            await handler(Peer(ANA, "cli"), asked)

        with suppress(CockpitError):
            await process.begin(asking(), f"request {call.name}")
            self.done[what] += 1

    # ------------------------------------------------------------ what is held

    def _sample(self) -> Sample:
        assert self._bastion.process is not None, "it lives"
        self._bastion.process.forget_ended()
        self._scene.target.calls.clear()
        _forget_cancelled(self._loop)
        gc.collect()
        held = vitals(os.getpid())
        ours = [each for each in gc.get_objects() if _is_ours(type(each))]
        kinds = Counter(type(each).__qualname__ for each in ours)
        with closing(sqlite3.connect(self._bastion.paths.database)) as db:
            rows = int(db.execute("SELECT count(*) FROM minutes").fetchone()[0])
        return Sample(
            at=self._loop.time(),
            tasks=sum(not each.done() for each in asyncio.all_tasks(self._loop)),
            fds=held.open,
            threads=threading.active_count(),
            rss_mb=held.rss_mb,
            objects=len(ours),
            entries=sum(map(len, _collections(ours))),
            rows=rows,
            kinds=dict(kinds),
            done={what: count for what, count in self.done.items() if what},
        )


def _forget_cancelled(loop: SimulatedLoop) -> None:
    """Timers that nobody waits for, as asyncio's own loop does when there are many: each holds its context."""
    loop._scheduled = [each for each in loop._scheduled if not each.cancelled()]
    heapq.heapify(loop._scheduled)


def _is_ours(kind: type) -> bool:
    return str(kind.__module__).startswith("cockpit.")  # where C made the class, that is no text


def _collections(objects: Sequence[object]) -> Iterator[Collection[object]]:
    """Those that the objects hold, and those in these."""
    seen: set[int] = set()
    waiting = deque(gc.get_referents(*objects))
    while waiting:
        each = waiting.popleft()
        if type(each) not in (dict, list, set, deque, tuple, frozenset) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting.extend(gc.get_referents(each))


def _fill(path: Path, key: PlacementKey) -> None:
    """A week of minutes, and a page of releases: from here on as much has to go as comes."""
    with closing(open_file(path).db) as db:
        db.execute("BEGIN")
        placements.ensure(db, key)
        first = EPOCH // 60 * 60 - 60 * WEEK
        minutes.add(db, [Minute(key, first + 60 * number, 30, 0, 2.0, 600, 1, 12.0) for number in range(WEEK)])
        for number in range(PAGE):
            made = ReleaseRecord(key, 0, 0, NOWHERE, NOWHERE, f"Change {number}", "Ada", "ana", EPOCH, failed=True)
            releases.add(db, made)
        db.execute("COMMIT")


def main(seconds: float, every: float) -> None:
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="cockpit-bench-") as directory, simulated(1) as loop:
        loop.run_until_complete(Day(loop, Path(directory)).live(seconds, every))


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
