"""Real adapters for one Docker host: on this machine's socket."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

from cockpit.clock import Clock
from cockpit.config.settings import Settings
from cockpit.engine.host import EdgePlace, Host
from cockpit.errors import CockpitError
from cockpit.paths import Paths
from cockpit.targets.base import Subnet, Target

SUBNET_WAIT = 5.0  # seconds that Docker gets to name the network; then what was last known is used
UNKNOWN_SUBNET = "10.231.0.0/18"


class HostOpener:
    def __init__(self, paths: Paths, installation: str, clock: Clock) -> None:
        self._paths = paths
        self._installation = installation
        self._clock = clock

    async def open(self, name: str, settings: Settings) -> Host:
        from cockpit.build.docker import DockerBuilder
        from cockpit.edge.caddy import CaddyEdge
        from cockpit.health.probe import Prober
        from cockpit.targets.daemon import socket_path
        from cockpit.targets.docker import DockerTarget

        target = DockerTarget(name, self._installation, subnet=settings.network.subnet, clock=self._clock)
        directory = self._directory(name)
        subnet = await _subnet(target, directory / "subnet")
        edge = CaddyEdge(directory / "edge", subnet)

        async def place() -> EdgePlace:
            return EdgePlace(directory / "edge")

        return Host(
            name=name,
            target=target,
            edge=edge,
            prober=Prober(edge.probe_socket, self._clock),
            builder=DockerBuilder(name, self._installation, self._clock),
            subnet=Subnet(subnet),
            docker_url=f"unix://{socket_path(name)}",
            edge_place=place,
        )

    def _directory(self, name: str) -> Path:
        """What is kept of a host; the one that is meant without a word keeps it where it always was."""
        if name == "local":
            return self._paths.state
        directory = self._paths.state / "hosts" / hashlib.sha256(name.encode()).hexdigest()[:8]
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return directory


async def _subnet(target: Target, remembered: Path) -> str:
    """Read from Docker; while Docker is away, what it was when it was last there."""
    try:
        async with asyncio.timeout(SUBNET_WAIT):
            cidr = (await target.prepare()).cidr
    except (CockpitError, TimeoutError):
        return remembered.read_text(encoding="ascii").strip() if remembered.exists() else UNKNOWN_SUBNET
    remembered.write_text(cidr + "\n", encoding="ascii")
    return cidr
