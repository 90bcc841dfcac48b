"""The engine is killed in the middle of a deploy, with customers asking all the time."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from cockpit.client import connect
from cockpit.errors import EngineUnreachable
from cockpit.model import Operation, OperationKind, OperationState, Tier
from cockpit.protocol import OPERATION, ROLLBACK, Change, Connected, Event, Lost, OperationRequest, RollbackRequest
from tests.stories import services
from tests.stories.host import processes
from tests.stories.world import PRODUCTION, World, key, world
from tests.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

RESTORED = 10.0  # seconds from the kill until everything is true again (DESIGN.md 7)
BUILDING = "sleep 1.5"
ENDLESS = "sleep 86417"  # found again by its unusual number


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[World]:
    async with world() as made:
        made.configure("shop", replicas=2)
        await made.up()
        await made.ships("shop", made.commit("shop", services.web(made.runtime), "Open the shop"))
        yield made


@dataclass
class Watcher:
    """A client that looks on, as a cockpit on somebody's screen does; `meet` may act on a change as it comes."""

    seen: list[Change] = field(default_factory=list)
    meet: Callable[[Change], None] = lambda change: None

    def take(self, change: Change) -> None:
        self.seen.append(change)
        self.meet(change)

    @property
    def operation(self) -> int:
        """The newest that it heard of."""
        return max(each.operation.id for each in self.seen if isinstance(each, Event) and each.operation)

    @property
    def came_back(self) -> bool:
        """Lost, and after that connected to another engine."""
        lost = [index for index, change in enumerate(self.seen) if isinstance(change, Lost)]
        return bool(lost) and any(isinstance(each, Connected) and each.restarted for each in self.seen[lost[0] :])


