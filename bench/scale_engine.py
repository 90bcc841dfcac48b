"""`python -m bench.scale_engine run …`: the real engine process on a Docker host in memory, where all that the release
log calls live runs and answers. Five hundred real containers would measure the machine.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from cockpit.clock import SystemClock
from cockpit.config.load import load
from cockpit.edge.base import Pointer
from cockpit.engine import assembly
from cockpit.engine.__main__ import main
from cockpit.engine.configuration import ConfigurationFile
from cockpit.engine.core import Cockpit
from cockpit.engine.host import EdgePlace, Host
from cockpit.health.probe import Probe
from cockpit.model import PlacementKey
from cockpit.paths import Paths
from cockpit.targets.base import Container, ContainerState, Standing
from cockpit.targets.subnet import Subnet
from tests.fakes.builder import FakeBuilder
from tests.fakes.edge import FakeEdge
from tests.fakes.target import FakeTarget

PORT = 8000
SUBNET = Subnet("10.231.0.0/18")


class _Target(FakeTarget):
    """What serves goes on serving."""

    serving: tuple[Container, ...] = ()

    @property
    def containers(self) -> tuple[Container, ...]:
        return self.serving


class _Prober:
    async def probe(self, address: str, path: str, host: str | None, timeout: float) -> Probe:
        return Probe(200, 1.5, at=SystemClock().now())

    async def public(self, listen: str, path: str, host: str | None, timeout: float, *, tls: bool = False) -> Probe:
        return Probe(200, 1.5, at=SystemClock().now())

    async def close(self) -> None:
        pass


async def build(paths: Paths) -> Cockpit:
    configuration = await asyncio.to_thread(ConfigurationFile, paths.config, load, SystemClock())
    ports = await assembly._open(paths)
    serving = await asyncio.to_thread(_serving, paths.database)
    return Cockpit(replace(ports, open_host=lambda name, _: _open_host(paths, name, serving)), configuration)


async def _open_host(paths: Paths, name: str, serving: tuple[Container, ...]) -> Host:
    target, edge = _Target(), FakeEdge()
    target.serving = serving
    edge.pointers = {each.key: Pointer(each.release, (f"{each.address}:{PORT}",)) for each in serving}

    async def place() -> EdgePlace:
        return EdgePlace(paths.edge)

    return Host(name, target, edge, _Prober(), FakeBuilder(SystemClock()), SUBNET, "unix:///run/docker.sock", place)


def _serving(database: Path) -> tuple[Container, ...]:
    """By one query, so that it adds nothing to speak of to the engine's start."""
    with closing(sqlite3.connect(database)) as db:
        rows = db.execute(
            """
            SELECT service, environment, number, operation, slot, image FROM releases JOIN placements ON id = placement
            WHERE live_since IS NOT NULL
            """
        ).fetchall()
    return tuple(
        Container(
            id=f"{slot:064x}", name=f"{service}-{number}", key=PlacementKey(service, environment), release=number,
            operation=operation, slot=slot, index=1, address=SUBNET.addresses(slot, 1)[0], port=PORT, process="web",
            image=image, state=ContainerState.RUNNING, started_at=SystemClock().now(), standing=Standing.LIVE,
        )
        for service, environment, number, operation, slot, image in rows
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(build=build))
