"""Removes what a demo made, on the host and on disk, and nothing else."""

from __future__ import annotations

import asyncio
import shutil

from cockpit.clock import SystemClock
from cockpit.demo import background, crowd
from cockpit.demo.world import World

PARTING = 10.0  # seconds for an engine that was told to end


async def clean(world: World) -> None:
    """Also after a half set-up, a lost directory or an engine that hangs. Raises TargetDown when Docker is away."""
    from cockpit.targets.docker import DockerTarget

    await crowd.stop(world)
    await _stop_engine(world)
    target = DockerTarget("local", world.installation, subnet=None, clock=SystemClock())
    try:
        await target.ping()
        await target.remove_all()
    finally:
        await target.close()
    await asyncio.to_thread(shutil.rmtree, world.root, ignore_errors=True)


async def _stop_engine(world: World) -> None:
    """Whatever it does: an operation that runs is ended with it, as everything else is about to be."""
    paths = world.paths
    await background.end(paths.lock, "cockpit.engine", str(paths.state), patience=PARTING)
    paths.socket.unlink(missing_ok=True)  # one that was killed leaves it
