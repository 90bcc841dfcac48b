"""A directory becomes the installation that a host knows, when a person says so: with a row in the audit, and only when
nothing is lost by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cockpit.clock import SystemClock
from cockpit.engine import adoption
from cockpit.engine.adoption import Found
from cockpit.errors import Refused, TargetDown
from cockpit.model import PlacementKey, Tier
from cockpit.paths import Paths
from cockpit.store.log import ReleaseLog
from cockpit.targets.base import Claim, Target
from tests.engine.rig import ANA, SHOP, Rig, rig

FAR = "ssh://deploy@shop-1"
THEIRS = Claim("test", "m2", "bastion-2", "tom", "/srv/cockpit", frozenset({SHOP}))


def found(*claims: Claim, near: bool = False) -> Found:
    return Found({FAR: claims}, {}, frozenset({FAR} if near else ()))


def asking(shop: Rig) -> Any:
    @asynccontextmanager
    async def ask(_: str) -> AsyncIterator[Target]:
        if shop.target.down:
            raise TargetDown(shop.target.down)
        yield shop.target

    return ask


async def name_in(paths: Paths) -> str:
    return await asyncio.to_thread(adoption.name_of, paths.state)


async def a_directory(tmp_path: Path, name: str = "") -> Paths:
    return await asyncio.to_thread(_a_directory, tmp_path, name)


def _a_directory(tmp_path: Path, name: str) -> Paths:
    state = tmp_path / "other"
    state.mkdir(exist_ok=True)
    if name:
        (state / "installation").write_text(f"{name}\n")
    return Paths(tmp_path / "cockpit.yaml", state, tmp_path / "other.sock")


async def adopts(shop: Rig, paths: Paths, installation: str = "test") -> list[str]:
    seen = await adoption.look({FAR: False}, asking(shop))
    claim = Claim(installation, "m1", "bastion-1", "ana", str(paths.state))
    return await adoption.adopt(paths, seen, installation, claim, ANA, asking(shop), SystemClock())


async def test_a_new_directory_takes_over_live_and_hot_releases_and_says_who_did_it(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        await shop.until(lambda: len(shop.target.records) == 2)
        await shop.down()
        paths = await a_directory(tmp_path, "fresh")
        said = await adopts(shop, paths)
        assert "is the installation test now" in said[0]
        assert "label=deploy-cockpit.installation=fresh" in said[1]
        assert await name_in(paths) == "test"
        shop.paths = paths
        await shop.up()
        tiers = {each.number: each.tier for each in shop.engine.window.releases(SHOP, 9).releases}
        assert tiers == {2: Tier.LIVE, 1: Tier.HOT}
        assert (await shop.ended(await shop.rollback())).to_release == 1
        rows = await shop.store.audit(50)
        (row,) = [each for each in rows if each.action == "engine adopt"]
        assert (row.actor.name, row.outcome, row.cli) == ("ana", "done", "cockpit engine adopt test")
        assert "shop/production" in row.text
        assert "was the installation fresh" in row.text
        (claim,) = [each for each in await shop.target.claims() if each.installation == "test"]
        assert (claim.bastion, claim.state) == ("bastion-1", str(paths.state))


async def test_a_directory_that_serves_something_itself_is_left_as_it_is(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.down()
        await asyncio.to_thread((shop.paths.state / "installation").write_text, "aa\n")
        before = await asyncio.to_thread(shop.paths.database.read_bytes)
        shop.target.owners = {"bb": replace(THEIRS, installation="bb")}
        with pytest.raises(Refused, match="is the installation aa, which serves shop/production"):
            await adopts(shop, shop.paths, "bb")
        assert await asyncio.to_thread(shop.paths.database.read_bytes) == before
        assert await name_in(shop.paths) == "aa"
        assert shop.target.owners["bb"].bastion == "bastion-2"
        await shop.up()


async def test_the_log_of_before_is_kept_beside(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        shop.target.owners = {"test": THEIRS}
        paths = await a_directory(tmp_path, "fresh")
        log = await ReleaseLog.open(paths.state / "releases.db", SystemClock())
        await log.close()
        await adopts(shop, paths)
        kept = min(paths.state.glob("releases.db.before-*"))  # beside it its journal
        assert (await asyncio.to_thread(kept.read_bytes)).startswith(b"SQLite")


def test_nothing_is_adopted_that_no_host_knows_and_a_silent_host_is_named() -> None:
    seen = replace(found(THEIRS), silent={"ssh://deploy@shop-2": "the line is down"})
    refused = adoption.refusal(seen, "zz", "", "/srv/cockpit")
    assert refused is not None
    assert "no host that answers has an installation zz; ssh://deploy@shop-2: the line is down" in refused.message


def test_what_a_directory_is_already_it_does_not_become() -> None:
    refused = adoption.refusal(found(THEIRS), "test", "test", "/srv/cockpit")
    assert refused is not None
    assert "is the installation test already" in refused.message


def test_an_edge_of_this_machine_wants_its_own_directory_and_one_elsewhere_does_not() -> None:
    assert adoption.refusal(found(THEIRS), "test", "", "/srv/another") is None
    assert adoption.refusal(found(THEIRS, near=True), "test", "", "/srv/cockpit") is None
    refused = adoption.refusal(found(THEIRS, near=True), "test", "", "/srv/another")
    assert refused is not None
    assert refused.hint == "do it there: cockpit --state /srv/cockpit engine adopt test"


def test_the_list_has_each_installation_with_its_releases_and_each_silent_host() -> None:
    staging = replace(THEIRS, installation="aa", placements=frozenset({PlacementKey("shop", "staging")}))
    lines = adoption.listing(replace(found(THEIRS, staging), silent={"local": "Docker is away"}), "aa")
    assert lines == [
        "aa of tom on bastion-2, state /srv/cockpit: shop/staging on ssh://deploy@shop-1 · this directory",
        "test of tom on bastion-2, state /srv/cockpit: shop/production on ssh://deploy@shop-1",
        "local: Docker is away",
    ]
    assert adoption.listing(Found({}, {}), "") == ["no host has anything of a cockpit"]


async def test_a_host_that_does_not_hear_it_is_named_and_ours_all_the_same(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        seen, paths = found(THEIRS), await a_directory(tmp_path)
        shop.target.down = "connection refused"
        claim = Claim("test", "m1", "bastion-1", "ana", str(paths.state))
        said = await adoption.adopt(paths, seen, "test", claim, ANA, asking(shop), SystemClock())
        assert said[-1] == f"{FAR} goes on naming the former owner: connection refused"
        assert await name_in(paths) == "test"
        shop.target.down = ""
