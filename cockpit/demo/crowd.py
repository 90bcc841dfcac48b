"""Starts and stops the customers: one background process a world, known by its pid file."""

from __future__ import annotations

import subprocess
import sys

from cockpit import launch
from cockpit.demo import background
from cockpit.demo.world import World

RATE = 60.0  # requests a second over both services
ENDING = 15.0  # seconds for the answers still under way


def start(world: World) -> None:
    """Does nothing when they are asking already."""
    if running(world):
        return
    command = [sys.executable, "-m", "cockpit.demo.load", "--rate", str(RATE), "--status", str(world.status)]
    for url in world.customer_urls():
        command += ["--url", url]
    with (world.root / "customers.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env=launch.environment(),
        )
    world.pid_file.write_text(f"{process.pid}\n")


def running(world: World) -> int | None:
    """Their pid: of a process that really asks for this world, whatever the pid file says."""
    return background.pid_of(world.pid_file, "cockpit.demo.load", str(world.status))


async def stop(world: World) -> None:
    await background.end(world.pid_file, "cockpit.demo.load", str(world.status), patience=ENDING)
    world.pid_file.unlink(missing_ok=True)
