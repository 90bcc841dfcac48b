"""What customers hold open: WebSockets, slow requests, uploads and event streams, each of them whole or cut.

One that is whole came to its own end: every echo, every byte, every event, and the server's last word.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

EVERY = 1.0  # seconds between two echoes, and between two pieces of an upload
PATIENCE = 10.0  # seconds for the next sign of life
PIECE = 16 * 1024  # bytes of an upload at a time
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA


class Broken(Exception):
    """It ended before its end."""


@dataclass(frozen=True, slots=True)
class Ended:
    kind: str
    release: str  # that took it, "" when none did
    why: str = ""  # of one that was cut


@dataclass
class Held:
    """All that was opened at one address. `open` counts those that are under way now."""

    url: str
    open: int = 0
    ended: list[Ended] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def hold(self, kinds: Counter[str], seconds: float) -> None:
        """Opens them, for so long; returns when all are under way."""
        begun = [asyncio.Event() for _ in range(kinds.total())]
        for kind, event in zip(kinds.elements(), begun, strict=True):
            task = asyncio.create_task(self._one(kind, seconds, event))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await asyncio.gather(*(event.wait() for event in begun))

    async def finish(self) -> None:
        """Returns when the last one has ended, by itself or not."""
        await asyncio.gather(*self._tasks)

    @property
    def cut(self) -> list[Ended]:
        return [each for each in self.ended if each.why]

    async def _one(self, kind: str, seconds: float, begun: asyncio.Event) -> None:
        line: Line | None = None
        self.open += 1
        try:
            async with Line.to(self.url) as line:
                await KINDS[kind](line, seconds, begun)
            why = ""
        except (Broken, OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            why = str(error) or type(error).__name__
        except TimeoutError:
            why = f"nothing for {PATIENCE:g} s"
        finally:
            self.open -= 1
            begun.set()  # one that is refused must not hold up the others
        self.ended.append(Ended(kind, line.release if line else "", why))


class Line:
    """One connection for one thing."""

    def __init__(self, url: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.host = urlsplit(url).netloc
        self.reader = reader
        self.writer = writer
        self.release = ""

    @classmethod
    @asynccontextmanager
    async def to(cls, url: str) -> AsyncIterator[Self]:
        parts = urlsplit(url)
        name = parts.hostname or ""
        host = "127.0.0.1" if name.endswith("localhost") else name
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(host, parts.port or 80)
        try:
            yield cls(url, reader, writer)
        finally:
            writer.close()

    async def ask(self, method: str, target: str, *headers: str, body: bytes = b"") -> None:
        head = "\r\n".join((f"{method} {target} HTTP/1.1", f"Host: {self.host}", *headers, "", ""))
        self.writer.write(head.encode() + body)
        await self.writer.drain()

    async def answer(self, wanted: int, patience: float = PATIENCE) -> dict[str, str]:
        """The headers. Raises Broken for any other status."""
        async with asyncio.timeout(patience):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        self.release = headers.get("x-release", "")
        if head[0].split()[1] != str(wanted):
            raise Broken(f"answered with {' '.join(head[0].split()[1:])}")
        return headers

    async def body(self, headers: dict[str, str]) -> bytes:
        async with asyncio.timeout(PATIENCE):
            if "chunked" not in headers.get("transfer-encoding", ""):
                return await self.reader.readexactly(int(headers["content-length"]))
            whole = b""
            while piece := await self.chunk():
                whole += piece
            return whole

    async def chunk(self) -> bytes:
        """Empty: the last one."""
        async with asyncio.timeout(PATIENCE):
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            return (await self.reader.readexactly(size + 2))[:-2]

    async def send_frame(self, opcode: int, payload: bytes) -> None:
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self.writer.write(bytes((0x80 | opcode, 0x80 | len(payload))) + mask + masked)
        await self.writer.drain()

    async def frame(self) -> tuple[int, bytes]:
        """The next one that is no ping. Ours are short, so a longer one is no echo."""
        while True:
            async with asyncio.timeout(PATIENCE):
                first, size = await self.reader.readexactly(2)
                payload = await self.reader.readexactly(size)
            if first & 0x0F != _PING:
                return first & 0x0F, payload
            await self.send_frame(_PONG, payload)


async def websocket(line: Line, seconds: float, begun: asyncio.Event) -> None:
    """Says something each second, hears it, and closes as both sides should."""
    await _open_websocket(line)
    until, number = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        await line.send_frame(_TEXT, f"n{number}".encode())
        opcode, payload = await line.frame()
        if opcode != _TEXT or payload.split()[-1:] != [f"n{number}".encode()]:
            raise Broken("closed by the other side" if opcode == _CLOSE else f"heard {payload[:40]!r}")
        begun.set()
        number += 1
        await asyncio.sleep(EVERY)
    await line.send_frame(_CLOSE, (1000).to_bytes(2))
    if (await line.frame())[0] != _CLOSE:
        raise Broken("not closed when asked to")


async def _open_websocket(line: Line) -> None:
    key = base64.b64encode(os.urandom(16)).decode()
    secret = (f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13")
    await line.ask("GET", "/echo", "Connection: Upgrade", "Upgrade: websocket", *secret)
    headers = await line.answer(101)
    proof = base64.b64encode(hashlib.sha1(f"{key}{_GUID}".encode(), usedforsecurity=False).digest()).decode()
    if headers.get("sec-websocket-accept") != proof:
        raise Broken("no WebSocket was opened")


async def slow(line: Line, seconds: float, begun: asyncio.Event) -> None:
    """A request that is answered after so long."""
    await line.ask("GET", f"/slow?seconds={seconds:g}", "Connection: close")
    begun.set()
    headers = await line.answer(200, seconds + PATIENCE)
    if not (await line.body(headers)).endswith(b"slow\n"):
        raise Broken("another answer")


async def upload(line: Line, seconds: float, begun: asyncio.Event) -> None:
    """A piece each second; the answer is the digest of them all."""
    await line.ask("POST", "/uploads", "Transfer-Encoding: chunked", "Connection: close")
    until, digest = time.monotonic() + seconds, hashlib.sha256()
    while time.monotonic() < until:
        piece = os.urandom(PIECE)
        digest.update(piece)
        line.writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        await line.writer.drain()
        begun.set()
        await asyncio.sleep(EVERY)
    line.writer.write(b"0\r\n\r\n")
    headers = await line.answer(200)
    if (await line.body(headers)).decode().strip() != digest.hexdigest():
        raise Broken("not all of it arrived")


async def events(line: Line, seconds: float, begun: asyncio.Event) -> None:
    """Each as it comes, and the end of the stream."""
    count = round(seconds)
    await line.ask("GET", f"/events?count={count}", "Connection: close")
    await line.answer(200)
    text = b""
    while piece := await line.chunk():
        text += piece
        begun.set()
    if [int(number) for number in re.findall(rb"^id: (\d+)$", text, re.M)] != list(range(count)):
        raise Broken("not every event arrived")


KINDS: dict[str, Callable[[Line, float, asyncio.Event], Awaitable[None]]] = {
    each.__name__: each for each in (websocket, slow, upload, events)
}
