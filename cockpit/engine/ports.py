"""All that an engine is given: with other ones, the same engine runs in a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cockpit.build.base import Builder
from cockpit.clock import Clock
from cockpit.edge.base import Edge
from cockpit.engine.secrets import Secrets
from cockpit.health.probe import Probe
from cockpit.paths import Paths
from cockpit.source.base import Source
from cockpit.store.log import ReleaseLog
from cockpit.targets.base import Target


class Prober(Protocol):
    async def probe(self, address: str, path: str, host: str | None, timeout: float) -> Probe:
        """`address` is "10.231.0.6:8080"; asked through the edge's private listener. Never raises."""

    async def public(self, listen: str, path: str, host: str | None, timeout: float) -> Probe:
        """As a customer asks, at the edge's own listener."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Ports:
    installation: str
    paths: Paths
    clock: Clock
    store: ReleaseLog
    source: Source
    builder: Builder
    target: Target
    edge: Edge
    prober: Prober
    secrets: Secrets
    subnet: str  # as last known: a rollback must not have to ask Docker for it
