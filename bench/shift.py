"""A shift: an engine at work on Docker, with all that comes and goes around it, and what its process holds meanwhile.

Deploys at an even pace, some of them rolled back, cancelled or followed by a restart; operators who look, follow a log
and close it or just vanish; containers of others that begin and end, replicas that are restarted behind our back; and
the terminal that started the engine hangs up.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import docker
from docker.errors import DockerException

from bench.report import Say
from bench.vitals import Vitals, vitals
from bench.world import Bench, Service, succeeded
from cockpit.client import Client, connect
from cockpit.demo import play
from cockpit.errors import CockpitError, Refused
from cockpit.model import Operation, PlacementKey
from cockpit.protocol import (
    CANCEL,
    DEPLOY,
    DEPLOY_SHEET,
    LOGS_CLOSE,
    LOGS_OPEN,
    OPERATIONS,
    PENDING,
    RELEASES,
    RESTART,
    ROLLBACK_SHEET,
    CommitRequest,
    Connected,
    DeployRequest,
    For,
    LogChunk,
    LogKind,
    LogRequest,
    OperationRequest,
    OperationsRequest,
    RestartRequest,
    Subscription,
)
from cockpit.targets.labels import INSTALLATION

PATIENCE = 20.0  # seconds for what an operator asked
WARM_UP = 3  # deploys of each service before anything is measured
STAYING = 2  # operators who look all the time
AT_REST = 5  # samples that are the median of what is held at rest


@dataclass(frozen=True, slots=True)
class Pace:
    seconds: float
    deploys: int
    sample: float  # seconds between two looks at the process
    visit: float  # … between two operators
    trouble: float  # … between two things that Docker tells
    rest: float  # … until what was begun has come to its end


@dataclass
class Shift:
    world: Bench
    services: Sequence[Service]
    pace: Pace
    say: Say
    samples: list[Vitals] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    before: Vitals | None = None
    after: Vitals | None = None
    _calm: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """Raises CockpitError when a deploy fails, or the engine is gone."""
        await self._warm_up()
        self.before = await self._at_rest()
        async with asyncio.TaskGroup() as group:
            around = [
                group.create_task(each)
                for each in (
                    self._again(self.pace.sample, self._sample),
                    self._again(self.pace.visit, self._visit),
                    self._again(self.pace.trouble, self._trouble),
                    self._hang_up(),
                    *(self._stay() for _ in range(STAYING)),
                )
            ]
            await self._deploys()
            for each in around:
                each.cancel()
        self.after = await self._at_rest()

    @property
    def pid(self) -> int:
        welcome = self.world.client.welcome
        if welcome is None:
            raise CockpitError("the engine was never reached")
        return welcome.pid

    # ------------------------------------------------------------ deploys

    async def _warm_up(self) -> None:
        """All services at once, as often as it takes to fill the pools of threads: those stay."""
        for number in range(1, WARM_UP + 1):
            await asyncio.gather(*(self.world.deploy(service, number) for service in self.services))
            await asyncio.gather(*(self._restart(service.key) for service in self.services), self._visit(number))
        self.done.clear()

    async def _deploys(self) -> None:
        started = time.monotonic()
        for number in range(self.pace.deploys):
            await asyncio.sleep(started + number * self.pace.seconds / self.pace.deploys - time.monotonic())
            service = self.services[number % len(self.services)]
            async with self._calm:
                await self._deploy(service, number)
            if (number + 1) % 5 == 0:
                held = self.samples[-1]
                self.say(
                    f"{number + 1:3} deploys: {held.open} open, {held.threads} threads, {held.children} children, "
                    f"{held.rss_mb:.1f} MB"
                )
        await asyncio.sleep(started + self.pace.seconds - time.monotonic())

    async def _deploy(self, service: Service, number: int) -> None:
        commit = 1 + WARM_UP + 2 * number
        operation = await self.world.deploy(service, commit)
        self.done["deploys"] += 1
        match number % 5:
            case 1 if operation.from_release is not None:
                await self.world.roll_back(service, operation.from_release)
                self.done["rollbacks"] += 1
            case 2:
                await self._cancel(service, commit + 1)
            case 3:
                await self._restart(service.key)

    async def _cancel(self, service: Service, commit: int) -> None:
        """One that ended before is no less welcome."""
        client = self.world.client
        operation = await client.call(DEPLOY, DeployRequest(service.key, self.world.shop[f"c{commit}"]))
        with suppress(Refused):
            await client.call(CANCEL, OperationRequest(operation.id))
        self.done[f"{(await play.ended(client, operation)).state}"] += 1

    async def _restart(self, key: PlacementKey) -> None:
        client = self.world.client
        operation: Operation = await client.call(RESTART, RestartRequest(key))
        succeeded(await play.ended(client, operation))
        self.done["restarts"] += 1

    # ------------------------------------------------------------ what is around it

    async def _again(self, every: float, what: Callable[[int], Awaitable[None]]) -> None:
        for turn in itertools.count():
            await what(turn)
            await asyncio.sleep(every)

    async def _sample(self, _: int) -> None:
        self.samples.append(await asyncio.to_thread(vitals, self.pid))

    async def _stay(self) -> None:
        async with self._operator() as client, aclosing(client.changes()) as changes:
            async for _ in changes:
                self.done["events"] += 1

    async def _visit(self, turn: int) -> None:
        try:
            async with asyncio.timeout(PATIENCE), self._operator() as client:
                await self._look_around(client, self.services[turn % len(self.services)].key, leave=bool(turn % 2))
                self.done["visits"] += 1
        except (CockpitError, TimeoutError) as error:
            self.errors.append(f"a visit: {error or 'no answer'}")

    async def _look_around(self, client: Client, key: PlacementKey, *, leave: bool) -> None:
        """`leave`: go without closing the log."""
        async with aclosing(client.changes()) as changes:
            async for change in changes:
                if isinstance(change, Connected):
                    await self._ask(client, key)
                    opened = await client.call(LOGS_OPEN, LogRequest(LogKind.SERVICE, key, tail=20))
                elif isinstance(change, LogChunk):
                    break
        if not leave:
            await client.call(LOGS_CLOSE, Subscription(opened.subscription))

    async def _ask(self, client: Client, key: PlacementKey) -> None:
        await client.call(RELEASES, For(key))
        await client.call(PENDING, For(key))
        await client.call(OPERATIONS, OperationsRequest(key))
        await client.call(DEPLOY_SHEET, CommitRequest(key))
        await client.call(ROLLBACK_SHEET, For(key))

    @asynccontextmanager
    async def _operator(self) -> AsyncIterator[Client]:
        """A cockpit of one's own, that never starts an engine."""
        client = await connect(self.world.world.paths, client="tui", start=False)
        try:
            yield client
        finally:
            await client.close()

    async def _trouble(self, turn: int) -> None:
        """No replica is restarted in the middle of a deploy, which might be right to fail then."""
        installation = self.world.world.installation
        try:
            if turn % 2:
                async with self._calm:
                    await asyncio.to_thread(_restart_replica, installation)
            else:
                await asyncio.to_thread(_come_and_go, installation)
            self.done["troubles"] += 1
        except DockerException as error:  # what it was about is just being replaced
            self.say(f"no trouble this time: {error}")

    async def _hang_up(self) -> None:
        await asyncio.sleep(self.pace.seconds / 2)
        os.kill(self.pid, signal.SIGHUP)
        self.done["hang_ups"] += 1

    async def _at_rest(self) -> Vitals:
        await asyncio.sleep(self.pace.rest)
        taken = []
        for _ in range(AT_REST):
            taken.append(await asyncio.to_thread(vitals, self.pid))
            await asyncio.sleep(1.0)
        middle = statistics.median_low(each.open for each in taken)
        return next(each for each in taken if each.open == middle)


def _come_and_go(installation: str) -> None:
    """A container that is not ours begins and ends."""
    client = docker.from_env()
    try:
        container = client.containers.create(_ours(client, installation)[0].image)
        try:
            container.start()
        finally:
            container.remove(force=True)
    finally:
        client.close()


def _restart_replica(installation: str) -> None:
    client = docker.from_env()
    try:
        _ours(client, installation)[0].restart(timeout=2)
    finally:
        client.close()


def _ours(client: Any, installation: str) -> list[Any]:
    """Replicas that run; the edge is none."""
    found = client.containers.list(filters={"label": f"{INSTALLATION}={installation}"})
    replicas = [each for each in found if "edge" not in each.name]
    if not replicas:
        raise DockerException("nothing of ours runs")
    return replicas
