"""A disk fills up: the deploy ends before the switch or goes through, its outcome is recorded, and customers stay."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from cockpit import launch
from cockpit.errors import StoreError, TargetError
from cockpit.model import OperationState
from tests.faults.private import missing
from tests.faults.world import (
    PrivateWorld,
    failed,
    fill,
    in_step,
    next_deploy_works,
    nobody_noticed,
    open_shop,
    private_world,
    small_disk,
)
from tests.stories import services
from tests.stories.world import World, world

pytestmark = [
    pytest.mark.docker,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        bool(missing()), reason=f"small disks and a Docker engine of one's own need {', '.join(missing())}"
    ),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def private() -> AsyncIterator[PrivateWorld]:
    async with private_world() as made:
        await open_shop(made)
        yield made


async def test_a_full_disk_of_docker_keeps_deploys_from_beginning_and_nobody_from_going_back(
    private: PrivateWorld,
) -> None:
    await next_deploy_works(private)
    live = (await private.live("shop")).number
    with full(private.private.data):
        async with private.load("shop", rate=40) as load:
            assert "disk is full" in await refusal(private)
            assert set(private.host.releases("shop", running=True)) == {live, live - 1}
            await private.goes_back("shop", live - 1)
            assert (await private.get("shop")).headers["x-release"] == f"r{live - 1}"
        nobody_noticed(load)
    await private.release_hold("shop")
    await next_deploy_works(private)


@dataclass(frozen=True)
class Small:
    """The state directory, the logs in it and the engine's temporary files are each on a disk of its own."""

    world: World
    tmp: Path

    @property
    def state(self) -> Path:
        return self.world.paths.state

    @property
    def logs(self) -> Path:
        return self.world.paths.logs


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def small(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Small]:
    tmp = tmp_path_factory.mktemp("tmp")
    async with world() as made:
        with small_disk(made.paths.state, 700), small_disk(tmp, 64):
            made.paths.logs.mkdir(mode=0o700)
            (made.paths.state / "installation").write_text(f"{made.host.installation}\n")
            made.command = ("env", f"TMPDIR={tmp}", *launch.ENGINE)
            with small_disk(made.paths.logs, 4):
                try:
                    await open_shop(made)
                    yield Small(made, tmp)
                finally:
                    await made.client.close()
                    await made.end_engine()


@contextmanager
def full(directory: Path) -> Iterator[None]:
    filler = fill(directory)
    try:
        yield
    finally:
        filler.unlink()


async def test_full_logs_stop_no_deploy_and_what_is_lost_is_said(small: Small) -> None:
    shop = small.world
    async with shop.load("shop", rate=40) as load:
        with full(small.logs):
            operation = await shop.ships("shop", shop.commit("shop", {"notes": "nobody reads this"}))
            assert (await shop.get("shop")).headers["x-release"] == f"r{operation.to_release}"
        await next_deploy_works(shop)
    nobody_noticed(load)
    assert "lines of its log are lost: its disk is full" in (await shop.operation(operation)).summary


async def test_a_full_tmp_ends_the_build_and_a_rollback_needs_none(small: Small) -> None:
    shop = small.world
    live = (await shop.live("shop")).number
    async with shop.load("shop", rate=40) as load:
        with full(small.tmp):
            failure = failed(await shop.deploy("shop", shop.commit("shop", {"notes": "x" * 2**20})))
            assert failure.step == "build"
            assert "no space left" in failure.summary
            await shop.goes_back("shop")
        assert (await shop.live("shop")).number != live
        await shop.release_hold("shop")
        await next_deploy_works(shop)
    nobody_noticed(load)


async def test_a_state_that_fills_up_is_told_truly_and_a_rollback_goes_on(small: Small) -> None:
    """The ballast beside the release log is given up, so that what happens can be written down."""
    shop = small.world
    slow = services.web(shop.runtime, start=f"sleep 2\n{services.START}")
    async with shop.load("shop", rate=40) as load:
        operation = await shop.begin("shop", shop.commit("shop", slow, "Boot slowly"))
        await in_step(shop, operation, "verify")
        with full(small.state):
            ended = await shop.ended(operation)
            live = (await shop.live("shop")).number
            assert (live == ended.to_release) == (ended.state is OperationState.SUCCEEDED)
            assert shop.pointer("shop") == f"r{live}"
            assert re.search("no space left|MB free", await refusal(shop))
            back = await shop.goes_back("shop")
            assert shop.pointer("shop") == f"r{back.to_release}"
        await shop.client.close()
        await shop.end_engine_at_once()
        await shop.up()
        for each in (ended, back):
            kept = await shop.operation(each)
            assert (kept.state, kept.summary) == (each.state, each.summary)
        assert (await shop.live("shop")).number == back.to_release
        await shop.release_hold("shop")
        shop.commit("shop", services.web(shop.runtime), "Boot quickly")
        await next_deploy_works(shop)
    nobody_noticed(load)


async def refusal(shop: World) -> str:
    """Why a deploy is not begun, or ended before anything was started."""
    try:
        return failed(await shop.deploy("shop", shop.commit("shop", {"notes": "full"}))).summary
    except (StoreError, TargetError) as error:
        return error.message
