"""A host elsewhere for each test, and lines to it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from cockpit.clock import SystemClock
from cockpit.ssh import line as line_module
from cockpit.ssh.line import Line
from cockpit.ssh.state import LineState
from tests.ssh.rig import Elsewhere, elsewhere

INSTALLATION = "shop"
Lines = Callable[..., Line]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    # Not pytest's own directory: a socket's path has to be short, also below the home of the host.
    with TemporaryDirectory(prefix="far-", dir="/tmp") as root, elsewhere(Path(root) / "host") as made:
        monkeypatch.setenv("PATH", f"{made.bin}:{os.environ['PATH']}")
        yield made


@pytest.fixture
async def docker(host: Elsewhere) -> AsyncIterator[asyncio.Server]:
    """What answers at the host's Docker socket says OK, once, to anything."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nOK")
        writer.close()

    server = await asyncio.start_unix_server(answer, host.docker)
    yield server
    server.close()


@pytest.fixture
def sockets(own_home: Path) -> Path:
    return own_home / "run" / "l"


@pytest.fixture
async def lines(sockets: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lines]:
    """Started lines; they end with the test. Tries come fast, so that no test waits for a pause."""
    monkeypatch.setattr(line_module, "LONGEST_PAUSE", 0.5)
    made: list[Line] = []

    def begin(url: str, changed: Callable[[LineState], None] | None = None) -> Line:
        made.append(Line(url, INSTALLATION, sockets, SystemClock(), changed))
        made[-1].start()
        return made[-1]

    yield begin
    for each in made:
        await each.close()
