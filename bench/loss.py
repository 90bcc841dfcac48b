"""Requests lost through many deploys and rollbacks under constant load: `python -m bench.loss --json`.

With `--long` it is bench.long that is run: what is open at a switch.
"""

from __future__ import annotations

import asyncio
import sys
import time

from bench import long
from bench.report import Limit, Result, Say, main
from bench.world import Bench, Service, bench
from cockpit.demo.load import Load
from cockpit.demo.tally import Stats

ROUNDS = 20  # deploys, and as many rollbacks
REQUESTS = 50_000  # at least
RATE = 400.0  # a second
SERVICE = Service("web", replicas=2, more=("healthcheck: {interval: 500ms}", "keep_hot: 30s", "bake: 0"))
LIMITS = (
    Limit("lost", "<=", 0),
    Limit("non_2xx", "<=", 0),
    Limit("wrong", "<=", 0),
    Limit("requests", ">=", REQUESTS),
    Limit("deploys", ">=", ROUNDS),
    Limit("rollbacks", ">=", ROUNDS),
)


async def measure(say: Say) -> Result:
    async with bench((SERVICE,), ROUNDS + 1) as world:
        await world.deploy(SERVICE, 0)
        started = time.monotonic()
        async with Load((world.url(SERVICE),), RATE) as load:
            switches = await _rounds(world, load, say)
            await asyncio.sleep(max(0.0, (REQUESTS - load.tally.requests) / RATE + 1.0))
        return _result(load.stats(), switches, time.monotonic() - started)


async def _rounds(world: Bench, load: Load, say: Say) -> tuple[int, int]:
    """Each deploy is rolled back, and the next commit deployed over what that brought back."""
    for number in range(1, ROUNDS + 1):
        deploy = await world.deploy(SERVICE, number)
        await world.roll_back(SERVICE, deploy.from_release or 0)
        tally = load.tally
        say(f"{number:3} deploys and rollbacks: {tally.requests} requests, {tally.lost} lost, {tally.non_2xx} non-2xx")
    return ROUNDS, ROUNDS


def _result(stats: Stats, switches: tuple[int, int], seconds: float) -> Result:
    return {
        "requests": stats.requests,
        "lost": stats.lost,
        "non_2xx": stats.non_2xx,
        "deploys": switches[0],
        "rollbacks": switches[1],
        "wrong": stats.wrong,
        "reconnects": stats.reconnects,
        "releases": len(stats.releases),
        "p50_ms": round(stats.p50_ms, 1),
        "p99_ms": round(stats.p99_ms, 1),
        "max_ms": round(stats.max_ms, 1),
        "late_ms": round(stats.late_ms, 1),
        "seconds": round(seconds, 1),
        "why": "; ".join(f"{count} × {why}" for why, count in stats.lost_because.items()) or None,
    }


if __name__ == "__main__":
    if "--long" in sys.argv:
        sys.argv.remove("--long")
        raise SystemExit(main(long.measure, long.LIMITS, long.__doc__))
    raise SystemExit(main(measure, LIMITS, __doc__))
