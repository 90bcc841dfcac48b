"""Networks and neighbours on a real Docker engine, for an edge that is not alone there."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import docker
from docker.models.containers import Container

from cockpit.edge.base import EdgePlan
from cockpit.edge.caddy import CaddyEdge
from cockpit.edge.files import LocalFiles
from cockpit.targets.edge_host import ensure_edge, remove_edge, upgrade_edge
from cockpit.targets.edge_image import caddy_binary, ensure_image
from cockpit.targets.edge_spec import EdgeAlias, EdgeSpec, EdgeState
from cockpit.targets.labels import network_name
from cockpit.targets.network import ensure_network


@dataclass
class Street:
    client: docker.DockerClient
    installation: str
    edge: CaddyEdge
    plan: EdgePlan
    made: list[Container] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)

    @property
    def directory(self) -> Path:
        return Path(self.edge.files.where())

    def spec(self, *networks: str, **labels: str) -> EdgeSpec:
        aliases = tuple(EdgeAlias(each.door, each.networks, each.names, each.port) for each in self.plan.aliases)
        return EdgeSpec(self.directory, networks=networks, labels=labels, aliases=aliases)

    async def load(self, plan: EdgePlan) -> None:
        self.plan = plan
        await self.edge.load(plan)

    async def ensure(self, spec: EdgeSpec) -> EdgeState:
        return await asyncio.to_thread(ensure_edge, self.client, self.installation, spec)

    async def upgrade(self, spec: EdgeSpec) -> None:
        await asyncio.to_thread(upgrade_edge, self.client, self.installation, spec)

    def network(self, name: str) -> str:
        """Somebody else's, with a name of this test."""
        self.networks.append(f"{self.installation}-{name}")
        self.client.networks.create(self.networks[-1])
        return self.networks[-1]

    def neighbour(self, name: str, network: str, says: str = "", *, aliases: tuple[str, ...] = ()) -> Container:
        """A container that answers on port 8000, and may ask others."""
        image = ensure_image(self.client, self.installation, caddy_binary())
        container = self.client.containers.create(
            image,
            ["respond", "--listen", ":8000", "--body", says or name],
            entrypoint=["/caddy"],
            name=f"{self.installation}-{name}",
            network="none",
        )
        self.made.append(container)
        self.client.networks.get("none").disconnect(container)
        self.client.networks.get(network).connect(container, aliases=list(aliases))
        container.start()
        return container

    def application(self, name: str) -> str:
        """The address of one in the cockpit's own network."""
        own = network_name(self.installation)
        return f"{self.address(self.neighbour(name, own), own)}:8000"

    def address(self, container: Container | str, network: str) -> str:
        found = self.client.containers.get(container if isinstance(container, str) else str(container.id))
        return str(found.attrs["NetworkSettings"]["Networks"][network]["IPAddress"])

    def containers(self, role: str) -> list[Container]:
        filters: dict[str, str | list[str] | bool] = {
            "label": [f"deploy-cockpit.installation={self.installation}", f"deploy-cockpit.role={role}"]
        }
        return list(self.client.containers.list(all=True, filters=filters, ignore_removed=True))


@contextlib.contextmanager
def street(directory: Path, subnet: str | None = None) -> Iterator[Street]:
    client, installation = docker.from_env(version="1.41"), f"edgetest-{uuid.uuid4().hex[:8]}"
    found = ensure_network(client, installation, subnet)
    made = Street(client, installation, CaddyEdge(LocalFiles(directory / "edge"), found.cidr), EdgePlan())
    try:
        yield made
    finally:
        remove_edge(client, installation)
        for container in made.made:
            container.remove(force=True)
        for network in (*made.networks, network_name(installation)):
            client.networks.get(network).remove()
        remove_edge(client, installation)  # its image, that the neighbours used
        client.close()