@asynccontextmanager
async def watching(shop: World) -> AsyncIterator[Watcher]:
    client, watcher = await connect(shop.paths, client="tui"), Watcher()

    async def watch() -> None:
        async for change in client.changes():
            watcher.take(change)

    task = asyncio.create_task(watch())
    try:
        await until(lambda: bool(watcher.seen))
        yield watcher
    finally:
        await client.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Killer:
    """Ends the engine with SIGKILL, once; `at` is when."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.at: float | None = None

    def strike(self) -> None:
        if self.at is None:
            self.at = time.monotonic()
            os.kill(self.pid, signal.SIGKILL)

    def in_step(self, name: str) -> Callable[[Change], None]:
        def look(change: Change) -> None:
            current = change.operation.current if isinstance(change, Event) and change.operation else None
            if current and current.name == name:
                self.strike()

        return look

    def once(self, condition: Callable[[], bool]) -> None:
        """For a moment that is too short to be told by the engine. Blocks."""
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, "the moment never came"
        self.strike()


def sleepy(shop: World, number: int) -> str:
    """A commit whose build takes a while."""
    return shop.commit(
        "shop", services.web_with(f"RUN {BUILDING}\nENV NUMBER={number}", shop.runtime), f"Change {number}"
    )


async def after_the_kill(shop: World, number: int, killed_at: float) -> Operation:
    """The operation as it ended, by an engine that nobody started by hand."""
    while time.monotonic() - killed_at < RESTORED:
        with suppress(EngineUnreachable):  # what was asked at that very moment
            operation = await shop.client.call(OPERATION, OperationRequest(number))
            if operation.state.ended:
                return operation
        await asyncio.sleep(0.05)
    raise AssertionError(f"operation {number} has no end after {RESTORED} s")


async def the_one_live(shop: World) -> int:
    """Log, pointer, containers, customers and the command line agree on it, and nothing else is left over."""
    live = (await shop.live("shop")).number
    releases = await shop.releases("shop")
    assert [each.number for each in releases if each.tier is Tier.LIVE] == [live]
    assert shop.pointer("shop") == f"r{live}"
    assert (await shop.get("shop")).headers["x-release"] == f"r{live}"
    assert f" r{live} " in await shop.says("status")
    kept = {each.number for each in releases if each.tier in (Tier.LIVE, Tier.HOT, Tier.STOPPED)}
    assert set(shop.host.releases("shop")) == kept == shop.leased("shop")
    assert shop.host.releases("shop", running=True)[live] == 2
    assert all(shop.host.restart_policy(shop.host.name("shop", live, index)) == "always" for index in (1, 2))
    assert shop.scratch() == []
    return live


async def in_time(shop: World, killed_at: float) -> int:
    """The one live, as soon as all agree."""
    while True:
        try:
            return await the_one_live(shop)
        except AssertionError:
            if time.monotonic() - killed_at > RESTORED:
                raise


async def crash(
    shop: World, arrange: Callable[[Killer, Watcher], asyncio.Future[None] | None]
) -> tuple[Operation, int, int]:
    """Deploys, kills as arranged, waits for the truth; the operation, and what was live before and is now."""
    before, commit = (await shop.live("shop")).number, sleepy(shop, time.monotonic_ns())
    async with shop.load("shop", rate=40) as load, watching(shop) as watcher:
        killer = Killer(shop.engine_pid)
        waiting = arrange(killer, watcher)
        with suppress(EngineUnreachable):  # so early that the client has no answer yet
            await shop.begin("shop", commit)
        if waiting is not None:
            await waiting
        await until(lambda: killer.at is not None, within=20)
        assert killer.at is not None
        ended = await after_the_kill(shop, watcher.operation, killer.at)
        await until(lambda: watcher.came_back)
        live = await in_time(shop, killer.at)
    stats = load.stats()
    assert (stats.lost, stats.non_2xx, stats.wrong) == (0, 0, 0), stats.lost_because
    await shop.ships("shop", commit if live == before else sleepy(shop, time.monotonic_ns()))
    await the_one_live(shop)
    return ended, before, live


@pytest.mark.parametrize("step", ["fetch", "build", "start", "verify"])
async def test_an_engine_killed_before_the_switch_is_back_by_itself_and_the_old_release_never_stopped_serving(
    shop: World, step: str
) -> None:
    def arrange(killer: Killer, watcher: Watcher) -> None:
        watcher.meet = killer.in_step(step)

    ended, before, live = await crash(shop, arrange)
    assert ended.state is OperationState.INTERRUPTED
    assert live == before
    assert f"r{before} serves" in ended.summary


async def test_a_build_whose_engine_was_killed_does_not_go_on_without_it(shop: World) -> None:
    await shop.begin("shop", shop.commit("shop", services.web_with(f"RUN {ENDLESS}", shop.runtime), "Build for ever"))
    await until(lambda: processes(ENDLESS) != [])
    killer = Killer(shop.engine_pid)
    killer.strike()
    async with asyncio.timeout(RESTORED):
        while shop.scratch():
            with suppress(EngineUnreachable):
                await shop.snapshot()
            await asyncio.sleep(0.05)
    await until(lambda: processes(ENDLESS) == [], within=5)
    await the_one_live(shop)
    await shop.ships("shop", sleepy(shop, time.monotonic_ns()))


@pytest.mark.parametrize("step", ["confirm", "settle"])
async def test_an_engine_killed_after_the_switch_is_back_by_itself_and_finishes_the_deploy(
    shop: World, step: str
) -> None:
    def arrange(killer: Killer, watcher: Watcher) -> None:
        watcher.meet = killer.in_step(step)

    ended, _, live = await crash(shop, arrange)
    assert ended.state is OperationState.SUCCEEDED
    assert live == ended.to_release


async def test_an_engine_killed_while_it_writes_the_pointer_leaves_the_old_one(shop: World) -> None:
    """Where it writes before the rename stands a pipe that nobody reads: the moment lasts until the kill."""
    written = _pointers(shop) / f".shop@{PRODUCTION}.new"
    await asyncio.to_thread(os.mkfifo, written)

    def arrange(killer: Killer, watcher: Watcher) -> None:
        in_switch = killer.in_step("switch")

        def meet(change: Change) -> None:
            in_switch(change)
            if killer.at is not None:
                written.unlink(missing_ok=True)

        watcher.meet = meet

    ended, before, live = await crash(shop, arrange)
    assert (ended.state, live) == (OperationState.INTERRUPTED, before)


async def test_an_engine_killed_between_the_pointer_and_the_log_goes_forward_with_the_pointer(shop: World) -> None:
    pointer = _pointers(shop) / f"shop@{PRODUCTION}"
    before = pointer.read_text()

    def arrange(killer: Killer, _: Watcher) -> asyncio.Future[None]:
        return asyncio.ensure_future(asyncio.to_thread(killer.once, lambda: pointer.read_text() != before))

    ended, _, live = await crash(shop, arrange)
    assert ended.state is OperationState.SUCCEEDED
    assert live == ended.to_release


async def test_an_engine_killed_in_a_hot_rollback_finishes_it_and_holds_what_was_left(shop: World) -> None:
    left = await shop.live("shop")
    pointer = _pointers(shop) / f"shop@{PRODUCTION}"
    before = pointer.read_text()
    async with shop.load("shop", rate=40) as load, watching(shop) as watcher:
        killer = Killer(shop.engine_pid)
        waiting = asyncio.create_task(asyncio.to_thread(killer.once, lambda: pointer.read_text() != before))
        with suppress(EngineUnreachable):
            await shop.client.call(ROLLBACK, RollbackRequest(key("shop")))
        await waiting
        assert killer.at is not None
        ended = await after_the_kill(shop, watcher.operation, killer.at)
        live = await in_time(shop, killer.at)
    assert (load.stats().lost, load.stats().non_2xx) == (0, 0), load.stats().lost_because
    assert (ended.kind, ended.state) == (OperationKind.ROLLBACK, OperationState.SUCCEEDED)
    assert live == ended.to_release != left.number
    hold = (await shop.placement("shop")).hold
    assert hold is not None
    assert hold.bad_commits == (left.commit,)
    await shop.release_hold("shop")


def _pointers(shop: World) -> Path:
    return shop.paths.edge / "pointers"
