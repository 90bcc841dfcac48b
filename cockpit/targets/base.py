"""What the engine asks of a place where containers run: five verbs and a few questions.

`start` and `stop` are idempotent: names and labels carry placement, release, operation and slot, so that after a crash
the same call finds what it made before. A target raises `TargetDown` when it does not answer and `TargetError` when it
refuses.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Protocol

from cockpit.model import PlacementKey

SLOT_SIZE = 8  # addresses in a slot, one a replica
DOCKER_PART = 256  # addresses at the start of the subnet that Docker hands out by itself
ADDRESS_REST = 600.0  # seconds a slot rests before another release may have it: dials in flight, pooled connections


@dataclass(frozen=True, slots=True)
class HealthSpec:
    path: str = "/up"
    interval: float = 1.0
    timeout: float = 5.0
    retries: int = 3
    deadline: float = 60.0


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where a value comes from and what it was; never the value. `fingerprint` is keyed, so it tells only sameness."""

    file: str | None = None
    environment: str | None = None
    command: tuple[str, ...] | None = None
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """The frozen configuration of a release: with the image, all that a rollback restores."""

    image: str  # what Docker is asked to run: an image id or name@digest, never a moving tag
    port: int | None = None
    replicas: int = 1
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    user: str | None = None
    working_dir: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, SecretSource] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    cpus: float | None = None
    memory: int | None = None  # bytes
    labels: dict[str, str] = field(default_factory=dict)
    stop_signal: str | None = None
    stop_grace: float = 30.0
    drain: float = 30.0
    health: HealthSpec = field(default_factory=HealthSpec)
    hosts: tuple[str, ...] = ()  # the first is what probes ask for


@dataclass(frozen=True, slots=True)
class StartOrder:
    key: PlacementKey
    release: int
    operation: int
    slot: int
    spec: ContainerSpec
    environment: dict[str, str]  # the spec's, the resolved secrets and COCKPIT_*: what the process really gets


class ContainerState(StrEnum):
    CREATED = "created"
    RUNNING = "running"
    RESTARTING = "restarting"
    EXITED = "exited"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Container:
    """One of ours, as the host has it now. `index` is 1-based; replica n has the n-th address of its slot."""

    id: str
    name: str
    key: PlacementKey
    release: int
    operation: int
    slot: int
    index: int
    address: str  # IPv4 without the port
    port: int | None
    image: str
    state: ContainerState
    exit_code: int | None = None
    oom_killed: bool = False
    health: str = ""  # Docker's own HEALTHCHECK: "", "starting", "healthy", "unhealthy"
    started_at: float | None = None
    finished_at: float | None = None
    restarts: int = 0
    error: str = ""  # Docker's word when it could not start

    @property
    def running(self) -> bool:
        return self.state is ContainerState.RUNNING


@dataclass(frozen=True, slots=True)
class HostInfo:
    id: str  # the daemon's
    name: str
    version: str
    buildkit: bool


@dataclass(frozen=True, slots=True)
class EdgeSpec:
    """The edge's container: host network, restart always, `directory` bind-mounted at /edge."""

    directory: Path
    image: str | None = None  # None: built from `binary`
    binary: Path | None = None
    ports: tuple[int, ...] = ()  # that it will listen on, to name who has them


@dataclass(frozen=True, slots=True)
class RawLine:
    """One line of a container's log as the container wrote it (decoded, not cleaned), without its newline."""

    at: float
    text: str
    stream: str  # "out" or "err"


@dataclass(frozen=True, slots=True)
class Subnet:
    """The cockpit's own network. Docker hands out the first `DOCKER_PART` addresses, slots have the rest."""

    cidr: str

    @property
    def slots(self) -> int:
        return (IPv4Network(self.cidr).num_addresses - DOCKER_PART) // SLOT_SIZE - 1

    @property
    def docker_part(self) -> str:
        network = IPv4Network(self.cidr)
        return str(IPv4Network((network.network_address, 24)))

    def addresses(self, slot: int, count: int) -> tuple[str, ...]:
        """The addresses of replicas 1 to `count`; slots are numbered from 0."""
        if not (0 <= slot < self.slots and 0 < count <= SLOT_SIZE):
            raise ValueError(f"no slot {slot} with {count} addresses in {self.cidr}")
        first = int(IPv4Network(self.cidr).network_address) + DOCKER_PART + slot * SLOT_SIZE
        return tuple(str(IPv4Address(first + index)) for index in range(count))


class Target(Protocol):
    installation: str  # on all that this engine makes; nothing without it is ever touched

    async def ping(self) -> HostInfo: ...

    async def prepare(self) -> Subnet:
        """The network exists (its subnet, once chosen, is read from the network itself)."""

    async def ensure_edge(self, spec: EdgeSpec) -> bool:
        """The edge runs; True when it was started just now. Names the owner of a taken port."""

    async def observe(self) -> tuple[Container, ...]:
        """All containers of this installation's releases, running or not."""

    async def start(self, order: StartOrder) -> tuple[Container, ...]:
        """All replicas run (or have just exited: look at their state), with restart policy `no`.

        A container of the same name from the same operation is kept; a stopped one of the same release is started."""

    async def activate(self, key: PlacementKey, release: int, *, live: bool) -> None:
        """Restart policy `always` for a release that serves or is hot, `no` for one that is about to stop."""

    async def stop(self, key: PlacementKey, release: int, *, grace: float, remove: bool) -> None:
        """Stop all replicas (SIGTERM, then SIGKILL after `grace`), and remove them when asked. Idempotent."""

    def logs(
        self, container: str, *, tail: int | None = None, since: float | None = None, follow: bool = False
    ) -> AsyncIterator[RawLine]:
        """Ends when the container does, or when the iterator is closed."""

    async def has_image(self, image: str) -> bool: ...

    async def remove_image(self, image: str) -> None:
        """Quietly does nothing for an image that is gone or in use."""

    async def listeners(self, container: str) -> tuple[str, ...]:
        """Addresses that processes inside listen on ("127.0.0.1:3000"), for the diagnosis; () when unknown."""

    async def close(self) -> None: ...
