"""Two deploys of one placement at the same moment: `python -m bench.race --json`.

From two clients of one engine, and from two engines on one Docker host that know each other only by the lock there.
What overlapped is told by what the logs of both say of when steps were taken. `--quick` does a few rounds.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial
from itertools import pairwise
from pathlib import Path

from bench.report import Limit, Result, Say, main
from bench.world import Bench, Service, bench
from cockpit import private
from cockpit.client import Client, connect
from cockpit.demo import background, play
from cockpit.errors import CockpitError
from cockpit.model import Operation, OperationState
from cockpit.paths import Paths, find
from cockpit.protocol import DEPLOY, DeployRequest

ROUNDS = 500
QUICK = 20
APART = 0.001  # seconds at most between the two
PARTING = 10.0  # seconds for an engine that was told to end
SHOP = Service(
    "shop",
    1,
    ("healthcheck: {interval: 100ms, timeout: 1s, retries: 1}", "keep_hot: 0", "bake: 0", "drain_timeout: 0s"),
)
LIMITS = (Limit("overlaps", "<=", 0), Limit("unclear", "<=", 0))


async def measure(say: Say, *, rounds: int = ROUNDS, seed: int = 0) -> Result:
    chance = random.Random(seed)
    async with bench((SHOP,), 2) as world, _second_client(world) as same, _second_engine(world) as other:
        for number in (0, 1):
            await world.deploy(SHOP, number)  # both are built
        began = [0, 0, 0]  # rounds in which so many of the two began
        unclear = 0
        for number in range(rounds):
            rival = same if number % 2 else other[0]
            ended, failed = await _round(world, (world.client, rival), number, chance.uniform(0.0, APART))
            began[len(ended)] += 1
            unclear += len(failed)
            if number % 50 == 49 or failed:
                say(f"{number + 1:4} rounds: {began[1]} with one, {began[0]} with none, {began[2]} with both {failed}")
        overlaps = await asyncio.to_thread(_overlaps, (world.world.paths.database, other[1].database))
    return {
        "rounds": rounds,
        "overlaps": len(overlaps),
        "one": began[1],
        "none": began[0],
        "one_after_the_other": began[2],
        "unclear": unclear,
        "why": "; ".join(overlaps) or None,
    }


async def _round(
    world: Bench, clients: tuple[Client, Client], number: int, apart: float
) -> tuple[list[Operation], list[str]]:
    """Operations that began, at their end; and what was neither a deploy nor a plain no."""
    commit = world.shop[f"c{number % 2}"]

    async def press(client: Client, after: float) -> Operation:
        await asyncio.sleep(after)
        begun = await client.call(DEPLOY, DeployRequest(SHOP.key, commit, force=True))
        return await play.ended(client, begun)

    answers = await asyncio.gather(press(clients[0], 0.0), press(clients[1], apart), return_exceptions=True)
    ended = [each for each in answers if isinstance(each, Operation)]
    wrong = [f"{each.summary}" for each in ended if each.state is not OperationState.SUCCEEDED]
    for each in answers:
        if isinstance(each, CockpitError) and each.code != "refused":
            wrong.append(each.message)
        elif isinstance(each, BaseException) and not isinstance(each, CockpitError):
            raise each
    return ended, wrong


def _overlaps(logs: tuple[Path, Path]) -> list[str]:
    """A sentence for each two operations that both acted at one time."""
    spans = sorted(span for log in logs for span in _spans(log))
    return [f"{one} and {two}" for one, two in pairwise(spans) if two[0] < one[1]]


def _spans(log: Path) -> list[tuple[float, float, str]]:
    """From when each operation began its first step to its end."""
    with closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True)) as db:
        rows = db.execute(
            "SELECT min(steps.started_at), operations.ended_at, operations.id FROM operations JOIN steps"
            " ON steps.operation = operations.id WHERE steps.started_at IS NOT NULL GROUP BY operations.id"
        )
        return [(began, ended, f"{log.parent.name} {number}") for began, ended, number in rows]


@asynccontextmanager
async def _second_client(world: Bench) -> AsyncIterator[Client]:
    client = await connect(world.world.paths, client="cli")
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def _second_engine(world: Bench) -> AsyncIterator[tuple[Client, Paths]]:
    """Of the same installation, with a log of its own; the edge's directory is on the host, where both reach it."""
    with tempfile.TemporaryDirectory(prefix="cockpit-bench-") as directory:
        paths = find(world.world.paths.config, Path(directory).resolve() / "second")
        private.make(paths.state)
        (paths.state / "installation").write_text(f"{world.world.installation}\n", encoding="ascii")
        paths.edge.symlink_to(world.world.paths.edge)
        client = await connect(paths, client="cli")
        try:
            yield client, paths
        finally:
            await client.close()
            await background.end(paths.lock, "cockpit.engine", str(paths.state), patience=PARTING)
            paths.socket.unlink(missing_ok=True)


quick = partial(measure, rounds=QUICK)

if __name__ == "__main__":
    raise SystemExit(main(measure, LIMITS, __doc__, quick))
