"""Whose a host is: an engine says so there, finds itself again by it, and leaves alone what is another's. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from cockpit.model import PlacementKey
from cockpit.targets.base import Claim
from cockpit.targets.host_lock import Holder


def claim(installation: str, me: Holder, user: str, state: str) -> Claim:
    return Claim(installation, me.machine, me.bastion, user, state)


def lost(claims: Iterable[Claim], me: Holder, state: str) -> str:
    """The installation that this state directory of this machine had before it was emptied; "" when nobody knows, or
    several could be meant."""
    here = (me.machine, me.bastion, state)
    found = {each.installation for each in claims if (each.machine, each.bastion, each.state) == here}
    return found.pop() if len(found) == 1 else ""


def stranger(
    claims: Iterable[Claim],
    mine: Claim,
    placements: Collection[PlacementKey],
    in_networks: Collection[PlacementKey] = (),
) -> Claim | None:
    """Another installation that has what we would change. Engines of one installation share it: their locks keep them
    apart. Two of one machine are neighbours, whom the edge's port keeps apart; not those `in_networks`, where the edge
    takes none: there another state directory is a stranger too."""
    here = (mine.machine, mine.bastion, mine.state)
    for each in claims:
        ours = placements if each.machine != mine.machine else in_networks
        another = each.installation != mine.installation and (each.machine, each.bastion, each.state) != here
        if another and not each.placements.isdisjoint(ours):
            return each
    return None


def words(host: str, owner: Claim) -> tuple[str, str]:
    """What is wrong, and what to do."""
    whose = f"{owner.user} on {owner.bastion} (installation {owner.installation}, state {owner.state})"
    there = f"use it there: ssh {owner.user}@{owner.bastion}, then cockpit"
    gone = f"when that bastion is gone, take it over: cockpit engine adopt {owner.installation}"
    return f"{host} belongs to the cockpit of {whose}: here it is only looked at", f"{there}; {gone}"
