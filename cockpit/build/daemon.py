"""The line to Docker for the build room: short questions, and long answers that can be cut off at any moment.

The SDK blocks, so all of it runs in a small pool of its own, each call with a client of its own.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from cockpit.build import words
from cockpit.errors import BuildError

if TYPE_CHECKING:
    import requests
    from docker import APIClient

T = TypeVar("T")
Item = Mapping[str, Any]

TESTED_API = (1, 41)  # of Docker 20.10; later engines answer it in the same shapes, or tell the oldest they speak
THREADS = 6
QUICK = 20  # seconds for one request
SILENT = 600  # seconds without a word in a build or a push
CUT_WITHIN = 1.5  # seconds for a long answer to end once it is cut
_DEFAULT_SOCKET = "unix:///var/run/docker.sock"


class Cut:
    """Ends a request from outside its thread: before it is sent, meanwhile, and while its answer is awaited or read."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._sockets: list[socket.socket] = []
        self._responses: list[requests.Response] = []

    def check(self) -> None:
        """For the thread that sends: raises once the cut was asked for."""
        if self._asked.is_set():
            raise ConnectionAbortedError("cut off")

    def watch(self, client: APIClient) -> None:
        """A Unix socket is known from its start; of any other connection only an answer that has begun can be cut."""
        from cockpit.build import connections

        connections.watch(client, self._sockets.append)
        client.hooks["response"].append(lambda response, **_: self._responses.append(response))

    def now(self) -> None:
        from docker.types import CancellableStream

        self._asked.set()
        for each in tuple(self._sockets):
            with suppress(OSError):  # closed already
                each.shutdown(socket.SHUT_RDWR)
        while self._responses:
            with suppress(OSError, AttributeError):  # a response that was read to its end has no socket any more
                CancellableStream(iter(()), self._responses.pop()).close()


Begin = Callable[["APIClient", Cut], Iterable[Item]]


class Daemon:
    def __init__(self, host: str) -> None:
        self.url = (os.environ.get("DOCKER_HOST") or _DEFAULT_SOCKET) if host == "local" else host
        self._pool = ThreadPoolExecutor(THREADS, "build")

    async def ask(self, work: Callable[[APIClient], T]) -> T:
        """Raises BuildError."""

        def job(cut: Cut) -> T:
            with _client(self.url, QUICK, cut) as client:
                return work(client)

        return await self._cuttable(job)

    async def stream(self, begin: Begin, each: Callable[[Item], None]) -> None:
        """Every item of a long answer, on the loop, in order."""
        loop = asyncio.get_running_loop()

        def job(cut: Cut) -> None:
            with _client(self.url, SILENT, cut) as client:
                for item in begin(client, cut):
                    cut.check()
                    loop.call_soon_threadsafe(each, item)

        await self._cuttable(job)

    async def _cuttable(self, job: Callable[[Cut], T]) -> T:
        """Cancelling cuts the connection, and waits for its end."""
        cut = Cut()
        reading = asyncio.get_running_loop().run_in_executor(self._pool, _mapped, job, cut)
        try:
            return await asyncio.shield(reading)
        except asyncio.CancelledError:
            await _end(reading, cut)
            raise

    async def aside(self, work: Callable[..., T], *arguments: object) -> T:
        """Blocking work of any kind in the room's own pool."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, _mapped, work, *arguments)

    @asynccontextmanager
    async def kept(self, make: Callable[[], T], remove: Callable[[T], None]) -> AsyncIterator[T]:
        """What `make` gives, removed at the end, however and whenever that comes. Raises BuildError."""
        making = asyncio.ensure_future(self.aside(make))
        try:
            yield await asyncio.shield(making)
        finally:
            await asyncio.shield(asyncio.ensure_future(self._removed(making, remove)))

    async def _removed(self, making: asyncio.Future[T], remove: Callable[[T], None]) -> None:
        with suppress(BuildError):  # it could not be made
            await self.aside(remove, await making)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


async def _end(reading: asyncio.Future[T], cut: Cut) -> None:
    """The request may be at any point, so the cut is repeated until its thread has seen it."""
    deadline = asyncio.get_running_loop().time() + CUT_WITHIN
    while not reading.done() and asyncio.get_running_loop().time() < deadline:
        cut.now()
        await asyncio.wait([reading], timeout=0.02)
    if reading.done() and not reading.cancelled():
        reading.exception()  # what the cut itself caused


def _mapped(work: Callable[..., T], *arguments: object) -> T:
    import docker.errors
    import requests.exceptions
    import urllib3.exceptions

    try:
        return work(*arguments)
    except docker.errors.APIError as error:
        raise words.daemon(error.explanation or str(error)) from error
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
        raise words.daemon(str(error)) from error
    except (urllib3.exceptions.HTTPError, docker.errors.StreamParseError) as error:
        raise words.daemon(f"Connection lost in the middle of an answer: {error}") from error


@contextmanager
def _client(url: str, timeout: int, cut: Cut) -> Iterator[APIClient]:
    client = _connect(url, TESTED_API, timeout)
    cut.watch(client)
    try:
        oldest = _numbers(client.version(api_version=False).get("MinAPIVersion", "1.12"))
        if oldest > TESTED_API:
            client.close()
            client = _connect(url, oldest, timeout)
            cut.watch(client)
        yield client
    finally:
        client.close()


def _connect(url: str, version: tuple[int, ...], timeout: int) -> APIClient:
    import docker

    client = docker.APIClient(url, version=".".join(map(str, version)), timeout=timeout)
    client.trust_env = False  # no proxy or netrc look-up for a local socket
    return client


def answered(error: BuildError) -> bool:
    """Docker itself works: the refusal came from it."""
    import docker.errors

    return isinstance(error.__cause__, docker.errors.APIError)


def image_missing(error: BuildError) -> bool:
    """Docker answered, and has no such image."""
    import docker.errors

    return isinstance(error.__cause__, docker.errors.NotFound)


def not_found(error: BuildError) -> bool:
    """Docker answered, and the registry has no such image."""
    return image_missing(error) and "page not found" not in str(error.__cause__)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
