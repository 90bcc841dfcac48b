"""What could be in the way, looked at one by one, each with its evidence and the one line that cures it. Reads only.

`links` are what a deploy goes through, the other files the hazards around it: of this machine, of its disks and files,
of the Docker hosts. Whatever looks takes where it looks as an argument, so that a test can seed the hazard.
"""

from __future__ import annotations

import asyncio

from cockpit.config.settings import Settings
from cockpit.edge.base import Pointer
from cockpit.engine.doctor import disks, docker_hosts, files, links, machine
from cockpit.engine.ports import Ports
from cockpit.engine.world import World
from cockpit.model import EngineStatus, PlacementKey
from cockpit.protocol import Check


async def examine(
    ports: Ports, world: World, status: EngineStatus, hot: tuple[tuple[PlacementKey, Pointer], ...]
) -> tuple[Check, ...]:
    """`hot`: for each placement that has one, the release that could take the customers at once, and where it is."""
    here = {each.name for each in status.hosts}
    hosts = [host for host in world.hosts.values() if host.name in here]
    asking = [docker_hosts.examine(host, ports.clock, several=len(hosts) > 1) for host in hosts]
    git, around, each_host = await asyncio.gather(
        links.git(), asyncio.to_thread(_around, ports, status, world.settings), asyncio.gather(*asking)
    )
    return (
        *links.hosts(world, status),
        *(check for checks in each_host for check in checks),
        links.log(ports, status),
        git,
        links.config(status),
        *around,
        *[await links.break_glass(world.host(key), key, pointer) for key, pointer in hot],
    )


def _around(ports: Ports, status: EngineStatus, settings: Settings) -> tuple[Check, ...]:
    """Blocks."""
    paths = ports.paths
    return (
        machine.sharing(status),
        machine.groups(settings),
        machine.logind(shared=bool(paths.group)),
        machine.sqlite(),
        machine.open_files(),
        machine.synchronized(),
        disks.file_system(paths.state),
        *disks.room(paths),
        files.modes(paths),
        files.held(paths),
    )
