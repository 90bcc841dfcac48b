"""Rollbacks under load, against `docker service rollback` on the same image: `python -m bench.rollback --json`.

Each is measured by what customers are answered: from the call to the first answer of the old release, and to the last
one of the release that was left ("done"). `ratio` is the smaller of the two comparisons, with Swarm's quicker mode.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from bench import daemon, swarm
from bench.report import Limit, Result, Say, main, median, p95
from bench.world import Bench, Service, bench
from cockpit.demo import play
from cockpit.demo.load import Load
from cockpit.demo.tally import Answer
from cockpit.errors import CockpitError
from cockpit.model import Tier
from cockpit.protocol import RELEASES, For

HOT, COLD, SWARM = 40, 5, 3  # rollbacks of each kind
RATE = 200.0  # requests a second
STOPPED = 60.0  # seconds for a release to be stopped
SEEN = 30.0  # seconds for customers to see a release
HOT_SERVICE = Service("hot", replicas=2, more=("keep_hot: 1h",))
COLD_SERVICE = Service("cold", replicas=2, more=("keep_hot: 0", "bake: 0", "drain_timeout: 1s"))
LIMITS = (Limit("hot_ms_p95", "<=", 250), Limit("ratio", ">=", 25), Limit("lost", "<=", 0))


@dataclass
class Watch:
    """When each release answered first and last since the last look."""

    answers: list[Answer] = field(default_factory=list)

    def first(self, release: str, since: float) -> float | None:
        return min((each.ended_at for each in self._of(release, since)), default=None)

    def last(self, release: str, since: float) -> float:
        return max((each.ended_at for each in self._of(release, since)), default=since)

    def _of(self, release: str, since: float) -> list[Answer]:
        return [each for each in self.answers[-20_000:] if each.release == release and each.ended_at >= since]


@dataclass(frozen=True, slots=True)
class Rolled:
    first_ms: float
    last_ms: float  # the last answer of the release that was left
    call_ms: float  # until the operation had ended


async def measure(say: Say) -> Result:
    async with bench((HOT_SERVICE, COLD_SERVICE), COLD + 2) as world:
        hot, hot_lost = await _hot(world, say)
        cold, cold_lost = await _cold(world, say)
        start_first, default = await asyncio.to_thread(_swarm, world, say)
    quicker = min(start_first, default, key=_firsts)
    hot_ms, hot_done = median([each.first_ms for each in hot]) or 0.0, median([each.last_ms for each in hot]) or 0.0
    by_first, by_last = _firsts(quicker) / max(0.1, hot_ms), _lasts(quicker) / max(0.1, hot_done)
    return {
        "hot_ms_p50": hot_ms,
        "hot_ms_p95": p95([each.first_ms for each in hot]),
        "cold_ms_p50": median([each.first_ms for each in cold]),
        "swarm_ms_p50": _firsts(quicker),
        "ratio": round(min(by_first, by_last), 1),
        "ratio_first_answer": round(by_first, 1),
        "ratio_last_answer": round(by_last, 1),
        "hot_done_ms_p50": hot_done,
        "hot_call_ms_p50": median([each.call_ms for each in hot]),
        "swarm_start_first_ms_p50": _firsts(start_first),
        "swarm_start_first_done_ms_p50": _lasts(start_first),
        "swarm_start_first_lost": sum(each.lost for each in start_first),
        "swarm_default_ms_p50": _firsts(default),
        "swarm_default_done_ms_p50": _lasts(default),
        "swarm_default_lost": sum(each.lost for each in default),
        "lost": hot_lost + cold_lost,
        "hot": len(hot),
        "cold": len(cold),
        "swarm": len(start_first) + len(default),
    }


def _lasts(rolled: list[swarm.Rolled]) -> float:
    return median([each.last_ms for each in rolled]) or 0.0


def _firsts(rolled: list[swarm.Rolled]) -> float:
    return median([each.first_ms for each in rolled]) or 0.0


async def _hot(world: Bench, say: Say) -> tuple[list[Rolled], int]:
    """Back and forth between two releases that both run."""
    await world.deploy(HOT_SERVICE, 0)
    deploy = await world.deploy(HOT_SERVICE, 1)
    pair = (deploy.from_release or 0, deploy.to_release or 0)
    watch = Watch()
    async with Load((world.url(HOT_SERVICE),), RATE, watch.answers.append) as load:
        await _sees(watch, pair[1], time.monotonic())
        rolled = [await _roll(world, HOT_SERVICE, watch, pair[1 - n % 2], pair[n % 2]) for n in range(HOT)]
    say(f"hot: {sorted(round(each.first_ms) for each in rolled)} ms, {load.tally.lost} lost")
    return rolled, load.tally.lost


async def _cold(world: Bench, say: Say) -> tuple[list[Rolled], int]:
    """To a release whose containers have been stopped."""
    await world.deploy(COLD_SERVICE, 0)
    watch, rolled = Watch(), []
    async with Load((world.url(COLD_SERVICE),), RATE, watch.answers.append) as load:
        for number in range(1, COLD + 1):
            deploy = await world.deploy(COLD_SERVICE, number)
            old, new = deploy.from_release or 0, deploy.to_release or 0
            tier = await _stopped(world, old)
            rolled.append(await _roll(world, COLD_SERVICE, watch, new, old))
            say(f"cold: {rolled[-1].first_ms:.0f} ms to a release that was {tier}, {load.tally.lost} lost so far")
    return rolled, load.tally.lost


async def _roll(world: Bench, service: Service, watch: Watch, bad: int, good: int) -> Rolled:
    await asyncio.sleep(0.5)  # so that one measurement does not touch the next
    called = time.monotonic()
    await world.roll_back(service, good)
    ended = time.monotonic()
    first = await _sees(watch, good, called)
    await asyncio.sleep(0.2)
    return Rolled((first - called) * 1000, (watch.last(f"r{bad}", called) - called) * 1000, (ended - called) * 1000)


async def _sees(watch: Watch, release: int, since: float) -> float:
    if not await play.until(lambda: watch.first(f"r{release}", since) is not None, SEEN):
        raise CockpitError(f"customers did not see r{release} within {SEEN:g} s")
    return watch.first(f"r{release}", since) or since


async def _stopped(world: Bench, number: int) -> Tier:
    deadline = time.monotonic() + STOPPED
    while True:
        listed = await world.client.call(RELEASES, For(COLD_SERVICE.key))
        tier = next(each.tier for each in listed.releases if each.number == number)
        if tier not in (Tier.LIVE, Tier.HOT):
            return tier
        if time.monotonic() > deadline:
            raise CockpitError(f"r{number} is still {tier} after {STOPPED:g} s")
        await asyncio.sleep(0.2)


def _swarm(world: Bench, say: Say) -> tuple[list[swarm.Rolled], list[swarm.Rolled]]:
    with daemon.swarm() as engine:
        swarm.prepare(engine, world.shop)
        start_first = swarm.measure(engine, "start-first", SWARM, RATE, say)
        return start_first, swarm.measure(engine, "", SWARM, RATE, say)


if __name__ == "__main__":
    raise SystemExit(main(measure, LIMITS, __doc__))
