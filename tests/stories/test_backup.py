"""A state directory is lost and comes back, from a backup or by adoption: each verb a process of its own, as people use
them."""

from __future__ import annotations

import asyncio
import json
import shutil
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from cockpit.demo.exchange import Cut
from tests.stories import services
from tests.stories.test_switching import some_more
from tests.stories.world import PRODUCTION, World, world
from tests.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

ROOT = Path(__file__).parents[2]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[World]:
    """r2 has the customers, r1 is hot; one value of theirs is a secret."""
    async with world() as made:
        secret = made.root / "token"
        secret.write_text("hunter2\n")
        made.configure("shop", secrets={"TOKEN": {"file": str(secret)}}, keep_hot="600s", bake="1s")
        await made.up()
        for number in (1, 2):
            await made.ships("shop", made.commit("shop", {**services.web(made.runtime), "notes": str(number)}))
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kept(shop: World) -> Path:
    """What was backed up while the engine ran."""
    file = shop.root / "kept.tar"
    assert "Keep it as a secret" in await does(shop, "backup", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    return file


async def does(shop: World, *words: str, ends: int = 0) -> str:
    """What a verb prints, its exit status being `ends`."""
    where = ("--config", str(shop.paths.config), "--state", str(shop.paths.state))
    verb = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cockpit.cli.main", *where, *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=ROOT,
    )
    output, _ = await verb.communicate()
    assert verb.returncode == ends, output.decode()
    return output.decode()


async def told(shop: World, *words: str) -> Any:
    return json.loads(await does(shop, *words, "--json"))


async def destroy(shop: World) -> None:
    """As power and a lost disk do."""
    await shop.client.close()
    await shop.end_engine_at_once()
    await asyncio.to_thread(shutil.rmtree, shop.paths.state)


async def page(shop: World) -> str:
    """What a customer gets: "shop r2"; the status when that is not a page."""
    try:
        answer = await shop.get("shop")
    except (OSError, Cut):
        return "cut"
    return " ".join(answer.body.decode().split()[:2]) if answer.status == 200 else str(answer.status)


async def serves(shop: World, release: int) -> None:
    found = ""

    async def look() -> bool:
        nonlocal found
        found = await page(shop)
        return found == f"shop r{release}"

    try:
        await until(look, within=30)
    except AssertionError:
        raise AssertionError(f"customers get {found}; {shop.engine_log()}") from None


async def agree(shop: World, live: int) -> None:
    """The pointer, the containers, what the command line says, the history and the audit's chain."""
    await serves(shop, live)
    assert shop.pointer("shop") == f"r{live}"
    assert live in shop.host.releases("shop", running=True)
    (placement,) = (await told(shop, "status"))["placements"]
    assert placement["live"]["number"] == live
    assert not placement.get("pending", {}).get("settings_changed"), placement
    assert "rows are as they were written" in await does(shop, "audit", "verify")


async def test_a_running_engine_keeps_its_state_from_being_replaced(shop: World, kept: Path) -> None:
    assert "an engine runs on" in await does(shop, "restore", str(kept), "--yes", ends=3)
    await agree(shop, 2)


async def test_a_lost_state_directory_is_restored_and_everything_agrees(shop: World, kept: Path) -> None:
    name, before = shop.host.installation, await history(shop)
    assert [number for number, _ in before] == [2, 1]
    await destroy(shop)
    assert f"is the installation {name} again" in await does(shop, "restore", str(kept), "--yes")
    await does(shop, "status")
    await agree(shop, 2)
    assert await history(shop) == before
    await shop.up()
    async with shop.load("shop") as load:
        await does(shop, "rollback", "shop", "--yes", "--reason", "a story")
        await some_more(load)
    assert (load.stats().lost, load.stats().non_2xx) == (0, 0), load.stats().lost_because
    await agree(shop, 1)


async def history(shop: World) -> list[tuple[int, str]]:
    """Number and commit of each release, newest first."""
    found = (await told(shop, "releases", "shop", PRODUCTION))["releases"]
    return [(each["number"], each["commit"]) for each in found]


async def test_with_the_containers_gone_too_a_restart_brings_the_live_release_back(shop: World, kept: Path) -> None:
    await destroy(shop)
    for name in (*shop.host.containers("shop"), shop.host.edge):
        await asyncio.to_thread(shop.host.client.api.remove_container, name, force=True)
    await does(shop, "restore", str(kept), "--yes")
    await does(shop, "status")
    await shop.up()
    await shop.edge_up()
    assert (await shop.live("shop")).number == 2, "as the backup says"
    await does(shop, "restart", "shop", "--yes", "--confirm", "shop")
    await agree(shop, 2)
    await does(shop, "rollback", "shop", "--yes", "--confirm", "shop", "--reason", "a story")
    await agree(shop, 1)
    await does(shop, "unhold", "shop", "--reason", "the story goes on")
    await does(shop, "deploy", "shop", "--yes", "--confirm", "shop", "--force")
    await agree(shop, 3)


async def test_an_engine_that_was_given_a_new_name_adopts_the_old_one_and_everything_agrees(shop: World) -> None:
    """As after a loss with Docker away: nobody told the next engine who it is."""
    live, name = (await shop.live("shop")).number, shop.host.installation
    await destroy(shop)
    await asyncio.to_thread(_begin_anew, shop)
    assert "shop/production on local" in await does(shop, "engine", "adopt")
    assert "no host that answers has an installation" in await does(shop, "engine", "adopt", "0000", "--yes", ends=3)
    assert "Nobody is here to say yes" in await does(shop, "engine", "adopt", name, ends=2)
    assert f"is the installation {name} now" in await does(shop, "engine", "adopt", name, "--yes")
    await does(shop, "status")
    await agree(shop, live)
    assert "engine adopt" in await does(shop, "audit")
    await shop.up()
    await does(shop, "rollback", "shop", "--yes", "--confirm", "shop", "--reason", "a story")
    assert (await shop.live("shop")).number != live
    assert "is the installation" in await does(shop, "engine", "adopt", name, "--yes", ends=3)


def _begin_anew(shop: World) -> None:
    shop.paths.state.mkdir(mode=0o700)
    (shop.paths.state / "installation").write_text("f0f0f0f0\n", encoding="ascii")
