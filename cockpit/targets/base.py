"""What the engine asks of a place where containers run: six verbs and a few questions.

`start` and `stop` are idempotent: names and labels carry placement, release, operation and slot, so that after a crash
the same call finds what it made before. A target raises `TargetDown` when it does not answer and `TargetError` when it
refuses.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from cockpit.model import PlacementKey
from cockpit.targets.edge_spec import EdgeSpec, EdgeState
from cockpit.targets.host_lock import HostLock, LockOrder
from cockpit.targets.orders import ContainerSpec, RunOrder, StartOrder
from cockpit.targets.subnet import Subnet


class ContainerState(StrEnum):
    CREATED = "created"
    RUNNING = "running"
    RESTARTING = "restarting"
    EXITED = "exited"
    DEAD = "dead"


class Standing(StrEnum):
    """What a release is to its customers, told by the restart policy of its containers: Docker's words.

    Live and hot ones come back after a reboot; which of them is live can be read there when the pointer is lost."""

    LIVE = "always"
    HOT = "unless-stopped"
    OFF = "no"


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a host was told to remember of a release; the text is the engine's own."""

    key: PlacementKey
    release: int
    text: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose an installation is, as the host has it: which machine's, which user's, which state directory's.

    `placements` are those whose releases are remembered there; they are not part of what `claim` writes."""

    installation: str
    machine: str  # a digest of its id: sameness is all that it tells
    bastion: str  # its name, for people
    user: str
    state: str
    placements: frozenset[PlacementKey] = frozenset()


@dataclass(frozen=True, slots=True)
class Container:
    """One of ours, as the host has it now. `index` is 1-based, within its process."""

    id: str
    name: str
    key: PlacementKey
    release: int
    operation: int
    slot: int
    index: int
    address: str  # IPv4 without the port; "" when it has none of its slot's
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
    process: str = "web"
    standing: Standing = Standing.OFF  # as of when it was last inspected

    @property
    def running(self) -> bool:
        return self.state is ContainerState.RUNNING


@dataclass(frozen=True, slots=True)
class OneOff:
    """A container that `run` made, as the host has it now: what a crashed engine's migration came to."""

    id: str
    key: PlacementKey
    release: int
    operation: int
    state: ContainerState  # CREATED: its command never began
    exit_code: int | None = None
    oom_killed: bool = False
    started_at: float | None = None
    finished_at: float | None = None
    error: str = ""  # Docker's word when it could not start

    @property
    def running(self) -> bool:
        return self.state is ContainerState.RUNNING


@dataclass(frozen=True, slots=True)
class OtherContainer:
    """A container of the host that is not this installation's; all text is cleaned."""

    id: str
    name: str
    image: str
    state: str  # Docker's word: "running", "exited", "paused" …
    status: str  # "Up 3 hours (healthy)": the only thing that Docker's list tells about its start
    project: str = ""  # Compose's
    service: str = ""  # Compose's
    ports: tuple[str, ...] = ()  # published ones: "80->8000/tcp", "127.0.0.1:8100->80/tcp"
    created_at: float | None = None


@dataclass(frozen=True, slots=True)
class HostInfo:
    id: str  # the daemon's
    name: str
    version: str
    buildkit: bool
    architecture: str = ""  # Go's word: "amd64", "arm64"
    os: str = ""  # "linux"
    api: str = ""  # the newest version of Docker's API that it speaks: "1.41"
    clock: float | None = None  # what the time was there
    live_restore: bool | None = None  # containers outlive a restart of the daemon
    root: str = ""  # the directory of its images and volumes, on the host


@dataclass(frozen=True, slots=True)
class RawLine:
    """One line of a container's log as the container wrote it (decoded, not cleaned), without its newline."""

    at: float
    text: str
    stream: str  # "out" or "err"


