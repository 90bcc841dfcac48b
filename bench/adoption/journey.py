"""What a reader of docs/adopt.md does, step by step, and how the customers fare meanwhile."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass

from bench.adoption.compose import Shop
from bench.adoption.page import Block, blocks, placed
from bench.adoption.shell import Shell
from bench.held import Broken, Held, Line
from cockpit.demo.load import Load
from cockpit.demo.play import until
from cockpit.errors import CockpitError

SEEN = 15.0  # seconds until customers see who has them
SECONDS = 8.0  # that what is held is open
EACH = Counter(websocket=4, slow=4, upload=2, events=2)  # opened before each change of the line


@dataclass
class Journey:
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
