"""Whether an engine stays as it is: open files, threads, children and memory through a shift on Docker.

`python -m bench.soak --json`: 20 minutes with 50 deploys; `--quick` a minute with 10. How growth is judged:
bench/flat.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.flat import growth, slope
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
LIMITS = (
    Limit("fds", "<=", FDS),
    Limit("threads", "<=", THREADS),
    Limit("children", "<=", CHILDREN),
    Limit("rss_mb", "<=", MEGABYTES),
    Limit("fds_left", "<=", FDS),
    Limit("threads_left", "<=", THREADS),
    Limit("children_left", "<=", CHILDREN),
    Limit("errors", "<=", 0),
)


async def measure(say: Say) -> Result:
    return await _shift(say, LONG)


async def quick(say: Say) -> Result:
    return await _shift(say, SHORT)


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
        "rss_mb_an_hour": round(slope([each.rss_mb for each in shift.samples]) * an_hour, 1),
        "rss_mb_at_end": round(shift.samples[-1].rss_mb, 1),
        "fds_at_rest": shift.after.open,
        "threads_at_rest": shift.after.threads,
        "samples": len(shift.samples),
        "minutes": round(pace.seconds / 60, 1),
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
