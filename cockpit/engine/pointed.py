"""A pointer that is gone while its release runs: customers get 503 until somebody writes it again."""

from __future__ import annotations

import logging

from cockpit.engine.world import World
from cockpit.model import PlacementKey

log = logging.getLogger(__name__)


async def put_back(world: World, key: PlacementKey) -> bool:
    """True when it was written. One that is torn or says `hold` stays. Raises EdgeError."""
    seen, host = world.placements.get(key), world.host(key)
    live = seen.live if seen is not None else None
    wanted = world.pointer(live) if live is not None else None
    if live is None or wanted is None or host.docker_seen_at is None or live.number not in world.running(key):
        return False
    if world.busy(key) or await host.edge.pointer(key) is not None or world.busy(key):
        return False
    await host.edge.point(key, wanted)
    log.warning("the pointer of %s was gone: written again, to %s", key, live.name)
    return True
