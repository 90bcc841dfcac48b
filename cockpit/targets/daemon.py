"""The line to one Docker engine: clients, API version, thread pools and deadlines.

The SDK blocks and its client is not safe to share between threads, so each thread of our own pools has one. Quick
questions and slow work (starting, stopping) have separate pools: a 30 s stop must not delay an observation.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cockpit.errors import CockpitError, ConfigError, TargetDown
from cockpit.targets.errors import docker_errors, hung

if TYPE_CHECKING:
    from docker import DockerClient

T = TypeVar("T")

TESTED_API = "1.41"  # of Docker 20.10; later engines answer it in the same shapes
QUICK = 10.0  # seconds for a question
SLOW = 60.0  # seconds for each request of slow work
QUICK_THREADS = 8
SLOW_THREADS = 16  # two releases of eight replicas at once
_DEFAULT_SOCKET = "unix:///var/run/docker.sock"


def socket_path(host: str) -> Path:
    """The Unix socket of `local` (DOCKER_HOST, or Docker's default) or `unix:///path`. Raises ConfigError."""
    url = os.environ.get("DOCKER_HOST") or _DEFAULT_SOCKET if host == "local" else host
    if not url.startswith("unix://") or url == "unix://":
        raise ConfigError(
            f"the Docker host {url} is no Unix socket",
            "host is `local` or `unix:///path`; with `local`, DOCKER_HOST must not name a remote engine.",
        )
    return Path("/" + url.removeprefix("unix://").lstrip("/"))


def clamp(tested: str, minimum: str, maximum: str) -> str:
    """The API version to speak: the tested one, or the engine's nearest."""
    return _dotted(min(max(_numbers(tested), _numbers(minimum)), _numbers(maximum)))


Excuse = Callable[[], Awaitable[CockpitError | None]]  # why nothing reaches the host; None when it is reached


async def reached() -> None:
    """The excuse of a host that is this machine."""


class Daemon:
    """`excuse` is asked when Docker does not answer: a line that was lost is the better reason."""

    def __init__(self, host: str, excuse: Excuse = reached) -> None:
        self.socket = socket_path(host)
        self._excuse = excuse
        self._quick = ThreadPoolExecutor(QUICK_THREADS, "docker-quick")
        self._slow = ThreadPoolExecutor(SLOW_THREADS, "docker-slow")
        self._local = threading.local()
        self._lock = threading.Lock()
        self._clients: set[DockerClient] = set()
        self._version = ""
        self._closed = False
        self._generation = 0  # counts losses of the engine: what answers next may be another version

    async def call(self, doing: str, work: Callable[[DockerClient], T], *, deadline: float = QUICK) -> T:
        """A question, from the queue to its answer within `deadline`. Raises TargetDown, TargetError."""
        return await self._run(self._quick, doing, work, deadline, deadline)

    async def labour(
        self, doing: str, work: Callable[[DockerClient], T], *, request: float = SLOW, deadline: float | None = None
    ) -> T:
        """Slow work, of several requests of at most `request` seconds each, within `deadline` in all."""
        return await self._run(self._slow, doing, work, request, 2 * request if deadline is None else deadline)

    async def version(self) -> str:
        return await self.call("tell its version", lambda client: client.api.api_version)

    def close(self) -> None:
        """Does not wait for threads: each ends with its request."""
        self._closed = True
        for pool in (self._quick, self._slow):
            pool.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            clients, self._clients = self._clients, set()
        for client in clients:
            client.close()

    async def _run(
        self, pool: ThreadPoolExecutor, doing: str, work: Callable[[DockerClient], T], request: float, deadline: float
    ) -> T:
        if self._closed:
            raise TargetDown(f"the line to Docker is closed; nobody can {doing}", "The engine is stopping.")

        def job() -> T:
            with docker_errors(doing, self.socket):
                return work(self._client(request))

        try:
            async with asyncio.timeout(deadline + 1):  # the request's own time-out is the better message
                return await asyncio.get_running_loop().run_in_executor(pool, job)
        except TimeoutError:
            self._forget()
            raise await self._reason(hung(doing, deadline)) from None
        except TargetDown as error:
            self._forget()
            raise await self._reason(error) from error

    async def _reason(self, error: TargetDown) -> TargetDown:
        excuse = await self._excuse()
        return error if excuse is None else TargetDown(excuse.message, excuse.hint)

    def _client(self, request: float) -> DockerClient:
        if getattr(self._local, "generation", -1) != self._generation:
            self._replace_client(request)
        client: DockerClient = self._local.client
        client.api.timeout = max(1, round(request))
        return client

    def _replace_client(self, request: float) -> None:
        generation = self._generation
        client = self._connect(request)
        with self._lock:
            old = getattr(self._local, "client", None)
            if old is not None:
                self._clients.discard(old)
            self._clients.add(client)
        if old is not None:
            old.close()
        self._local.client, self._local.generation = client, generation

    def _connect(self, request: float) -> DockerClient:
        import docker

        from cockpit.targets import connections

        def client(version: str) -> DockerClient:
            made = docker.DockerClient(f"unix://{self.socket}", version=version, timeout=max(1, round(request)))
            connections.share(made.api)
            made.api.trust_env = False  # no proxy or netrc look-up for a local socket
            return made

        if not self._version:
            probe = client(TESTED_API)
            try:
                told = probe.api.version(api_version=False)
            finally:
                probe.close()
            self._version = clamp(TESTED_API, told.get("MinAPIVersion", TESTED_API), told["ApiVersion"])
        return client(self._version)

    def _forget(self) -> None:
        self._version = ""
        self._generation += 1


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
