"""What is printed: plain aligned text, colour only for a person at a terminal, and JSON for scripts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from cockpit.json_form import encode
from cockpit.text import clean, clean_log, plain, width

Cell: TypeAlias = str | tuple[str, str]  # text, or text and tone

_TONES = {"good": "32", "warn": "33", "bad": "1;31", "muted": "2", "strong": "1", "accent": "36"}


def say(*lines: str) -> None:
    _encodable()
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


def tell(message: str, hint: str = "") -> None:
    """On stderr, for what went wrong and what to do next."""
    for line in (*message.splitlines(), *hint.splitlines()):
        print(clean(line), file=sys.stderr)


def document(value: Any) -> None:
    """One line of JSON. Anything foreign in it is escaped by JSON itself."""
    say(json.dumps(encode(value)))


def part(cell: Cell) -> str:
    """Foreign text passes here on its way out: it was cleaned on its way in, and a terminal is no place for trust."""
    text, tone = (cell, "") if isinstance(cell, str) else cell
    text = _safe(text)
    return f"\x1b[{_TONES[tone]}m{text}\x1b[0m" if tone and text and colour() else text


def words(*cells: Cell) -> str:
    return " ".join(filter(None, (part(cell) for cell in cells)))


def table(rows: Iterable[Sequence[Cell]]) -> list[str]:
    """Columns as wide as their widest cell, two blanks between them, none at the end."""
    cells = [[(part(cell), width(_safe(cell if isinstance(cell, str) else cell[0]))) for cell in row] for row in rows]
    widths = [max(size for _, size in column) for column in zip(*cells, strict=True)]
    return [
        "  ".join(text + " " * (wide - size) for (text, size), wide in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def quiet_pipe() -> None:
    """Whoever read our output has left (`| head`): the interpreter must not complain about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _safe(text: str) -> str:
    return plain(clean_log(text, colour=False))


def _encodable() -> None:
    """A glyph that the locale lacks becomes a question mark instead of an exception."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure and getattr(sys.stdout, "errors", "") != "replace":
        reconfigure(errors="replace")
