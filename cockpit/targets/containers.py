"""A release's frozen configuration as Docker's create call, and Docker's inspect answer as a `Container`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cockpit import text
from cockpit.model import PlacementKey
from cockpit.targets import labels
from cockpit.targets.base import Container, ContainerState, Standing
from cockpit.targets.options import health_arguments, process_arguments, whole_seconds
from cockpit.targets.orders import StartOrder
from cockpit.targets.times import seconds

if TYPE_CHECKING:
    from docker import DockerClient

_STATES = {
    "created": ContainerState.CREATED,
    "running": ContainerState.RUNNING,
    "paused": ContainerState.RUNNING,  # it holds its address and its memory; `error` says that it is paused
    "restarting": ContainerState.RESTARTING,
    "exited": ContainerState.EXITED,
    "removing": ContainerState.DEAD,
    "dead": ContainerState.DEAD,
}


_ENDED = frozenset({ContainerState.EXITED, ContainerState.DEAD, ContainerState.RESTARTING})


@dataclass(frozen=True, slots=True)
class Condition:
    """How a container of any kind is: the fields of `Container` and `OneOff` of the same names."""

    state: ContainerState
    exit_code: int | None
    oom_killed: bool
    started_at: float | None
    finished_at: float | None
    error: str


def create_arguments(installation: str, order: StartOrder, index: int, address: str, name: str) -> dict[str, Any]:
    """Keyword arguments of the SDK's `create_container`, without its host and network parts."""
    return process_arguments(order.spec, order.environment) | {
        "name": name,
        "labels": labels.container_labels(installation, order, index, address),
        "stop_signal": order.spec.stop_signal,
        "stop_timeout": whole_seconds(order.spec.stop_grace),
        "healthcheck": health_arguments(order.spec.healthcheck),
    }


def container(inspected: Mapping[str, Any]) -> Container | None:
    """None for a container whose labels do not say which replica it is."""
    written = inspected["Config"].get("Labels") or {}
    if not labels.is_replica(written):
        return None
    try:
        numbers = [int(written[name]) for name in (labels.RELEASE, labels.OPERATION, labels.SLOT, labels.INDEX)]
        key = PlacementKey(written[labels.SERVICE], written[labels.ENVIRONMENT])
    except (KeyError, ValueError):
        return None
    release, operation, slot, index = numbers
    now = condition(inspected)
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
        state=now.state,
        exit_code=now.exit_code,
        oom_killed=now.oom_killed,
        health=_health(inspected["State"]),
        started_at=now.started_at,
        finished_at=now.finished_at,
        restarts=inspected.get("RestartCount", 0),
        error=now.error,
        process=written.get(labels.PROCESS, labels.MAIN),
        standing=_standing(inspected),
    )


def condition(inspected: Mapping[str, Any]) -> Condition:
    state = inspected["State"]
    ended = _STATES.get(state["Status"]) in _ENDED
    return Condition(
        state=_STATES.get(state["Status"], ContainerState.DEAD),
        exit_code=state.get("ExitCode", 0) if ended else None,
        oom_killed=bool(state.get("OOMKilled")),
        started_at=seconds(state.get("StartedAt", "")),
        finished_at=seconds(state.get("FinishedAt", "")) if ended else None,
        error="paused" if state["Status"] == "paused" else text.clean(state.get("Error", "")),
    )


def inspected(client: DockerClient, identifier: str) -> Container | None:
    """None when it is gone, too. Synchronous: runs in the pool's threads."""
    from docker.errors import NotFound

    try:
        return container(client.api.inspect_container(identifier))
    except NotFound:
        return None


def _standing(inspected: Mapping[str, Any]) -> Standing:
    """Somebody may have given it a policy that is none of ours."""
    told = ((inspected.get("HostConfig") or {}).get("RestartPolicy") or {}).get("Name", "")
    return Standing(told) if told in tuple(Standing) else Standing.OFF


def _health(state: Mapping[str, Any]) -> str:
    status = str((state.get("Health") or {}).get("Status", ""))
    return "" if status == "none" else status
