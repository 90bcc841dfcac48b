"""An engine killed at every named point of every operation, under load: `python -m bench.chaos --json`.

Each run kills the engine at one passing of one point of a deploy, a rollback, a restart, a cancelled deploy, or of the
recovery from such a death; then the next client finds an engine that brings everything to its end. Then it is killed
at random times. `--quick` takes a few points of each.
"""

from __future__ import annotations

import itertools
import random
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path

from bench.crashing import Crashes, Death, Run, crashes
from bench.report import Limit, Result, Say, main

KINDS = ("deploy", "rollback", "restart", "cancel")
RECOVERY = "recovery"  # begins the names of its points
# A recovery that goes back, and those that go forward.
FIRST = (
    Death("deploy", "deploy/verify log.intent after"),
    Death("deploy", "deploy/switch edge.point after"),
    Death("rollback", "rollback/switch edge.point after"),
    Death("restart", "restart/switch edge.point after"),
)
AT_RANDOM = 20  # rounds of SIGKILL at a random time
SPAN = 1.5  # seconds, about as long as a deploy takes
COMMITS = 150
QUICK = 4  # points of each operation
LIMITS = (
    Limit("unrecovered", "<=", 0),
    Limit("lost", "<=", 0),
    Limit("non_2xx", "<=", 0),
    Limit("orphans", "<=", 0),
    Limit("max_recovery_s", "<=", 10),
)


class Chaos:
    """`share` of the points, evenly chosen; None takes all."""

    def __init__(self, world: Crashes, say: Say, chance: random.Random, share: int | None) -> None:
        self.runs: list[Run] = []
        self._world = world
        self._say = say
        self._chance = chance
        self._share = share
        self._how = itertools.cycle(("exit", "stop"))

    async def all(self) -> None:
        for what in KINDS:
            await self._operation(what)
        for first in FIRST if self._share is None else FIRST[:2]:
            await self._recovery(first)
        for _ in range(AT_RANDOM if self._share is None else 2):
            what, after = self._chance.choice(KINDS[:3]), self._chance.uniform(0.0, SPAN)
            self._ran(await self._world.at_random(what, after))

    async def _operation(self, what: str) -> None:
        """Again and again, until one that nobody disturbs passes no point that was not died at."""
        done: Counter[str] = Counter()
        while new := await self._world.record(what, fresh=True) - done:
            for point, count in self._chosen(new, done):
                self._ran(await self._world.run(Death(what, point, count, next(self._how))))
            done |= new + done
            if self._share is not None:
                return

    async def _recovery(self, first: Death) -> None:
        self._ran(await self._world.run(first))
        points = Counter(point for point in self._world.passed().elements() if point.startswith(RECOVERY))
        for then in self._chosen(points, Counter()):
            self._ran(await self._world.run(Death(first.what, first.point, then=then)))

    def _chosen(self, new: Counter[str], done: Counter[str]) -> list[tuple[str, int]]:
        """Each passing of each point, in the order in which they were first passed, but for what goes on beside."""
        new = Counter({point: times for point, times in new.items() if not point.startswith("clean-up")})
        every = [(point, done[point] + count) for point, times in new.items() for count in range(1, times + 1)]
        return every if self._share is None else every[:: max(1, len(every) // self._share)]

    def _ran(self, run: Run) -> None:
        self.runs.append(run)
        tally = self._world.load.tally
        after = "was not passed" if run.recovery is None else f"back after {run.recovery:.1f} s"
        wrong = f"  ✖ {', '.join(run.wrong)}" if run.wrong else ""
        self._say(f"{len(self.runs):4} {run.death}: {after}, {tally.lost} lost, {tally.non_2xx} non-2xx{wrong}")


async def measure(say: Say, *, share: int | None = None, seed: int = 0) -> Result:
    with tempfile.TemporaryDirectory(prefix="cockpit-points-") as directory:
        async with crashes(COMMITS, Path(directory)) as world:
            chaos = Chaos(world, say, random.Random(seed), share)
            await chaos.all()
            await world.ready()  # the last of them, too, is followed by a deploy that works
            stats = world.load.stats()
    runs = [run for run in chaos.runs if run.recovery is not None]
    return {
        "points": len({(run.death.what, *(run.death.then or (run.death.point,))) for run in runs}),
        "runs": len(runs),
        "recovered": sum(not run.wrong for run in runs),
        "unrecovered": sum(bool(run.wrong) for run in runs),
        "lost": stats.lost,
        "non_2xx": stats.non_2xx,
        "wrong": stats.wrong,
        "orphans": sum(len(run.wrong) for run in runs),
        "max_recovery_s": round(max((run.recovery or 0.0 for run in runs), default=0.0), 1),
        "requests": stats.requests,
        "why": "; ".join(f"{run.death}: {', '.join(run.wrong)}" for run in runs if run.wrong) or None,
    }


quick = partial(measure, share=QUICK)

if __name__ == "__main__":
    raise SystemExit(main(measure, LIMITS, __doc__, quick))
