"""Networks that somebody else made and a container joins by name. Synchronous: runs in the pool's threads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cockpit.errors import TargetError

if TYPE_CHECKING:
    from docker import DockerClient


def missing_networks(client: DockerClient, names: Iterable[str]) -> tuple[str, ...]:
    """A sentence for each that cannot be joined."""
    found = [_unfit(name, ids) for name, ids in network_ids(client, names).items()]
    return tuple(f"{error.message}: {error.hint}" for error in found if error is not None)


def joinable(client: DockerClient, names: Iterable[str], *, but: str = "") -> dict[str, str]:
    """The id of each `but` the cockpit's own, where a container is anyhow.

    Raises TargetError when one does not exist: the cockpit makes no network but its own."""
    found = network_ids(client, (name for name in names if name != but))
    for name, ids in found.items():
        if (error := _unfit(name, ids)) is not None:
            raise error
    return {name: ids[0] for name, ids in found.items()}


def network_ids(client: DockerClient, names: Iterable[str]) -> dict[str, list[str]]:
    """The ids of all networks of exactly these names: Docker's own search finds parts of names, and ids."""
    wanted = list(dict.fromkeys(names))
    listed = client.api.networks(names=wanted) if wanted else []
    return {name: [each["Id"] for each in listed if each["Name"] == name] for name in wanted}


def stale(inspected: Mapping[str, Any], networks: Mapping[str, str]) -> bool:
    """A stopped container keeps the ids of its networks: it never starts again once one was made anew."""
    attached = inspected["NetworkSettings"]["Networks"]
    return any(name not in attached or attached[name]["NetworkID"] not in ("", one) for name, one in networks.items())


def _unfit(name: str, ids: list[str]) -> TargetError | None:
    if not ids:
        return TargetError(
            f"the network {name} does not exist on the host",
            f"`docker compose up` makes it when it is a Compose project's, else `docker network create {name}`.",
        )
    if len(ids) > 1:
        return TargetError(
            f"{len(ids)} networks of the host are called {name}",
            "Remove the one that is empty: `docker network rm ID`.",
        )
    return None
