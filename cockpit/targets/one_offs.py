"""A container whose command runs once: a migration. Synchronous parts run in the pool's threads."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cockpit import text
from cockpit.errors import TargetError
from cockpit.model import PlacementKey
from cockpit.targets import labels
from cockpit.targets.base import OneOff
from cockpit.targets.containers import condition
from cockpit.targets.creation import create, inspect, name_taken
from cockpit.targets.joined import joinable
from cockpit.targets.options import LOGS, host_arguments, process_arguments
from cockpit.targets.orders import RunOrder
from cockpit.targets.removal import remove_container

if TYPE_CHECKING:
    from docker import DockerClient

GRACE = 5  # seconds from SIGTERM to SIGKILL

# What runc writes in the process's place; it can be told from a program's own words by being all there is.
_NOT_RUN = re.compile(r"(?:standard_init_linux\.go:\d+: )?exec (?:user process caused|/\S+): (?P<why>[a-z ]+)")
_NOT_RUN_BECAUSE = {
    "exec format error": (
        "it is no program for this host",
        "The image was built for another architecture, or a script lacks its first line (#!/bin/sh).",
    ),
    "no such file or directory": (
        "the file, or what its first line names, is not in the image",
        "Look at the command of `migrate`, and at the script's first line.",
    ),
    "permission denied": ("the file may not be run", "Give it the right in the image: `chmod +x`."),
}


@dataclass(frozen=True, slots=True)
class Work:
    installation: str
    network: str
    order: RunOrder
    abandoned: threading.Event

    @property
    def name(self) -> str:
        order = self.order
        return labels.one_off_name(self.installation, order.key, order.release, order.operation)


def begin(client: DockerClient, work: Work) -> str:
    """Its command runs, and the container's id. Nothing stays of what never ran.

    When Docker went away in the middle nobody knows whether it ran, and it is left alone."""
    from docker.errors import APIError

    identifier = _create(client, work)
    try:
        if work.abandoned.is_set():
            raise TargetError(f"the {labels.MIGRATE} of {work.order.key} was given up")
        client.api.start(identifier)
    except (APIError, TargetError):
        remove_container(client, identifier)
        raise
    return identifier


def one_off(inspected: Mapping[str, Any]) -> OneOff | None:
    """None for what is no one-off of ours."""
    written = inspected["Config"].get("Labels") or {}
    if written.get(labels.ROLE) != labels.MIGRATE:
        return None
    try:
        key = PlacementKey(written[labels.SERVICE], written[labels.ENVIRONMENT])
        release, operation = int(written[labels.RELEASE]), int(written[labels.OPERATION])
    except (KeyError, ValueError):
        return None
    now = condition(inspected)
    return OneOff(
        id=inspected["Id"],
        key=key,
        release=release,
        operation=operation,
        state=now.state,
        exit_code=now.exit_code,
        oom_killed=now.oom_killed,
        started_at=now.started_at,
        finished_at=now.finished_at,
        error=now.error,
    )


def look(client: DockerClient, identifier: str) -> OneOff | None:
    """None when it is gone, too."""
    inspected = inspect(client, identifier)
    return None if inspected is None else one_off(inspected)


def listed(client: DockerClient, installation: str, key: PlacementKey, release: int) -> tuple[OneOff, ...]:
    found = client.api.containers(all=True, filters=labels.one_offs_of(installation, key, release))
    seen = (look(client, each["Id"]) for each in found)
    return tuple(sorted((each for each in seen if each is not None), key=lambda each: each.operation))


def why_not_done(order: RunOrder, ended: OneOff, said: tuple[str, ...]) -> TargetError | None:
    """For an end that its exit code does not tell; `said` are the first lines of its log."""
    doing = f"the migration of {order.key} r{order.release}"
    if ended.exit_code and ended.oom_killed:
        limit = order.spec.memory
        having = f"its limit of {limit // 2**20} MB" if limit else "the host's"
        return TargetError(f"{doing} was killed: it wanted more memory than {having}", "Look at limits.memory.")
    unrun = _NOT_RUN.fullmatch(said[0].strip()) if ended.exit_code and len(said) == 1 else None
    if unrun is None or unrun["why"] not in _NOT_RUN_BECAUSE:
        return None
    meaning, hint = _NOT_RUN_BECAUSE[unrun["why"]]
    return TargetError(f"{doing} cannot be run: {meaning} ({text.clean(said[0], 300)})", hint)


def _create(client: DockerClient, work: Work) -> str:
    from docker.errors import APIError

    order = work.order
    arguments = process_arguments(order.spec, order.environment) | {
        "name": work.name,
        "labels": labels.one_off_labels(work.installation, order),
        "stop_signal": "SIGTERM",  # the image's own is meant for its server
        "stop_timeout": GRACE,
        "healthcheck": {"Test": ["NONE"]},
    }
    networks = joinable(client, order.spec.networks, but=work.network)
    host = host_arguments(order.spec, work.network, LOGS)  # a driver that can be read
    try:
        return create(client, arguments, host, work.network, "", networks.values())
    except APIError as error:
        holder = inspect(client, work.name) if error.status_code == 409 else None
        if holder is None:
            raise
        raise _held(work, holder) from None


def _held(work: Work, holder: Mapping[str, Any]) -> TargetError:
    order = work.order
    if not labels.belongs(holder["Config"].get("Labels") or {}, work.installation, order.key, order.release):
        return name_taken(work.name, holder)
    return TargetError(
        f"operation {order.operation} began the migration of {order.key} r{order.release} before",
        f"It is not run twice by itself. What it said: `docker logs {work.name}`.",
    )
