"""The simulation's database and prober under one contract with the real ones; the other fakes have theirs elsewhere.

Targets: tests/targets/test_contract.py, edges: tests/edge/test_contract.py, builders: tests/build/test_contract.py,
sources: tests/source/test_contract.py.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cockpit.clock import SystemClock
from cockpit.edge.base import Pointer, Route
from cockpit.engine.host import Prober as AnyProber
from cockpit.errors import StoreError
from cockpit.health.probe import Prober
from cockpit.model import PlacementKey
from cockpit.store.database import Database
from cockpit.targets.orders import ContainerSpec, StartOrder
from tests.fakes.edge import FakeEdge
from tests.fakes.prober import FakeProber
from tests.fakes.target import FakeTarget
from tests.simulation.clock import VirtualClock
from tests.simulation.database import Disk, InLoopDatabase
from tests.simulation.host import FLAVOURS, SimulatedEdge, SimulatedProber, SimulatedTarget
from tests.simulation.loop import simulated

pytestmark = pytest.mark.blocking("what would run in a thread runs on the loop here")

Story = Callable[[Database], Awaitable[None]]
KEY = PlacementKey("web", "production")


@pytest.fixture(params=["real", "simulated"])
def told(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[Story], None]]:
    """Runs a story on a database with one table."""
    kind = Database if request.param == "real" else InLoopDatabase.on(Disk())

    async def run(story: Story) -> None:
        database = await kind.open(tmp_path / "releases.db")
        await database.write(lambda db: db.execute("CREATE TABLE t (n INTEGER UNIQUE)").close())
        try:
            await story(database)
        finally:
            await database.close()

    with simulated(3) as loop:
        yield lambda story: asyncio.run(run(story)) if kind is Database else loop.run_until_complete(run(story))


def insert(number: int) -> Callable[[sqlite3.Connection], None]:
    return lambda db: db.execute("INSERT INTO t VALUES (?)", (number,)).close()


def numbers(db: sqlite3.Connection) -> list[int]:
    return [row[0] for row in db.execute("SELECT n FROM t ORDER BY n")]


def test_a_transaction_is_whole_or_not_there_at_all(told: Callable[[Story], None]) -> None:
    def twice(db: sqlite3.Connection) -> None:
        insert(1)(db)
        insert(1)(db)

    async def story(database: Database) -> None:
        with pytest.raises(StoreError, match="refuses"):
            await database.write(twice)
        assert await database.read(numbers) == []

    told(story)


def test_writes_are_done_in_the_order_in_which_they_were_asked(told: Callable[[Story], None]) -> None:
    async def story(database: Database) -> None:
        asked_for: list[int] = []
        done: list[int] = []

        async def ask(number: int) -> None:
            def work(db: sqlite3.Connection) -> None:
                insert(number)(db)
                done.append(number)

            asked_for.append(number)
            await database.write(work)

        await asyncio.gather(*map(ask, range(20)))
        assert await database.read(numbers) == list(range(20))
        assert done == asked_for

    told(story)


def test_cancelling_who_waits_does_not_cut_a_write(told: Callable[[Story], None]) -> None:
    async def story(database: Database) -> None:
        writing = asyncio.ensure_future(database.write(insert(7)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert await database.read(numbers) in ([7], [])  # whole, or never asked

    told(story)


def test_a_closed_log_says_so(told: Callable[[Story], None]) -> None:
    async def story(database: Database) -> None:
        await database.close()
        with pytest.raises(StoreError, match="is closed"):
            await database.read(numbers)

    told(story)


def test_on_a_full_disk_only_what_is_vital_is_written_and_afterwards_all(tmp_path: Path) -> None:
    """The real one does so in tests/store/test_database.py, on a small disk."""
    disk = Disk()

    async def story() -> None:
        database = await InLoopDatabase.on(disk).open(tmp_path / "releases.db")
        await database.write(lambda db: db.execute("CREATE TABLE t (n INTEGER UNIQUE)").close())
        disk.full = True
        with pytest.raises(StoreError, match="no space left"):
            await database.write(insert(1))
        await database.write(insert(2), vital=True)
        disk.full = False
        await database.write(insert(3))
        assert await database.read(numbers) == [2, 3]
        assert disk.ballast
        await database.close()

    with simulated(1) as loop:
        loop.run_until_complete(story())


@asynccontextmanager
async def asked(kind: str, tmp_path: Path, edge: FakeEdge, target: FakeTarget) -> AsyncIterator[AnyProber]:
    prober: AnyProber
    if kind == "real":
        prober = Prober(tmp_path / "no-socket")
    elif kind == "fake":
        prober = FakeProber(target, edge, SystemClock())
    else:
        assert isinstance(target, SimulatedTarget)
        prober = SimulatedProber(target, edge, SystemClock())
    try:
        yield prober
    finally:
        await prober.close()


@pytest.mark.parametrize("kind", ["real", "fake", "simulated"])
async def test_a_silent_edge_says_nothing_about_the_replica(kind: str, tmp_path: Path) -> None:
    edge, target = FakeEdge(), SimulatedTarget(SystemClock(), Random(1), lambda _: None)
    edge.up = False
    async with asked(kind, tmp_path, edge, target) as prober:
        probe = await prober.probe("10.231.1.0:8000", "/up", None, 1.0)
        assert (probe.status, probe.reached, probe.good, bool(probe.error)) == (0, False, False, True)
        assert probe.at > 0


@pytest.mark.parametrize("kind", ["fake", "simulated"])
async def test_what_runs_answers_and_what_does_not_is_refused(kind: str, tmp_path: Path) -> None:
    """The real one is asked the same through a real edge, in tests/health/test_probe.py."""
    edge, target = FakeEdge(), SimulatedTarget(SystemClock(), Random(1), lambda _: None)
    target.flavours["c1"] = FLAVOURS["good"]
    async with asked(kind, tmp_path, edge, target) as prober:
        before = await prober.probe("10.231.1.0:8000", "/up", None, 1.0)
        spec = ContainerSpec(image="i", port=8000)
        await target.start(StartOrder(KEY, 1, 1, 0, spec, {"COCKPIT_COMMIT": "c1"}))
        after = await prober.probe("10.231.1.0:8000", "/up", None, 1.0)
        assert (before.good, before.reached, after.good) == (False, True, True)


def test_the_simulated_edge_and_target_are_the_fakes_that_have_their_contract_and_only_look_on() -> None:
    async def story() -> None:
        moves: list[Any] = []
        edge = SimulatedEdge(lambda key, pointer: moves.append((key, pointer.release)))
        await edge.load((Route(KEY, ":80"),))
        await edge.point(KEY, Pointer(1, ("10.231.1.0:8000",)))
        assert (moves, await edge.pointer(KEY)) == ([(KEY, 1)], Pointer(1, ("10.231.1.0:8000",)))
        ended: list[str] = []
        clock = VirtualClock(asyncio.get_running_loop())
        target = SimulatedTarget(clock, Random(1), lambda container: ended.append(container.name))
        target.flavours["c1"] = FLAVOURS["good"]
        order = StartOrder(KEY, 1, 1, 0, ContainerSpec(image="i", port=8000), {"COCKPIT_COMMIT": "c1"})
        (made,) = await target.start(order)
        assert made.running
        await target.stop(KEY, 1, grace=1.0, remove=True)
        assert (ended, await target.observe()) == ([made.name], ())

    with simulated(1) as loop:
        loop.run_until_complete(story())
