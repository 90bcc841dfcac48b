"""A system engine under a user of its own deploys on a real Docker host, for people who have no access to Docker."""

from __future__ import annotations

import asyncio
import stat
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.several_users import User, needs_root
from tests.stories import services
from tests.stories.test_switching import some_more
from tests.stories.world import World, world
from tests.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module"), needs_root]

GROUP, SHOPS = 61000, 61002
DOCKER = Path("/var/run/docker.sock")
DEPLOYER = User(61102, (GROUP, SHOPS))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[World]:
    if not DOCKER.stat().st_gid:
        pytest.skip(f"{DOCKER} is root's group's here: a system engine would not reach it")
    engine = User(61990, (GROUP, DOCKER.stat().st_gid))
    async with world() as made:
        made.root.chmod(0o755)
        made.paths = replace(made.paths, socket=made.root / "run" / "engine.sock", group=str(GROUP))
        made.paths.socket.parent.mkdir()
        made.configure("shop", deployers=[str(SHOPS)])
        made.commit("shop", services.web(made.runtime), "Open the shop")
        await owned(engine.uid, made.paths.socket.parent, made.paths.state, made.remote.path)
        where = ("--config", str(made.paths.config), "--state", str(made.paths.state), "--group", str(GROUP))
        words = ("run", *where, "--socket", str(made.paths.socket))
        running = engine.starts("-m", "cockpit.engine", *words, HOME=str(made.paths.state))
        try:
            await until(lambda: made.paths.socket.exists() and stat.S_IMODE(made.paths.socket.stat().st_mode) == 0o660)
            await made.up()
            yield made
        finally:
            running.terminate()
            await asyncio.to_thread(running.wait, 20)


async def owned(uid: int, *paths: Path) -> None:
    words = ["chown", "-R", f"{uid}:{uid}", *map(str, paths)]
    await asyncio.to_thread(subprocess.run, words, check=True)


async def cockpit(shop: World, *words: str) -> subprocess.CompletedProcess[str]:
    run = DEPLOYER.python
    return await asyncio.to_thread(run, "-m", "cockpit.cli.main", *words, COCKPIT_SOCKET=str(shop.paths.socket))


async def test_a_deployer_without_dockers_group_deploys_and_rolls_back_and_no_request_is_lost(shop: World) -> None:
    refused = await asyncio.to_thread(
        DEPLOYER.python, "-c", f"import socket; socket.socket(1).connect({str(DOCKER)!r})"
    )
    assert "PermissionError" in refused.stderr
    first = await cockpit(shop, "deploy", "shop", "--yes")
    assert first.returncode == 0, first.stdout + first.stderr
    async with shop.load("shop") as load:
        await some_more(load)
        await owned(0, shop.remote.path)  # git reads no repository of somebody else
        shop.commit("shop", {"notes": "two"})
        await owned(shop.paths.state.stat().st_uid, shop.remote.path)
        await shop.reread("shop")
        second = await cockpit(shop, "deploy", "shop", "--yes")
        assert second.returncode == 0, second.stdout + second.stderr
        await some_more(load)
        back = await cockpit(shop, "rollback", "shop", "--yes", "--reason", "a story")
        assert back.returncode == 0, back.stdout + back.stderr
        await some_more(load)
    assert (load.stats().lost, load.stats().non_2xx) == (0, 0), load.stats().lost_because
    assert (await shop.live("shop")).name == "r1"


async def test_exec_says_that_it_alone_needs_docker(shop: World) -> None:
    refused = await cockpit(shop, "exec", "shop", "--", "true")
    assert refused.returncode == 1
    assert "docker.sock is for root and group " in refused.stderr
    assert "sudo cockpit exec shop/production -- true" in refused.stderr


async def test_the_log_names_who_did_it_and_not_the_engines_user(shop: World) -> None:
    assert {each.by for each in await shop.releases("shop")} == {"uid 61102"}


async def test_doctor_says_how_old_its_edge_is_and_finds_the_files_in_order(shop: World) -> None:
    said = (await cockpit(shop, "doctor")).stdout
    assert "made 0 days ago" in said
    assert "nobody else may read or change them" in said
    assert f"a system engine, shared by group {GROUP}" in said
