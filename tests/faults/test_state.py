"""The engine's own state is read-only, damaged, locked or of a newer cockpit: it says so, and customers stay."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from cockpit.errors import CockpitError, EngineUnreachable
from cockpit.model import Health
from tests.faults.world import next_deploy_works, nobody_noticed, open_shop
from tests.stories.world import World, world
from tests.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

AT_ONCE = 4.0  # seconds until customers are back although the log is locked
NEWER = 999  # a schema of years to come


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[World]:
    async with world() as made:
        await open_shop(made)
        await next_deploy_works(made)
        yield made


async def without_an_engine(shop: World) -> None:
    await shop.client.close()
    await shop.end_engine()


@contextmanager
def read_only(directory: Path) -> Iterator[None]:
    """As the kernel makes a disk that has failed once."""
    subprocess.run(["mount", "--bind", str(directory), str(directory)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(directory)], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """As by somebody who looks into it with a tool and forgets to leave."""
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
async def test_a_state_that_turns_read_only_ends_deploys_in_words_and_they_work_again_afterwards(shop: World) -> None:
    live = (await shop.live("shop")).number
    async with shop.load("shop", rate=40) as load:
        with read_only(shop.paths.state):
            with pytest.raises(CockpitError) as refused:
                await shop.deploy("shop", shop.commit("shop", {"notes": "read-only"}))
            assert "release log" in refused.value.message
            assert refused.value.hint
            await shop.roll_back("shop")  # its end can be written nowhere
            await until(lambda: _nothing_runs(shop), what="it ends all the same")
            assert (await shop.live("shop")).number == live
            assert (await shop.get("shop")).headers["x-release"] == f"r{live}"
        await until(lambda: _writes(shop), 20, "the log is written again")
        await next_deploy_works(shop)
    nobody_noticed(load)


async def _nothing_runs(shop: World) -> bool:
    return (await shop.placement("shop")).operation is None


async def _writes(shop: World) -> bool:
    return not (await shop.snapshot()).engine.log_note


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
async def test_an_engine_does_not_start_on_a_read_only_state_and_says_why(shop: World) -> None:
    await without_an_engine(shop)
    async with shop.load("shop", rate=40) as load:
        with read_only(shop.paths.state), pytest.raises(EngineUnreachable) as refused:
            await shop.up()
        assert "read-only" in refused.value.message.lower()
        assert str(shop.paths.state) in str(refused.value)
        await shop.up()
        await next_deploy_works(shop)
    nobody_noticed(load)


async def test_a_damaged_log_is_set_aside_and_what_serves_is_known_again(shop: World) -> None:
    live = (await shop.live("shop")).number
    await without_an_engine(shop)
    with shop.paths.database.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(16 * 4096))
    async with shop.load("shop", rate=40) as load:
        await shop.up()
        assert "was damaged" in (await shop.snapshot()).engine.log_note
        await until(lambda: _is_live(shop, live), 10, f"r{live} is known to be live")
        await next_deploy_works(shop)
        assert (await shop.live("shop")).number > live
    nobody_noticed(load)
    assert list(shop.paths.state.glob("releases.db.damaged-*"))


async def _is_live(shop: World, number: int) -> bool:
    placement = await shop.placement("shop")
    return placement.live is not None and placement.live.number == number and placement.health is Health.HEALTHY


async def test_a_locked_log_ends_no_rollback_and_loses_nothing_that_was_done(shop: World) -> None:
    live = (await shop.live("shop")).number
    async with shop.load("shop", rate=40) as load:
        with locked(shop.paths.database):
            began = time.monotonic()
            calling = asyncio.create_task(shop.goes_back("shop"))
            await until(lambda: shop.pointer("shop") != f"r{live}", 30, "customers are moved")
            took = time.monotonic() - began
            await calling
            with pytest.raises(CockpitError):
                await shop.deploy("shop", shop.commit("shop", {"notes": "locked"}))
        back = shop.pointer("shop")
        await until(lambda: _entered(shop, back), 20, "it is in the log")
        await shop.release_hold("shop")
        await next_deploy_works(shop)
    nobody_noticed(load)
    assert took < AT_ONCE


async def _entered(shop: World, name: str) -> bool:
    with closing(sqlite3.connect(f"file:{shop.paths.database}?mode=ro", uri=True)) as db:
        rows = db.execute(
            "SELECT number, hold_by FROM releases JOIN placements ON placements.id = releases.placement"
            " WHERE service = 'shop' AND live_since IS NOT NULL"
        ).fetchall()
    return [(f"r{number}", bool(hold)) for number, hold in rows] == [(name, True)]


async def test_a_log_of_a_newer_cockpit_is_shown_and_not_written(shop: World) -> None:
    live = (await shop.live("shop")).number
    await without_an_engine(shop)
    with closing(sqlite3.connect(shop.paths.database)) as db:
        (ours,) = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version = {NEWER}")
    before = shop.paths.database.read_bytes()
    async with shop.load("shop", rate=40) as load:
        await shop.up()
        assert (await shop.live("shop")).number == live
        assert "newer cockpit" in (await shop.snapshot()).engine.log_note
        with pytest.raises(CockpitError, match="newer cockpit"):
            await shop.deploy("shop", shop.commit("shop", {"notes": "newer"}))
        await without_an_engine(shop)
        assert shop.paths.database.read_bytes() == before
        with closing(sqlite3.connect(shop.paths.database)) as db:
            db.execute(f"PRAGMA user_version = {ours}")
        await shop.up()
        await next_deploy_works(shop)
    nobody_noticed(load)
