"""What others did meanwhile, learnt before an operation may begin: the pointer and the host know of it first.

The rows may be behind what customers know: the log refused, an engine died and is not recovered yet, or another bastion
acted.
"""

from __future__ import annotations

from contextlib import suppress

from cockpit.config.settings import PlacementSettings
from cockpit.engine import rebuild, recover
from cockpit.engine.shared import Shared
from cockpit.errors import CockpitError, EdgeError, Refused
from cockpit.model import Operation, PlacementKey

AGAIN = "open the sheet again to see what is so now"


class CatchingUp:
    def __init__(self, shared: Shared) -> None:
        self._ports = shared.ports
        self._world = shared.world
        self._rows = shared.rows

    async def by_pointer(self, placement: PlacementSettings) -> None:
        """As far as one file tells, without Docker: a rollback waits for no more."""
        if not placement.service.routed or self._world.busy(placement.key):
            return
        with suppress(EdgeError):
            pointer = await self._world.host(placement.key).edge.pointer(placement.key)
            if pointer is not None and not self._world.busy(placement.key):
                await self._learn(placement.key, pointer.release)
                self._world.moved(placement.key, pointer.release)

    async def _learn(self, key: PlacementKey, release: int) -> None:
        """Of a release that another bastion brought up. Nothing waits for Docker when it is known."""
        if all(each.number != release for each in self._rows.seen(key).records):
            host = self._world.host(key)
            with suppress(CockpitError):  # then what is known has to do
                await rebuild.rebuild(self._ports, host, await host.target.observe(), only=key)
                await self._rows.reload(key)

    async def must_not_have_moved(self, operation: Operation, placement: PlacementSettings) -> None:
        """Another bastion may have switched before this one had the lock. Raises Refused, for a rollback."""
        await self.by_pointer(placement)
        live = self._rows.seen(operation.key).row.live
        if live != operation.from_release:
            raise Refused(f"{_named(live)} is live now, not r{operation.from_release}", AGAIN)

    async def must_know_all(self, placement: PlacementSettings) -> None:
        """All that the host has. Raises Refused when what the sheet showed is not so any more."""
        key, host = placement.key, self._world.host(placement.key)
        before = self._rows.seen(key).row
        learnt = await rebuild.rebuild(self._ports, host, await host.target.observe(), only=key)
        moved = placement.service.routed and await recover.believe_pointer(self._ports, self._world, key)
        if learnt or moved:
            await self._rows.reload(key)
        now = self._rows.seen(key).row
        if moved or (now.live, now.hold) != (before.live, before.hold):
            live = _named(now.live)
            raise Refused(f"another bastion has changed {key} meanwhile: {live} is live now", AGAIN)


def _named(release: int | None) -> str:
    return f"r{release}" if release else "nothing"
