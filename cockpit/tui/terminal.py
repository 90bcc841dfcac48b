"""The cockpit and the terminal it runs in: leaving it as it was, noticing that it is gone, what to say when leaving."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from cockpit import foreground
from cockpit.protocol import EXEC_ENDED, ExecEnded, ExecTicket
from cockpit.text import clean
from cockpit.tui.paced import PacedDriver
from cockpit.tui.present.words import NAME
from cockpit.tui.state import State

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp

DOCKERS_OWN = (125, 126, 127)  # exit statuses for what could not be started at all
CLIPBOARD = 75_000  # characters: many terminals refuse a longer OSC 52


def launch(app: CockpitApp) -> int:
    """Run it in this terminal; prints the farewell afterwards. Over SSH the mouse is left to the terminal."""
    app.run(mouse=not app.over_ssh)
    if app.farewell:
        print(app.farewell)
    return app.return_code or 0


def leave_cleanly(app: CockpitApp) -> None:
    """SIGTERM and SIGHUP end it like `q` does: Textual alone would leave the terminal in raw mode."""
    if not app.is_headless:
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(each, app.detach)


def is_gone(app: CockpitApp) -> bool:
    """The terminal hung up: without this the input thread would spin for ever on an empty read."""
    if app.is_headless or sys.__stdin__ is None:
        return False
    poll = select.poll()
    poll.register(sys.__stdin__.fileno(), 0)
    return any(what & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, what in poll.poll(0))


def farewell(state: State) -> str:
    """What goes on without us."""
    going = [
        f"{NAME[each.kind].lower()}{f' r{each.to_release}' if each.to_release else ''} of {each.key.service} "
        f"({each.key.environment}) goes on; `cockpit` comes back to it"
        for each in state.running
    ]
    return "\n".join(going)


async def hand_over(app: CockpitApp, ticket: ExecTicket) -> None:
    """The terminal is the ticket's until its program ends. Nothing of ours runs meanwhile: the engine goes on alone."""
    try:
        with app.suspend():
            status = _lend(ticket)
    except SuspendNotSupported:
        status = foreground.NOT_RUN
    await app.ask(EXEC_ENDED, ExecEnded(ticket.id, status))
    app.say(f"the shell in {clean(ticket.container)} ended with {status}")


def _lend(ticket: ExecTicket) -> int:
    print(f"{clean(ticket.container)} (r{ticket.release}); leaving it comes back to the cockpit")
    if why := foreground.out_of_reach(ticket.environment):
        foreground.wait_for_enter(f"You may not use Docker's socket: {clean(why)}. Enter goes back to the cockpit ")
        return foreground.NOT_RUN
    status = foreground.run(ticket.argv, ticket.environment)
    if status in DOCKERS_OWN:  # why it was, is gone with the next paint
        foreground.wait_for_enter(f"It could not be run ({status}). Enter goes back to the cockpit ")
    return status


def toggle_mouse(app: CockpitApp) -> str:
    driver = app._driver
    if not isinstance(driver, PacedDriver) or app.is_headless:
        return "there is no mouse here"
    if driver._mouse:
        driver._disable_mouse_support()
    driver._mouse = not driver._mouse
    if driver._mouse:
        driver._enable_mouse_support()
    return "the mouse is captured; M releases it" if driver._mouse else "the mouse is the terminal's again"


async def save_log(app: CockpitApp, text: str) -> None:
    """Into the home directory, readable by its owner only; never over a file that exists."""
    path = Path.home() / time.strftime("cockpit-%Y%m%d-%H%M%S.log")
    try:
        await asyncio.to_thread(_write_new, path, text)
    except OSError as error:
        app.say(f"not saved: {error.strerror or error}", "warning")
        return
    lines = text.count("\n") + 1
    app.say(f"{lines} lines saved to {path}")


def _write_new(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
        file.write(text + "\n")
