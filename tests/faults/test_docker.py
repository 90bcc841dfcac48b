"""Docker dies, hangs or cannot be reached in the middle of a deploy: customers notice nothing, and nobody is misled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from cockpit.client import connect
from cockpit.demo.exchange import Cut
from cockpit.model import EngineStatus, Health, Operation, Placement, Tier
from cockpit.protocol import LOGS_OPEN, Connected, Event, LogChunk, LogKind, LogRequest
from tests.faults.private import missing
from tests.faults.world import (
    PrivateWorld,
    failed,
    in_step,
    next_deploy_works,
    nobody_noticed,
    open_shop,
    private_world,
)
from tests.stories import services
from tests.stories.world import key, succeeded
from tests.waiting import until
from tests.world import runtime_image

pytestmark = [
    pytest.mark.docker,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(bool(missing()), reason=f"a Docker engine of one's own needs {', '.join(missing())}"),
]

SHOWN = 5.0  # seconds until a Docker that is away is shown as that, and until it is not any more
SERVED = 15.0  # … until customers are, after a Docker that ended its containers is back
KEPT = "--live-restore"  # containers outlive dockerd; `cockpit doctor` asks for it


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[PrivateWorld]:
    async with private_world() as made:
        await asyncio.to_thread(again, made, KEPT)
        await open_shop(made, replicas=2)
        yield made


def again(made: PrivateWorld, *options: str) -> None:
    made.private.stop()
    made.private.start(*options)


@asynccontextmanager
async def killed(shop: PrivateWorld) -> AsyncIterator[None]:
    await asyncio.to_thread(shop.private.kill)
    try:
        yield
    finally:
        await asyncio.to_thread(shop.private.start, KEPT)


@asynccontextmanager
async def unreachable(shop: PrivateWorld) -> AsyncIterator[None]:
    with shop.private.without_socket():
        yield


Away = Callable[[PrivateWorld], AbstractAsyncContextManager[None]]


@dataclass
class Screen:
    """What somebody with the cockpit open was shown, in order."""

    engines: list[EngineStatus] = field(default_factory=list)
    placements: list[Placement] = field(default_factory=list)

    @property
    def docker_ok(self) -> bool:
        return bool(self.engines) and self.engines[-1].docker_ok

    @property
    def docker_silent(self) -> bool:
        return bool(self.engines) and not self.engines[-1].docker_ok

    @property
    def false_alarms(self) -> set[tuple[Health, str]]:
        alarming = (Health.FAILING, Health.STOPPED, Health.DEGRADED)
        return {(each.health, each.why) for each in self.placements if each.health in alarming}


@asynccontextmanager
async def looking(shop: PrivateWorld) -> AsyncIterator[Screen]:
    client, screen = await connect(shop.paths, client="tui"), Screen()

    async def look() -> None:
        async for change in client.changes():
            if isinstance(change, Connected):
                screen.engines.append(change.snapshot.engine)
                screen.placements += change.snapshot.placements
            elif isinstance(change, Event):
                screen.engines += [change.engine] if change.engine else []
                screen.placements += [change.placement] if change.placement else []

    task = asyncio.create_task(look())
    try:
        await until(lambda: bool(screen.engines))
        yield screen
    finally:
        await client.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def slowly_built(shop: PrivateWorld) -> Operation:
    """A deploy in the middle of a build that takes a while."""
    operation = await shop.begin("shop", shop.commit("shop", services.web_with("RUN sleep 5", shop.runtime)))
    await in_step(shop, operation, "build")
    return operation


async def healed(shop: PrivateWorld, screen: Screen) -> None:
    await until(lambda: screen.docker_ok, SHOWN, "Docker is shown as well again")
    await next_deploy_works(shop)


async def nothing_is_left(shop: PrivateWorld, live: int) -> None:
    """Of a release that never had customers, as soon as Docker lets it be taken away."""
    kept = {each.number for each in await shop.releases("shop") if each.tier in (Tier.LIVE, Tier.HOT, Tier.STOPPED)}
    assert live in kept
    await until(
        lambda: set(shop.host.releases("shop")) == kept == shop.leased("shop"), 15, f"only {kept} has containers"
    )


@pytest.mark.parametrize("away", [killed, pytest.param(unreachable, marks=pytest.mark.slow)])
async def test_a_docker_that_goes_away_in_a_build_ends_the_deploy_and_nothing_else(
    shop: PrivateWorld, away: Away
) -> None:
    live = (await shop.live("shop")).number
    async with shop.load("shop", rate=40) as load, looking(shop) as screen:
        operation = await slowly_built(shop)
        async with away(shop):
            if away is killed:  # connections that stand outlive their socket's name
                await until(lambda: screen.docker_silent, SHOWN, "Docker is shown as away")
            failure = failed(await shop.ended(operation))
            assert failure.step == "build"
            assert "Docker" in failure.summary
            assert (await shop.live("shop")).number == live
        await healed(shop, screen)
    nobody_noticed(load)
    assert screen.false_alarms == set()
    await nothing_is_left(shop, live)


async def test_a_docker_that_is_killed_before_the_switch_keeps_a_deploy_from_it_and_nobody_from_going_back(
    shop: PrivateWorld,
) -> None:
    """Without Docker no deploy can prove that it may still act; a rollback has to prove nothing."""
    live = (await shop.live("shop")).number
    slow = services.web(shop.runtime, start=f"sleep 3\n{services.START}")
    async with shop.load("shop", rate=40) as load, looking(shop) as screen:
        operation = await shop.begin("shop", shop.commit("shop", slow, "Boot slowly"))
        await in_step(shop, operation, "verify")
        async with killed(shop):
            failure = failed(await shop.ended(operation))
            assert failure.step in ("verify", "switch")
            assert "Docker does not answer" in failure.summary
            assert shop.pointer("shop") == f"r{live}"
            back = await shop.goes_back("shop")
            assert (await shop.get("shop")).headers["x-release"] == f"r{back.to_release}" != f"r{live}"
        await until(lambda: screen.docker_ok, SHOWN, "Docker is shown as well again")
        await shop.release_hold("shop")
        shop.commit("shop", services.web(shop.runtime), "Boot quickly")
        await next_deploy_works(shop)
    nobody_noticed(load)
    assert screen.false_alarms == set()
    await until(lambda: operation.to_release not in shop.host.releases("shop"), 15)


async def test_a_docker_that_hangs_is_said_to_and_the_deploy_goes_on_with_it(shop: PrivateWorld) -> None:
    async with shop.load("shop", rate=40) as load, looking(shop) as screen:
        operation = await slowly_built(shop)
        with shop.private.hung():
            await until(lambda: screen.docker_silent, SHOWN + 1, "Docker is shown as hanging")
            assert "Docker: Docker is silent" in await shop.says("status")
        await until(lambda: screen.docker_ok, SHOWN)
        ended = succeeded(await shop.ended(operation))
        assert (await shop.get("shop")).headers["x-release"] == f"r{ended.to_release}"
    nobody_noticed(load)
    assert screen.false_alarms == set()


async def test_a_service_log_goes_on_after_docker_was_killed(shop: PrivateWorld) -> None:
    """A stream that ends without a word is not taken for a container that ended."""
    talking = services.CADDYFILE.replace("\tbind ", "\tlog\n\tbind ")
    await shop.ships("shop", shop.commit("shop", services.web(shop.runtime, Caddyfile=talking), "Say who asks"))
    said: list[str] = []
    async with heard(shop, said):
        await shop.get("shop", "/before")
        await until(lambda: any("/before" in each for each in said), what="a line from before")
        async with killed(shop):
            await until(lambda: any("Docker" in each for each in said), what="the loss is said")
        await until(lambda: _answered_line(shop, said), 20, "a line from after")
    assert sum("/before" in each for each in said) == 1


async def _answered_line(shop: PrivateWorld, said: list[str]) -> bool:
    await shop.get("shop", "/after")
    return any("/after" in each for each in said)


@asynccontextmanager
async def heard(shop: PrivateWorld, said: list[str]) -> AsyncIterator[None]:
    """The service's log as it is followed by somebody."""
    reader = await connect(shop.paths, client="tui", start=False)

    async def read() -> None:
        async for change in reader.changes():
            if isinstance(change, Connected):
                await reader.call(LOGS_OPEN, LogRequest(LogKind.SERVICE, key=key("shop"), follow=True))
            elif isinstance(change, LogChunk):
                said.extend(line.text for line in change.lines)

    task = asyncio.create_task(read())
    try:
        yield
    finally:
        await reader.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def prune(shop: PrivateWorld) -> None:
    """All that no container uses, but what the next build is from."""
    shop.host.client.images.prune({"dangling": False})
    runtime_image(shop.host.client)


