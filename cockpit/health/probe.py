"""Asking a replica how it is, the way customers reach it: through the edge, on its private listener."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from cockpit.clock import Clock, SystemClock
from cockpit.errors import LineDown
from cockpit.http import Answer, Http
from cockpit.text import clean

EDGE_SILENT = "the edge does not answer"
RELEASE_HEADER = "x-cockpit-release"
REFUSED = "connection refused"
_ANYWHERE = frozenset({"", "0.0.0.0", "[::]", "*"})
_WORDS = (
    ("connection refused", REFUSED),
    ("no route to host", "no route to its address"),
    ("i/o timeout", "its address does not answer"),
    ("deadline exceeded", "no answer in time"),
    ("connection reset", "it closed the connection"),
    ("EOF", "it closed the connection without an answer"),
    ("malformed HTTP", "it does not speak HTTP"),
)


@dataclass(frozen=True, slots=True)
class Probe:
    """One answer. `status` 0 means that the replica gave none; `error` says why in a few words."""

    status: int
    ms: float
    error: str = ""
    location: str = ""  # where a redirect points
    at: float = 0.0  # seconds since the epoch, when it came
    release: str = ""  # "r42": who answered, as the edge says it of customers' requests
    reached: bool = True  # False: the edge itself was silent, so this says nothing about the replica

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300


class Line(Protocol):
    """The way to an edge on another host."""

    async def answers(self) -> bool:
        """Whether that host itself answers now."""

    async def reach(self, target: str) -> Path:
        """A socket here that leads to an address there. Raises LineDown."""


class Prober:
    """Never raises: whatever goes wrong is in the Probe."""

    def __init__(self, socket: Path, clock: Clock | None = None, line: Line | None = None) -> None:
        self._clock = clock or SystemClock()
        self._line = line
        self._private = Http(socket)
        self._public = Http()
        self._there: dict[Path, Http] = {}

    async def probe(self, address: str, path: str, host: str | None, timeout: float) -> Probe:
        """`address` is "10.231.0.6:8080"; `timeout` seconds are for the whole exchange."""
        url = f"http://{address}/to/{address}{_absolute(path)}"
        answer = await self._private.ask("GET", url, timeout=timeout, headers=_headers(host or address))
        found = read(answer, self._clock.now())
        if answer.status or not found.reached or self._line is None or await self._line.answers():
            return found
        return replace(found, error=EDGE_SILENT, reached=False)  # it was the line that was silent

    async def public(self, listen: str, path: str, host: str | None, timeout: float, *, tls: bool = False) -> Probe:
        """As a customer asks: at the edge's own listener (":80" is asked on its host), whose certificate is not judged.

        A wildcard in `host` is asked for by one name that it stands for."""
        name = (host or "").replace("*", "www", 1)
        url = f"{'https' if tls else 'http'}://{reachable(listen)}{_absolute(path)}"
        try:
            way = await self._way(listen)
            answer = await way.ask("GET", url, timeout=timeout, headers=_headers(name or None), name=name)
        except LineDown as error:
            return Probe(0, 0.0, error.message, at=self._clock.now(), reached=False)
        return Probe(
            answer.status,
            answer.ms,
            answer.error,
            clean(answer.location, 300),
            self._clock.now(),
            release=clean(answer.headers.get(RELEASE_HEADER, ""), 20),
        )

    async def close(self) -> None:
        await self._private.close()
        for each in (self._public, *self._there.values()):
            await each.close()

    async def _way(self, listen: str) -> Http:
        if self._line is None:
            return self._public
        socket = await self._line.reach(reachable(listen))
        return self._there.setdefault(socket, Http(socket))


def read(answer: Answer, at: float) -> Probe:
    """The edge signs what it passes on with `Via`, and names its own errors in `X-Cockpit-Error`."""
    if not answer.status:
        silent = not answer.error.startswith("no answer within")
        return Probe(0, answer.ms, EDGE_SILENT if silent else answer.error, at=at, reached=not silent)
    if _own_words(answer):
        return Probe(0, answer.ms, _why(answer), at=at)
    return Probe(answer.status, answer.ms, location=clean(answer.location, 300), at=at)


def reachable(listen: str) -> str:
    """Where this host reaches what listens on `listen`."""
    host, _, port = listen.rpartition(":")
    return f"{'127.0.0.1' if host in _ANYWHERE else host}:{port}"


def _own_words(answer: Answer) -> bool:
    if "via" in answer.headers:
        return False
    return "x-cockpit-error" in answer.headers or answer.headers.get("server") == "Caddy"


def _why(answer: Answer) -> str:
    message = answer.headers.get("x-cockpit-error", "")
    for sign, words in _WORDS:
        if sign in message:
            return words
    said = message or answer.body.decode("utf-8", "replace")
    return clean(said, 120) or {502: REFUSED, 504: "no answer in time"}.get(
        answer.status, f"the edge answered {answer.status} itself"
    )


def _headers(host: str | None) -> dict[str, str]:
    """As behind TLS, so that an app which insists on it answers instead of redirecting."""
    headers = {"User-Agent": "cockpit", "X-Forwarded-Proto": "https"}
    return headers | {"Host": host} if host else headers


def _absolute(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"
