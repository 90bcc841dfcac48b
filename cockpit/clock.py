"""Time as a port: the engine and its watchers are given a clock, so that tests own it."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

JUMP = 5.0  # seconds by which the wall clock may differ from the monotonic one between two looks


class Clock(Protocol):
    def now(self) -> float:
        """Wall clock, seconds since the epoch (UTC). For the log and for people."""

    def monotonic(self) -> float:
        """Seconds that never jump. For durations and deadlines."""

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Evenly:
    """Notices that the wall clock jumped: what it says of the time before proves nothing about how long it was."""

    def __init__(self, clock: Clock, since: float) -> None:
        self._clock = clock
        self._ahead = clock.now() - clock.monotonic()
        self._since = since

    def since(self) -> float:
        """The time, as the clock tells it now, from which on it ran evenly."""
        now = self._clock.now()
        ahead = now - self._clock.monotonic()
        if abs(ahead - self._ahead) > JUMP:
            self._since = now
        self._ahead = ahead
        return self._since
