"""What a container shall be: the frozen configuration of a process, and the orders to start it or to run a command."""

from __future__ import annotations

from dataclasses import dataclass, field

from cockpit.model import PlacementKey


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
class Healthcheck:
    """Docker's own check inside of the container; None is what the image says, in seconds where it is a time."""

    test: tuple[str, ...] = ()  # ("CMD", …), ("CMD-SHELL", "…") or ("NONE",); () keeps the image's
    interval: float | None = None
    timeout: float | None = None
    retries: int | None = None
    start_period: float | None = None


@dataclass(frozen=True, slots=True)
class Logging:
    driver: str = "json-file"
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """The frozen configuration of one process of a release: with the image, all that a rollback restores."""

    image: str  # what Docker is asked to run: an image id or name@digest, never a moving tag
    port: int | None = None
    replicas: int = 1
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    user: str | None = None
    working_dir: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, SecretSource] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()  # Compose's short form: NAME:/path, /host/path:/path, with :ro to protect it
    cpus: float | None = None
    memory: int | None = None  # bytes
    labels: dict[str, str] = field(default_factory=dict)
    stop_signal: str | None = None
    stop_grace: float = 30.0
    drain: float = 30.0
    health: HealthSpec = field(default_factory=HealthSpec)
    hosts: tuple[str, ...] = ()  # the first is what probes ask for
    networks: tuple[str, ...] = ()  # joined by name beside the cockpit's own; they must exist
    extra_hosts: tuple[str, ...] = ()  # "name:address"; the address may be Docker's "host-gateway"
    tmpfs: tuple[str, ...] = ()  # "/run" or "/run:size=64m,mode=1777"
    ulimits: dict[str, tuple[int, int]] = field(default_factory=dict)  # name to (soft, hard); -1 is no limit
    read_only: bool = False
    init: bool | None = None  # None: as the Docker engine is set
    shm_size: int | None = None  # bytes
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    pids: int | None = None
    logging: Logging | None = None  # None: json-file in three files of 20 MB
    healthcheck: Healthcheck | None = None
    replace: str = "overlap"  # "recreate": the old containers stop before the new ones start
    env_files: tuple[str, ...] = ()  # paths; what they say reaches a container through StartOrder.environment
    optional_env_files: tuple[str, ...] = ()  # those of them that may be missing


@dataclass(frozen=True, slots=True)
class StartOrder:
    """All replicas of one process of a release, in one slot."""

    key: PlacementKey
    release: int
    operation: int
    slot: int
    spec: ContainerSpec
    environment: dict[str, str]  # the spec's, the resolved secrets and COCKPIT_*: what the process really gets
    process: str = "web"
    first: int | None = 0  # which of the slot's addresses replica 1 has; None: none of them, but one of Docker's part


@dataclass(frozen=True, slots=True)
class RunOrder:
    """A command that is run once in a container of its own: a migration.

    Of the spec count image, command, entrypoint, user, working_dir, volumes, networks and limits of all kinds; not
    labels, logging, healthcheck, stop signal and what belongs to serving."""

    key: PlacementKey
    release: int
    operation: int
    spec: ContainerSpec
    environment: dict[str, str]
