"""Names, addresses and paths: what each may look like, in words and as a pattern."""

from __future__ import annotations

import ipaddress
import re

from cockpit.config.base import JsonSchema, Word, Wrong
from cockpit.config.kinds import Choice, Text
from cockpit.config.tree import Scalar

SMALLEST_NETWORK = 22  # prefix: Docker's own 256 addresses and 96 slots
# Every container gets these from the engine.
RESERVED = ("COCKPIT_RELEASE", "COCKPIT_COMMIT", "COCKPIT_ENVIRONMENT", "COCKPIT_SERVICE")

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_BELOW = r"(?!/)(?!(?:.*/)?\.\.(?:/|$)).*"
_PORT = r"(?:6553[0-5]|655[0-2]\d|65[0-4]\d{2}|6[0-4]\d{3}|[1-5]\d{4}|[1-9]\d{0,3})"
_MACHINE = r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9a-fA-F:]+\])"  # for ssh: never an option


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def bare_host(text: str) -> str:
    return re.sub(r"^\w+://", "", text).split("/")[0].split(":")[0].rstrip(".")


def _with_scheme(text: str) -> str:
    return f"unix://{text}" if text.startswith("/") else f"ssh://{text}"


def _untagged(text: str) -> str:
    return text.split("@")[0].rsplit(":", 1)[0]


NAME = Text(
    "a name of at most 40 lower-case letters, digits and hyphens that starts with a letter",
    r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?",
    _slug,
)
HOST = Text(
    "a host name such as shop.example.com", rf"(?=.{{1,253}}$)(?:\*\.)?{_LABEL}(?:\.{_LABEL})*", bare_host, lower=True
)
GROUP = Text("a Unix group's name or number", r"[^\s:,](?:[^:,\t\n]{0,254}[^\s:,])?")
VARIABLE = Text(
    "a variable's name of letters, digits and _ that is not one the cockpit sets",
    rf"(?!(?:{'|'.join(RESERVED)})$)[A-Za-z_][A-Za-z0-9_]*",
    lambda text: re.sub(r"\W", "_", text, flags=re.ASCII),
)
ALIAS = Text("a name in a network such as web", r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
NETWORK = Text("the name of a Docker network", r"[A-Za-z0-9][A-Za-z0-9_.-]*")
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
SOURCE = Text("a volume's name or an absolute path", r"[A-Za-z0-9][A-Za-z0-9_.-]*|/[^:]*")
TARGET = Text("an absolute path in the container, without a colon", r"/[^:]*")
TMPFS = Text("/path, or /path:OPTIONS such as /run:size=64m", r"/[^:]*(?::[a-z0-9_=%,.-]+)?")
IMAGE = Text(
    "an image's name such as registry.example.com/shop, with the tag {sha} or {short} when CI makes it",
    r"[a-z0-9.-]+(?::\d{1,5})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+(?::[\w.-]{0,80}\{(?:sha|short)\}[\w.-]{0,80})?",
    _untagged,
)
SIGNAL = Text("a signal's name such as SIGTERM", r"SIG[A-Z0-9]+(?:[+-]\d+)?", lambda text: f"SIG{text.upper()}")
DOCKER = Text(
    "local, unix:///path/of/docker.sock, ssh://user@host or context:NAME",
    rf"local|unix:///.+|ssh://(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?{_MACHINE}(?::{_PORT})?|context:[A-Za-z0-9][\w.+-]*",
    _with_scheme,
)
HEALTH_PATH = Text("a path that starts with /", r"/[^\s#]*", lambda text: f"/{text}")
CAPABILITY = Text("a capability such as NET_ADMIN", r"[A-Z][A-Z0-9_]*", lambda text: text.upper())
ULIMIT = Text("a limit's name such as nofile", r"[a-z]+", lambda text: text.lower().removeprefix("rlimit_"))
URL = Text(
    "a URL such as https://ca.example.com/directory", r"https?://[^\s/]+(?:/\S*)?", lambda text: f"https://{text}"
)
EMAIL = Text("an e-mail address", r"[^\s@]+@[^\s@]+")
REGISTRY_HOST = Text("a registry such as registry.example.com:5000", r"[A-Za-z0-9.-]+(?::\d{1,5})?", bare_host)
ARCHITECTURE = Choice(
    ("amd64", "arm64", "arm", "386", "ppc64le", "riscv64", "s390x"), {"x86_64": "amd64", "aarch64": "arm64"}
)


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


class Range(Word):
    expects = "addresses such as 10.0.0.0/8 or 192.0.2.7"

    def value(self, scalar: Scalar) -> str:
        try:
            return str(ipaddress.ip_network(scalar.text))
        except ValueError as error:
            raise Wrong(f" ({error})" if "host bits" in str(error) else "") from None

    def schema(self) -> JsonSchema:
        return {"type": "string", "pattern": r"^[0-9a-fA-F.:]+(?:/\d+)?$"}
