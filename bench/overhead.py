"""The engine's own seconds in a deploy: all but build, push, boot and the probes' waits. `python -m bench.overhead`."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bench.report import Limit, Result, Say, main, median
from bench.world import PATH, Bench, Service, bench
from cockpit.demo import play
from cockpit.demo.exchange import Connection, Cut
from cockpit.errors import CockpitError
from cockpit.model import Operation
from cockpit.targets.labels import INSTALLATION

DEPLOYS = 9
BOOTS = 5
INTERVAL, RETRIES = 1.0, 3  # of the health check: the defaults
SERVICE = Service("web", replicas=2)
LIMITS = (Limit("own_s", "<=", 1.5),)


async def measure(say: Say) -> Result:
    async with bench((SERVICE,), DEPLOYS + 1) as world:
        first = await world.deploy(SERVICE, 0)
        boot = await _boot(world)
        say(f"the application boots in {boot:.2f} s")
        owns, steps = [], []
        for number in range(1, DEPLOYS + 1):
            operation = await world.deploy(SERVICE, number)
            owns.append(own_seconds(operation, boot))
            steps.append(operation)
            say(f"deploy {number}: {_total(operation):.2f} s, of which the engine's own {owns[-1]:.2f} s")
    names = [step.name for step in first.steps]
    each = {f"{name}_s": median([_seconds(done, name) for done in steps], 2) for name in names}
    return {
        "own_s": median(owns, 2),
        "own_max_s": round(max(owns), 2),
        "total_s": median([_total(done) for done in steps], 2),
        "boot_s": round(boot, 2),
        "deploys": DEPLOYS,
        **each,
    }


def own_seconds(operation: Operation, boot: float) -> float:
    """The waits of the probes are those between good answers; the application boots while it is started and asked."""
    waits = boot + INTERVAL * (RETRIES - 1)
    return _total(operation) - _seconds(operation, "build") - _seconds(operation, "push") - waits


def _total(operation: Operation) -> float:
    return (operation.ended_at or operation.started_at) - operation.started_at


def _seconds(operation: Operation, name: str) -> float:
    step = operation.step(name)
    return (step.seconds or 0.0) if step else 0.0


async def _boot(world: Bench) -> float:
    """Seconds from a container's start to its first answer, outside of the engine: the median of a few."""
    values = [await _boot_once(world) for _ in range(BOOTS)]
    return median(values, 3) or 0.0


async def _boot_once(world: Bench) -> float:
    import docker

    client = await asyncio.to_thread(docker.from_env)
    label: dict[str, str | list[str] | bool] = {"label": f"{INSTALLATION}={world.world.installation}"}
    running: list[Any] = await asyncio.to_thread(client.containers.list, filters=label)
    image = next(each.image for each in running if PATH in each.name)
    container = await asyncio.to_thread(client.containers.create, image)
    try:
        await asyncio.to_thread(container.start)
        started = time.monotonic()
        await asyncio.to_thread(container.reload)
        address = container.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
        if not await _answers(address):
            raise CockpitError("the application did not answer within 30 s")
        return time.monotonic() - started
    finally:
        await asyncio.to_thread(container.remove, force=True)
        await asyncio.to_thread(client.close)


async def _answers(address: str) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            connection = await Connection.open(address, 8000)
            connection.close()
            return True
        except Cut:
            await asyncio.sleep(play.LOOK_EVERY / 5)
    return False


if __name__ == "__main__":
    raise SystemExit(main(measure, LIMITS, __doc__))
