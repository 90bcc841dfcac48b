"""Removes what a demo made, on the host and on disk, and nothing else."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from pathlib import Path

from cockpit.client import connect
from cockpit.clock import SystemClock
from cockpit.demo import crowd
from cockpit.demo.world import World
from cockpit.errors import CockpitError, EngineUnreachable
from cockpit.protocol import STATUS, STOP_ENGINE, Nothing

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
    """Politely; an operation that runs is ended with it, as everything else is about to be."""
    try:
        client = await connect(world.paths, client="cli", start=False)
    except CockpitError:
        return
    try:
        pid = (await client.call(STATUS, Nothing())).engine.pid
        try:
            await client.call(STOP_ENGINE, Nothing())
        except EngineUnreachable:
            pass
        except CockpitError:
            os.kill(pid, signal.SIGTERM)
    finally:
        await client.close()
    await _gone(pid)


async def _gone(pid: int) -> None:
    deadline = time.monotonic() + PARTING
    while Path(f"/proc/{pid}").exists() and not _zombie(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            return
        await asyncio.sleep(0.05)


def _zombie(pid: int) -> bool:
    """Ended, and its parent (this process, when it started the engine) has not looked yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (OSError, IndexError):
        return True
