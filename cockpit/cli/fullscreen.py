"""Runs the TUI on the engine's socket, and says afterwards what goes on without it."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cockpit.cli.output import say
from cockpit.cli.session import Session
from cockpit.client import connect
from cockpit.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp

SETTLED = 3.0  # seconds from the start in which garbage is not looked for


def show(session: Session) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("The cockpit needs a terminal", "In a script: cockpit status, cockpit deploy … --yes")
    return asyncio.run(_show(session))


async def _show(session: Session) -> int:
    asyncio.get_running_loop().call_later(SETTLED, _collect_garbage_again)
    importing = asyncio.create_task(asyncio.to_thread(_application))  # takes longer than the engine's first answers
    # what keeps the engine from starting is said in plain text
    link = await connect(session.paths, client="tui", read_only=session.read_only)
    try:
        await link.subscribe_ahead()
        theme, keys = await asyncio.to_thread(_taste, session.paths.config)
        over_ssh = bool(os.environ.get("SSH_CONNECTION"))
        app = (await importing)(link, theme=theme, keys=keys, over_ssh=over_ssh, read_only=session.read_only)
        await app.run_async(mouse=not over_ssh)
    finally:
        await link.close()
    if app.farewell:
        say(*app.farewell.splitlines())
    return app.return_code or 0


def _collect_garbage_again() -> None:
    gc.freeze()  # what was imported stays
    gc.enable()


def _application() -> type[CockpitApp]:
    from cockpit.tui.app import CockpitApp

    return CockpitApp


def _taste(config: Path) -> tuple[str, dict[str, str]]:
    """Theme and keys. Few set them, and reading the whole configuration would double the time to the first paint; a
    file that was broken after the engine had read it must not keep anyone out."""
    try:
        text = config.read_text(encoding="utf-8")
        if not re.search(r"^(theme|keys)\s*:", text, re.MULTILINE):
            return "dark", {}
        from cockpit.config.load import load

        settings = load(config)
    except (OSError, UnicodeDecodeError, ConfigError):
        return "dark", {}
    return settings.theme, settings.keys
