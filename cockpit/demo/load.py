"""Customers: an open-loop HTTP/1.1 client that asks at a fixed rate, whether or not it is answered.

`async with Load(urls, 60) as load: …; load.stats()` in a bench; `python -m cockpit.demo.load` as a process of its own.
The application answers `SERVICE RELEASE COMMIT ID` in the body and RELEASE in `X-Release`.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable
from types import TracebackType
from urllib.parse import urlsplit

from cockpit.demo.exchange import Connection, Cut, Response
from cockpit.demo.tally import Answer, Outcome, Stats, Tally

TIMEOUT = 10.0  # seconds, for connecting, asking and answering together
IDLE = 64  # kept connections per URL
FRESH_EVERY = 3  # each third request has a connection of its own
POST_EVERY = 5


class Site:
    """Where one URL's requests go, with the connections kept to it. Names under .localhost are this machine."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{url!r} is not an http:// address")
        self.url = url
        self.path = parts.path or "/"
        self.name = parts.netloc
        self.host = "127.0.0.1" if parts.hostname.endswith("localhost") else parts.hostname
        self.port = parts.port or 80
        self._idle: list[Connection] = []

    async def take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
            connection.close()
        return await self.fresh()

    async def fresh(self) -> Connection:
        return await Connection.open(self.host, self.port)

    def give(self, connection: Connection) -> None:
        if connection.reusable and len(self._idle) < IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    def request(self, identity: str, *, post: bool, close: bool) -> bytes:
        body = f"order={identity}" if post else ""
        lines = [f"{'POST' if post else 'GET'} {self.path}?id={identity} HTTP/1.1", f"Host: {self.name}"]
        lines += [f"Content-Length: {len(body)}"] if post else []
        lines += ["Connection: close"] if close else []
        return "\r\n".join([*lines, "", body]).encode("latin-1")

    def close(self) -> None:
        for connection in self._idle:
            connection.close()
        self._idle.clear()


class Load:
    """Sends from `__aenter__` to `__aexit__`, which waits for the answers still under way.

    Request n is due at start + n / rate. One that could not be sent in time is sent late, never left out, and its
    latency counts from when it was due. `on_answer` is called for each, in the loop's thread, and must not block.
    """

    def __init__(self, urls: tuple[str, ...], rate: float, on_answer: Callable[[Answer], None] | None = None) -> None:
        self._sites = tuple(Site(url) for url in urls)
        self._rate = rate
        self._on_answer = on_answer
        self._run = secrets.token_hex(4)
        self._tasks: set[asyncio.Task[None]] = set()
        self._sending: asyncio.Task[None] | None = None
        self.tally = Tally()

    async def __aenter__(self) -> Load:
        self._sending = asyncio.create_task(self._send())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._sending is not None
        self._sending.cancel()
        await asyncio.gather(self._sending, *self._tasks, return_exceptions=True)
        for site in self._sites:
            site.close()

    def stats(self) -> Stats:
        return self.tally.stats()

    async def _send(self) -> None:
        start = time.monotonic()
        for number in itertools.count():
            due = start + number / self._rate
            wait = due - time.monotonic()
            if wait > 0 or number % 100 == 0:  # when late, let answers in now and then
                await asyncio.sleep(max(0.0, wait))
            task = asyncio.create_task(self._one(number, due))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _one(self, number: int, due: float) -> None:
        site = self._sites[number % len(self._sites)]
        turn = number // len(self._sites)
        identity = f"{self._run}-{number}"
        sent = time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT):
                response, reconnected = await _ask(
                    site, identity, fresh=turn % FRESH_EVERY == 0, post=turn % POST_EVERY == 0
                )
            answer = _judge(identity, site.url, due, sent, response, reconnected)
        except Cut as cut:
            answer = _lost(identity, site.url, due, sent, cut.why)
        except TimeoutError:
            answer = _lost(identity, site.url, due, sent, f"no answer within {TIMEOUT:g} s")
        self.tally.add(answer)
        if self._on_answer:
            self._on_answer(answer)


async def _ask(site: Site, identity: str, *, fresh: bool, post: bool) -> tuple[Response, bool]:
    """The answer, and whether a kept connection turned out to be closed first.

    A server may close a kept connection just as the next request is on its way. As in every browser, that is no lost
    request when not one byte came back: it is asked again, once, on a fresh connection."""
    request = site.request(identity, post=post, close=fresh)
    connection = await (site.fresh() if fresh else site.take())
    reused = connection.exchanges > 0
    try:
        return await _exchange(site, connection, request, keep=not fresh), False
    except Cut as cut:
        if not reused or cut.received:
            raise
    return await _exchange(site, await site.fresh(), request, keep=True), True


async def _exchange(site: Site, connection: Connection, request: bytes, *, keep: bool) -> Response:
    try:
        response = await connection.exchange(request)
    except BaseException:  # also a cancellation: half an exchange must not go back to the others
        connection.close()
        raise
    if keep:
        site.give(connection)
    else:
        connection.close()
    return response


def _judge(identity: str, url: str, due: float, sent: float, response: Response, reconnected: bool) -> Answer:
    release = response.headers.get("x-release", "")
    words = response.body.decode("utf-8", "replace").split()
    ours = bool(release)
    return Answer(
        id=identity,
        url=url,
        due_at=due,
        sent_at=sent,
        ended_at=time.monotonic(),
        outcome=Outcome.ANSWERED if ours else Outcome.LOST,
        status=response.status,
        service=words[0] if ours and words else "",
        release=release,
        why="" if ours else f"{response.status} from the edge",
        right=identity in words,
        reconnected=reconnected,
    )


def _lost(identity: str, url: str, due: float, sent: float, why: str) -> Answer:
    return Answer(identity, url, due, sent, time.monotonic(), Outcome.LOST, why=why, right=False)


if __name__ == "__main__":
    from cockpit.demo.customers import main

    raise SystemExit(main())
