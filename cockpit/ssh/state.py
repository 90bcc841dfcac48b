"""What is known of a line, in words for the operator."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Condition(StrEnum):
    CONNECTING = "connecting"  # for the first time
    UP = "up"
    LOST = "reconnecting"
    STOPPED = "stopped"  # trying again at once would not help: `why` and `hint` say what a person has to do


@dataclass(frozen=True, slots=True)
class LineState:
    """`since` is the wall clock's time of the condition; failed tries to reconnect don't change it."""

    condition: Condition
    since: float
    why: str = ""  # "Connection refused"; also of a line that is up and may not use Docker
    hint: str = ""

    @property
    def up(self) -> bool:
        return self.condition is Condition.UP
