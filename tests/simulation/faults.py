"""What may happen between an engine and its host: each call may wait, be done and not heard of, or be done twice.

The adapters' code belongs to the engine, so it runs in its tasks and ends with them; what is done to the host stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from random import Random
from typing import Any

from cockpit.errors import BuildError, CockpitError, EdgeError, SourceError, TargetDown
from cockpit.health.probe import EDGE_SILENT, Probe
from tests.simulation.loop import Process

HUNG = 8.0  # seconds after which a daemon that says nothing is given up
SENT = frozenset(
    {"start", "stop", "activate", "run", "remove_one_offs", "remove_image", "point", "take_lock", "release_lock",
     "beat_lock", "guard"}
)  # fmt: skip
REPEATED = frozenset({"start", "stop", "activate", "remove_one_offs", "remove_image", "point", "load", "ensure_edge"})


class Faults:
    """Of one host and the ways to it. Probabilities are of each call; `hung` daemons answer nobody."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.slow = 0.05
        self.lost = 0.0
        self.twice = 0.1
        self.hung = False

    def heal(self) -> None:
        self.slow, self.lost, self.twice, self.hung = 0.02, 0.0, 0.0, False

    async def under_way(self) -> None:
        chance = self.random.random()
        if chance < self.slow:
            await asyncio.sleep(self.random.uniform(0.1, 2.0))
        elif chance < 0.6:
            await asyncio.sleep(self.random.uniform(0.0, 0.02))


class Faulty:
    """Stands before a port's fake for one engine; `about` hears of each call that changes something, before and after.

    `gone` makes the error of a call whose answer does not come; `daemon`: it comes from Docker, which may hang. Changes
    are tasks of `calls`: what was sent to the host is done there, also when the engine is paused meanwhile."""

    def __init__(
        self,
        port: Any,
        faults: Faults,
        gone: Callable[[str], CockpitError],
        about: Callable[[str, tuple[Any, ...]], None],
        calls: Process,
        *,
        daemon: bool,
    ) -> None:
        self._port = port
        self._faults = faults
        self._gone = gone
        self._about = about
        self._calls = calls
        self._daemon = daemon

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name.startswith("_") or not asyncio.iscoroutinefunction(found) or name == "close":
            return found

        @wraps(found)
        async def call(*given: Any, **more: Any) -> Any:
            if name not in SENT:
                return await self._call(name, found, *given, **more)
            task = asyncio.current_task()
            doing = task.get_name() if task is not None else name
            return await self._calls.begin(self._call(name, found, *given, **more), doing)

        return call

    async def close(self) -> None:
        """The host stays."""

    async def _call(self, name: str, work: Callable[..., Awaitable[Any]], *given: Any, **more: Any) -> Any:
        faults = self._faults
        await faults.under_way()
        await self._hangs()
        self._about(name, given)
        result = await work(*given, **more)
        if name in REPEATED and faults.random.random() < faults.twice:
            await faults.under_way()
            result = await work(*given, **more)
        await faults.under_way()
        if faults.random.random() < faults.lost:
            raise self._gone("the answer was lost")
        return result

    async def _hangs(self) -> None:
        if self._faults.hung and self._daemon:
            await asyncio.sleep(HUNG)
            raise self._gone("it does not answer")


class FaultyProber:
    """Never raises."""

    def __init__(self, prober: Any, faults: Faults) -> None:
        self._prober = prober
        self._faults = faults

    async def probe(self, address: str, path: str, host: str | None, timeout: float) -> Probe:
        await self._faults.under_way()
        probe: Probe = await self._prober.probe(address, path, host, timeout)
        await self._faults.under_way()
        if self._faults.random.random() < self._faults.lost:
            return Probe(0, 1.0, EDGE_SILENT, at=probe.at, reached=False)
        return probe

    async def public(self, listen: str, path: str, host: str | None, timeout: float, *, tls: bool = False) -> Probe:
        await self._faults.under_way()
        probe: Probe = await self._prober.public(listen, path, host, timeout, tls=tls)
        return probe

    async def close(self) -> None:
        """The edge stays."""


def target_gone(why: str) -> CockpitError:
    return TargetDown(f"Docker does not answer: {why}", "Is Docker running?")


def edge_gone(why: str) -> CockpitError:
    return EdgeError(f"the edge cannot be changed: {why}")


def builder_gone(why: str) -> CockpitError:
    return BuildError(f"Docker does not answer: {why}")


def source_gone(why: str) -> CockpitError:
    return SourceError(f"the repository cannot be reached: {why}")