async def test_images_that_somebody_prunes_keep_nobody_from_going_back(shop: PrivateWorld) -> None:
    """Where `B` goes its stopped containers hold the image; without them a rollback says so, and nothing is touched."""
    shop.configure("shop", keep_hot="0s", bake="0s")
    back = (await shop.live("shop")).number
    await next_deploy_works(shop)
    live = (await shop.live("shop")).number
    await until(lambda: back not in shop.host.releases("shop", running=True), 30, "the former release has stopped")
    async with shop.load("shop", rate=40) as load:
        await asyncio.to_thread(prune, shop)
        await shop.goes_back("shop", back)
        assert (await shop.get("shop")).headers["x-release"] == f"r{back}"
        await shop.release_hold("shop")
        await next_deploy_works(shop)
        live = (await shop.live("shop")).number
        await until(lambda: back not in shop.host.releases("shop", running=True), 30, "it has stopped again")
        await asyncio.to_thread(shop.host.client.containers.prune)
        await asyncio.to_thread(prune, shop)
        failure = failed(await shop.ended(await shop.roll_back("shop", back)))
        assert "image is not on the host" in failure.summary
        assert (await shop.live("shop")).number == live
        await next_deploy_works(shop)
    nobody_noticed(load)


@pytest.mark.slow
async def test_after_a_docker_that_keeps_nothing_was_killed_customers_are_served_again_by_themselves(
    shop: PrivateWorld,
) -> None:
    """Without live-restore it ends its containers when it comes back; restart policy `always` brings them again."""
    live = (await shop.live("shop")).number
    await asyncio.to_thread(again, shop)
    await until(lambda: _serves(shop, live), SERVED, "served after a restart")
    async with shop.load("shop", rate=40) as load, looking(shop) as screen:
        await asyncio.to_thread(shop.private.kill)
        await until(lambda: screen.docker_silent, SHOWN)
    nobody_noticed(load)  # as long as it is away
    await asyncio.to_thread(shop.private.start)
    back = time.monotonic()
    await until(lambda: _serves(shop, live), SERVED, "served after a crash")
    async with shop.load("shop", rate=40) as load, looking(shop) as screen:
        await until(lambda: screen.docker_ok, SHOWN + SERVED - (time.monotonic() - back))
        assert (await shop.live("shop")).number == live
        await until(lambda: _all_run(shop, live), SERVED, "both replicas run")
        await next_deploy_works(shop)
    nobody_noticed(load)


async def _serves(shop: PrivateWorld, release: int) -> bool:
    try:
        return (await shop.get("shop")).headers.get("x-release") == f"r{release}"
    except Cut:
        return False


def _all_run(shop: PrivateWorld, release: int) -> bool:
    return shop.host.releases("shop", running=True).get(release) == 2
