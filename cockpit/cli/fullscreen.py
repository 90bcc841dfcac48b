"""Runs the TUI on the engine's socket, and says afterwards what goes on without it."""

from __future__ import annotations

import asyncio

from cockpit.cli.output import say
from cockpit.cli.session import Session
from cockpit.client import connect


def show(session: Session) -> int:
    from cockpit.tui.app import CockpitApp

    async def live() -> str:
        link = await connect(session.paths, client="tui")
        try:
            app = CockpitApp(link)
            await app.run_async()
            return app.farewell
        finally:
            await link.close()

    if farewell := asyncio.run(live()):
        say(*farewell.splitlines())
    return 0
