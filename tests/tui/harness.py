"""Drives the cockpit on the scripted link, without a terminal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from cockpit.tui.app import CockpitApp
from cockpit.tui.screens.sheet import QUIET
from tests.fakes.link import FakeLink, FixedClock

DEADLINE = 10.0  # seconds


class Cockpit:
    def __init__(self, app: CockpitApp, link: FakeLink, pilot: Pilot[Any], clock: FixedClock) -> None:
        self.app, self.link, self.pilot, self.clock = app, link, pilot, clock

    @property
    def screen(self) -> str:
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    @property
    def notices(self) -> str:
        return "\n".join(str(each.message) for each in self.app._notifications)

    @property
    def on_top(self) -> str:
        return type(self.app.screen).__name__

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def until(self, true: Callable[[], bool], what: str = "") -> None:
        end = time.monotonic() + DEADLINE
        while not true():
            assert time.monotonic() < end, f"never came: {what}\n{self.screen}"
            await self.pilot.pause(0.01)

    async def sees(self, text: str) -> None:
        await self.until(lambda: text in self.screen, text)

    async def sheet(self, opener: str, shows: str) -> None:
        """Open a sheet and wait until it takes keys."""
        await self.press(opener)
        await self.sees(shows)
        screen: Any = self.app.screen
        await self.until(lambda: time.monotonic() - screen._quiet_since > QUIET, "the quiet time")

    async def settled(self) -> None:
        """Until all that was pushed has been folded."""
        await self.until(self.link._changes.empty, "changes")
        await asyncio.sleep(0)
        self.app._paint()
        await self.pilot.pause()


@asynccontextmanager
async def cockpit(
    link: FakeLink | None = None, size: tuple[int, int] = (120, 40), **more: Any
) -> AsyncIterator[Cockpit]:
    link, clock = link or FakeLink(), FixedClock()
    app = CockpitApp(link, clock=clock, **more)
    async with app.run_test(size=size) as pilot:
        found = Cockpit(app, link, pilot, clock)
        await found.until(lambda: app.state.me is not None or app.state.lost is not None, "the first change")
        await pilot.pause()
        yield found
