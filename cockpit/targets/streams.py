"""A container's log, followed without a thread.

The SDK's follower gives timestamps or tells stdout from stderr, not both, and holds a thread for as long as it lasts.
One GET on the socket, with HTTP/1.0 so that the body is the bare stream, needs neither: cancelling closes the line.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

from cockpit import text
from cockpit.errors import TargetDown, TargetError
from cockpit.targets.base import RawLine
from cockpit.targets.errors import hung, refused, unreachable
from cockpit.targets.times import seconds

LINE_BYTES = 64 * 1024  # kept of one line; the rest is counted
CHUNK = 64 * 1024
_HEADER = 8
_STREAMS = {1: "out", 2: "err"}


class Frames:
    """Docker's multiplexed stream, cut into (stream, payload): one byte of stream, three of nothing, four of length."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        self._rest += data
        at = 0
        while len(self._rest) - at >= _HEADER:
            end = at + _HEADER + int.from_bytes(self._rest[at + 4 : at + _HEADER], "big")
            if end > len(self._rest):
                break
            yield _STREAMS.get(self._rest[at], "out"), bytes(self._rest[at + _HEADER : end])
            at = end
        del self._rest[:at]

    def end(self) -> Iterator[tuple[str, bytes]]:
        """Nothing: half a frame is not shown."""
        yield from ()


class Terminal:
    """The stream of a container with a terminal: its bytes as they are, each line behind its time."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        self._rest += data
        *whole, rest = self._rest.split(b"\n")
        self._rest = rest
        for line in whole:
            yield "out", bytes(line.removesuffix(b"\r")) + b"\n"
        if len(rest) > LINE_BYTES:
            yield from self.end()

    def end(self) -> Iterator[tuple[str, bytes]]:
        """What came last, without a newline."""
        rest, self._rest = bytes(self._rest), bytearray()
        if rest:
            yield "out", rest


@dataclass(slots=True)
class _Open:
    """A line whose end has not arrived."""

    at: float
    kept: bytearray = field(default_factory=bytearray)
    cut: int = 0  # bytes not kept

    def add(self, data: bytes) -> None:
        room = LINE_BYTES - len(self.kept)
        self.kept += data[:room]
        self.cut += max(0, len(data) - room)

    def line(self, stream: str) -> RawLine:
        words = text.decode(bytes(self.kept))
        return RawLine(self.at, f"{words} … {self.cut} more bytes" if self.cut else words, stream)


class Lines:
    """Log frames joined to lines. Docker splits at 16 KiB and stamps each part; the first stamp is the line's."""

    def __init__(self, now: float) -> None:
        self._open: dict[str, _Open] = {}
        self._last = now

    def feed(self, stream: str, payload: bytes) -> RawLine | None:
        stamp, _, words = payload.partition(b" ")
        self._last = seconds(stamp.decode("ascii", "replace")) or self._last
        line = self._open.setdefault(stream, _Open(self._last))
        line.add(words.removesuffix(b"\n"))
        return self._open.pop(stream).line(stream) if words.endswith(b"\n") else None

    def end(self) -> tuple[RawLine, ...]:
        """What the container wrote last, without a newline."""
        return tuple(line.line(stream) for stream, line in self._open.items())


async def log_lines(
    socket: Path,
    version: str,
    container: str,
    *,
    tail: int | None,
    since: float | None,
    follow: bool,
    terminal: bool,
    now: float,
    deadline: float,
) -> AsyncGenerator[RawLine, None]:
    """`deadline` bounds the silence before the answer begins, and within it when the log is not followed."""
    query = {"stdout": 1, "stderr": 1, "timestamps": 1, "follow": int(follow), "tail": "all" if tail is None else tail}
    if since is not None:
        query["since"] = f"{since:.9f}"
    path = f"/v{version}/containers/{quote(container, safe='')}/logs?{urlencode(query)}"
    frames, lines = Terminal() if terminal else Frames(), Lines(now)
    async with _get(socket, path, deadline) as reader:
        while data := await _read(reader, None if follow else deadline):
            for stream, payload in frames.feed(data):
                if line := lines.feed(stream, payload):
                    yield line
    for stream, payload in frames.end():
        lines.feed(stream, payload)
    for line in lines.end():
        yield line


@asynccontextmanager
async def _get(socket: Path, path: str, deadline: float) -> AsyncIterator[asyncio.StreamReader]:
    doing = "show a log"
    try:
        async with asyncio.timeout(deadline):
            reader, writer = await asyncio.open_unix_connection(socket, limit=4 * CHUNK)
    except TimeoutError:
        raise hung(doing, deadline) from None
    except OSError as error:
        raise unreachable(doing, socket, error) from error
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
        try:
            async with asyncio.timeout(deadline):
                await _accepted(reader, doing)
        except TimeoutError:
            raise hung(doing, deadline) from None
        except OSError as error:
            raise unreachable(doing, socket, error) from error
        yield reader
    finally:
        writer.close()


async def _accepted(reader: asyncio.StreamReader, doing: str) -> None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        status = int(head[0].split()[1])
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, IndexError, ValueError):
        raise TargetDown("Docker does not answer: something else listens on its socket, or it died just now") from None
    if status != 200:
        raise _refusal(doing, status, await reader.read(CHUNK))


def _refusal(doing: str, status: int, body: bytes) -> TargetError:
    try:
        words = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        words = text.decode(body)
    return refused(doing, status, text.clean(words, 600))


async def _read(reader: asyncio.StreamReader, deadline: float | None) -> bytes:
    """b"" at the end, which is also what a dying daemon looks like."""
    try:
        async with asyncio.timeout(deadline):
            return await reader.read(CHUNK)
    except TimeoutError:
        raise hung("show a log", deadline or 0) from None
    except OSError:
        return b""
