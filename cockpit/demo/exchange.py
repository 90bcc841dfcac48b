"""One HTTP/1.1 exchange on a plain connection, exact about what came back before it broke."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import SupportsIndex

HEAD_LIMIT = 64 * 1024  # bytes
BODY_LIMIT = 1024 * 1024  # bytes


class Cut(Exception):
    """The connection ended before the answer did. `received` is the number of bytes of it that had come."""

    def __init__(self, why: str, received: int) -> None:
        super().__init__(why)
        self.why = why
        self.received = received


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: dict[str, str]  # names in lower case; of a repeated one, the last
    body: bytes


class _CountingReader(asyncio.StreamReader):
    """A reset makes a StreamReader forget what it holds, so bytes are counted as they come."""

    received = 0

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        data = bytes(data)
        self.received += len(data)
        super().feed_data(data)


class Connection:
    """Serves one exchange after the other; `reusable` says whether the next one may have it."""

    def __init__(self, reader: _CountingReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._keep = True
        self.exchanges = 0

    @classmethod
    async def open(cls, host: str, port: int) -> Connection:
        """Raises Cut when nothing takes the connection."""
        loop = asyncio.get_running_loop()
        reader = _CountingReader(limit=HEAD_LIMIT, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        try:
            transport, _ = await loop.create_connection(lambda: protocol, host, port)
        except OSError as error:
            raise Cut(_words(error), 0) from None
        return cls(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    @property
    def reusable(self) -> bool:
        """False also when the server has closed it meanwhile: nothing is sent on it then."""
        return self._keep and not self._reader.at_eof() and self._reader.exception() is None

    async def exchange(self, request: bytes) -> Response:
        """Raises Cut; the connection is not to be used after that."""
        before = self._reader.received
        self._keep = False  # until the answer is whole
        try:
            self._writer.write(request)
            await self._writer.drain()
            response = await self._read()
        except asyncio.IncompleteReadError:
            raise Cut("closed before the answer was whole", self._reader.received - before) from None
        except (OSError, ValueError, asyncio.LimitOverrunError) as error:
            raise Cut(_words(error), self._reader.received - before) from None
        self.exchanges += 1
        return response

    async def _read(self) -> Response:
        status, headers = _head(await self._reader.readuntil(b"\r\n\r\n"))
        while 100 <= status < 200:
            status, headers = _head(await self._reader.readuntil(b"\r\n\r\n"))
        framed = status in (204, 304) or "content-length" in headers or "transfer-encoding" in headers
        body = await self._body(status, headers)
        self._keep = framed and headers.get("connection", "").lower() != "close"
        return Response(status, headers, body)

    async def _body(self, status: int, headers: dict[str, str]) -> bytes:
        if status in (204, 304):
            return b""
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return await self._chunks()
        if "content-length" in headers:
            return await self._reader.readexactly(_bounded(int(headers["content-length"])))
        return await self._reader.read(BODY_LIMIT)

    async def _chunks(self) -> bytes:
        body = b""
        while size := int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += await self._reader.readexactly(_bounded(size + len(body)) - len(body))
            await self._reader.readexactly(2)
        while await self._reader.readuntil(b"\r\n") != b"\r\n":
            pass  # trailers
        return body

    def close(self) -> None:
        self._keep = False
        self._writer.close()


def _head(block: bytes) -> tuple[int, dict[str, str]]:
    first, *rest = block.decode("latin-1").split("\r\n")
    version, _, status = first.partition(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"not HTTP/1: {first[:40]!r}")
    pairs = (line.partition(":") for line in rest if line)
    return int(status[:3]), {name.strip().lower(): value.strip() for name, _, value in pairs}


def _bounded(size: int) -> int:
    if not 0 <= size <= BODY_LIMIT:
        raise ValueError(f"an answer of {size} bytes")
    return size


def _words(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ConnectionResetError):
        return "connection reset"
    if isinstance(error, BrokenPipeError):
        return "connection closed while asking"
    return str(error) or type(error).__name__
