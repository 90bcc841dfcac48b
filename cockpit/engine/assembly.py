"""The one place that wires: real adapters for every port of an engine."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

from cockpit.clock import SystemClock
from cockpit.config.load import load
from cockpit.config.settings import Settings
from cockpit.engine import leftovers
from cockpit.engine.configuration import ConfigurationFile
from cockpit.engine.core import Cockpit
from cockpit.engine.ports import Ports
from cockpit.engine.secrets import Secrets
from cockpit.errors import CockpitError, ConfigError
from cockpit.paths import Paths
from cockpit.targets.base import Target

SUBNET_WAIT = 5.0  # seconds that Docker gets to name the network; then what was last known is used


async def open_engine(paths: Paths) -> Cockpit:
    """Raises ConfigError before anything is opened, StoreError when the release log cannot be."""
    configuration = await asyncio.to_thread(ConfigurationFile, paths.config, load, SystemClock())
    return Cockpit(await _open(paths, configuration.settings), configuration)


async def _open(paths: Paths, settings: Settings) -> Ports:
    from cockpit.build.docker import DockerBuilder
    from cockpit.edge.caddy import CaddyEdge
    from cockpit.health.probe import Prober
    from cockpit.source.git import GitSource
    from cockpit.store.log import ReleaseLog
    from cockpit.targets.docker import DockerTarget

    await asyncio.to_thread(leftovers.clear, paths.state)
    clock, host = SystemClock(), _host(settings)
    name = await asyncio.to_thread(installation, paths)
    target = DockerTarget(host, name, subnet=settings.network.subnet, clock=clock)
    subnet = await _subnet(target, paths.state / "subnet")
    edge = CaddyEdge(paths.edge, subnet)
    return Ports(
        installation=name,
        paths=paths,
        clock=clock,
        store=await ReleaseLog.open(paths.database, clock),
        source=GitSource(paths.mirrors, clock),
        builder=DockerBuilder(host, name, clock),
        target=target,
        edge=edge,
        prober=Prober(edge.probe_socket),
        secrets=await asyncio.to_thread(Secrets, paths.state / "secret.key"),
        subnet=subnet,
    )


def installation(paths: Paths) -> str:
    """Names all that this engine makes on a host; chosen once for each state directory."""
    file = paths.state / "installation"
    try:
        return file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        name = secrets.token_hex(4)
        file.write_text(name + "\n", encoding="ascii")
        return name


def _host(settings: Settings) -> str:
    hosts = {each.environment.host for each in settings.placements} or {"local"}
    if len(hosts) > 1:
        raise ConfigError(
            f"environments on several hosts ({', '.join(sorted(hosts))}) need an engine each for now",
            "give each host a configuration and a state directory of its own",
        )
    return hosts.pop()


async def _subnet(target: Target, remembered: Path) -> str:
    """Read from Docker; while Docker is away, what it was when it was last there."""
    try:
        async with asyncio.timeout(SUBNET_WAIT):
            cidr = (await target.prepare()).cidr
    except (CockpitError, TimeoutError):
        return remembered.read_text(encoding="ascii").strip() if remembered.exists() else "10.231.0.0/18"
    remembered.write_text(cidr + "\n", encoding="ascii")
    return cidr
