"""The cockpit on the scripted engine, to look at it: `python -m tests.fakes.tui_demo`.

Flags: --light --card --ssh --flood --hostile --crash --adopted --barred --read-only --waiting --shell."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from cockpit.protocol import Event, ExecTicket, LogOpened, RollbackSheet, Snapshot
from cockpit.tui.app import CockpitApp
from cockpit.tui.terminal import launch
from tests.fakes.link import (
    FIRST_RELEASE,
    FREEZE,
    LOCK,
    WAITING_DEPLOY,
    WEB,
    FakeLink,
    FixedClock,
    adopted,
    barred,
    ci_pending,
    ci_sheet,
    deploy_sheet,
    rollback_sheet,
)

CARD = """1  D  deploy the next good commit of web, and watch Steps
2  D  deploy the one after it: it fails, and r1 goes on serving
3  q  in the middle of a deploy, then start `cockpit` again
4  B y  when checkout turns bad
5  kill -9 the engine in a deploy"""

SHELL = """trap 'echo caught' INT
echo "$GREETING from the shell"
until [ "$word" = word ]; do read word; done
echo "got $word"
exit 3"""


class Flooding(FakeLink):
    """5 000 lines a second into whatever log is open."""

    async def flood(self) -> None:
        number = 0
        while True:
            await asyncio.sleep(0.05)
            texts = [f"\x1b[32mINFO\x1b[0m request {number + n} served in 12 ms " + "x" * 60 for n in range(250)]
            self.lines(texts, start=number, source="web.1")
            number += 250


class Hostile(FakeLink):
    """A log that tries the terminal's escapes."""

    def _open(self, params: Any) -> LogOpened:
        opened = super()._open(params)
        self.lines(["hostile \x1b]52;c;AAAA\x07\x1b]0;t\x07\x1b[2J\x9b31m\u202e\u200b[/x][@click=app.exit]x[/]"])
        return opened


def _world(arguments: list[str]) -> Snapshot | None:
    return adopted() if "--adopted" in arguments else barred() if "--barred" in arguments else None


def main(arguments: list[str]) -> int:
    link = (
        Flooding() if "--flood" in arguments else Hostile() if "--hostile" in arguments else FakeLink(_world(arguments))
    )
    app = CockpitApp(
        link,
        theme="light" if "--light" in arguments else "dark",
        card=CARD if "--card" in arguments else None,
        over_ssh="--ssh" in arguments,
        read_only="--read-only" in arguments,
        clock=FixedClock(),
    )
    if isinstance(link, Flooding):
        flood = link.flood
        app.call_later(lambda: app.run_worker(flood(), exit_on_error=False))
    if "--barred" in arguments:
        refused = "everything is frozen by mia 1h ago until 17:03 UTC (in 3h): sale until tomorrow"
        refused += " · lift it: cockpit unfreeze --reason …"
        link.answers["deploy.sheet"] = lambda params: deploy_sheet(
            params.key, refused=refused, freeze=FREEZE, lock=LOCK if params.key == WEB else None
        )
        link.answers["rollback.sheet"] = lambda params: rollback_sheet(params.key)
    if "--adopted" in arguments:
        link.answers["pending"] = lambda params: ci_pending(params.key)
        link.answers["deploy.sheet"] = lambda params: ci_sheet(params.key)
        link.answers["rollback.sheet"] = lambda params: RollbackSheet(params.key, None, refused=FIRST_RELEASE)
    if "--waiting" in arguments:
        link.push(Event(operation=WAITING_DEPLOY))
    if "--shell" in arguments:
        link.answers["exec"] = ExecTicket(5, ("sh", "-c", SHELL), {"GREETING": "hello"}, "checkout-r42-1", 42)
        link.answers["exec.ended"] = lambda params: Path(arguments[-1]).write_text(f"{params.id} {params.status}")
    if "--crash" in arguments:
        app.call_later(lambda: 1 // 0)
    return launch(app)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
