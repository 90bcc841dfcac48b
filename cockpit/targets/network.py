"""The cockpit's own network on a host: one bridge whose subnet is divided between Docker and our slots."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cockpit.errors import TargetError
from cockpit.targets import labels
from cockpit.targets.subnet import Subnet

if TYPE_CHECKING:
    from docker import DockerClient

PREFIX = 18  # 2 015 slots
_RANGES = tuple(IPv4Network(f"10.{second}.0.0/16") for second in (231, 233, 235, 237, 239, 241, 243, 245))
_ROUTES = Path("/proc/net/route")
_ATTEMPTS = 20


def ensure_network(client: DockerClient, installation: str, subnet: str | None) -> Subnet:
    """The network, created when it is missing; once there, what it says is what counts, not `subnet`.

    Two engines that create it at the same moment end up with the same one. Raises TargetError."""
    wanted = None if subnet is None else checked(subnet)
    refused: list[IPv4Network] = []
    for _ in range(_ATTEMPTS):
        found = _ours(client, installation)
        if found is not None:
            return found
        choice = wanted or free_subnet([*_docker_subnets(client), *_routes(), *refused])
        if not _create(client, installation, Subnet(str(choice))):
            if wanted is not None and _ours(client, installation) is None:
                raise _overlaps(client, wanted)
            refused.append(choice)
    raise TargetError(
        f"the network {labels.network_name(installation)} could not be created", "`docker network ls` shows the others."
    )


def checked(subnet: str) -> IPv4Network:
    try:
        network = IPv4Network(subnet)
    except ValueError as error:
        raise TargetError(
            f"network.subnet {subnet} is no IPv4 network: {error}", "Write it like 10.231.0.0/18."
        ) from None
    if Subnet(str(network)).slots < 2:
        raise TargetError(f"network.subnet {subnet} is too small for slots", "Give it a /22 or more, best a /18.")
    return network


def free_subnet(taken: Iterable[IPv4Network]) -> IPv4Network:
    """The first /18 of the ranges we like that overlaps nothing; always the same one for the same host."""
    others = list(taken)
    for candidate in (part for each in _RANGES for part in each.subnets(new_prefix=PREFIX)):
        if not any(candidate.overlaps(other) for other in others):
            return candidate
    raise TargetError("no free subnet for the cockpit's network", "Name one with network.subnet in the configuration.")


def routes(table: str) -> tuple[IPv4Network, ...]:
    """The destinations in /proc/net/route but the default: addresses there are hexadecimal in the machine's order."""
    found = []
    for row in (line.split() for line in table.splitlines()[1:]):
        if len(row) > 7 and int(row[7], 16):
            destination, mask = (int(row[at], 16).to_bytes(4, sys.byteorder) for at in (1, 7))
            found.append(IPv4Network((destination, ".".join(map(str, mask))), strict=False))
    return tuple(found)


def _routes() -> tuple[IPv4Network, ...]:
    try:
        return routes(_ROUTES.read_text())
    except OSError:
        return ()


def _ours(client: DockerClient, installation: str) -> Subnet | None:
    """Its subnet, when the network is there. Of twins from a race the oldest counts and the empty rest goes."""
    name = labels.network_name(installation)
    twins = sorted(_named(client, name), key=lambda each: (each["Created"], each["Id"]))
    if not twins:
        return None
    first = twins[0]
    if (first.get("Labels") or {}).get(labels.INSTALLATION) != installation:
        raise TargetError(
            f"the network {name} is not the cockpit's: it belongs to {labels.owner(first.get('Labels') or {})}",
            f"Remove it (`docker network rm {name}`) when nobody needs it.",
        )
    for twin in twins[1:]:
        _remove_empty(client, twin["Id"])
    subnets = _subnets(first)
    if not subnets:
        raise TargetError(f"the network {name} has no IPv4 subnet", f"Remove it: `docker network rm {name}`.")
    return Subnet(str(subnets[0]))


def _create(client: DockerClient, installation: str, subnet: Subnet) -> bool:
    """False when Docker finds the name or the addresses taken: someone was faster, or the choice was bad."""
    from docker.errors import APIError
    from docker.types import IPAMConfig, IPAMPool

    pool = IPAMPool(subnet=subnet.cidr, iprange=subnet.docker_part)
    try:
        client.api.create_network(
            labels.network_name(installation),
            driver="bridge",
            ipam=IPAMConfig(pool_configs=[pool]),
            check_duplicate=True,
            labels={labels.INSTALLATION: installation},
        )
    except APIError as error:
        if error.status_code == 409 or "overlap" in str(error):
            return False
        raise
    return True


def _overlaps(client: DockerClient, wanted: IPv4Network) -> TargetError:
    owners = [each["Name"] for each in client.api.networks() if any(wanted.overlaps(one) for one in _subnets(each))]
    whose = f"the Docker network {owners[0]}" if owners else "a route or network of the host"
    return TargetError(f"network.subnet {wanted} overlaps {whose}", "Choose another in the configuration.")


def _remove_empty(client: DockerClient, identifier: str) -> None:
    from docker.errors import APIError

    try:
        client.api.remove_network(identifier)
    except APIError as error:
        if error.status_code not in (403, 404, 409):  # gone, or in use
            raise


def _named(client: DockerClient, name: str) -> list[dict[str, Any]]:
    """Docker's filter finds parts of names too."""
    return [each for each in client.api.networks(names=[name]) if each["Name"] == name]


def _docker_subnets(client: DockerClient) -> tuple[IPv4Network, ...]:
    return tuple(subnet for each in client.api.networks() for subnet in _subnets(each))


def _subnets(network: dict[str, Any]) -> tuple[IPv4Network, ...]:
    configs = (network.get("IPAM") or {}).get("Config") or []
    parsed = (ip_network(config["Subnet"], strict=False) for config in configs if config.get("Subnet"))
    return tuple(each for each in parsed if isinstance(each, IPv4Network))
