"""What all bastions of a simulation share: the Docker host, its edge, the repository, and what goes wrong there."""

from __future__ import annotations

import asyncio
from random import Random

from cockpit.targets.base import Container
from tests.fakes.source import FakeSource
from tests.simulation.clock import VirtualClock
from tests.simulation.faults import Faults
from tests.simulation.host import FLAVOURS, SimulatedEdge, SimulatedProber, SimulatedTarget
from tests.simulation.witness import Witness


class Scene:
    def __init__(self, loop: asyncio.AbstractEventLoop, random: Random, witness: Witness) -> None:
        self.loop = loop
        self.clock = VirtualClock(loop)  # the host's; nobody sets it
        self.faults = Faults(random)
        self.witness = witness
        self.source = FakeSource(self.clock)
        self.target = SimulatedTarget(self.clock, random, witness.ended)
        self.edge = SimulatedEdge(witness.moved)
        self.prober = SimulatedProber(self.target, self.edge, self.clock)
        self.images: dict[str, str] = {}
        witness.sees(self.target, self.edge, self.prober)

    def commit(self, flavour: str) -> str:
        """A new one on the branch, whose containers are so."""
        number = len(self.source.branches["main"]) + 1
        sha = self.source.add(f"{flavour} {number}", {"Dockerfile": "FROM scratch\n", "notes": f"{flavour} {number}"})
        self.target.flavours[sha] = FLAVOURS[flavour]
        return sha

    def running(self) -> tuple[Container, ...]:
        return tuple(each for each in self.target.containers if each.running)
