"""A port that the edge wants and something else has: who it is, and what to write to go behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cockpit.errors import TargetError
from cockpit.targets import labels
from cockpit.targets.ports import Listener, PortOwners, host_networked, publisher
from cockpit.targets.records import claims
from cockpit.text import clean

if TYPE_CHECKING:
    from docker import DockerClient

BEHIND = range(8100, 8200)  # ports of the loopback that are proposed, the first free one
_NOT_JOINED = ("bridge", "host", "none")  # Docker's own: nothing finds a name there


@dataclass(frozen=True, slots=True)
class Owner:
    words: str
    traefik: bool = False
    networks: tuple[str, ...] = ()  # of a container
    there: str = ""  # the way to the cockpit whose it is,
    installation: str = ""  # … and its name


def refuse_taken(client: DockerClient, ports: tuple[int, ...], own: int, who: PortOwners) -> None:
    """Caddy shares a port with any process that allows it, and then each gets a part of the customers: look before.

    `own` is the running edge's process, 0 when it does not run."""
    for port in ports:
        container = publisher(client, port)
        if container is not None:
            raise taken(port, _container(client, container), who)
    for listener in who(ports) if ports else ():
        unknown = listener.pid is None
        if listener.pid != own and not (own and unknown):
            raise taken(listener.port, _process(client, listener), who)


def taken(port: int, owner: Owner, who: PortOwners) -> TargetError:
    return TargetError(f"port {port} is taken by {owner.words}", hint(port, owner, who))


def hint(port: int, owner: Owner, who: PortOwners) -> str:
    """Where to go when it is another cockpit's; else the lines that go behind it: labels for a Traefik that shares a
    network with us, or a port for its upstream."""
    if owner.there:
        adopt = f"cockpit engine adopt {owner.installation}"
        return f"Use it there: {owner.there}. Where that is gone, take it over: {adopt}"
    if owner.traefik and owner.networks:
        network = owner.networks[0]
        labels = (
            'traefik.enable: "true"',
            f"traefik.docker.network: {network}",
            "traefik.http.routers.cockpit.rule: PathPrefix(`/`)",
            'traefik.http.routers.cockpit.priority: "1"',
            f'traefik.http.services.cockpit.loadbalancer.server.port: "{port}"',
        )
        lines = f"edge:\n  networks: [{network}]\n  labels: {{{', '.join(labels)}}}"
        return f"To go behind it, write these lines:\n{lines}"
    used = {each.port for each in who(tuple(BEHIND))}
    free = next((each for each in BEHIND if each not in used), BEHIND[0])
    return f"To go behind it, write these lines, and let it pass requests on:\nedge:\n  listen: 127.0.0.1:{free}"


def _process(client: DockerClient, listener: Listener) -> Owner:
    if listener.pid is None:
        likely = f", probably {listener.name}" if listener.name else ""
        return Owner(f"a process of another user{likely}")
    container = host_networked(client, listener.pid)
    if container is not None:
        return _container(client, container)
    return Owner(f"{listener.name or 'a process'} (pid {listener.pid})", "traefik" in listener.name)


def _cockpit(client: DockerClient, name: str, installation: str) -> Owner:
    """Another one's edge; it may be older than what says whose it is."""
    claim = next((each for each in claims(client) if each.installation == installation), None)
    if claim is None:
        return Owner(f"the container {name}, the edge of another cockpit (installation {installation})")
    whose = f"{claim.user} on {claim.bastion} (installation {installation}, state {claim.state})"
    words = f"the container {name}, the edge of the cockpit of {whose}"
    return Owner(words, there=f"ssh {claim.user}@{claim.bastion}, then cockpit", installation=installation)


def _container(client: DockerClient, identifier: str) -> Owner:
    found = client.api.inspect_container(identifier)
    written = found["Config"].get("Labels") or {}
    if written.get(labels.ROLE) == "edge" and labels.INSTALLATION in written:
        return _cockpit(client, clean(found["Name"].lstrip("/")), written[labels.INSTALLATION])
    name, image = clean(found["Name"].lstrip("/")), clean(str(found["Config"]["Image"]), 100)
    networks = tuple(each for each in sorted(found["NetworkSettings"]["Networks"] or {}) if each not in _NOT_JOINED)
    return Owner(f"the container {name} ({image})", "traefik" in f"{name} {image}".lower(), networks)
