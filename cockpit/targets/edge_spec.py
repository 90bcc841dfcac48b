"""What the edge's container, and the containers of its aliases, shall be; and what became of that."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePath


@dataclass(frozen=True, slots=True)
class EdgeAlias:
    """A container that other containers of `networks` know under these names, and that hands all to the edge."""

    door: str  # its configuration is `doors/DOOR.json` in the edge's directory
    networks: tuple[str, ...]
    names: tuple[str, ...]
    port: int


@dataclass(frozen=True, slots=True)
class EdgeSpec:
    """The edge's container: restart always, `directory` bind-mounted at /edge.

    It has the host's network, or `networks` and the cockpit's own."""

    directory: PurePath  # on the host
    image: str | None = None  # None: built around a binary
    binaries: dict[str, Path] = field(default_factory=dict)  # static Caddys of this machine by architecture: arm64
    ports: tuple[int, ...] = ()  # that it will listen on, to name who has them
    networks: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    aliases: tuple[EdgeAlias, ...] = ()
    admin: Path | None = None  # where this machine reaches its admin socket; None: in `directory`
    owner: int | None = None  # the user on the host whose `directory` is; None: look, it is on this machine


@dataclass(frozen=True, slots=True)
class EdgeState:
    started: bool = False  # just now
    outdated: str = ""  # why only upgrade_edge() makes it what the spec says; it serves meanwhile
    aliases: tuple[str, ...] = ()  # what keeps an alias from being there, in words
