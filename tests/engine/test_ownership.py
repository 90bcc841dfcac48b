"""A host says whose it is: an emptied engine finds itself again by that, and another's host is only looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cockpit.engine import ownership
from cockpit.model import OperationState, PlacementKey
from cockpit.targets.base import Claim
from cockpit.targets.host_lock import Holder
from tests.engine.rig import SHOP, rig

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


async def test_a_host_says_whose_it_is_from_the_first_look_on(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        (claim,) = await shop.target.claims()
        assert (claim.installation, claim.bastion) == ("test", "bastion-1")
        assert claim.state == str(shop.paths.state)


async def test_a_host_of_another_cockpit_is_left_alone_and_says_where_to_go(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.down()
        shop.target.owners = {"bb": OTHERS}
        shop.edge.moves.clear()
        await shop.up()
        refused = await shop.shipped("first")
        assert refused.state is OperationState.FAILED
        assert refused.failure is not None
        assert "local belongs to the cockpit of tom on bastion-2 (installation bb" in refused.failure.summary
        assert "ssh tom@bastion-2" in refused.failure.next
        assert "when that bastion is gone" in refused.failure.next
        assert "test" not in shop.target.owners
        assert shop.running() == set()


async def test_it_is_used_as_soon_as_nobody_else_has_it(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.down()
        shop.target.owners = {"bb": OTHERS}
        await shop.up()
        assert shop.host.owner == OTHERS
        shop.target.owners.clear()
        await shop.until(lambda: shop.host.owner is None and shop.host.caught_up)
        assert (await shop.shipped("first")).state is OperationState.SUCCEEDED
