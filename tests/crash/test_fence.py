"""Two engines of one installation on one Docker host: the one that was paused and taken over changes nothing more."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cockpit import points, private
from cockpit.client import Client, connect
from cockpit.demo import background, play
from cockpit.errors import Refused
from cockpit.model import Operation, OperationState, PlacementKey
from cockpit.paths import find
from cockpit.protocol import DEPLOY, STATUS, TAKEOVER, DeployRequest, Nothing, TakeoverRequest
from tests.stories import services
from tests.stories.world import PARTING, World, key, world
from tests.waiting import until

pytestmark = pytest.mark.docker

SHOP: PlacementKey = key("shop")


@asynccontextmanager
async def another(shop: World, directory: Path) -> AsyncIterator[Client]:
    """A client of a second engine, whose log is its own; the edge's directory is on the host, where both reach it."""
    paths = find(shop.paths.config, directory)
    private.make(paths.state)
    (paths.state / "installation").write_text(f"{shop.host.installation}\n", encoding="ascii")
    paths.edge.symlink_to(shop.paths.edge)
    client = await connect(paths, client="cli")
    try:
        yield client
    finally:
        await client.close()
        await background.end(paths.lock, "cockpit.engine", str(paths.state), patience=PARTING)
        paths.socket.unlink(missing_ok=True)


def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


async def knows(client: Client, release: int) -> bool:
    seen = await client.call(STATUS, Nothing())
    return any(each.live is not None and each.live.number == release for each in seen.placements)


@pytest.mark.parametrize("where", ["deploy/start target.start before", "deploy/switch edge.point before"])
async def test_an_engine_that_sleeps_past_its_takeover_moves_nobody_when_it_wakes(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world() as shop:
        shop.configure("shop")
        monkeypatch.setenv(points.VARIABLE, str(tmp_path))
        await shop.up()
        monkeypatch.delenv(points.VARIABLE)
        await shop.ships("shop", shop.commit("shop", services.web(shop.runtime), "first"))
        second = shop.commit("shop", services.web_with("ENV NUMBER=2", shop.runtime), "second")
        third = shop.commit("shop", services.web_with("ENV NUMBER=3", shop.runtime), "third")
        async with another(shop, tmp_path / "state") as other, shop.load("shop") as load:
            await until(lambda: knows(other, 1))
            (tmp_path / points.DIE).write_text(f"stop 2 {where}")  # the first deploy has passed it
            sleeping = shop.engine_pid
            deploy = await shop.begin("shop", second)
            await until(lambda: stopped(sleeping))
            try:
                with pytest.raises(Refused) as refused:
                    await other.call(DEPLOY, DeployRequest(SHOP, third))
                assert "began a deploy" in refused.value.message
                lock = refused.value.hint.split()[refused.value.hint.split().index("takeover") + 3]
                await other.call(TAKEOVER, TakeoverRequest(SHOP, lock, "the other bastion hangs"))
                theirs = await play.ended(other, await ships(other, third))
                assert theirs.state is OperationState.SUCCEEDED
                pointer = shop.pointer("shop")
            finally:
                os.kill(sleeping, signal.SIGCONT)
            ours = await shop.ended(deploy)
            assert ours.state is OperationState.FAILED
            assert ours.failure is not None
            assert "nothing more is done here" in ours.failure.summary
            assert shop.pointer("shop") == pointer
            assert (await shop.get("shop")).headers["x-release"] == pointer
        stats = load.stats()
        assert (stats.lost, stats.non_2xx) == (0, 0), stats.lost_because


async def ships(client: Client, commit: str) -> Operation:
    """Again when it was told to look first: the other engine deployed meanwhile."""
    while True:
        try:
            return await client.call(DEPLOY, DeployRequest(SHOP, commit))
        except Refused as error:
            if "another bastion has changed" not in error.message:
                raise
        await asyncio.sleep(0)
