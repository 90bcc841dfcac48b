"""A line to the Docker engine that a test can cut."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_CHUNK = 64 * 1024


class Line:
    """Forwards one Unix socket to another until it is cut; then nobody listens, and what was open ends."""

    def __init__(self, path: Path, engine: Path) -> None:
        self.path, self._engine = path, engine
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def lay(self) -> None:
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._forward, self.path)

    def cut(self) -> None:
        if self._server is not None:
            self._server.close()
        for each in self._open:
            each.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside, outside = await asyncio.open_unix_connection(self._engine)
        self._open |= {writer, outside}
        try:
            await asyncio.gather(_pump(reader, outside), _pump(inside, writer))
        finally:
            self._open -= {writer, outside}
            writer.close()
            outside.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


@asynccontextmanager
async def line(path: Path, engine: Path = Path("/var/run/docker.sock")) -> AsyncIterator[Line]:
    laid = Line(path, engine)
    await laid.lay()
    try:
        yield laid
    finally:
        laid.cut()
