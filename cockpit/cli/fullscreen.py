"""Runs the TUI on the engine's socket, and says afterwards what goes on without it."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from cockpit.cli.output import say
from cockpit.cli.session import Session
from cockpit.client import connect
from cockpit.errors import ConfigError


def show(session: Session) -> int:
    return asyncio.run(_show(session))


async def _show(session: Session) -> int:
    from cockpit.tui.app import CockpitApp

    link = await connect(session.paths, client="tui")  # what keeps the engine from starting is said in plain text
    try:
        theme, keys = await asyncio.to_thread(_taste, session.paths.config)
        over_ssh = bool(os.environ.get("SSH_CONNECTION"))
        app = CockpitApp(link, theme=theme, keys=keys, over_ssh=over_ssh)
        await app.run_async(mouse=not over_ssh)
    finally:
        await link.close()
    if app.farewell:
        say(*app.farewell.splitlines())
    return app.return_code or 0


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
