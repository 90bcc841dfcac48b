"""`X`: stop the running operation while customers are still on the old release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cockpit.model import Operation
from cockpit.protocol import CANCEL, OperationRequest
from cockpit.tui.line import Line
from cockpit.tui.present import sheets
from cockpit.tui.screens.sheet import Sheet

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp


class CancelScreen(Sheet):
    def __init__(self, app: CockpitApp, operation: Operation) -> None:
        super().__init__(app, f"Cancel the {operation.kind.value} of {operation.key.service}")
        self.operation = operation

    @property
    def works(self) -> tuple[str, ...]:
        return () if self._newest.state.ended or self._newest.switched_at is not None else ("y cancel it",)

    def lines(self, room: int) -> list[Line]:
        return sheets.cancel(self._newest, room)

    def may_go(self) -> str:
        return f"✖ it has ended: {self._newest.state.value}" if self._newest.state.ended else ""

    def go(self) -> None:
        self.act("cancelling …", self._cancel())

    @property
    def _newest(self) -> Operation:
        return self.cockpit.state.operations.get(self.operation.id, self.operation)

    async def _cancel(self) -> None:
        if done := await self.ask(CANCEL, OperationRequest(self.operation.id)):
            self.cockpit.say(done.note or "cancelled")
            self.dismiss(None)
