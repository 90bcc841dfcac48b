"""`${VARIABLE}` in a Compose file, filled from the `.env` beside it and from nowhere else."""

from __future__ import annotations

import re
from collections.abc import Mapping as Map
from dataclasses import dataclass, field

from cockpit.config.problems import Mark
from cockpit.config.tree import Listing, Mapping, Node, Scalar, Unreadable

LARGEST = 1_000_000  # characters that interpolation may make: a few `$A` stand for any length
NESTED = 10  # defaults in defaults

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":?[-?+]")


@dataclass(frozen=True, slots=True)
class Unset:
    """A variable without a value; `why` is what the file itself says of it (`${NAME:?why}`)."""

    mark: Mark
    name: str
    why: str = ""


@dataclass
class Interpolation:
    """Of one file, in which it may make so much and no more; notes what was asked for and what had no value."""

    variables: Map[str, str]
    unset: list[Unset] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    made: int = 0

    def node(self, node: Node) -> Node:
        """Values only: Compose leaves keys as they are. Raises Unreadable."""
        match node:
            case Scalar():
                return self._scalar(node)
            case Listing():
                return Listing(node.mark, tuple(self.node(item) for item in node.items), node.size, node.depth)
            case Mapping():
                entries = tuple((key, self.node(value)) for key, value in node.entries)
                return Mapping(node.mark, entries, node.size, node.depth)

    def text(self, text: str, mark: Mark) -> str:
        """Raises Unreadable."""
        filled = self._text(text, mark, 0)
        self.made += len(filled)
        if self.made > LARGEST:
            raise Unreadable(mark, f"expected at most {LARGEST} characters after variables are filled in")
        return filled

    def _scalar(self, scalar: Scalar) -> Scalar:
        if "$" not in scalar.text:
            return scalar
        text = self.text(scalar.text, scalar.mark)
        return Scalar(scalar.mark, text, plain=False)  # what is filled in is text, also when it says null

    def _text(self, text: str, mark: Mark, depth: int) -> str:
        done: list[str] = []
        at = length = 0
        while (dollar := text.find("$", at)) >= 0 and length <= LARGEST:
            value, end = self._value(text, dollar + 1, mark, depth)
            done += (text[at:dollar], value)
            length, at = length + len(value), end
        return "".join((*done, text[at:]))

    def _value(self, text: str, start: int, mark: Mark, depth: int) -> tuple[str, int]:
        """What the `$` before `start` stands for, and where the text goes on."""
        if text.startswith("$", start):
            return "$", start + 1
        if name := _NAME.match(text, start):
            return self._filled(name[0], "", "", mark, depth), name.end()
        name = _NAME.match(text, start + 1) if text.startswith("{", start) else None
        end = _closing(text, name.end()) if name else -1
        if name is None or end < 0 or depth > NESTED:
            self.unset.append(Unset(mark, "$", "a $ that names no variable was left as it is; Compose wants $$"))
            return "$", start
        operator = _OPERATOR.match(text, name.end())
        word = text[operator.end() : end] if operator else ""
        return self._filled(name[0], operator[0] if operator else "", word, mark, depth), end + 1

    def _filled(self, name: str, operator: str, word: str, mark: Mark, depth: int) -> str:
        self.used.add(name)
        value = self.variables.get(name)
        there = value is not None and (value != "" or not operator.startswith(":"))
        match operator[-1:]:
            case "-" if not there:
                return self._text(word, mark, depth + 1)
            case "+":
                return self._text(word, mark, depth + 1) if there else ""
            case "?" if not there:
                self.unset.append(Unset(mark, name, word))
            case _ if value is None:
                self.unset.append(Unset(mark, name))
        return value or ""


def _closing(text: str, start: int) -> int:
    """Where the brace that is open at `start` closes; -1 when it does not."""
    depth = 1
    for at in range(start, len(text)):
        if text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
        elif text.startswith("${", at):
            depth += 1
            if depth > NESTED + 1:
                break
    return -1
