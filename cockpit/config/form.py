"""The form of the YAML: every key, what it may be, and what it is for. Decoding, the JSON Schema and a test of
config.example.yaml all read these tables; defaults and bounds are those of `settings`.

Container options have the Compose Specification's names and forms, proxy options Kamal's.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from cockpit.config.kinds import (
    MISSING,
    Duration,
    Flag,
    JsonSchema,
    Kind,
    Number,
    OrNull,
    Reading,
    Size,
    Text,
    Whole,
    Word,
    Wrong,
)
from cockpit.config.problems import At
from cockpit.config.settings import (
    BuildSettings,
    EdgeImage,
    EdgeListen,
    Environment,
    Healthcheck,
    Limits,
    Network,
    Process,
    Registry,
    Secret,
    Service,
    Settings,
)
from cockpit.config.shapes import Command, Key, Many, Named, Pairs, Short, Table
from cockpit.config.tree import Listing, Mapping, Node, Scalar

SMALLEST_NETWORK = 22  # prefix: Docker's own 256 addresses and 96 slots
# Every container gets these from the engine.
RESERVED = ("COCKPIT_RELEASE", "COCKPIT_COMMIT", "COCKPIT_ENVIRONMENT", "COCKPIT_SERVICE")

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_BELOW = r"(?!/)(?!(?:.*/)?\.\.(?:/|$)).*"
_PORT = r"(?:6553[0-5]|655[0-2]\d|65[0-4]\d{2}|6[0-4]\d{3}|[1-5]\d{4}|[1-9]\d{0,3})"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _bare_host(text: str) -> str:
    return re.sub(r"^\w+://", "", text).split("/")[0].split(":")[0].rstrip(".")


NAME = Text(
    "a name of at most 40 lower-case letters, digits and hyphens that starts with a letter",
    r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?",
    _slug,
)
HOST = Text(
    "a host name such as shop.example.com", rf"(?=.{{1,253}}$)(?:\*\.)?{_LABEL}(?:\.{_LABEL})*", _bare_host, lower=True
)
VARIABLE = Text(
    "a variable's name of letters, digits and _ that is not one the cockpit sets",
    rf"(?!(?:{'|'.join(RESERVED)})$)[A-Za-z_][A-Za-z0-9_]*",
    lambda text: re.sub(r"\W", "_", text, flags=re.ASCII),
)
LABEL = Text("a label's name", r"[^\s=]+")
WORD = Text("text", r".+")
FOLDER = Text("a path inside the repository, without ..", _BELOW, lambda text: text.lstrip("/"))
ABSOLUTE = Text("an absolute path", r"/.*")
LISTEN = Text(
    "an address to listen on such as :80 or 127.0.0.1:8080",
    rf"(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9][A-Za-z0-9.-]*)?:{_PORT}",
    lambda text: f":{text}",
)
VOLUME = Text(
    "NAME:/path or /host/path:/path, with :ro at the end when it is only read",
    r"(?:[A-Za-z0-9][A-Za-z0-9_.-]*|/[^:]*):/[^:]*(?::(?:ro|rw))?",
)
PUSHED = Text(
    "an image's name without a tag such as registry.example.com/shop",
    r"[a-z0-9.-]+(?::\d{1,5})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+",
    lambda text: text.split("@")[0].rsplit(":", 1)[0],
)
SIGNAL = Text("a signal's name such as SIGTERM", r"SIG[A-Z0-9]+(?:[+-]\d+)?", lambda text: f"SIG{text.upper()}")
DOCKER = Text("local or unix:///path/of/docker.sock", r"local|unix:///.+", lambda text: f"unix://{text}")
HEALTH_PATH = Text("a path that starts with /", r"/[^\s#]*", lambda text: f"/{text}")


class Subnet(Word):
    expects = f"an IPv4 network such as 10.231.0.0/18, /{SMALLEST_NETWORK} or larger"

    def value(self, scalar: Scalar) -> str:
        try:
            network = ipaddress.IPv4Network(scalar.text)
        except ValueError as error:
            raise Wrong(f" ({error})" if "host bits" in str(error) else "") from None
        if "/" not in scalar.text or not 8 <= network.prefixlen <= SMALLEST_NETWORK:
            raise Wrong("")
        return str(network)

    def schema(self) -> JsonSchema:
        return {"type": "string", "pattern": r"^\d+\.\d+\.\d+\.\d+/\d+$"}


class Where(Kind):
    """Where a service is deployed, as name -> what differs there."""

    expects = "a list of environments, or a map of environments to what differs there"

    def read(self, node: Node, at: At, into: Reading) -> Any:
        match node:
            case Listing():
                names = Many(NAME).read(node, at, into)
                for name, item in zip(names, node.items, strict=True):
                    into.keys[*at, name] = item
                return {name: {} for name in names if name is not MISSING}
            case Mapping():
                return Named(NAME, OVERRIDES).read(node, at, into)
            case _:
                return self.expected(node, at, into)

    def schema(self) -> JsonSchema:
        return {"anyOf": [Many(NAME).schema(), Named(NAME, OVERRIDES).schema()]}


def _one_source(values: dict[str, Any]) -> str:
    return "" if len(values) == 1 else "expected exactly one of file, environment and command"


SECRET = Table(
    {
        "file": Key(ABSOLUTE, "A file of the engine's machine; its content without the last line break."),
        "environment": Key(VARIABLE, "A variable of the engine's own environment."),
        "command": Key(Command(), "A command of the engine's machine; what it prints without the last line break."),
    },
    (Secret,),
    check=_one_source,
    secret=True,
    expects="a map with one of file, environment and command",
)

BUILD = Table(
    {
        "context": Key(FOLDER, "What the build sees, below the service's path."),
        "dockerfile": Key(FOLDER, "The Dockerfile, below the context."),
        "args": Key(Pairs(VARIABLE), "Build arguments. They stay readable in the image: no secrets."),
        "target": Key(OrNull(WORD), "The stage of the Dockerfile to build; null is the last."),
    },
    (BuildSettings,),
)

LIMITS = Table(
    {
        "cpus": Key(OrNull(Number()), "CPUs a replica may use; null is no limit."),
        "memory": Key(OrNull(Size()), "Memory a replica may use, as 512m or 2g; null is no limit."),
    },
    (Limits,),
)

HEALTHCHECK = Table(
    {
        "path": Key(HEALTH_PATH, "What is asked of every replica; any 2xx answer is good."),
        "interval": Key(Duration(), "Between two questions while a release starts."),
        "timeout": Key(Duration(), "How long one answer may take."),
        "retries": Key(Whole(), "Good answers in a row that make a replica healthy."),
    },
    (Healthcheck,),
)

PROCESS_OPTIONS: dict[str, Key] = {
    "port": Key(
        OrNull(Whole("the container's port alone such as 8000")),
        "Where the container listens; null is a service without customers.",
    ),
    "hosts": Key(Many(HOST, short=True), "Public names it answers to; none means any."),
    "replicas": Key(Whole(), "Containers of one release."),
    "command": Key(OrNull(Command()), "Instead of the image's command."),
    "entrypoint": Key(OrNull(Command()), "Instead of the image's entrypoint."),
    "user": Key(OrNull(WORD), "Who the process runs as: a name or uid, with :group when wanted."),
    "working_dir": Key(OrNull(ABSOLUTE), "Instead of the image's working directory."),
    "environment": Key(
        Pairs(VARIABLE, "; for a value from the engine's environment use secrets"),
        "Variables of the process. Numbers and booleans are taken as the text that is written.",
    ),
    "secrets": Key(Named(VARIABLE, SECRET), "Variables whose values are read each time a release starts."),
    "volumes": Key(Many(VOLUME), "Volumes and bind mounts, in Compose's short form."),
    "limits": Key(LIMITS, "What one replica may use."),
    "labels": Key(Pairs(LABEL), "Labels of the containers."),
    "stop_signal": Key(OrNull(SIGNAL), "Asks the process to end; null is the image's, usually SIGTERM."),
    "stop_grace_period": Key(Duration(), "From that signal until it is killed."),
    "healthcheck": Key(HEALTHCHECK, "When a replica counts as healthy."),
}

PROCESS = Table(PROCESS_OPTIONS, (Process,))

OPTIONS: dict[str, Key] = {
    "repo": Key(WORD, "The git repository: a URL, or a path on the engine's machine."),
    "branch": Key(OrNull(WORD), "Whose commits are deployed; null is the remote's default branch."),
    "path": Key(FOLDER, "The service's folder in a monorepo; only commits that touch it count."),
    "build": Key(Short(BUILD, "context"), "How the image is built; text alone is the context."),
    "image": Key(OrNull(PUSHED), "Where the image is pushed to; null leaves it on the host."),
    **PROCESS_OPTIONS,
    "processes": Key(
        Named(NAME, PROCESS), "Several commands of one release, by name; what the service says holds for each of them."
    ),
    "deploy_timeout": Key(Duration(), "How long a release may take to become healthy."),
    "drain_timeout": Key(Duration(), "How long open requests may go on before a release is stopped."),
    "bake": Key(Duration(), "The watch after the switch; a release that survives it is good."),
    "keep_hot": Key(OrNull(Duration()), "How long the last release stays running; null is the bake, at least 15m."),
    "retain": Key(Whole(), "Good releases whose images are kept for a rollback."),
}

OVERRIDES = Table(OPTIONS, (Service, Process))

SERVICE = Table(
    {
        **OPTIONS,
        "environments": Key(
            Where(),
            "Where it is deployed: names, or names with what differs there. Without this key: everywhere.",
        ),
    },
    (Service, Process),
    required=("repo",),
)

ENVIRONMENT = Table(
    {
        "protected": Key(Flag(), "A deploy there wants the service's name typed."),
        "host": Key(DOCKER, "The Docker engine, one for all environments: local, or unix:///path of its socket."),
        "edge": Key(
            Table({"listen": Key(LISTEN, "Where customers' requests arrive.")}, (EdgeListen,)),
            "The reverse proxy there.",
        ),
    },
    (Environment,),
)

REGISTRY = Table(
    {
        "server": Key(
            Text("a registry such as registry.example.com:5000", r"[A-Za-z0-9.-]+(?::\d{1,5})?", _bare_host),
            "Its name.",
        ),
        "username": Key(OrNull(WORD), "Who pushes; null is nobody."),
        "password": Key(OrNull(SECRET), "Where the password or token comes from."),
    },
    (Registry,),
    required=("server",),
)

ROOT = Table(
    {
        "environments": Key(Named(NAME, ENVIRONMENT), "Where services run. Without this key: production, protected."),
        "services": Key(Named(NAME, SERVICE), "What is deployed."),
        "network": Key(
            Table(
                {"subnet": Key(OrNull(Subnet()), "The cockpit's own network; null chooses a free /18 once.")},
                (Network,),
            ),
            "The containers' network.",
        ),
        "edge": Key(
            Table(
                {"image": Key(OrNull(WORD), "Its image; null builds one from the Caddy that came along.")}, (EdgeImage,)
            ),
            "The reverse proxy.",
        ),
        "registries": Key(Many(REGISTRY), "Registries that want a login."),
        "fetch_every": Key(Duration(), "How often repositories are asked for new commits."),
        "theme": Key(Text("a theme's name", r"[A-Za-z0-9_-]+"), "Colours of the interface: dark, light, or your own."),
        "keys": Key(
            Named(Text("an action's name", r"[a-z][a-z0-9_.-]*"), WORD),
            "Other keys for actions; docs/keys.md has their names.",
        ),
    },
    (Settings,),
    required=("services",),
)
