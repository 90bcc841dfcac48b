"""`@`: what the engine did, newest first, and who asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cockpit.glyphs import OUTCOME
from cockpit.model import Operation, OperationKind
from cockpit.protocol import OPERATIONS, OperationsRequest
from cockpit.text import took
from cockpit.tui.line import Line, line
from cockpit.tui.present.words import ago, clock
from cockpit.tui.screens.chooser import Chooser

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp


class OperationsScreen(Chooser):
    hint = "Enter copies the CLI line that does the same · Esc closes"

    def __init__(self, app: CockpitApp) -> None:
        super().__init__("What the engine did", [("", line(("asking the release log …", "muted")))])
        self.cockpit = app
        self.found: dict[str, Operation] = {}

    def on_mount(self) -> None:
        self.run_worker(self._ask(), exclusive=True, exit_on_error=False)

    def take(self, identity: str) -> None:
        if operation := self.found.get(identity):
            self.cockpit.copy(as_command(operation))

    async def _ask(self) -> None:
        answer = await self.cockpit.ask(OPERATIONS, OperationsRequest())
        operations = answer.operations if answer else ()
        self.found = {str(each.id): each for each in operations}
        now = self.cockpit.clock.now()
        rows = [(str(each.id), _line(each, now)) for each in operations]
        self.put(rows or [("", line(("nothing yet", "muted")))])


def as_command(operation: Operation) -> str:
    key = operation.key
    where = f"{operation.kind.value} {key.service} {key.environment}"
    if operation.kind is OperationKind.ROLLBACK:
        return f"cockpit {where} --to r{operation.to_release}"
    if operation.kind is OperationKind.RESTART:
        return f"cockpit {where}"
    return f"cockpit {where} --commit {operation.commit[:12]}"


def _line(each: Operation, now: float) -> Line:
    glyph, tone = OUTCOME[each.state]
    ran = took((each.ended_at or now) - each.started_at)
    said = each.summary or (each.failure.summary if each.failure else each.subject)
    return line(
        (f"{glyph} ", tone),
        (f"{clock(each.started_at)} {ago(each.started_at, now):>4}  ", "muted"),
        f"{each.kind.value:<9}",
        (f"{each.key.service:<12} {each.key.environment:<11}", "strong"),
        f"r{each.to_release or '–':<4}",
        (f"{each.actor.name:<8} {ran:>6}  ", "muted"),
        (said, "muted"),
    )
