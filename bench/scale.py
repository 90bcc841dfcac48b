"""What years of history cost: an engine of 500 placements with 100 000 operations in its log, against a short log.

The short log has the same placements, live like the others, and of one of them as much as a page shows, so that both
engines look at as much and show as much: what is left is the size of the history. An empty log, with nothing to look
at and nothing to show, would tell what placements cost; a start of such a one is measured beside. All take turns; the
engine is the real process, on a Docker host in memory (bench/scale_engine.py). `python -m bench.scale --json`;
`--quick` with fewer turns.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
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
from cockpit.errors import CockpitError
from cockpit.model import PlacementKey
from cockpit.protocol import OPERATIONS, RELEASES, ROLLBACK_SHEET, STATUS, For, Nothing, OperationsRequest

PLACEMENTS, COUNT = 500, 100_000
PAGE = 50  # rows that a client asks for
SHORT = 10  # operations of each placement in the short log, as many as a start reads of them,
SHOWN = 80  # … and of the one that is asked for: more than a page of operations and a page of releases
ASKED = 7
KEY = PlacementKey(f"s{ASKED:03}", ENVIRONMENT)
SETTLE, IDLE = 12.0, 10.0  # seconds until a new engine has looked at everything, and of looking at its idleness
ENGINE = (sys.executable, "-m", "bench.scale_engine", "run")
IMAGE = f"sha256:{'b' * 64}"
LIMITS = (Limit("ratio", "<=", 1.3), Limit("operations", ">=", COUNT), Limit("placements", ">=", PLACEMENTS))

Taken = dict[str, list[float]]  # milliseconds, by the log they were taken with


@dataclass(frozen=True, slots=True)
class Turns:
    """How often each engine is started, and asked each question."""

    starts: int
    calls: int


LONG, FEW = Turns(7, 40), Turns(3, 15)
_EACH = COUNT // PLACEMENTS
LEGS = {
    "empty": [0] * PLACEMENTS,
    "short": [SHOWN if each == ASKED else SHORT for each in range(PLACEMENTS)],
    "full": [_EACH] * PLACEMENTS,
}


async def measure(say: Say, turns: Turns = LONG) -> Result:
    with tempfile.TemporaryDirectory(prefix="cockpit-bench-", ignore_cleanup_errors=True) as directory:
        root = Path(directory).resolve()
        legs = {}
        for name, operations in LEGS.items():
            started = time.monotonic()
            legs[name] = await asyncio.to_thread(_prepare, root / name, operations)
            say(f"{name}: {sum(operations)} operations, written in {time.monotonic() - started:.1f} s")
        try:
            return await _compare(legs, turns, say)
        finally:
            for world in legs.values():
                await _stop(world)


quick = partial(measure, turns=FEW)


def _prepare(root: Path, operations: Sequence[int]) -> World:
    """With a service for each of `operations`."""
    world = World(root)
    world.prepare()
    services = tuple(Service(f"s{number:03}") for number in range(len(operations)))
    shop = repo.make(world.shop, time.time(), history(2, Application(demo_files())))
    world.paths.config.write_text(configuration(services, world.shop, None, world.ports()[0]))
    world.paths.config.chmod(0o600)
    frozen = spec.freeze(load(world.paths.config).placements[0], IMAGE, {}, {})
    keys = tuple(PlacementKey(each.name, ENVIRONMENT) for each in services)
    ledger.write(
        world.paths.database, ledger.Kept(keys, shop["c0"], spec.to_text(frozen), IMAGE, time.time()), operations
    )
    return world


async def _compare(legs: dict[str, World], turns: Turns, say: Say) -> Result:
    starts: Taken = defaultdict(list)
    for _ in range(turns.starts):
        for name, world in legs.items():
            starts[name].append(await _start(world))
        say(", ".join(f"{name} starts in {each[-1]:.0f} ms" for name, each in starts.items()))
    async with AsyncExitStack() as stack:
        asked = {name: legs[name] for name in ("short", "full")}
        clients = {name: await connect(each.paths, client="cli", command=ENGINE) for name, each in asked.items()}
        for client in clients.values():
            stack.push_async_callback(client.close)
        await asyncio.sleep(SETTLE)
        idle = await _idle(clients)
        for client in clients.values():
            await _shows_a_page(client)
        calls = {what: await _turns(clients, call, turns.calls) for what, call in _CALLS.items()}
        megabytes = {
            name: round((await asyncio.to_thread(vitals, _pid(each))).rss_mb) for name, each in clients.items()
        }
    return _result({"start": starts, **calls}, idle, megabytes)


async def _shows_a_page(client: Client) -> None:
    """Raises CockpitError when there is less to show than in the other engine."""
    counts = (
        len((await client.call(RELEASES, For(KEY))).releases),
        len((await client.call(OPERATIONS, OperationsRequest(KEY))).operations),
        len((await client.call(OPERATIONS, OperationsRequest())).operations),
    )
    if any(count != PAGE for count in counts):
        raise CockpitError(f"an engine shows {counts} releases and operations, not {PAGE} of each")


def _result(taken: dict[str, Taken], idle: dict[str, float], megabytes: dict[str, int]) -> Result:
    ratios = {what: _ratio(each) for what, each in taken.items()}
    return {
        "ratio": max(ratios.values()),
        "operations": sum(LEGS["full"]),
        "placements": PLACEMENTS,
        **{f"{what}_ratio": ratio for what, ratio in ratios.items()},
        **{f"{what}_{leg}_ms": median(values) for what, each in taken.items() for leg, values in each.items()},
        **{f"idle_{leg}_percent": value for leg, value in idle.items()},
        **{f"memory_{leg}_mb": value for leg, value in megabytes.items()},
    }


def _ratio(taken: Taken) -> float:
    return round((median(taken["full"], 3) or 0.0) / (median(taken["short"], 3) or 1.0), 2)


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


async def _turns(clients: dict[str, Client], call: Callable[[Client], Awaitable[object]], count: int) -> Taken:
    taken: Taken = defaultdict(list)
    for _ in range(count):
        for name, client in clients.items():
            started = time.monotonic()
            await call(client)
            taken[name].append((time.monotonic() - started) * 1000)
    return taken


def _pid(client: Client) -> int:
    assert client.welcome is not None, "it was called"
    return client.welcome.pid


_CALLS: dict[str, Callable[[Client], Awaitable[object]]] = {
    "snapshot": lambda client: client.call(STATUS, Nothing()),
    "releases": lambda client: client.call(RELEASES, For(KEY)),
    "operations": lambda client: client.call(OPERATIONS, OperationsRequest()),
    "operations_of_one": lambda client: client.call(OPERATIONS, OperationsRequest(KEY)),
    "rollback_sheet": lambda client: client.call(ROLLBACK_SHEET, For(KEY)),
}

if __name__ == "__main__":
    raise SystemExit(main(measure, LIMITS, __doc__, quick))
