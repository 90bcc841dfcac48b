"""One system `ssh` to one host, kept up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from cockpit.clock import Clock
from cockpit.ssh.state import LineState

Changed = Callable[[LineState], None]


class Line:
    """`directory` is for the local sockets of all lines of this engine, and is made private.

    Raises ConfigError for an address that is none, and when the directory's path is too long for a socket."""

    state: LineState
    docker_url: str  # "unix:///…/docker.sock", for the target and the builder
    sockets: Path  # holds docker.sock, admin.sock and probe.sock

    def __init__(
        self, host: str, installation: str, directory: Path, clock: Clock, changed: Changed | None = None
    ) -> None:
        raise NotImplementedError

    def start(self) -> None:
        """Begins to connect, and returns."""

    async def settled(self, seconds: float) -> LineState:
        """The state once it is up or stopped, or after so many seconds."""
        raise NotImplementedError

    async def edge_directory(self) -> PurePosixPath:
        """On the host: `~/.local/state/deploy-cockpit/INSTALLATION/edge` of the login user. Raises LineDown."""
        raise NotImplementedError

    async def owner(self) -> int:
        """The login user's id on the host: the edge's directory is theirs. Raises LineDown."""
        raise NotImplementedError

    async def run(self, script: str, *, input: bytes = b"", timeout: float = 10.0) -> bytes:
        """What a line of POSIX shell printed on the host. Raises LineDown, LineError when its status isn't 0."""
        raise NotImplementedError

    async def answers(self) -> bool:
        """Whether the host answers now: after a silence, says whose it was."""
        raise NotImplementedError

    async def reach(self, address: str) -> Path:
        """A local socket that leads to "127.0.0.1:8100" as the host sees it. Raises LineDown."""
        raise NotImplementedError

    def excuse(self) -> tuple[str, str] | None:
        """Why nobody can ask Docker there (message, hint); None when the line is not the reason."""
        raise NotImplementedError

    def try_now(self) -> None:
        """Ends a pause before the next try, also of a line that stopped."""

    async def close(self) -> None:
        """Ends ssh. What runs on the host runs on."""
