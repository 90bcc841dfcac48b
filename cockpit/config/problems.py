"""What is wrong with a configuration, gathered so that one reading says all of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple, TypeAlias

from cockpit.errors import ConfigError
from cockpit.text import clean

SHOWN = 50  # problems; whoever has more has one cause
COMPARED = 200  # names with a misspelt one
HINT = "Nothing was started. `cockpit config check` reads the file again."

At: TypeAlias = tuple[str | int, ...]  # ("services", "web", "volumes", 0)


class Mark(NamedTuple):
    """Where something starts, counted from 1."""

    line: int
    column: int


class Problems:
    def __init__(self, file: str) -> None:
        self._file = file
        self._found: dict[tuple[Mark, str], None] = {}

    def add(self, mark: Mark, text: str, at: At = ()) -> None:
        """`at` says which key it is about. The same thing at the same place is said once."""
        self._found[mark, f"{dotted(at)}: {text}" if at else text] = None

    def __len__(self) -> int:
        return len(self._found)

    def error(self) -> ConfigError:
        """All of them in the order of the file, one line each."""
        found = sorted(self._found)
        lines = [clean(f"{self._file}:{mark.line}:{mark.column}: {text}", 1000) for mark, text in found[:SHOWN]]
        if len(found) > SHOWN:
            lines.append(f"and {len(found) - SHOWN} more")
        return ConfigError("\n".join(lines), HINT)


def dotted(at: At) -> str:
    """services.web.volumes[0]"""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at).removeprefix(".")


def quoted(text: str) -> str:
    """As it is shown in a message: short, on one line."""
    return f'"{text if len(text) <= 60 else text[:59] + "…"}"'


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean "port"?`, or nothing when nothing is near."""
    names = list(islice(known, COMPARED))
    near = difflib.get_close_matches(name[:60], names, n=1, cutoff=0.6)
    near = near or [each for each in names if len(name) >= 3 and each.startswith(name)]
    return f"; did you mean {quoted(near[0])}?" if near else ""
