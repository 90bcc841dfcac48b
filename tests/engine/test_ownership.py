"""A host says whose it is: an emptied engine finds itself again by that, and another's host is only looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cockpit.config.settings import Edge, Environment
from cockpit.engine import ownership
from cockpit.errors import Refused
from cockpit.model import OperationState, PlacementKey
from cockpit.protocol import (
    DEPLOY,
    DEPLOY_SHEET,
    EDGE_UPGRADE,
    EXEC,
    RESTART,
    ROLLBACK,
    ROLLBACK_SHEET,
    TAKEOVER,
    Call,
    CommitRequest,
    DeployRequest,
    EdgeUpgradeRequest,
    ExecRequest,
    For,
    RestartRequest,
    RollbackRequest,
    TakeoverRequest,
)
from cockpit.targets.base import Claim
from cockpit.targets.host_lock import Holder
from tests.engine.rig import SHOP, rig, service, settings

ME = Holder("bastion-1", "m1", "boot", "processes", 1, 1)
MINE = Claim("aa", "m1", "bastion-1", "ana", "/srv/cockpit")
OTHERS = Claim("bb", "m2", "bastion-2", "tom", "/srv/cockpit", frozenset({SHOP}))


def test_an_emptied_state_directory_is_known_by_its_machine_and_path() -> None:
    assert ownership.lost([OTHERS, MINE], ME, "/srv/cockpit") == "aa"


@pytest.mark.parametrize(
    "claims",
    [
        (),
        (OTHERS,),
        (replace(MINE, state="/srv/other"),),
        (replace(MINE, machine="m2"),),
        (replace(MINE, bastion="bastion-7"),),  # machines without an id of their own have the same digest
        (MINE, replace(MINE, installation="cc")),  # whichever it was
    ],
)
def test_nothing_else_is_taken_for_it(claims: tuple[Claim, ...]) -> None:
    assert ownership.lost(claims, ME, "/srv/cockpit") == ""


def test_another_machine_that_has_the_same_placement_is_a_stranger() -> None:
    assert ownership.stranger([MINE, OTHERS], MINE, {SHOP}) == OTHERS


def test_neighbours_with_other_placements_and_engines_of_one_installation_are_none() -> None:
    assert ownership.stranger([MINE, OTHERS], MINE, {PlacementKey("shop", "staging")}) is None
    assert ownership.stranger([replace(OTHERS, installation="aa")], MINE, {SHOP}) is None
    assert ownership.stranger([replace(OTHERS, machine="m1")], MINE, {SHOP}) is None


def test_another_state_directory_of_this_machine_is_a_stranger_where_no_port_keeps_the_two_apart() -> None:
    neighbour = replace(MINE, installation="bb", state="/srv/other", placements=frozenset({SHOP}))
    assert ownership.stranger([neighbour], MINE, {SHOP}) is None
    assert ownership.stranger([neighbour], MINE, {SHOP}, in_networks={SHOP}) == neighbour
    assert ownership.stranger([neighbour], MINE, {SHOP}, in_networks={PlacementKey("shop", "staging")}) is None


def test_what_this_very_state_directory_was_before_it_was_emptied_is_none() -> None:
    before = replace(MINE, installation="bb", placements=frozenset({SHOP}))
    assert ownership.stranger([before], MINE, {SHOP}, in_networks={SHOP}) is None


async def test_an_engine_whose_edge_is_in_networks_leaves_another_state_directorys_placements_alone(
    tmp_path: Path,
) -> None:
    wanted = settings((SHOP, service()))
    networks = Environment(edge=Edge(networks=("proxy",)))
    placement = wanted.placements[0].model_copy(update={"environment": networks})
    wanted = wanted.model_copy(update={"environments": {"production": networks}, "placements": (placement,)})
    async with rig(tmp_path, wanted) as shop:
        await shop.down()
        other = Claim("bb", shop.me.machine, shop.me.bastion, "tom", "/srv/other", frozenset({SHOP}))
        shop.target.owners = {"bb": other}
        await shop.up()
        assert shop.host.owner == other


async def test_a_host_says_whose_it_is_from_the_first_look_on(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        (claim,) = await shop.target.claims()
        assert (claim.installation, claim.bastion) == ("test", "bastion-1")
        assert claim.state == str(shop.paths.state)


Asked = tuple[Call[Any, Any], Any]
CHANGES: tuple[Asked, ...] = (
    (DEPLOY, DeployRequest(SHOP, "c0ffee")),
    (ROLLBACK, RollbackRequest(SHOP)),
    (RESTART, RestartRequest(SHOP)),
    (EXEC, ExecRequest(SHOP)),
    (EXEC, ExecRequest(SHOP, one_off=True)),
    (TAKEOVER, TakeoverRequest(SHOP, "1f2e", "it hangs")),
    (EDGE_UPGRADE, EdgeUpgradeRequest("local")),
)


async def test_on_a_host_of_another_cockpit_whatever_changes_it_is_refused_with_its_name_and_the_way(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.down()
        shop.target.owners = {"bb": OTHERS}
        await shop.up()
        pointers, containers = dict(shop.edge.pointers), [each.id for each in shop.target.containers]
        shop.target.calls.clear()
        shop.edge.moves.clear()
        for call, asked in CHANGES:
            with pytest.raises(
                Refused, match=r"local belongs to the cockpit of tom on bastion-2 \(installation bb"
            ) as no:
                await shop.call(call, asked)
            assert "ssh tom@bastion-2, then cockpit" in no.value.hint
            assert "cockpit engine adopt bb" in no.value.hint
        await shop.engine.watch.changed(SHOP)
        assert not [each for each in shop.target.calls if each.startswith(("start", "stop", "activate", "remove"))]
        assert "test" not in shop.target.owners
        assert (shop.edge.pointers, shop.edge.moves) == (pointers, [])
        assert [each.id for each in shop.target.containers] == containers
        refused = [each for each in await shop.store.audit(20) if each.outcome == "refused"]
        assert {each.action for each in refused} == {"deploy", "rollback", "restart", "exec", "takeover"}


async def test_the_sheets_of_a_host_of_another_cockpit_refuse_before_anybody_types(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.down()
        shop.target.owners = {"bb": OTHERS}
        await shop.up()
        shop.commit("first")
        for sheet in (
            await shop.call(DEPLOY_SHEET, CommitRequest(SHOP)),
            await shop.call(ROLLBACK_SHEET, For(SHOP)),
        ):
            assert "belongs to the cockpit of tom on bastion-2" in sheet.refused


async def test_what_an_engine_left_behind_there_waits_until_the_host_is_ours_again(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.prober.answers[2] = 0
        begun = await shop.deploy(shop.commit("second"))
        await shop.until(lambda: 2 in shop.running())
        await shop.down()
        shop.target.owners = {"bb": OTHERS}
        shop.clock.hurry()
        await shop.up(wait=False)
        await shop.until(lambda: shop.host.owner == OTHERS)
        await shop.until(lambda: shop.engine.world.recovering == {SHOP})
        assert shop.running() == {1, 2}
        shop.target.owners.clear()
        await shop.settled()
        assert (await shop.ended(begun)).state is OperationState.INTERRUPTED
        assert (shop.running(), shop.customers_on()) == ({1}, 1)


async def test_it_is_used_as_soon_as_nobody_else_has_it(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.down()
        shop.target.owners = {"bb": OTHERS}
        await shop.up()
        assert shop.host.owner == OTHERS
        shop.target.owners.clear()
        await shop.until(lambda: shop.host.owner is None and shop.host.caught_up)
        assert (await shop.shipped("first")).state is OperationState.SUCCEEDED
