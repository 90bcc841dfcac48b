"""Who may ask what: each call needs a role of the placement it is about, and Unix groups give roles.

Pure. The server asks before every call, so that no request's own code has to think of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from cockpit.config.settings import PlacementSettings, Roles, Settings
from cockpit.engine.api import Peer, Standing
from cockpit.errors import Refused
from cockpit.model import PlacementKey, Role
from cockpit.protocol import Call, LogKind, LogRequest

ROOT = 0


class Known(Protocol):
    """Of the engine's world, all that counts here."""

    settings: Settings

    @property
    def known(self) -> Mapping[PlacementKey, PlacementSettings]: ...


class Permission:
    """`owner` is the engine's own user: whoever is it can do to the state directory what they like."""

    def __init__(self, world: Known, owner: Callable[[], int] = os.geteuid) -> None:
        self._world = world
        self._owner = owner

    def standing(self, peer: Peer) -> Standing:
        """Raises Refused when it may not even look."""
        if self._full(peer) is None:
            raise Refused(f"{peer.actor.name} may not look at this cockpit", _ask(self._roles.viewer or ()))
        if peer.read_only:
            return Standing(Role.VIEWER)
        if self._full(peer) is Role.ADMIN:
            return Standing(Role.ADMIN)
        known = self._world.known.values()
        theirs = tuple(each.key for each in known if self._deploys(peer, each))
        if not theirs and not self._member(peer, self._roles.deployer):
            return Standing(Role.VIEWER)
        return Standing(Role.DEPLOYER, None if len(theirs) == len(known) else theirs)

    def require(self, peer: Peer, call: Call[Any, Any], params: Any, about: PlacementKey | None) -> None:
        """`about` is the placement that a request is about. Raises Refused, and says who may."""
        needed, placement = needs(call, params), self._world.known.get(about) if about else None
        role = self._role(peer, placement)
        if role is not None and role.covers(needed):
            return
        if peer.read_only:
            raise Refused("This connection is read-only", "Start cockpit again without --read-only")
        what = f"{call.name} {about}" if about else call.name
        raise Refused(f"{peer.actor.name} may not {what}", self._who_may(needed, placement))

    def _role(self, peer: Peer, placement: PlacementSettings | None) -> Role | None:
        full = self._full(peer)
        if full is not Role.VIEWER or peer.read_only:
            return full and (Role.VIEWER if peer.read_only else full)
        return Role.DEPLOYER if self._deploys(peer, placement) else Role.VIEWER

    def _full(self, peer: Peer) -> Role | None:
        """Without what it may for single placements: admin, viewer or nothing."""
        if peer.actor.uid in (ROOT, self._owner()) or self._member(peer, self._roles.admin):
            return Role.ADMIN
        if self._roles.viewer is None or self._member(peer, self._roles.viewer):
            return Role.VIEWER
        deploys = any(self._deploys(peer, each) for each in (None, *self._world.known.values()))
        return Role.VIEWER if deploys else None

    def _deploys(self, peer: Peer, placement: PlacementSettings | None) -> bool:
        return self._member(peer, self._deployers(placement))

    def _deployers(self, placement: PlacementSettings | None) -> tuple[str, ...]:
        own = placement.service.deployers if placement else None
        return self._roles.deployer if own is None else own

    def _who_may(self, needed: Role, placement: PlacementSettings | None) -> str:
        if needed is Role.VIEWER:
            return _ask(self._roles.viewer or ())
        deployers = self._deployers(placement) if needed is Role.DEPLOYER else ()
        return _ask(deployers or self._roles.admin)

    @property
    def _roles(self) -> Roles:
        return self._world.settings.roles

    def _member(self, peer: Peer, groups: Iterable[str]) -> bool:
        return not peer.groups.isdisjoint(groups)


def needs(call: Call[Any, Any], params: Any) -> Role:
    """The log of somebody else's container is no part of what the cockpit shows to all."""
    if isinstance(params, LogRequest) and params.kind is LogKind.CONTAINER:
        return Role.DEPLOYER
    return call.needs


def _ask(groups: tuple[str, ...]) -> str:
    if not groups:
        return "Ask root of the engine's machine: no group is given this role"
    return f"Ask someone in group {' or '.join(groups)}; a new member logs in again first"
