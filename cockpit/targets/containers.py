"""A release's frozen configuration as Docker's create call, and Docker's inspect answer as a `Container`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cockpit import text
from cockpit.model import PlacementKey
from cockpit.targets import labels
from cockpit.targets.base import Container, ContainerState, StartOrder
from cockpit.targets.times import seconds

if TYPE_CHECKING:
    from docker import DockerClient

LOG_SIZE = "20m"
LOG_FILES = "3"

_STATES = {
    "created": ContainerState.CREATED,
    "running": ContainerState.RUNNING,
    "paused": ContainerState.RUNNING,  # it holds its address and its memory; `error` says that it is paused
    "restarting": ContainerState.RESTARTING,
    "exited": ContainerState.EXITED,
    "removing": ContainerState.DEAD,
    "dead": ContainerState.DEAD,
}


def create_arguments(installation: str, order: StartOrder, index: int, address: str) -> dict[str, Any]:
    """Keyword arguments of the SDK's `create_container`, without its host and network parts."""
    spec = order.spec
    return {
        "image": spec.image,
        "name": labels.container_name(installation, order.key, order.release, index),
        "command": None if spec.command is None else list(spec.command),
        "entrypoint": None if spec.entrypoint is None else list(spec.entrypoint),
        "user": spec.user,
        "working_dir": spec.working_dir,
        "environment": dict(order.environment),
        "labels": labels.container_labels(installation, order, index, address),
        "stop_signal": spec.stop_signal,
        "stop_timeout": whole_seconds(spec.stop_grace),
    }


def host_arguments(order: StartOrder, network: str) -> dict[str, Any]:
    """Keyword arguments of the SDK's `create_host_config`. The restart policy stays `no` until the switch."""
    spec = order.spec
    return {
        "network_mode": network,
        "binds": list(spec.volumes) or None,
        "nano_cpus": None if spec.cpus is None else round(spec.cpus * 1_000_000_000),
        "mem_limit": spec.memory,
        "restart_policy": {"Name": "no"},
        "log_config": {"Type": "json-file", "Config": {"max-size": LOG_SIZE, "max-file": LOG_FILES}},
    }


def container(inspected: Mapping[str, Any]) -> Container | None:
    """None for a container whose labels do not say which replica it is."""
    written = inspected["Config"].get("Labels") or {}
    try:
        numbers = [int(written[name]) for name in (labels.RELEASE, labels.OPERATION, labels.SLOT, labels.INDEX)]
        key = PlacementKey(written[labels.SERVICE], written[labels.ENVIRONMENT])
    except (KeyError, ValueError):
        return None
    release, operation, slot, index = numbers
    state = inspected["State"]
    ended = _STATES.get(state["Status"]) in (ContainerState.EXITED, ContainerState.DEAD, ContainerState.RESTARTING)
    return Container(
        id=inspected["Id"],
        name=inspected["Name"].removeprefix("/"),
        key=key,
        release=release,
        operation=operation,
        slot=slot,
        index=index,
        address=written.get(labels.ADDRESS, ""),
        port=int(written[labels.PORT]) if written.get(labels.PORT, "").isdigit() else None,
        image=inspected["Config"].get("Image", ""),
        state=_STATES.get(state["Status"], ContainerState.DEAD),
        exit_code=state.get("ExitCode", 0) if ended else None,
        oom_killed=bool(state.get("OOMKilled")),
        health=_health(state),
        started_at=seconds(state.get("StartedAt", "")),
        finished_at=seconds(state.get("FinishedAt", "")) if ended else None,
        restarts=inspected.get("RestartCount", 0),
        process=written.get(labels.PROCESS, labels.MAIN),
        error="paused" if state["Status"] == "paused" else text.clean(state.get("Error", "")),
    )


def inspected(client: DockerClient, identifier: str) -> Container | None:
    """None when it is gone, too. Synchronous: runs in the pool's threads."""
    from docker.errors import NotFound

    try:
        return container(client.api.inspect_container(identifier))
    except NotFound:
        return None


def whole_seconds(grace: float) -> int:
    """Docker takes whole seconds; half a second must not become none."""
    return math.ceil(max(0.0, grace))


def _health(state: Mapping[str, Any]) -> str:
    status = str((state.get("Health") or {}).get("Status", ""))
    return "" if status == "none" else status
