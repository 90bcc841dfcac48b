"""What years of history cost: an engine of 500 placements with 100 000 operations in its log, against an empty log.

The engine is the real process, on a Docker host in memory (bench/scale_engine.py). `python -m bench.scale --json`
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import ledger
from bench.report import Limit, Result, Say, main, median
from bench.vitals import cpu_seconds, vitals
from bench.world import ENVIRONMENT, Application, Service, configuration, demo_files, history
from cockpit.client import Client, connect
from cockpit.config.load import load
from cockpit.demo import background, repo
from cockpit.demo.world import World
from cockpit.engine import spec
from cockpit.model import PlacementKey
from cockpit.protocol import OPERATIONS, RELEASES, ROLLBACK_SHEET, STATUS, For, Nothing, OperationsRequest

PLACEMENTS, COUNT = 500, 100_000
STARTS = 7  # of each engine, taking turns
CALLS = 40  # of each kind, taking turns
SETTLE, IDLE = 12.0, 10.0  # seconds until a new engine has looked at everything, and of looking at its idleness
ENGINE = (sys.executable, "-m", "bench.scale_engine", "run")
IMAGE = f"sha256:{'b' * 64}"
LIMITS = (Limit("ratio", "<=", 1.3), Limit("operations", ">=", COUNT), Limit("placements", ">=", PLACEMENTS))


Taken = dict[str, list[float]]  # milliseconds, by the log they were taken with


@dataclass(frozen=True, slots=True)
class Scale:
    placements: int
    operations: int
    starts: int
    calls: int


async def measure(say: Say, scale: Scale = Scale(PLACEMENTS, COUNT, STARTS, CALLS)) -> Result:
    with tempfile.TemporaryDirectory(prefix="cockpit-bench-", ignore_cleanup_errors=True) as directory:
        root = Path(directory).resolve()
        legs = {}
        for name, operations in (("empty", 0), ("first", scale.placements), ("full", scale.operations)):
            started = time.monotonic()
            legs[name] = await asyncio.to_thread(_prepare, root / name, scale.placements, operations)
            say(f"{name}: {operations} operations, written in {time.monotonic() - started:.1f} s")
        try:
            return await _compare(legs, scale, say)
        finally:
            for world in legs.values():
                await _stop(world)


def _prepare(root: Path, placements: int, operations: int) -> World:
    world = World(root)
    world.prepare()
    services = tuple(Service(f"s{number:03}") for number in range(placements))
    shop = repo.make(world.shop, time.time(), history(2, Application(demo_files())))
    world.paths.config.write_text(configuration(services, world.shop, None, world.ports()[0]))
    world.paths.config.chmod(0o600)
    frozen = spec.freeze(load(world.paths.config).placements[0], IMAGE, {}, {})
    keys = tuple(PlacementKey(each.name, ENVIRONMENT) for each in services)
    ledger.write(
        world.paths.database, ledger.Kept(keys, shop["c0"], spec.to_text(frozen), IMAGE, time.time()), operations
    )
    return world


async def _compare(legs: dict[str, World], scale: Scale, say: Say) -> Result:
    starts: dict[str, list[float]] = defaultdict(list)
    for _ in range(scale.starts):
        for name, world in legs.items():
            starts[name].append(await _start(world))
        say(", ".join(f"{name} starts in {each[-1]:.0f} ms" for name, each in starts.items()))
    async with AsyncExitStack() as stack:
        clients = {name: await connect(each.paths, client="cli", command=ENGINE) for name, each in legs.items()}
        for client in clients.values():
            stack.push_async_callback(client.close)
        await asyncio.sleep(SETTLE)
        idle = await _idle(clients)
        calls = {what: await _turns(clients, call, scale.calls) for what, call in _CALLS.items()}
        megabytes = {
            name: round((await asyncio.to_thread(vitals, _pid(each))).rss_mb) for name, each in clients.items()
        }
    return _result(scale, {"start": starts, **calls}, idle, megabytes)


def _result(scale: Scale, taken: dict[str, Taken], idle: dict[str, float], megabytes: dict[str, int]) -> Result:
    """`first` is a log in which everything was deployed once: it shows as much as the full one, and has no history.

    A start is held against an empty log. What shows releases or operations is held against one with as much to show:
    an empty page is quicker than a full one, whatever the log's size."""
    ratios = {what: _ratio(each, "empty" if what == "start" else "first") for what, each in taken.items()}
    return {
        "ratio": max(ratios.values()),
        "operations": scale.operations,
        "placements": scale.placements,
        **{f"{what}_ratio": ratio for what, ratio in ratios.items()},
        **{f"{what}_{leg}_ms": median(values) for what, each in taken.items() for leg, values in each.items()},
        **{f"idle_{leg}_percent": value for leg, value in idle.items()},
        **{f"memory_{leg}_mb": value for leg, value in megabytes.items()},
    }


def _ratio(taken: Taken, than: str) -> float:
    return round((median(taken["full"], 3) or 0.0) / (median(taken[than], 3) or 1.0), 2)


async def _start(world: World) -> float:
    """Milliseconds from nothing to the first snapshot, of an engine that is ended then."""
    started = time.monotonic()
    client = await connect(world.paths, client="cli", command=ENGINE)
    try:
        await client.call(STATUS, Nothing())
        return (time.monotonic() - started) * 1000
    finally:
        await client.close()
        await _stop(world)


async def _stop(world: World) -> None:
    await background.end(world.paths.lock, "bench.scale_engine", str(world.paths.state), patience=20.0)


async def _idle(clients: dict[str, Client]) -> dict[str, float]:
    """Percent of a core, with nobody looking."""
    before = {name: await asyncio.to_thread(cpu_seconds, _pid(each)) for name, each in clients.items()}
    await asyncio.sleep(IDLE)
    after = {name: await asyncio.to_thread(cpu_seconds, _pid(each)) for name, each in clients.items()}
    return {name: round(100 * (after[name] - before[name]) / IDLE, 1) for name in clients}


async def _turns(
    clients: dict[str, Client], call: Callable[[Client], Awaitable[object]], count: int
) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = defaultdict(list)
    for _ in range(count):
        for name, client in clients.items():
            started = time.monotonic()
            await call(client)
            taken[name].append((time.monotonic() - started) * 1000)
    return taken


def _pid(client: Client) -> int:
    assert client.welcome is not None, "it was called"
    return client.welcome.pid


_KEY = PlacementKey("s007", ENVIRONMENT)
_CALLS: dict[str, Callable[[Client], Awaitable[object]]] = {
    "snapshot": lambda client: client.call(STATUS, Nothing()),
    "releases": lambda client: client.call(RELEASES, For(_KEY)),  # of `first` there is one, of `full` there are 50
    "operations": lambda client: client.call(OPERATIONS, OperationsRequest()),
    "operations_of_one": lambda client: client.call(OPERATIONS, OperationsRequest(_KEY)),
    "rollback_sheet": lambda client: client.call(ROLLBACK_SHEET, For(_KEY)),
}

if __name__ == "__main__":
    raise SystemExit(main(measure, LIMITS, __doc__))
