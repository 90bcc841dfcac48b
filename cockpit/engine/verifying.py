"""Is the release well enough for customers? Asked through the edge, before anything moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from cockpit.engine import spec, views
from cockpit.engine.diagnose import explain
from cockpit.engine.run import Run, Skip
from cockpit.errors import CockpitError, EdgeError, Failed
from cockpit.health.probe import Probe
from cockpit.health.verify import Expected, Facts, Verdict, Verification
from cockpit.model import Failure, Side
from cockpit.targets.base import Container
from cockpit.targets.orders import ContainerSpec
from cockpit.text import took

KILLED = 137  # exit status after SIGKILL
LOOK = 0.5  # seconds between looks at the containers
BOOTING = 0.2  # seconds between probes while nothing answers yet
TELL = 0.25  # seconds between lines of progress
LAST_LINES = 60  # of a failed replica's log that go into the operation's log
LOG_WAIT = 3.0  # seconds that reading them may take
HOT_TRIES = 5
HOT_PAUSE = 0.15  # seconds between them
HOT_TIMEOUT = 1.5  # seconds for one answer: this is somebody's outage


async def verify_started(run: Run) -> str:
    """Every process that was just started answers or runs, or the reason why one never will."""
    names = spec.from_text(run.bringing.spec).leading
    if not names:
        raise Skip("nothing was started beside the old ones")
    started = run.ports.clock.monotonic()
    checks = [asyncio.create_task(verify_process(run, name), name=f"verification of {name}") for name in names]
    try:
        said = await asyncio.gather(*checks)
    finally:
        for check in checks:
            check.cancel()
        await asyncio.gather(*checks, return_exceptions=True)
    return f"{', '.join(said)} after {took(run.ports.clock.monotonic() - started)}"


async def verify_process(run: Run, process: str) -> str:
    """Raises Failed with the process's name in it, when it is not the only one."""
    check = _Check(run, process)
    async with check.looking():
        verdict = await check.known()
    if verdict.failure is not None:
        raise Failed(check.named(await _with_its_log(run, verdict, check.containers)))
    return f"{check.expected.replicas} × {_good(check.spec)}"


def _good(process: ContainerSpec) -> str:
    return "running" if process.port is None else f"2xx on {process.health.path}"


