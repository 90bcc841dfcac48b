"""Log subscriptions: the last lines at once, then what comes, in batches of a tenth of a second.

A peer that is slow gets fewer lines, told how many were left out; nothing waits for it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing

from cockpit.clock import Clock
from cockpit.engine.api import Peer
from cockpit.engine.known import Known
from cockpit.engine.run import Run
from cockpit.errors import CockpitError, Refused
from cockpit.model import LogLine
from cockpit.protocol import LogChunk
from cockpit.targets.base import Container, RawLine, Target

BATCH = 0.1  # seconds
AT_ONCE = 16  # logs that one client may have open
QUEUE = 5000  # lines kept for the next batch; older ones are dropped and counted
FIRST = 500  # lines in one chunk of history

Since = Callable[[str], float | None]  # by the name that its lines have: from when on a container is read


class Batcher:
    """Collects lines and sends them ten times a second at most, for as long as its peer is there."""

    def __init__(self, peer: Peer, subscription: int, clock: Clock) -> None:
        self._peer = peer
        self._subscription = subscription
        self._clock = clock
        self._lines: deque[LogLine] = deque()
        self._dropped = 0
        self._wake = asyncio.Event()

    def add(self, lines: tuple[LogLine, ...]) -> None:
        self._lines.extend(lines)
        while len(self._lines) > QUEUE:
            self._lines.popleft()
            self._dropped += 1
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            await self._clock.sleep(BATCH)
            self.flush()

    def flush(self, *, ended: bool = False, note: str = "") -> None:
        self._wake.clear()
        lines, dropped = tuple(self._lines), self._dropped
        self._lines.clear()
        self._dropped = 0
        if lines or ended:
            self._peer.send(LogChunk(self._subscription, lines, dropped, ended, note))


class Following:
    """All log subscriptions of an engine."""

    def __init__(self, clock: Clock, known: Known) -> None:
        self._clock = clock
        self._known = known
        self._numbers = itertools.count(1)
        self._tasks: dict[tuple[Peer, int], asyncio.Task[None]] = {}

    def open(self, peer: Peer, work: Callable[[], AsyncIterator[tuple[LogLine, ...]]]) -> int:
        if sum(each is peer for each, _ in self._tasks) >= AT_ONCE:
            raise Refused(f"{AT_ONCE} logs are open here already", "close one first")
        number = next(self._numbers)
        task = asyncio.create_task(self._serve(peer, number, work), name=f"log {number}")
        self._tasks[peer, number] = task
        return number

    def close(self, peer: Peer, number: int) -> None:
        task = self._tasks.pop((peer, number), None)
        if task:
            task.cancel()

    def left(self, peer: Peer) -> None:
        for each, number in list(self._tasks):
            if each is peer:
                self.close(peer, number)

    async def close_all(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, peer: Peer, number: int, work: Callable[[], AsyncIterator[tuple[LogLine, ...]]]) -> None:
        batcher = Batcher(peer, number, self._clock)
        sending = asyncio.create_task(batcher.run())
        note = ""
        try:
            async for lines in work():
                batcher.add(lines)
        except CockpitError as error:
            note = self._known.hide(error.message)
        finally:
            sending.cancel()
            batcher.flush(ended=True, note=note)
            self._tasks.pop((peer, number), None)


async def of_run(run: Run, step: str, tail: int) -> AsyncIterator[tuple[LogLine, ...]]:
    """The lines of a running operation from the last `tail` on, until it ends."""
    arrived: asyncio.Queue[tuple[LogLine, ...]] = asyncio.Queue()
    run.log_listeners.append(arrived.put_nowait)
    try:
        history = only(await asyncio.to_thread(run.log.tail, tail), step)
        last = history[-1].number if history else -1
        yield history
        ended = asyncio.create_task(run.ended.wait())
        try:
            while not (ended.done() and arrived.empty()):
                getting = asyncio.create_task(arrived.get())
                await asyncio.wait({getting, ended}, return_when=asyncio.FIRST_COMPLETED)
                if not getting.done():
                    getting.cancel()
                    continue
                yield tuple(line for line in only(getting.result(), step) if line.number > last)
        finally:
            ended.cancel()
    finally:
        run.log_listeners.remove(arrived.put_nowait)


def only(lines: tuple[LogLine, ...], step: str) -> tuple[LogLine, ...]:
    return tuple(line for line in lines if line.source == step) if step else lines


def of_containers(
    target: Target,
    known: Known,
    containers: tuple[Container, ...],
    tail: int | None,
    follow: bool,
    since: Since = lambda name: None,
) -> AsyncGenerator[tuple[LogLine, ...], None]:
    """Lines of several replicas, each named by its replica when there is more than one, and by its process then."""
    alone, several = len(containers) == 1, len({each.process for each in containers}) > 1
    names = {
        each.id: "" if alone else f"{each.process} {each.index}" if several else str(each.index) for each in containers
    }
    return of_logs(target, known, names, tail, follow, since)


async def of_logs(
    target: Target,
    known: Known,
    names: Mapping[str, str],
    tail: int | None,
    follow: bool,
    since: Since = lambda name: None,
) -> AsyncGenerator[tuple[LogLine, ...], None]:
    """Lines of several containers (id → name) as they come, without what is known to be secret.

    Ends when all of them do; raises what the last one that failed raised."""
    arrived: asyncio.Queue[tuple[str, RawLine] | CockpitError | None] = asyncio.Queue(QUEUE)
    numbers = itertools.count()

    async def read(container: str, name: str) -> None:
        end = None
        try:
            log = target.logs(container, tail=tail, since=since(name), follow=follow)
            async with aclosing(_generator(log)) as lines:
                async for line in lines:
                    await arrived.put((name, line))
        except CockpitError as error:
            end = error
        await arrived.put(end)

    readers = [asyncio.create_task(read(container, name)) for container, name in names.items()]
    still_open, failed = len(readers), None
    try:
        while still_open:
            batch: list[LogLine] = []
            item = await arrived.get()
            while True:
                if isinstance(item, tuple):
                    name, line = item
                    batch.append(LogLine(next(numbers), line.at, known.line(line.text), name, line.stream))
                else:
                    still_open, failed = still_open - 1, item or failed
                if arrived.empty() or len(batch) >= FIRST:
                    break
                item = arrived.get_nowait()
            yield tuple(batch)
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
    if failed is not None:
        raise failed


async def _generator(lines: AsyncIterator[RawLine]) -> AsyncGenerator[RawLine, None]:
    """`aclosing` wants a generator; closing this one closes the target's."""
    try:
        async for line in lines:
            yield line
    finally:
        close = getattr(lines, "aclose", None)
        if close is not None:
            await close()
