"""What a log pane looks for, and how the found text is lit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text

from cockpit.tui.log_lines import Wanted, wanted


@dataclass(frozen=True, slots=True)
class Find:
    query: str = ""
    wanted: Wanted | None = None
    lit: re.Pattern[str] | None = None  # None also for `!word`: there is nothing to light

    @classmethod
    def of(cls, query: str) -> Find:
        """Raises ValueError for a bad regular expression."""
        if not query:
            return cls()
        if query.startswith("!"):
            return cls(query, wanted(query))
        pattern = query[2:] if query.startswith("r:") else re.escape(query)
        return cls(query, wanted(query), re.compile(pattern, re.IGNORECASE))

    def highlight(self, text: Text, style: Style) -> None:
        if self.lit is not None:
            text.highlight_regex(self.lit, style)
