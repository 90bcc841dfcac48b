"""One replica brought up, and taken back when its start fails. Synchronous: runs in the pool's threads."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from cockpit.errors import TargetError
from cockpit.targets import labels
from cockpit.targets.base import Container
from cockpit.targets.containers import container, create_arguments
from cockpit.targets.creation import create, inspect, name_taken
from cockpit.targets.joined import joinable, network_ids, stale
from cockpit.targets.options import LOGS, host_arguments, whole_seconds
from cockpit.targets.orders import StartOrder
from cockpit.targets.removal import remove_container, set_restart_policy
from cockpit.targets.subnet import Subnet

if TYPE_CHECKING:
    from docker import DockerClient

_GONE = frozenset({"dead", "removing"})
_UP = frozenset({"running", "restarting", "paused"})


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
    address: str  # "": one of Docker's part
    abandoned: threading.Event

    @property
    def name(self) -> str:
        order = self.order
        return labels.container_name(self.installation, order.key, order.release, self.index, order.process)


def replica_addresses(subnet: Subnet, order: StartOrder) -> tuple[str, ...]:
    """Replica 1's first; "" is one of Docker's part."""
    if order.first is None:
        return ("",) * order.spec.replicas
    return subnet.addresses(order.slot, order.first + order.spec.replicas)[order.first :]


def start_replica(client: DockerClient, replica: Replica) -> Started:
    """It runs, or has just exited. When it cannot start, what this call made or woke is taken back."""
    networks = joinable(client, replica.order.spec.networks, but=replica.network)
    identifier, origin = _obtain(client, replica, networks)
    try:
        _go_on(replica)
        if origin is not Origin.KEPT:
            client.api.start(identifier)
        _go_on(replica)
        return Started(identifier, origin, _seen(client, identifier))
    except BaseException:  # whatever ends the start, nothing of it stays
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


def _obtain(client: DockerClient, replica: Replica, networks: Mapping[str, str]) -> tuple[str, Origin]:
    from docker.errors import APIError

    found = _standing(client, replica)
    if found is None:
        try:
            return _create(client, replica, networks), Origin.MADE
        except APIError as error:
            if error.status_code != 409:
                raise
            found = _standing(client, replica)  # someone was faster
            if found is None:
                raise
    return _adopt(client, replica, found, networks)


def _standing(client: DockerClient, replica: Replica) -> Mapping[str, Any] | None:
    """This replica as it stands in its slot. Where it stands stopped in another slot, it gives way."""
    order = replica.order
    same = labels.replica_of(replica.installation, order.key, order.release, replica.index)
    found = None
    for each in client.api.containers(all=True, filters=same):
        written = each["Labels"]
        if labels.is_replica(written, order.process, order.slot):
            found = found or inspect(client, each["Id"])
        elif labels.is_replica(written, order.process) and each["State"] not in _UP:
            remove_container(client, each["Id"])
    return found


def _adopt(
    client: DockerClient, replica: Replica, found: Mapping[str, Any], networks: Mapping[str, str]
) -> tuple[str, Origin]:
    written, status, identifier = found["Config"]["Labels"], found["State"]["Status"], found["Id"]
    name = found["Name"].removeprefix("/")
    if status == "paused":
        raise TargetError(f"{name} is paused", f"Someone paused it: `docker unpause {name}`.")
    here = written.get(labels.ADDRESS, "") == replica.address
    if status in _UP and not here:
        raise TargetError(f"{name} runs already, at {written.get(labels.ADDRESS)} and not {replica.address}")
    if status in _UP:
        return identifier, Origin.KEPT
    if status in _GONE or not here or stale(found, _now(client, replica, networks)):
        remove_container(client, identifier)
        return _create(client, replica, networks), Origin.MADE
    set_restart_policy(client, identifier, "no")
    return identifier, Origin.WOKEN


def _now(client: DockerClient, replica: Replica, networks: Mapping[str, str]) -> dict[str, str]:
    """All networks that it is to be in, with their ids of today."""
    own = network_ids(client, (replica.network,))
    return {**networks, **{name: ids[0] for name, ids in own.items() if len(ids) == 1}}


def _create(client: DockerClient, replica: Replica, networks: Mapping[str, str]) -> str:
    order = replica.order
    arguments = create_arguments(
        replica.installation, order, replica.index, replica.address, _free_name(client, replica)
    )
    host = host_arguments(order.spec, replica.network, order.spec.logging or LOGS)
    return create(client, arguments, host, replica.network, replica.address, networks.values())


def _free_name(client: DockerClient, replica: Replica) -> str:
    """Its own, or one with the slot when the same replica runs in another. Raises TargetError: a stranger has it."""
    order, name = replica.order, replica.name
    for wanted in (name, labels.slot_name(name, order.slot)):
        holder = inspect(client, wanted)
        if holder is None:
            return wanted
        if not labels.belongs(holder["Config"].get("Labels") or {}, replica.installation, order.key, order.release):
            raise name_taken(wanted, holder)
    return wanted


def _seen(client: DockerClient, identifier: str) -> Container:
    seen = container(client.api.inspect_container(identifier))
    if seen is None:
        raise TargetError(f"the container {identifier[:12]} lost its labels")
    return seen


def _go_on(replica: Replica) -> None:
    if replica.abandoned.is_set():
        raise TargetError(f"the start of {replica.name} was given up")
