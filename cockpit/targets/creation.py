"""A container made and put into its networks, before it starts. Synchronous: runs in the pool's threads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cockpit import text
from cockpit.errors import TargetError
from cockpit.targets import labels
from cockpit.targets.removal import remove_container
from cockpit.targets.volumes import unlabelled

if TYPE_CHECKING:
    from docker import DockerClient


def create(
    client: DockerClient,
    arguments: Mapping[str, Any],
    host: Mapping[str, Any],
    network: str,
    address: str,
    joined: Iterable[str],
) -> str:
    """Its id. `address` on `network` is fixed, "" lets Docker choose; `joined` are ids of further networks.

    Engines before 25 take one network when a container is made; the others are joined before it starts."""
    api: Any = client.api  # its stub is wrong about endpoints
    if host["binds"]:
        _refuse_missing_paths(api, arguments, host["binds"])
    endpoint = api.create_endpoint_config(ipv4_address=address or None)
    made = api.create_container(
        **arguments,
        host_config=api.create_host_config(**host),
        networking_config=api.create_networking_config({network: endpoint}),
    )
    identifier = str(made["Id"])
    try:
        for each in joined:
            api.connect_container_to_network(identifier, each)
    except BaseException:  # nobody else knows of the container yet
        remove_container(client, identifier)
        raise
    return identifier


def _refuse_missing_paths(api: Any, arguments: Mapping[str, Any], binds: Iterable[str]) -> None:
    """Docker looks for the host path of a mount, and makes that of a bind: by a container that is never started."""
    probe = api.create_container(
        arguments["image"],
        labels={labels.INSTALLATION: arguments["labels"][labels.INSTALLATION]},
        host_config=api.create_host_config(mounts=unlabelled(binds)),
    )
    api.remove_container(probe["Id"], v=True)


def inspect(client: DockerClient, name: str) -> Mapping[str, Any] | None:
    """None when there is none of that name or id."""
    from docker.errors import NotFound

    try:
        found: Mapping[str, Any] = client.api.inspect_container(name)
        return found
    except NotFound:
        return None


def has_terminal(client: DockerClient, name: str) -> bool:
    """Then its log has no streams: a terminal mixes them."""
    return bool(client.api.inspect_container(name)["Config"].get("Tty"))


def environment(client: DockerClient, name: str) -> dict[str, str]:
    """Docker has it as `NAME=value`; a name alone is one that the image asks for and nobody gave."""
    found = inspect(client, name) or {"Config": {}}
    pairs = (each.partition("=") for each in found["Config"].get("Env") or ())
    return {name: value for name, _, value in pairs}


def name_taken(name: str, holder: Mapping[str, Any]) -> TargetError:
    image = text.clean(str(holder["Config"].get("Image", "")), 80)
    owner = text.clean(labels.owner(holder["Config"].get("Labels") or {}), 120)
    return TargetError(
        f"the name {name} is taken by container {holder['Id'][:12]} ({image}), which belongs to {owner}",
        f"The cockpit leaves it alone. Rename or remove it: `docker rename {name} {name}-old`.",
    )
