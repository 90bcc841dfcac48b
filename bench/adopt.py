"""From a Compose project behind nginx to served by the cockpit, as docs/adopt.md says: `python -m bench.adopt --json`.

The commands are read from the page and run word by word, under load through nginx, with a customer's WebSockets, slow
requests, uploads and streams open while the nginx line is changed: there, back, and there again.
`seconds` is from the first command to the reload that moves the customers.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bench.adoption import compose
from bench.adoption.compose import Shop, free_ports
from bench.adoption.page import Block, blocks, placed, section, steps
from bench.adoption.shell import Shell
from bench.held import Broken, Held, Line
from bench.report import Limit, Result, Say, main
from cockpit.demo.clean import clean
from cockpit.demo.load import Load
from cockpit.demo.play import until
from cockpit.demo.world import World
from cockpit.errors import CockpitError

PAGE = Path(__file__).parent.parent / "docs" / "adopt.md"
HEADING = "## nginx in front"
RATE = 50.0  # requests a second
AFTER = 3.0  # seconds of load after the last command
SEEN = 15.0  # seconds until customers see who has them
SECONDS = 8.0  # that what is held is open
EACH = Counter(websocket=4, slow=4, upload=2, events=2)  # opened before each change of the line
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


@dataclass
class Journey:
    """What the reader does, and how the customers fare."""

    shop: Shop
    shell: Shell
    load: Load
    held: Held
    edge: int  # the port that the page calls 8100

    async def follow(self, step: str) -> None:
        for block in blocks(self._here(step)):
            if block.language == "sh":
                for command in block.commands:
                    await self.shell.run(command)
            elif block.language == "diff":
                await self._change(block)

    async def back_and_there_again(self, step: str) -> None:
        """The same line back, and what the page does with it once more."""
        (line,) = (block for block in blocks(self._here(step)) if block.language == "diff")
        await self._change(line, back=True)
        await self.shell.run("nginx -s reload")
        await self.sees("compose")
        await self.follow(step)
        await self.sees("r1")

    async def sees(self, release: str) -> None:
        """Customers are answered by that release and, for a second, by no other."""

        def settled() -> bool:
            now = time.monotonic()
            seen = {name for name, each in self.load.tally.releases.items() if now - each.last_at < 1.0}
            return seen == {f"shop {release}"}

        if not await until(settled, SEEN):
            raise CockpitError(f"customers are not with {release} after {SEEN:g} s: {dict(self.load.tally.releases)}")

    async def upload(self) -> str:
        """A customer's file, which the application keeps in a volume. Its name there."""
        content = os.urandom(1024)
        async with Line.to(self.shop.url) as line:
            await line.ask("POST", "/uploads", f"Content-Length: {len(content)}", "Connection: close", body=content)
            return (await line.body(await line.answer(200))).decode().strip()

    async def has(self, name: str) -> bool:
        async with Line.to(self.shop.url) as line:
            await line.ask("GET", f"/uploads/{name}", "Connection: close")
            try:
                await line.answer(200)
            except Broken:
                return False
            return line.release == "r1"

    def use_own_port(self) -> None:
        """The page's may be taken here."""
        self.shell.config.write_text(self._here(self.shell.config.read_text()))

    async def _change(self, line: Block, *, back: bool = False) -> None:
        await self.held.hold(EACH, SECONDS)
        text = self.shop.nginx_conf.read_text()
        self.shop.nginx_conf.write_text(line.changed(text, back=back))

    def _here(self, text: str) -> str:
        return placed(
            text,
            {
                "/srv/shop": str(self.shop.path),
                "127.0.0.1:8000": f"127.0.0.1:{self.shop.web}",
                "127.0.0.1:8100": f"127.0.0.1:{self.edge}",
                "cockpit deploy web production": "cockpit deploy web production --yes --confirm web",
            },
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
    deadline = time.monotonic() + SEEN
    while left := int(await asyncio.to_thread(shop.sql, "select count(*) from orders where sent_by is null")):
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(0.2)
    return left


if __name__ == "__main__":
    raise SystemExit(main(measure, LIMITS, __doc__))
