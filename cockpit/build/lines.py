"""A byte stream as lines, whatever its lines are: none is ever held whole when it is huge."""

from __future__ import annotations

from asyncio import StreamReader
from collections.abc import AsyncIterator

from cockpit.text import decode

LINE_LIMIT = 64 * 1024  # bytes kept of one line
_CHUNK = 64 * 1024


async def lines(stream: StreamReader) -> AsyncIterator[str]:
    kept = bytearray()
    dropped = 0
    while chunk := await stream.read(_CHUNK):
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            dropped += _add(kept, part)
            yield _line(kept, dropped)
            kept.clear()
            dropped = 0
        dropped += _add(kept, rest)
    if kept:
        yield _line(kept, dropped)


def _add(kept: bytearray, part: bytes) -> int:
    """How many bytes found no room."""
    room = LINE_LIMIT - len(kept)
    kept += part[:room]
    return max(0, len(part) - room)


def _line(kept: bytearray, dropped: int) -> str:
    text = decode(bytes(kept)).removesuffix("\r")
    return f"{text}… (+{dropped} bytes)" if dropped else text
