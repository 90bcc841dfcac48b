"""One replica brought up, and taken back when its start fails. Synchronous: runs in the pool's threads."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from cockpit import text
from cockpit.errors import TargetError
from cockpit.targets import labels
from cockpit.targets.base import Container, StartOrder
from cockpit.targets.containers import container, create_arguments, host_arguments, whole_seconds
from cockpit.targets.removal import set_restart_policy

if TYPE_CHECKING:
    from docker import DockerClient

_GONE = frozenset({"dead", "removing"})
_UP = frozenset({"running", "restarting"})


class Origin(Enum):
    """What taking a start back means."""

    MADE = "made"  # remove
    WOKEN = "woken"  # it stood there stopped: stop
    KEPT = "kept"  # it ran before: leave alone


@dataclass(frozen=True, slots=True)
class Started:
    id: str
    origin: Origin
    container: Container


@dataclass(frozen=True, slots=True)
class Replica:
    """Which replica, of what, where; and the flag by which its start is given up."""

    installation: str
    network: str
    order: StartOrder
    index: int
    address: str
    abandoned: threading.Event

    @property
    def name(self) -> str:
        return labels.container_name(self.installation, self.order.key, self.order.release, self.index)


def start_replica(client: DockerClient, replica: Replica) -> Started:
    """It runs, or has just exited. When it cannot start, what this call made or woke is taken back."""
    identifier, origin = _obtain(client, replica)
    try:
        _go_on(replica)
        if origin is not Origin.KEPT:
            client.api.start(identifier)
        _go_on(replica)
        return Started(identifier, origin, _seen(client, identifier))
    except BaseException:
        take_back(client, identifier, origin, replica.order)
        raise


def take_back(client: DockerClient, identifier: str, origin: Origin, order: StartOrder) -> None:
    """Best effort: what stays after a daemon died in the middle carries the operation's label, for the recovery."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        if origin is Origin.MADE:
            client.api.remove_container(identifier, force=True, v=True)
        elif origin is Origin.WOKEN:
            client.api.stop(identifier, timeout=whole_seconds(order.spec.stop_grace))
    except (DockerException, RequestException):
        return


def _obtain(client: DockerClient, replica: Replica) -> tuple[str, Origin]:
    from docker.errors import APIError

    found = _inspect(client, replica.name)
    if found is None:
        try:
            return _create(client, replica), Origin.MADE
        except APIError as error:
            if error.status_code != 409:
                raise
            found = _inspect(client, replica.name)  # someone was faster
            if found is None:
                raise
    return _adopt(client, replica, found)


def _adopt(client: DockerClient, replica: Replica, found: Mapping[str, Any]) -> tuple[str, Origin]:
    written, status, identifier = found["Config"].get("Labels") or {}, found["State"]["Status"], found["Id"]
    if not labels.belongs(written, replica.installation, replica.order.key, replica.order.release):
        raise _taken(replica.name, found)
    if status == "paused":
        raise TargetError(f"{replica.name} is paused", f"Someone paused it: `docker unpause {replica.name}`.")
    here = written.get(labels.ADDRESS) == replica.address
    if status in _UP and not here:
        raise TargetError(f"{replica.name} runs already, at {written.get(labels.ADDRESS)} and not {replica.address}")
    if status in _UP:
        return identifier, Origin.KEPT
    if status in _GONE or not here:
        client.api.remove_container(identifier, force=True, v=True)
        return _create(client, replica), Origin.MADE
    set_restart_policy(client, identifier, "no")
    return identifier, Origin.WOKEN


def _create(client: DockerClient, replica: Replica) -> str:
    api: Any = client.api  # its stub is wrong about endpoints
    endpoint = api.create_endpoint_config(ipv4_address=replica.address)
    made = api.create_container(
        **create_arguments(replica.installation, replica.order, replica.index, replica.address),
        host_config=api.create_host_config(**host_arguments(replica.order, replica.network)),
        networking_config=api.create_networking_config({replica.network: endpoint}),
    )
    return str(made["Id"])


def _seen(client: DockerClient, identifier: str) -> Container:
    seen = container(client.api.inspect_container(identifier))
    if seen is None:
        raise TargetError(f"the container {identifier[:12]} lost its labels")
    return seen


def _inspect(client: DockerClient, name: str) -> Mapping[str, Any] | None:
    from docker.errors import NotFound

    try:
        found: Mapping[str, Any] = client.api.inspect_container(name)
        return found
    except NotFound:
        return None


def _go_on(replica: Replica) -> None:
    if replica.abandoned.is_set():
        raise TargetError(f"the start of {replica.name} was given up")


def _taken(name: str, found: Mapping[str, Any]) -> TargetError:
    written = found["Config"].get("Labels") or {}
    image = text.clean(str(found["Config"].get("Image", "")), 80)
    return TargetError(
        f"the name {name} is taken by container {found['Id'][:12]} ({image}), which belongs to "
        f"{text.clean(labels.owner(written), 120)}",
        f"The cockpit leaves it alone. Rename or remove it: `docker rename {name} {name}-old`.",
    )
