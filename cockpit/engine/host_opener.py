"""Real adapters for one Docker host: a socket of this machine, or one line of ssh to another."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cockpit.clock import Clock
from cockpit.config.settings import Settings
from cockpit.engine.host import EdgePlace, Host
from cockpit.errors import CockpitError, ConfigError
from cockpit.paths import Paths
from cockpit.targets.base import Claim, Target
from cockpit.targets.subnet import Subnet

SUBNET_WAIT = 5.0  # seconds that Docker gets to name the network; then what was last known is used
LINE_WAIT = 5.0  # … that ssh gets to connect before the engine goes on without that host
NAMELESS = "nameless"  # the directory on a host elsewhere of who only looks
UNKNOWN_SUBNET = "10.231.0.0/18"


class HostOpener:
    def __init__(self, paths: Paths, installation: str, clock: Clock) -> None:
        self._paths = paths
        self._installation = installation
        self._clock = clock

    async def open(self, name: str, settings: Settings) -> Host:
        """A context that Docker does not have is a host that is away: the others are served meanwhile."""
        from cockpit.targets.contexts import resolve

        directory = await asyncio.to_thread(self._directory, name)
        try:
            where = await asyncio.to_thread(resolve, name)
        except ConfigError as error:
            return await self._near(name, f"unix://{directory / 'no-context'}", directory, settings, unknown=error)
        if where.startswith("ssh://"):
            return await self._far(name, where, directory, settings)
        return await self._near(name, where, directory, settings)

    async def _near(
        self, name: str, where: str, directory: Path, settings: Settings, unknown: ConfigError | None = None
    ) -> Host:
        from cockpit.build.docker import DockerBuilder
        from cockpit.edge.caddy import CaddyEdge
        from cockpit.edge.files import LocalFiles
        from cockpit.health.probe import Prober
        from cockpit.targets.daemon import socket_path
        from cockpit.targets.docker import DockerTarget

        async def excuse() -> CockpitError | None:
            return unknown

        target = DockerTarget(
            where, self._installation, subnet=settings.network.subnet, clock=self._clock, excuse=excuse
        )
        subnet = await _subnet(target, directory / "subnet")
        edge = CaddyEdge(LocalFiles(directory / "edge"), subnet)

        async def place() -> EdgePlace:
            return EdgePlace(directory / "edge")

        return Host(
            name=name,
            target=target,
            edge=edge,
            prober=Prober(edge.probe_socket, self._clock),
            builder=DockerBuilder(where, self._installation, self._clock),
            subnet=Subnet(subnet),
            docker_url=f"unix://{socket_path(where)}",
            edge_place=place,
        )

    async def _far(self, name: str, where: str, directory: Path, settings: Settings) -> Host:
        from cockpit.build.docker import DockerBuilder
        from cockpit.edge.caddy import CaddyEdge
        from cockpit.edge.far_files import FarFiles
        from cockpit.health.probe import Prober
        from cockpit.ssh.line import Line
        from cockpit.targets.docker import DockerTarget
        from cockpit.targets.far_ports import far_port_owners

        line = Line(where, self._installation, self._paths.socket.with_suffix(".ssh"), self._clock)
        line.start()
        await line.settled(LINE_WAIT)
        target = DockerTarget(
            line.docker_url,
            self._installation,
            subnet=settings.network.subnet,
            clock=self._clock,
            port_owners=far_port_owners(line),
            excuse=line.excuse,
        )
        subnet = await _subnet(target, directory / "subnet")
        edge = CaddyEdge(FarFiles(line), subnet)

        async def place() -> EdgePlace:
            return EdgePlace(line.known_edge(), line.admin_socket, line.known_owner())

        return Host(
            name=name,
            target=target,
            edge=edge,
            prober=Prober(edge.probe_socket, self._clock, line),
            builder=DockerBuilder(line.docker_url, self._installation, self._clock),
            subnet=Subnet(subnet),
            docker_url=line.docker_url,
            edge_place=place,
            line=line,
        )

    def _directory(self, name: str) -> Path:
        """What is kept of a host; the one that is meant without a word keeps it where it always was."""
        if name == "local":
            return self._paths.state
        directory = self._paths.state / "hosts" / hashlib.sha256(name.encode()).hexdigest()[:8]
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return directory


async def claims_on(name: str, paths: Paths, clock: Clock) -> tuple[Claim, ...]:
    """Whose the host is, asked by an engine that does not know its own name yet; () when it does not answer soon."""
    try:
        async with nameless(name, paths, clock) as target:
            return await target.claims()
    except (CockpitError, TimeoutError):
        return ()


@asynccontextmanager
async def nameless(name: str, paths: Paths, clock: Clock) -> AsyncIterator[Target]:
    """A host for who is nobody there yet, and only for a moment. Raises CockpitError, TimeoutError."""
    from cockpit.ssh.line import Line
    from cockpit.targets.contexts import resolve
    from cockpit.targets.docker import DockerTarget

    line: Line | None = None
    try:
        where = await asyncio.to_thread(resolve, name)
        if where.startswith("ssh://"):
            line = Line(where, NAMELESS, paths.socket.with_suffix(".look"), clock)
            line.start()
            await line.settled(LINE_WAIT)
        target = DockerTarget(line.docker_url if line else where, NAMELESS, subnet=None, clock=clock)
        try:
            async with asyncio.timeout(SUBNET_WAIT):
                yield target
        finally:
            await target.close()
    finally:
        if line is not None:
            await line.close()


async def _subnet(target: Target, remembered: Path) -> str:
    """Read from Docker; while Docker is away, what it was when it was last there."""
    try:
        async with asyncio.timeout(SUBNET_WAIT):
            cidr = (await target.prepare()).cidr
    except (CockpitError, TimeoutError):
        return remembered.read_text(encoding="ascii").strip() if remembered.exists() else UNKNOWN_SUBNET
    remembered.write_text(cidr + "\n", encoding="ascii")
    return cidr