class Target(Protocol):
    installation: str  # on all that this engine makes; nothing without it is ever touched

    async def ping(self) -> HostInfo: ...

    async def prepare(self) -> Subnet:
        """The network exists (its subnet, once chosen, is read from the network itself)."""

    async def ensure_edge(self, spec: EdgeSpec) -> EdgeState:
        """The edge runs, and a container for each alias; what runs is left alone. Names a taken port's owner."""

    async def check_ports(self, spec: EdgeSpec) -> None:
        """Before a running edge is told to listen on more: an edge that fails to does not recover by itself.

        Raises TargetError that names who has one of the ports."""

    async def edge_address(self) -> str:
        """The edge's own address on the cockpit's network; "" when it has the host's network, or does not run."""

    async def edge_image_made(self) -> float | None:
        """When the image of the edge that runs was made; None when there is none, or nobody knows."""

    async def upgrade_edge(self, spec: EdgeSpec) -> None:
        """A new edge takes over from the one that runs. `EdgeSpec.networks`: it gets another address there."""

    async def observe(self) -> tuple[Container, ...]:
        """All containers of this installation's releases, running or not."""

    async def others(self) -> tuple[OtherContainer, ...]:
        """All containers of the host that aren't this installation's; `logs` works for their ids too."""

    async def missing(self, spec: ContainerSpec) -> tuple[str, ...]:
        """A sentence for each thing outside of the cockpit that the host lacks for this spec; () when it can start.

        Networks only: a volume is made by Docker when it is missing, and a bind mount's path on another host is
        known to nobody before `start`, which refuses a path that isn't there."""

    async def start(self, order: StartOrder) -> tuple[Container, ...]:
        """All replicas of the process run (or have just exited: look at their state), with restart policy `no`.

        One that runs in this slot is kept, a stopped one is started again. Those that run in another slot stay
        beside the new ones; stopped ones there give way."""

    async def activate(
        self,
        key: PlacementKey,
        release: int,
        standing: Standing,
        *,
        process: str | None = None,
        slot: int | None = None,
    ) -> None:
        """What its containers are from now on: those that serve or are hot come back by themselves.

        `process` and `slot` narrow it down; without them it is the whole release. Raises TargetError when there is
        nothing to come back."""

    async def stop(
        self,
        key: PlacementKey,
        release: int,
        *,
        grace: float,
        remove: bool,
        process: str | None = None,
        slot: int | None = None,
    ) -> None:
        """Stop all replicas (SIGTERM, then SIGKILL after `grace`), and remove them when asked. Idempotent.

        `process` and `slot` narrow it down; without them it is the whole release, and `remove` takes along its one-offs
        that have ended."""

    async def run(self, order: RunOrder, emit: Callable[[RawLine], None]) -> int:
        """Run the order's command once and return its exit code; `emit` gets its log lines as they come.

        Cancelling stops (SIGTERM, SIGKILL after 5 s) and removes it, if Docker answers. One that ended stays, for
        whoever has to find out what it came to, until `remove_one_offs`. Raises TargetError when the command cannot be
        run, was killed for want of memory, or was begun by this operation before; TargetDown when Docker went away in
        the middle: it may still run."""

    async def one_offs(self, key: PlacementKey, release: int) -> tuple[OneOff, ...]:
        """What `run` made for this release and nobody removed yet, oldest operation first."""

    async def remove_one_offs(self, key: PlacementKey, release: int) -> None:
        """Stop them (SIGTERM, SIGKILL after 5 s) and remove them. Idempotent."""

    async def create_terminal(self, order: RunOrder, *, tty: bool) -> str:
        """The name of a container for `docker start --attach --interactive`, gone when its command ends."""

    async def remove_terminal(self, name: str) -> None:
        """One that was never started, or whose terminal was lost. Idempotent."""

    def logs(
        self, container: str, *, tail: int | None = None, since: float | None = None, follow: bool = False
    ) -> AsyncIterator[RawLine]:
        """Ends when the container does, or when the iterator is closed."""

    async def has_image(self, image: str) -> bool: ...

    async def remove_image(self, image: str) -> None:
        """Quietly does nothing for an image that is gone or in use."""

    async def remember(self, key: PlacementKey, release: int, text: str) -> None:
        """On the host, whatever becomes of the containers, until `forget`; another text replaces the one before."""

    async def remembered(self) -> tuple[Remembered, ...]:
        """All of this installation."""

    async def forget(self, key: PlacementKey, release: int) -> None:
        """Idempotent."""

    async def claim(self, claim: Claim) -> None:
        """The host says from now on whose this installation is."""

    async def claims(self) -> tuple[Claim, ...]:
        """Of all installations that the host knows, this one's too."""

    async def environment(self, container: str) -> dict[str, str]:
        """What that container was given, values of secrets too; {} when it is gone."""

    async def listeners(self, container: str) -> tuple[str, ...]:
        """Addresses that processes inside listen on ("127.0.0.1:3000"), for the diagnosis; () when unknown."""

    async def take_lock(self, order: LockOrder) -> HostLock | None:
        """The placement's one lock on this host, for engines of this installation; None when somebody has it."""

    async def lock_of(self, key: PlacementKey) -> HostLock | None: ...

    async def locks(self) -> tuple[HostLock, ...]:
        """All of this installation."""

    async def beat_lock(self, lock: HostLock, beats: int) -> bool:
        """Show that the holder lives. False when the lock is not there any more."""

    async def release_lock(self, lock: HostLock) -> None:
        """Idempotent; whoever has taken the placement over keeps theirs."""

    async def close(self) -> None: ...
