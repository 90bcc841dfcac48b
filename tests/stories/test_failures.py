"""Deploys that fail, each in its own way: the cause is named, customers notice nothing, and nothing is left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio

from cockpit.demo import repo
from cockpit.demo.history import SERVICES
from cockpit.demo.repo import Shop
from cockpit.model import Failure, Operation, OperationState, Side
from cockpit.protocol import CANCEL, OperationRequest
from tests.stories import services
from tests.stories.host import processes
from tests.stories.world import World, world
from tests.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

SLEEP = "sleep 86413"  # found again by its unusual number
VARIANTS = {
    "loopback": partial(services.web_with, "ENV BIND=127.0.0.1"),
    "elsewhere": partial(services.web_with, "ENV PORT=3000"),
    "redirecting": partial(
        services.web, Caddyfile=services.CADDYFILE.replace("respond /up {$HEALTH:200}", "redir /up /login")
    ),
    "missing": partial(services.web_with, "ENV HEALTH=404"),
    "hungry": partial(services.web, start="echo 'reading the catalogue'\nexec tail /dev/zero\n"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[World]:
    """The demo's shop at its first good releases, and a small service for each variant, all of them live."""
    async with world() as made:
        demo = await asyncio.to_thread(repo.make, made.root / "shop", time.time())
        for name in SERVICES:
            build = {"args": {"RUNTIME": made.runtime}}
            made.configure(name, repo=str(demo.path), build=build, deploy_timeout="4s")
        for name in VARIANTS:
            made.configure(name, deploy_timeout="30s", limits={"memory": "64m"})
            made.commit(name, services.web(made.runtime), f"Open {name}")
        await made.up()
        firsts = {"web": demo["gift"], "checkout": demo["express"]} | dict.fromkeys(VARIANTS, made.remote.head)
        await asyncio.gather(*(made.ships(*first) for first in firsts.items()))
        yield made


@pytest.fixture(scope="module")
def demo(town: World) -> Shop:
    return repo.find(town.root / "shop")


async def fails(town: World, service: str, commit: str) -> tuple[Operation, Failure]:
    """Deploys it under load, and sees that the release before it serves on and nothing of the new one is left."""
    before = (await town.live(service)).number
    async with town.load(service) as load:
        operation = await town.deploy(service, commit)
    stats = load.stats()
    assert (stats.lost, stats.non_2xx, set(stats.releases)) == (0, 0, {f"{service} r{before}"}), stats.lost_because
    assert operation.state is OperationState.FAILED
    assert operation.failure is not None
    assert f"r{before} serves" in operation.summary
    await nothing_is_left(town, service, before)
    return operation, operation.failure


async def nothing_is_left(town: World, service: str, live: int) -> None:
    assert (await town.live(service)).number == live
    assert town.pointer(service) == f"r{live}"
    assert set(town.host.releases(service)) == {live}
    assert town.leased(service) == {live}
    assert town.scratch() == []


def seconds(operation: Operation, name: str) -> float:
    step = operation.step(name)
    assert step is not None
    assert step.seconds is not None
    return step.seconds


async def test_a_commit_that_cannot_be_built_fails_with_the_builders_words(town: World, demo: Shop) -> None:
    _, failure = await fails(town, "web", demo["data"])
    assert (failure.step, failure.side) == ("build", Side.BUILD)
    assert "prices.csv" in failure.line + failure.summary
    assert failure.next


async def test_a_release_that_exits_at_once_is_seen_within_2_s_with_its_telling_line(town: World, demo: Shop) -> None:
    operation, failure = await fails(town, "checkout", demo["stripe"])
    assert (failure.step, failure.side) == ("verify", Side.CONFIGURATION)
    assert failure.line == "KeyError: 'STRIPE_KEY'"
    assert failure.summary.startswith("exited with status 1 after ")
    assert seconds(operation, "verify") < 2
    log = await town.log_of(operation)
    assert "replica 1: Traceback (most recent call last):" in log


async def test_a_release_that_never_becomes_healthy_fails_at_its_deadline_with_what_it_says(
    town: World, demo: Shop
) -> None:
    operation, failure = await fails(town, "web", demo["stock"])
    assert failure.step == "verify"
    assert failure.summary == "GET /up answered 503 after 4.0 s"
    assert "inventory.internal:5432: no such host" in failure.line
    assert 4 <= seconds(operation, "verify") < 6


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def variants(town: World) -> dict[str, tuple[Operation, Failure]]:
    """All at once: most of the time they wait for what never comes."""
    for name, changed in VARIANTS.items():
        town.commit(name, changed(town.runtime), f"Break {name}")
    ends = await asyncio.gather(*(fails(town, name, town.remote.head) for name in VARIANTS))
    return dict(zip(VARIANTS, ends, strict=True))


@pytest.mark.parametrize(
    ("variant", "summary", "advice", "side"),
    [
        ("loopback", "it listens on 127.0.0.1:8000", "bind 0.0.0.0:8000", Side.CONFIGURATION),
        ("elsewhere", "nothing listens on port 8000", "set `port: 3000`", Side.CONFIGURATION),
        ("redirecting", "GET /up answered 302 to /login", "healthcheck.path", Side.CONFIGURATION),
        ("missing", "GET /up answered 404", "healthcheck.path", Side.CONFIGURATION),
        ("hungry", "killed: out of memory", "limits.memory", Side.CONFIGURATION),
    ],
)
async def test_a_release_that_no_waiting_will_help_is_ended_early_with_its_cause(
    variants: dict[str, tuple[Operation, Failure]], variant: str, summary: str, advice: str, side: Side
) -> None:
    operation, failure = variants[variant]
    assert (failure.step, failure.side) == ("verify", side)
    assert summary in failure.summary
    assert advice in failure.next
    assert seconds(operation, "verify") < 10


async def test_a_cancelled_build_ends_within_2_s_and_leaves_nothing(town: World) -> None:
    live = (await town.live("missing")).number
    sleepy = town.commit("missing", services.web_with(f"RUN {SLEEP}", town.runtime), "Sleep in the build")
    operation = await town.begin("missing", sleepy)
    await until(lambda: bool(processes(SLEEP)))
    assert town.scratch() != []
    started = time.monotonic()
    await town.client.call(CANCEL, OperationRequest(operation.id))
    assert time.monotonic() - started < 2
    ended = await town.ended(operation)
    assert ended.state is OperationState.CANCELLED
    assert ended.failure is None
    await nothing_is_left(town, "missing", live)
    await until(lambda: processes(SLEEP) == [], within=2)
    await town.ships("missing", town.commit("missing", services.web(town.runtime), "Build quickly again"))
