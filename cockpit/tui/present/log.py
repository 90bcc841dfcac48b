"""The badge under a log: following or paused, how much is new, what was left out."""

from __future__ import annotations

from cockpit.tui.line import Line, fit, line
from cockpit.tui.present.words import count


def badge(
    *,
    about: str,
    following: bool,
    unseen: int,
    kept: int,
    dropped: int,
    forgotten: int,
    query: str,
    only: bool,
    note: str,
    marked: bool,
    room: int,
) -> Line:
    parts: Line = line(("  ● following", "good") if following else ("  ‖ paused", "warn strong"))
    if about:
        parts = (*parts, (f" · {about}", ""))
    if unseen:
        parts = (*parts, (f" · {unseen} new", "strong"), ("  f", "accent strong"), (" follows", "muted"))
    parts = (*parts, (f" · {count(kept, 'line')}", "muted"))
    if dropped:
        parts = (*parts, (f" · {dropped} left out: they came too fast", "warn"))
    if forgotten:
        parts = (*parts, (f" · {forgotten} older not kept here", "muted"))
    if query:
        parts = (*parts, (f" · /{query}", "accent"), (" n N", "muted"))
    if only:
        parts = (*parts, (" · only matches", "accent"))
    if marked:
        parts = (*parts, (" · range from the mark", "accent"), ("  y", "accent strong"), (" copies", "muted"))
    if note:
        parts = (*parts, (f" · {note}", "muted"))
    return fit(parts, room)
