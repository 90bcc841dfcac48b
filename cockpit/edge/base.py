"""The edge: which release of a placement has the customers. One line in one file is the only commit point."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cockpit.model import PlacementKey

HOLD = "hold"
_LINE = re.compile(r"r(\d+)((?: [0-9.]+:\d+)+) \.")


@dataclass(frozen=True, slots=True)
class Pointer:
    """`r42 10.231.0.6:8080 10.231.0.7:8080 .`; the final dot says that the line is whole."""

    release: int
    addresses: tuple[str, ...]

    def line(self) -> str:
        return f"r{self.release} {' '.join(self.addresses)} ."

    @classmethod
    def parse(cls, text: str) -> Pointer | None:
        match = _LINE.fullmatch(text.strip())
        return cls(int(match[1]), tuple(match[2].split())) if match else None


@dataclass(frozen=True, slots=True)
class Route:
    """What is static of a placement: where its customers arrive. It belongs to the placement, not to a release."""

    key: PlacementKey
    listen: str  # ":80", "127.0.0.1:8100"
    hosts: tuple[str, ...] = ()  # () answers to any name


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

    async def load(self, routes: tuple[Route, ...]) -> bool:
        """The edge has exactly these routes; True when that needed a reload."""

    async def point(self, key: PlacementKey, pointer: Pointer) -> None:
        """Customers of `key` go there from now on: durable when it returns. Raises EdgeError."""

    async def pointer(self, key: PlacementKey) -> Pointer | None:
        """What the edge acts on; None when there is none yet. Raises EdgeError when it cannot be read."""

    async def in_flight(self) -> dict[str, int]:
        """Open requests by address ("10.231.0.6:8080"), the cockpit's own probes included."""

    async def answers(self) -> bool: ...

    async def hits(self) -> tuple[Hit, ...]:
        """Requests since the last call, oldest first; at most 50 000, the newest."""

    async def close(self) -> None:
        """Leaves the edge as it is: customers do not notice."""
