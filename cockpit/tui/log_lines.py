"""The pure part of a log pane: a bounded window of lines, searching it, stamping it, colouring it."""

from __future__ import annotations

import dataclasses
import re
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum

from rich.text import Text

from cockpit.model import LogLine
from cockpit.text import LINE_LIMIT, clean_log, plain

KEPT = 10_000  # lines in memory; the whole log is a file of the engine's
_TELLING = re.compile(
    r"\b(error|exception|traceback|panic|fatal|critical|failed|refused|denied|killed|cannot|unable to)\b"
    r"|^E\s|Error:|exit(ed)? (code|status) [1-9]",
    re.IGNORECASE,
)

Wanted = Callable[[str], bool]


class Stamp(Enum):
    OFF = "off"
    RELATIVE = "relative"
    LOCAL = "local"
    UTC = "UTC"

    @property
    def next(self) -> Stamp:
        order = list(Stamp)
        return order[(order.index(self) + 1) % len(order)]


@dataclass(slots=True)
class LogWindow:
    """The newest lines, each with a serial number that never changes while it is kept."""

    limit: int = KEPT
    lines: deque[LogLine] = field(default_factory=deque)
    first: int = 0  # serial of lines[0]
    dropped: int = 0  # lines that the engine left out because they came too fast
    forgotten: int = 0  # lines that fell out of this window

    @property
    def end(self) -> int:
        return self.first + len(self.lines)

    def append(self, new: Iterable[LogLine]) -> None:
        self.lines.extend(new)
        over = len(self.lines) - self.limit
        for _ in range(over):
            self.lines.popleft()
        if over > 0:
            self.first += over
            self.forgotten += over

    def clear(self) -> None:
        self.lines.clear()
        self.first = self.dropped = self.forgotten = 0

    def at(self, serial: int) -> LogLine | None:
        place = serial - self.first
        return self.lines[place] if 0 <= place < len(self.lines) else None

    def search(self, wanted: Wanted, start: int, step: int) -> int | None:
        """Serial of the next line that is wanted, from `start` on in one direction, then from the other end."""
        order = range(self.first, self.end) if step > 0 else range(self.end - 1, self.first - 1, -1)
        snapshot = list(self.lines)
        found = [serial for serial in order if wanted(plain(snapshot[serial - self.first].text))]
        after = (serial for serial in found if (serial >= start if step > 0 else serial <= start))
        return next(after, found[0] if found else None)

    def serials(self, wanted: Wanted) -> list[int]:
        return [serial for serial, each in enumerate(self.lines, self.first) if wanted(plain(each.text))]

    def section(self, start: int, step: int) -> int | None:
        """The next line in one direction that begins another source (a step, a release, a replica)."""
        snapshot = list(self.lines)
        begins = [
            place + self.first
            for place, each in enumerate(snapshot)
            if place == 0 or each.source != snapshot[place - 1].source
        ]
        if step > 0:
            return next((each for each in begins if each > start), None)
        return next((each for each in reversed(begins) if each < start), None)


def bounded(each: LogLine) -> LogLine:
    """The contract bounds a line; the pane's memory does not depend on that."""
    limit = LINE_LIMIT * 2
    return each if len(each.text) <= limit else dataclasses.replace(each, text=each.text[:limit])


def safe(each: LogLine) -> LogLine:
    """Cleaned again, where it is drawn or copied: the pane trusts no engine."""
    text = clean_log(each.text, LINE_LIMIT + 64)
    return each if text == each.text else dataclasses.replace(each, text=text)


def telling(text: str) -> bool:
    """A line that an operator looks for."""
    return _TELLING.search(text) is not None


def wanted(query: str) -> Wanted:
    """`word`, `!word` for lines without it, `r:` for a regular expression. Raises ValueError for a bad one."""
    if query.startswith("!") and len(query) > 1:
        inside = wanted(query[1:])
        return lambda text: not inside(text)
    if query.startswith("r:"):
        try:
            pattern = re.compile(query[2:], re.IGNORECASE)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return lambda text: pattern.search(text) is not None
    small = query.lower()
    return lambda text: small in text.lower()


def stamp(each: LogLine, how: Stamp, now: float) -> str:
    if how is Stamp.OFF:
        return ""
    if how is Stamp.RELATIVE:
        return f"-{max(0.0, now - each.at):>7.1f}s "
    parts = time.localtime(each.at) if how is Stamp.LOCAL else time.gmtime(each.at)
    return f"{time.strftime('%H:%M:%S', parts)}.{int(each.at % 1 * 1000):03d} "


def coloured(each: LogLine) -> Text:
    """SGR colours kept; nothing else of the line is obeyed."""
    text = Text.from_ansi(each.text, end="", no_wrap=True) if "\x1b" in each.text else Text(each.text, end="")
    if each.stream == "cockpit":
        text.stylize("bold")
    elif each.cached:
        text.stylize("dim")
    return text
