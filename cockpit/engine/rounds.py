"""The same look at each host, where one that takes its time holds up no other."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable

from cockpit.engine.host import Host

PATIENCE = 1.0  # seconds that the others wait for the slowest


class Rounds:
    """`look` raises nothing. A host is never looked at twice at once."""

    def __init__(self, look: Callable[[Host], Awaitable[None]]) -> None:
        self._look = look
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._next: dict[str, asyncio.Task[None]] = {}  # looks that have not begun
        self._looks: set[asyncio.Task[None]] = set()

    async def go(self, hosts: Iterable[Host]) -> None:
        """Looks that begin from now on; returns when they are done, or without the slow ones."""
        looks = [self._coming(host) for host in hosts]
        if looks:
            await asyncio.wait(looks, timeout=PATIENCE)

    def _coming(self, host: Host) -> asyncio.Task[None]:
        if host.name not in self._next:
            look = self._next[host.name] = asyncio.create_task(self._take(host), name=f"look at {host.name}")
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)
        return self._next[host.name]

    async def _take(self, host: Host) -> None:
        async with self._locks[host.name]:
            del self._next[host.name]
            await self._look(host)

    async def close(self) -> None:
        looks = list(self._looks)
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)
