"""docs/adopt.md as what it tells a reader to do: commands to type, lines to write, lines to change. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    language: str  # "sh": commands; "yaml": the configuration; "diff": a change of the file that the text names
    text: str

    @property
    def commands(self) -> list[str]:
        lines = (line.partition(" #")[0].strip() for line in self.text.splitlines())
        return [line for line in lines if line and not line.startswith("#")]

    @property
    def change(self) -> tuple[str, str]:
        """Of a diff of one line: the old one, the new one."""
        (old,) = (line[1:].strip() for line in self.text.splitlines() if line.startswith("-"))
        (new,) = (line[1:].strip() for line in self.text.splitlines() if line.startswith("+"))
        return old, new

    def changed(self, text: str, *, back: bool = False) -> str:
        """What the diff makes of `text`. Raises ValueError when the line isn't there exactly once."""
        old, new = reversed(self.change) if back else self.change
        if text.count(old) != 1:
            raise ValueError(f"{text.count(old)} times there: {old}")
        return text.replace(old, new)


def section(page: str, heading: str) -> str:
    """What stands under a heading, up to the next of the same level or higher."""
    level = len(heading) - len(heading.lstrip("#"))
    _, found, rest = page.partition(f"\n{heading}\n")
    if not found:
        raise ValueError(f"no heading “{heading}”")
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def steps(text: str) -> list[str]:
    """The parts of a section, each from its own heading to the next."""
    return re.split(r"^### .*$", text, flags=re.MULTILINE)[1:]


def blocks(text: str) -> list[Block]:
    return [Block(match[1], match[2]) for match in _FENCE.finditer(text)]


def placed(text: str, words: dict[str, str]) -> str:
    """With this machine's paths and ports in the place of the page's. Longer ones first; nothing is replaced twice."""
    pattern = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.sub(pattern, lambda match: words[match[0]], text) if words else text
