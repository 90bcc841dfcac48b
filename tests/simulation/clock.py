"""Time on the simulated loop: everybody's monotonic time is the loop's, a wall clock is each machine's own."""

from __future__ import annotations

import asyncio

EPOCH = 1_800_000_000.0  # where all wall clocks begin


class VirtualClock:
    """`ahead` is what somebody, or NTP, has set the wall clock on by."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.ahead = 0.0

    def now(self) -> float:
        return EPOCH + self.monotonic() + self.ahead

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
