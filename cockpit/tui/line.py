"""A line of the screen as plain data: pieces of text, each with tones that the theme turns into colours.

There is no markup anywhere in it, so no text from outside can be read as any."""

from __future__ import annotations

from cockpit.text import shorten, width

Part = tuple[str, str]  # text, tones: "bad strong"
Line = tuple[Part, ...]

BLANK: Line = ()
PARAGRAPH = 2000  # characters of a wrapped text that are shown
LONGEST = 1000  # characters of one piece that are kept for drawing


def line(*items: str | Part) -> Line:
    """Pieces side by side; a bare string has the tone of plain text."""
    return tuple((item, "") if isinstance(item, str) else item for item in items)


def cells(each: Line) -> int:
    return sum(width(text) for text, _ in each)


def plain(each: Line) -> str:
    return "".join(text for text, _ in each)


def left(text: str, room: int) -> str:
    """Cut or padded to exactly `room` cells."""
    text = shorten(text, room)
    return text + " " * (room - width(text))


def right(text: str, room: int) -> str:
    text = shorten(text, room)
    return " " * (room - width(text)) + text


def fit(each: Line, room: int) -> Line:
    """At most `room` cells, with … where something is missing."""
    if cells(each) <= room:
        return each
    kept: list[Part] = []
    for text, tone in each:
        size = width(text)
        if size > room:
            kept.append((shorten(text, room), tone))
            break
        kept.append((text, tone))
        room -= size
    return tuple(kept)


def spread(start: Line, end: Line, room: int) -> Line:
    """One at the left edge, the other at the right; the right one goes first when both do not fit."""
    gap = room - cells(start) - cells(end)
    return (*start, (" " * gap, ""), *end) if gap > 0 else fit(start, room)


def bounded(each: Line) -> Line:
    """No piece longer than any screen is wide, so that drawing costs the same whatever was sent."""
    if all(len(text) <= LONGEST for text, _ in each):
        return each
    return tuple((text[:LONGEST], tone) for text, tone in each)


def toned(each: Line, tone: str) -> Line:
    """The same text, all of it in one tone."""
    return tuple((text, tone) for text, _ in each)


def paragraph(text: str, room: int, tone: str = "", indent: int = 0) -> tuple[Line, ...]:
    """Words wrapped to `room` cells; what follows the first line is indented."""
    lines: list[str] = []
    current = ""
    for word in text[:PARAGRAPH].split(" "):
        limit = max(1, room - (indent if lines else 0))
        if current and width(current) + 1 + width(word) > limit:
            lines.append(current)
            current = word
        else:
            current = f"{current} {word}" if current else word
    lines.append(current)
    return tuple(((" " * (indent if place else 0) + each, tone),) for place, each in enumerate(lines))
