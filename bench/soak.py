"""Whether an engine stays as it is: open files, threads, children and memory, through 24 hours of virtual time and a
shift of 20 minutes with 50 deploys on Docker.

The day has what minutes do not show (hours of samples, a page of releases that is full, a week of rows of which the
oldest go), and counts every object and entry that the engine holds; the shift has the real processes and connections.
`python -m bench.soak --json`; `--quick` takes 3 hours, and a minute with 10 deploys. How growth is judged:
bench/flat.py.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.flat import growth, late, slope
from bench.report import Limit, Result, Say, main
from bench.shift import WARM_UP, Pace, Shift
from bench.vitals import Vitals
from bench.world import Service, bench
from cockpit.demo.load import Load
from cockpit.errors import CockpitError

RATE = 40.0  # customers' requests a second
LONG = Pace(seconds=1200.0, deploys=50, sample=2.0, visit=3.0, trouble=20.0, rest=60.0)
SHORT = Pace(seconds=60.0, deploys=10, sample=0.5, visit=2.0, trouble=5.0, rest=15.0)
MORE = ("healthcheck: {interval: 500ms}", "keep_hot: 10s", "bake: 0", "drain_timeout: 2s", "stop_grace_period: 2s")
SERVICES = (Service("web", replicas=2, more=MORE), Service("api", more=MORE))

# One thing lost with each deploy would be 25 in the long form and 5 to 10 in the short one.
FDS = 4  # connections to Docker and to the edge that happen to be kept open or not
THREADS = 4  # a pool grows to the most that was ever asked of it at once, and has a fixed limit
CHILDREN = 0
MEGABYTES = 4.0  # the last hour of samples and up to 50 releases a service are kept: they fill within it

# One thing lost with each deploy of a day would be 24, with each visit 360.
THINGS = 20  # what waits for its time differs by up to 50 from one sample to the next, and by less in the middle
VIRTUAL = {"tasks": 4, "fds": 2, "threads": 2, "objects": THINGS, "entries": THINGS, "rows": 4, "rss_mb": 1.0}
LIMITS = (
    *(Limit(f"virtual_{name}", "<=", most) for name, most in VIRTUAL.items()),
    Limit("fds", "<=", FDS),
    Limit("threads", "<=", THREADS),
    Limit("children", "<=", CHILDREN),
    Limit("rss_mb", "<=", MEGABYTES),
    Limit("fds_left", "<=", FDS),
    Limit("threads_left", "<=", THREADS),
    Limit("children_left", "<=", CHILDREN),
    Limit("errors", "<=", 0),
)


@dataclass(frozen=True, slots=True)
class Time:
    """Virtual hours, with a look at the engine every so many virtual seconds."""

    hours: float
    sample: float


DAY, HOURS = Time(24.0, 1800.0), Time(3.0, 300.0)


async def measure(say: Say) -> Result:
    return {**await asyncio.to_thread(day, say, DAY), **await _shift(say, LONG)}


async def quick(say: Say) -> Result:
    return {**await asyncio.to_thread(day, say, HOURS), **await _shift(say, SHORT)}


def day(say: Say, time: Time) -> Result:
    """In a process of its own: nothing but the engine is in its memory. Raises CockpitError when it ends early."""
    command = (sys.executable, "-m", "bench.day", str(3600 * time.hours), str(time.sample))
    done = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CockpitError(f"the day ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    samples: list[Mapping[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    grown = {name: round(growth([each[name] for each in samples]), 2) for name in VIRTUAL}
    say(f"{time.hours:g} virtual hours: " + ", ".join(f"{name} {value:+g}" for name, value in grown.items()))
    return {
        "virtual_hours": time.hours,
        **{f"virtual_{name}": value for name, value in grown.items()},
        **{f"virtual_{what}": count for what, count in samples[-1]["done"].items()},
    }


async def _shift(say: Say, pace: Pace) -> Result:
    async with bench(SERVICES, 2 * pace.deploys + WARM_UP + 2) as world:
        for service in SERVICES:
            await world.deploy(service, 0)
        shift = Shift(world, SERVICES, pace, say)
        async with Load(tuple(map(world.url, SERVICES)), RATE) as load:
            await shift.run()
        stats = load.stats()
    if shift.before is None or shift.after is None:
        raise CockpitError("the shift did not come to its end")
    an_hour = 3600.0 / pace.sample  # samples
    return {
        **_grown(shift.samples),
        "fds_left": shift.after.open - shift.before.open,
        "threads_left": shift.after.threads - shift.before.threads,
        "children_left": shift.after.children - shift.before.children,
        "errors": len(shift.errors),
        "rss_mb_late": round(late([each.rss_mb for each in shift.samples]), 2),
        "rss_mb_an_hour": round(slope([each.rss_mb for each in shift.samples]) * an_hour, 1),
        "rss_mb_at_end": round(shift.samples[-1].rss_mb, 1),
        "fds_at_rest": shift.after.open,
        "threads_at_rest": shift.after.threads,
        "samples": len(shift.samples),
        "real_minutes": round(pace.seconds / 60, 1),
        **{name: shift.done[name] for name in sorted(shift.done)},
        "requests": stats.requests,
        "lost": stats.lost,
        "non_2xx": stats.non_2xx,
        "why": "; ".join((*dict.fromkeys(shift.errors), *_kinds(shift.before, shift.after))) or None,
    }


def _grown(samples: Sequence[Vitals]) -> Result:
    return {
        "fds": growth([each.open for each in samples]),
        "threads": growth([each.threads for each in samples]),
        "children": growth([each.children for each in samples]),
        "rss_mb": round(growth([each.rss_mb for each in samples]), 2),
    }


def _kinds(before: Vitals, after: Vitals) -> list[str]:
    """Which open files there are more of."""
    names = sorted(before.fds.keys() | after.fds.keys())
    more = {name: after.fds.get(name, 0) - before.fds.get(name, 0) for name in names}
    return [f"{count:+d} {name}" for name, count in more.items() if count]


if __name__ == "__main__":
    raise SystemExit(main(measure, LIMITS, __doc__, quick))
