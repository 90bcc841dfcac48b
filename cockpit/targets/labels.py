"""What is written on everything the engine makes on a host: names and labels, and who owns what."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from cockpit.model import PlacementKey
from cockpit.targets.orders import RunOrder, StartOrder

PREFIX = "deploy-cockpit."
INSTALLATION = PREFIX + "installation"
IMAGE_INSTALLATION = PREFIX + "image.installation"  # a container inherits its image's labels: another name
SERVICE = PREFIX + "service"
ENVIRONMENT = PREFIX + "environment"
RELEASE = PREFIX + "release"
OPERATION = PREFIX + "operation"
SLOT = PREFIX + "slot"
INDEX = PREFIX + "index"
PROCESS = PREFIX + "process"  # absent on what an engine made that knew no processes: "web"
ROLE = PREFIX + "role"  # of what is no replica
ADDRESS = PREFIX + "address"
PORT = PREFIX + "port"
LOCK = PREFIX + "lock"  # of a placement: who holds it, as JSON

MAIN = "web"  # the process that names and labels need not tell
MIGRATE = "migrate"  # the role of a one-off
TERMINAL = "terminal"  # … of one that somebody sits in front of

COMPOSE_PROJECT = "com.docker.compose.project"
COMPOSE_SERVICE = "com.docker.compose.service"
_FORBIDDEN = re.compile(r"[^a-zA-Z0-9_.]+")
_PLAIN_SERVICE = re.compile(r"[a-zA-Z0-9_.-]+")
_PLAIN_ENVIRONMENT = re.compile(r"[a-zA-Z0-9_.]+")


def network_name(installation: str) -> str:
    return f"cockpit-{_safe(installation)}"


def container_name(installation: str, key: PlacementKey, release: int, index: int, process: str = MAIN) -> str:
    """`cockpit-main-shop-production-r42-1`, and `…-r42-worker-1` for a process that isn't "web"."""
    which = "" if process == MAIN else f"{_distinct(process)}-"
    return f"{release_name(installation, key, release)}-{which}{index}"


def release_labels(installation: str, key: PlacementKey, release: int) -> dict[str, str]:
    return {
        INSTALLATION: installation,
        SERVICE: key.service,
        ENVIRONMENT: key.environment,
        RELEASE: str(release),
    }


def slot_name(name: str, slot: int) -> str:
    """For a replica whose name another of the same release has, in another slot."""
    return f"{name}-s{slot}"


def one_off_name(installation: str, key: PlacementKey, release: int, operation: int) -> str:
    return f"{release_name(installation, key, release)}-{MIGRATE}-o{operation}"


def terminal_name(installation: str, key: PlacementKey, release: int, mark: str) -> str:
    return f"{release_name(installation, key, release)}-{TERMINAL}-{mark}"


def release_name(installation: str, key: PlacementKey, release: int) -> str:
    """A short digest follows when two placements could share the plain form: characters that Docker refuses, or a dash
    in the environment ("a-b" in "c" and "a" in "b-c")."""
    words = f"{_safe(key.service)}-{_safe(key.environment)}"
    if not (_PLAIN_SERVICE.fullmatch(key.service) and _PLAIN_ENVIRONMENT.fullmatch(key.environment)):
        words += "-" + hashlib.sha256(str(key).encode()).hexdigest()[:6]
    return f"{network_name(installation)}-{words}-r{release}"


def container_labels(installation: str, order: StartOrder, index: int, address: str) -> dict[str, str]:
    """The release's own labels, and ours over them."""
    ours = {
        INSTALLATION: installation,
        SERVICE: order.key.service,
        ENVIRONMENT: order.key.environment,
        RELEASE: str(order.release),
        OPERATION: str(order.operation),
        SLOT: str(order.slot),
        INDEX: str(index),
        PROCESS: order.process,
        ADDRESS: address,
        PORT: "" if order.spec.port is None else str(order.spec.port),
    }
    foreign = {name: value for name, value in order.spec.labels.items() if not name.startswith(PREFIX)}
    return foreign | ours


def one_off_labels(installation: str, order: RunOrder) -> dict[str, str]:
    """None of the release's own: what a proxy or a log shipper reads there is meant for what serves."""
    return {
        INSTALLATION: installation,
        SERVICE: order.key.service,
        ENVIRONMENT: order.key.environment,
        RELEASE: str(order.release),
        OPERATION: str(order.operation),
        ROLE: MIGRATE,
    }


def terminal_labels(installation: str, order: RunOrder) -> dict[str, str]:
    return one_off_labels(installation, order) | {ROLE: TERMINAL}


def all_of(installation: str) -> dict[str, list[str]]:
    """Docker's filter for the containers and networks of this installation."""
    return {"label": [f"{INSTALLATION}={installation}"]}


def images_of(installation: str) -> dict[str, list[str]]:
    """Docker's filter for images that this installation built."""
    return {"label": [f"{IMAGE_INSTALLATION}={installation}"]}


def releases_of(installation: str) -> dict[str, list[str]]:
    """Docker's filter for all replicas: neither one-offs nor the edge nor anything else of ours."""
    return {"label": [f"{INSTALLATION}={installation}", SLOT]}


def release_of(installation: str, key: PlacementKey, release: int) -> dict[str, list[str]]:
    """Docker's filter for the replicas and one-offs of a release."""
    return {
        "label": [
            f"{INSTALLATION}={installation}",
            f"{SERVICE}={key.service}",
            f"{ENVIRONMENT}={key.environment}",
            f"{RELEASE}={release}",
        ]
    }


def one_offs_of(installation: str, key: PlacementKey, release: int) -> dict[str, list[str]]:
    """Docker's filter for what ran once for a release."""
    return {"label": [*release_of(installation, key, release)["label"], f"{ROLE}={MIGRATE}"]}


def replica_of(installation: str, key: PlacementKey, release: int, index: int) -> dict[str, list[str]]:
    """Docker's filter for the replicas of that index, of all processes and in all slots."""
    return {"label": [*release_of(installation, key, release)["label"], f"{INDEX}={index}"]}


def belongs(labels: Mapping[str, str], installation: str, key: PlacementKey, release: int) -> bool:
    wanted = release_labels(installation, key, release)
    return all(labels.get(name) == value for name, value in wanted.items())


def is_replica(labels: Mapping[str, str], process: str | None = None, slot: int | None = None) -> bool:
    """Of that process and in that slot; None is any."""
    right_process = process is None or labels.get(PROCESS, MAIN) == process
    right_slot = slot is None or labels.get(SLOT) == str(slot)
    return SLOT in labels and ROLE not in labels and right_process and right_slot


def owner(labels: Mapping[str, str]) -> str:
    """Whose it is, in words, for a message about something that is not this release's."""
    if installation := labels.get(INSTALLATION):
        placement = f"{labels.get(SERVICE, '?')}/{labels.get(ENVIRONMENT, '?')} r{labels.get(RELEASE, '?')}"
        return f"{placement} of the cockpit installation {installation}"
    if project := labels.get(COMPOSE_PROJECT):
        return f"the Compose project {project}"
    return "no cockpit"


def _distinct(process: str) -> str:
    """A short digest follows what two processes could share."""
    plain = _PLAIN_SERVICE.fullmatch(process)
    return process if plain else f"{_safe(process)}-{hashlib.sha256(process.encode()).hexdigest()[:6]}"


def _safe(word: str) -> str:
    return _FORBIDDEN.sub("-", word).strip("-") or "x"
