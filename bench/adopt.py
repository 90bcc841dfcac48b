"""From a Compose project behind nginx to served by the cockpit, as docs/adopt.md says: `python -m bench.adopt --json`.

The commands are read from the page and run word by word, under load through nginx, with a customer's WebSockets, slow
requests, uploads and streams open while the nginx line is changed: there, back, and there again.
`seconds` is from the first command to the reload that moves the customers.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from bench.adoption import compose
from bench.adoption.compose import Shop, free_ports
from bench.adoption.journey import EACH, Journey
from bench.adoption.page import section, steps
from bench.adoption.shell import Shell
from bench.held import Held
from bench.report import Limit, Result, Say, main
from cockpit.demo.clean import clean
from cockpit.demo.load import Load
from cockpit.demo.world import World

PAGE = Path(__file__).parent.parent / "docs" / "adopt.md"
HEADING = "## nginx in front"
RATE = 50.0  # requests a second
AFTER = 3.0  # seconds of load after the last command
SENT = 15.0  # seconds until the worker has sent what is there
LONGEST = 15 * 60.0  # seconds: the issue's own
LIMITS = (
    Limit("seconds", "<=", LONGEST),
    Limit("lost", "<=", 0),
    Limit("non_2xx", "<=", 0),
    Limit("cut", "<=", 0),
    Limit("held", ">=", 3 * EACH.total()),
    Limit("unsent", "<=", 0),  # orders that no worker has sent
    Limit("missing", "<=", 0),  # customers' files in the volume that the cockpit's release does not have
)


async def measure(say: Say) -> Result:
    with tempfile.TemporaryDirectory(prefix="cockpit-bench-", ignore_cleanup_errors=True) as directory:
        root = Path(directory).resolve()
        world = World(root / "world")
        world.prepare()
        shop = await asyncio.to_thread(compose.make, root / "shop", say)
        try:
            await compose.up(shop)
            return await _adopt(shop, world, say)
        finally:
            await clean(world)
            await asyncio.to_thread(compose.down, shop)


async def _adopt(shop: Shop, world: World, say: Say) -> Result:
    write, deploy, move, stop = steps(section(PAGE.read_text("utf-8"), HEADING))
    shell = Shell(shop, world.root / "bin", world.paths.state, world.paths.config, say)
    shell.prepare()
    held = Held(shop.url)
    async with Load((shop.url,), RATE) as load:
        journey = Journey(shop, shell, load, held, free_ports(1)[0])
        await journey.sees("compose")
        uploaded = await journey.upload()
        started = time.monotonic()
        await journey.follow(write)
        journey.use_own_port()
        await journey.follow(deploy)
        await journey.follow(move)
        await journey.sees("r1")
        seconds = time.monotonic() - started
        await journey.back_and_there_again(move)
        await held.finish()
        await journey.follow(stop)
        await asyncio.sleep(AFTER)
        missing = int(not await journey.has(uploaded))
    unsent = await _unsent(shop)
    stats = load.stats()
    return {
        "seconds": round(seconds, 1),
        "lost": stats.lost,
        "non_2xx": stats.non_2xx,
        "cut": len(held.cut),
        "held": len(held.ended),
        "unsent": unsent,
        "missing": missing,
        "requests": stats.requests,
        "wrong": stats.wrong,
        "reconnects": stats.reconnects,
        "p50_ms": round(stats.p50_ms, 1),
        "p99_ms": round(stats.p99_ms, 1),
        "max_ms": round(stats.max_ms, 1),
        "why": "; ".join((*(f"{n} × {why}" for why, n in stats.lost_because.items()), *(e.why for e in held.cut)))
        or None,
    }


async def _unsent(shop: Shop) -> int:
    """Orders that the cockpit's worker has not sent: those that came when Compose's had been stopped."""
    deadline = time.monotonic() + SENT
    while left := int(await asyncio.to_thread(shop.sql, "select count(*) from orders where sent_by is null")):
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(0.2)
    return left


if __name__ == "__main__":
    raise SystemExit(main(measure, LIMITS, __doc__))
