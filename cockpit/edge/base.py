"""The edge: which release of a placement has the customers. One line in one file is the only commit point."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from cockpit.edge.names import door_of
from cockpit.model import PlacementKey

HOLD = "hold"
RUN = "run"  # in the edge's directory, a link to the sockets of the edge that counts
RUN_VARIABLE = "EDGE_RUN"  # tells an edge the name of its sockets' directory: its successor has another
PROCESS = r"[A-Za-z0-9][A-Za-z0-9_.-]*"  # a process's name, as it may stand in a pointer
_ADDRESSES = r"(?: [0-9.]+:\d+)+"
_LINE = re.compile(rf"r(\d+)(?! \.)((?:{_ADDRESSES})?)((?: / {PROCESS}{_ADDRESSES})*) \.")


@dataclass(frozen=True, slots=True)
class Pointer:
    """`r42 10.231.0.6:8080 10.231.0.7:8080 / admin 10.231.0.8:3000 .`; the final dot says that the line is whole.

    The process "web" comes first and without a name, if customers reach it: one line is one switch for all processes
    that take requests."""

    release: int
    addresses: tuple[str, ...]
    others: tuple[tuple[str, tuple[str, ...]], ...] = ()  # further routed processes, by name

    def line(self) -> str:
        others = (f"/ {' '.join((process, *addresses))}" for process, addresses in self.others)
        return " ".join((f"r{self.release}", *self.addresses, *others, "."))

    @classmethod
    def parse(cls, text: str) -> Pointer | None:
        match = _LINE.fullmatch(text.strip())
        if match is None:
            return None
        others = [part.split() for part in match[3].split(" / ")[1:]]
        return cls(int(match[1]), tuple(match[2].split()), tuple((name, tuple(rest)) for name, *rest in others))


@dataclass(frozen=True, slots=True)
class Route:
    """What is static of a placement: where its customers arrive. It belongs to the placement, not to a release."""

    key: PlacementKey
    listen: str  # ":80", "127.0.0.1:8100"
    hosts: tuple[str, ...] = ()  # () answers to any name
    process: str = ""  # one of Pointer.others; "" is "web"


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one listener, in bytes and seconds; None: none. The defaults let WebSockets, uploads and slow answers pass."""

    body: int | None = None
    header_timeout: float = 10.0
    idle_timeout: float = 300.0  # of a kept-alive connection without a request
    read_timeout: float | None = None  # of a whole request; the application is rid of it then
    write_timeout: float | None = None  # of a whole answer


@dataclass(frozen=True, slots=True)
class Tls:
    """A second listener of the same routes. Files are this machine's; the edge gets copies of them."""

    listen: str = ":443"
    issuer: Literal["acme", "internal", "files"] = "acme"
    email: str | None = None
    directory: str | None = None  # the ACME directory's URL; None: Let's Encrypt
    ca: Path | None = None  # PEM file of who vouches for that directory
    certificates: tuple[tuple[Path, Path], ...] = ()  # certificate chain and key; used first, with any issuer
    redirect: bool = True  # from the plain listener
    hsts: float | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """How the routes with this `listen` are served; a route whose `listen` has no Listener gets the defaults."""

    listen: str
    trusted: tuple[str, ...] = ()  # CIDRs of proxies in front whose X-Forwarded-* are believed
    tls: Tls | None = None
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Alias:
    """Other containers of `networks` that call http://NAME:PORT reach what the pointer says."""

    key: PlacementKey
    process: str  # as in Route
    networks: tuple[str, ...]
    names: tuple[str, ...]
    port: int

    @property
    def door(self) -> str:
        """Names its files and its container."""
        return door_of(self.key, self.process)


@dataclass(frozen=True, slots=True)
class EdgePlan:
    """All that the edge serves."""

    routes: tuple[Route, ...] = ()
    listeners: tuple[Listener, ...] = ()
    aliases: tuple[Alias, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """One customer's request, from the edge's access log."""

    at: float
    key: PlacementKey
    release: int  # 0 when no release took it
    status: int
    ms: float


class Edge(Protocol):
    probe_socket: Path  # HTTP over a Unix socket: /to/ADDRESS:PORT/path reaches that address through the edge

    async def load(self, plan: EdgePlan | tuple[Route, ...]) -> bool:
        """The edge serves exactly this; True when that needed a reload. Routes alone are a plan of defaults."""

    async def guard(self, key: PlacementKey, token: str) -> None:
        """From here on only who names that token moves this pointer; "" is nobody who names one. Raises EdgeError."""

    async def guarded(self, key: PlacementKey, token: str) -> bool:
        """Whether that is still the token that counts. Raises EdgeError."""

    async def point(self, key: PlacementKey, pointer: Pointer, token: str = "") -> None:
        """Customers of `key` go there from now on: durable when it returns. Raises EdgeError, and Fenced when a token
        is named that does not count any more."""

    async def pointer(self, key: PlacementKey) -> Pointer | None:
        """What the edge acts on; None when there is none yet. Raises EdgeError when it cannot be read."""

    async def in_flight(self) -> dict[str, int]:
        """Open requests by address ("10.231.0.6:8080"), the cockpit's own probes included."""

    async def answers(self) -> bool: ...

    async def hits(self) -> tuple[Hit, ...]:
        """Requests since the last call, oldest first; at most 50 000, the newest."""

    async def close(self) -> None:
        """Leaves the edge as it is: customers do not notice."""