class _Check:
    """Probes and looks feed one Verification until it knows."""

    def __init__(self, run: Run, process: str) -> None:
        self._run = run
        frozen = spec.from_text(run.bringing.spec)
        self._process = process
        self._prefix = f"{process}: " if len(frozen.processes) > 1 else ""
        self.spec = frozen.processes[process]
        self._addresses = run.world.addresses(run.bringing).get(process, ())
        health = self.spec.health
        self.expected = Expected(self.spec.replicas, health.path, self.spec.port, health.retries, health.deadline)
        self._verification = Verification(self.expected, run.ports.clock.monotonic())
        self.containers: tuple[Container, ...] = ()
        self._killed: set[str] = set()  # containers that were seen killed once
        self._news = asyncio.Event()

    def named(self, failure: Failure) -> Failure:
        current = self._run.operation.current
        return replace(failure, step=current.name if current else "", summary=f"{self._prefix}{failure.summary}")

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._look())]
        if self.spec.port is not None:
            tasks += [asyncio.create_task(self._ask(index)) for index in range(1, self.spec.replicas + 1)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def known(self) -> Verdict:
        clock = self._run.ports.clock
        while True:
            verdict = self._verification.verdict(clock.monotonic())
            if verdict is not None:
                return verdict
            self._run.progress(f"{self._prefix}{self._verification.progress()}")
            self._news.clear()
            try:
                async with asyncio.timeout(TELL):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _look(self) -> None:
        ports, release, target = self._run.ports, self._run.bringing, self._run.host.target
        wanted = (release.key, release.number, self._process, release.slot)
        while True:
            try:
                asked_at = ports.clock.monotonic()
                seen = await target.observe()
                self._run.host.saw(seen, asked_at)
                self.containers = tuple(
                    each for each in seen if (each.key, each.release, each.process, each.slot) == wanted
                )
                for container in self.containers:
                    if self._cause_unknown(container):
                        continue
                    facts = facts_of(container, await target.listeners(container.id))
                    self._verification.observed(ports.clock.monotonic(), container.index, facts)
            except CockpitError as error:
                self._run.say(f"could not look at the containers: {error.message}")
            self._news.set()
            await ports.clock.sleep(LOOK)

    def _cause_unknown(self, container: Container) -> bool:
        """Docker may tell of a SIGKILL a moment before it tells that memory was the reason: look twice."""
        killed = container.exit_code == KILLED and not container.running and not container.oom_killed
        if not killed or container.id in self._killed:
            return False
        self._killed.add(container.id)
        return True

    async def _ask(self, index: int) -> None:
        ports, health = self._run.ports, self.spec.health
        address = self._addresses[index - 1]
        host = self.spec.hosts[0] if self.spec.hosts else None
        last = ""
        while True:
            probe = await self._run.host.prober.probe(address, health.path, host, health.timeout)
            self._verification.probed(ports.clock.monotonic(), index, probe)
            self._run.host.answers_at(address).add(probe)  # known at the switch, whether or not Docker answers then
            last = self._say_once(index, probe, last)
            self._news.set()
            await ports.clock.sleep(health.interval if probe.status else min(BOOTING, health.interval))

    def _say_once(self, index: int, probe: Probe, last: str) -> str:
        told = f"{self._prefix}replica {index}: {probe.status or probe.error}"
        if told != last:
            self._run.say(told)
        return told


def facts_of(container: Container, listeners: tuple[str, ...]) -> Facts:
    ran = None
    if container.started_at and container.finished_at and not container.running:
        ran = max(0.0, container.finished_at - container.started_at)  # Docker may note an end before its start
    return Facts(
        running=container.running,
        exit_code=None if container.running else container.exit_code,
        oom_killed=container.oom_killed,
        restarts=container.restarts,
        listeners=listeners,
        health=container.health,
        error=container.error,
        seconds=ran,
    )


async def _with_its_log(run: Run, verdict: Verdict, containers: tuple[Container, ...]) -> Failure:
    assert verdict.failure is not None, "only asked about failures"
    container = next((each for each in containers if each.index == verdict.replica), None)
    if container is None:
        return verdict.failure
    lines = await _last_lines(run, container)
    for line in lines:
        run.say(line, source=views.replica_source(container), stream="out")
    return explain(verdict.failure, lines)


async def _last_lines(run: Run, container: Container) -> tuple[str, ...]:
    lines: list[str] = []
    try:
        async with asyncio.timeout(LOG_WAIT):
            async for line in run.host.target.logs(container.id, tail=LAST_LINES):
                lines.append(line.text)
    except (CockpitError, TimeoutError) as error:
        run.say(f"its log could not be read: {error}")
    return tuple(lines[-LAST_LINES:])


async def verify_hot(run: Run) -> str:
    """A hot release is probed all the time: fresh good answers plus one now are its verification.

    One replica of each process that answers is enough: the edge passes over one that does not."""
    frozen = spec.from_text(run.bringing.spec)
    if not frozen.routed:
        return "running"
    where = run.world.addresses(run.bringing)
    said = await asyncio.gather(*(_hot(run, frozen.processes[name], where.get(name, ())) for name in frozen.routed))
    return ", ".join(said)


async def _hot(run: Run, process: ContainerSpec, where: tuple[str, ...]) -> str:
    answers = await asyncio.gather(*(_answers(run, process, each) for each in where))
    good = sum(1 for _, well in answers if well)
    if answers and not any(probe.reached for probe, _ in answers):
        why = "" if run.host.docker_ok else f" ({run.host.docker_error})"
        raise EdgeError(f"the edge does not answer{why}, so nothing can be verified", "`cockpit doctor` says how it is")
    if not good:
        raise Failed(_sick(run, [probe for probe, _ in answers]))
    return f"{good} of {process.replicas} replicas answer now"


async def _answers(run: Run, process: ContainerSpec, address: str) -> tuple[Probe, bool]:
    prober, host = run.host.prober, process.hosts[0] if process.hosts else None
    known = run.host.answers_at(address).verifies(run.ports.clock.now())
    needed, good = (1 if known else process.health.retries), 0
    for _ in range(HOT_TRIES):
        probe = await prober.probe(address, process.health.path, host, HOT_TIMEOUT)
        good = good + 1 if probe.good else 0
        if good == needed:
            return probe, True
        await run.ports.clock.sleep(HOT_PAUSE)
    return probe, False


def _sick(run: Run, probes: list[Probe]) -> Failure:
    name = run.bringing.name
    said = " and ".join(dict.fromkeys(f"{each.status or each.error}" for each in probes)) or "nothing: none runs"
    live = f"r{run.live.number}" if run.live else "the live release"
    return Failure(
        "verify",
        Side.INFRASTRUCTURE,
        f"{name} answers {said} as well",
        means=f"probably not the release: {name} was fine before, so what it needs may be down",
        next=f"nothing was switched, {live} serves; check what both depend on, or choose another release",
    )
