"""`cockpit demo`: a throw-away world to try everything in."""

from __future__ import annotations

import asyncio
import sys
import time

from cockpit.client import connect
from cockpit.demo import world
from cockpit.demo.card import card
from cockpit.demo.clean import clean as remove
from cockpit.demo.repo import Shop
from cockpit.demo.script import play_script
from cockpit.demo.setup import set_up
from cockpit.demo.world import World
from cockpit.errors import CockpitError, UsageError
from cockpit.protocol import STATUS, Nothing
from cockpit.text import took

HINT = "what was made is removed by: cockpit demo --clean"


def run(*, clean: bool = False, script: bool = False, keep: bool | None = None) -> int:
    """The exit status. `keep` answers beforehand what is asked when the cockpit is left."""
    try:
        if clean:
            return asyncio.run(_clean())
        return asyncio.run(_script(keep=bool(keep))) if script else _cockpit(keep)
    except CockpitError as error:
        print(error, HINT, sep="\n", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print(f"\nStopped half-way; {HINT}", file=sys.stderr)
        return 130


async def _clean() -> int:
    for each in (world.default(), world.scripted()):
        await remove(each)
    print("Removed: the demo's containers, networks, images and directories.")
    return 0


async def _script(*, keep: bool) -> int:
    """In a world of its own, new each time."""
    here, started = world.scripted(), time.monotonic()
    await remove(here)
    try:
        client, shop = await set_up(here, print, customers=False)
        try:
            print(f"Ready after {took(time.monotonic() - started)}.")
            as_told = await play_script(here, client, shop, print)
        finally:
            await client.close()
    finally:
        if not keep:
            await remove(here)
    print("All went as told." if as_told else "It did not go as told.")
    return 0 if as_told else 1


def _cockpit(keep: bool | None) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("The demo opens a full screen, and here is no terminal", "cockpit demo --script")
    here, started = world.default(), time.monotonic()
    farewell = asyncio.run(_show(here, started))
    if farewell:
        print(farewell)
    if keep is None:
        keep = _wants_to_keep()
    if not keep:
        return asyncio.run(_clean())
    print("It runs on: `cockpit demo` comes back to it, `cockpit demo --clean` removes it.")
    print(f"Other verbs reach it too: cockpit --config {here.paths.config} --state {here.paths.state} status")
    return 0


async def _show(here: World, started: float) -> str:
    from cockpit.tui.app import CockpitApp

    shop = await _ready(here)
    print(f"Ready after {took(time.monotonic() - started)}.")
    link = await connect(here.paths, client="tui")
    try:
        engine = (await link.call(STATUS, Nothing())).engine.pid
        app = CockpitApp(link, banner=here.status, card=card(shop, engine))
        await app.run_async()
        return app.farewell
    finally:
        await link.close()


async def _ready(here: World) -> Shop:
    client, shop = await set_up(here, print)
    await client.close()
    return shop


def _wants_to_keep() -> bool:
    """Without an answer everything stays: nothing is removed that nobody asked for."""
    try:
        answer = input("Keep the demo running for later, or remove it? [K/r] ")
    except (EOFError, KeyboardInterrupt):
        print()
        return True
    return not answer.strip().lower().startswith("r")
