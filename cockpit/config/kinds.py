"""Kinds of text, names and flags, and what may be null; those of numbers are in `amounts`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from cockpit.config.base import JsonSchema, Kind, Place, Reading, Word, Wrong, is_null
from cockpit.config.problems import At, did_you_mean, quoted
from cockpit.config.tree import Node, Scalar

LONGEST = 4096  # characters of a name, path or address
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Text(Word):
    """Text on one line, taken as it is written: `1.10`, `no` and `010` are text here."""

    expects: str = "text"
    pattern: str = ""
    fix: Callable[[str], str] = str  # a guess at what was meant
    lines: bool = False  # line breaks and tabs may be in it
    lower: bool = False

    def value(self, scalar: Scalar) -> str:
        text = scalar.text.lower() if self.lower else scalar.text
        if len(text) > LONGEST:
            raise Wrong(f", longer than {LONGEST} characters")
        if (found := CONTROL.search(text)) and not (self.lines and found[0] in "\n\t"):
            raise Wrong(f", with the control character U+{ord(found[0]):04X} in it")
        if self.pattern and not re.fullmatch(self.pattern, text):
            guess = self.fix(text)
            near = guess != text and re.fullmatch(self.pattern, guess)
            raise Wrong(f"; did you mean {quoted(guess)}?" if near else "")
        return text

    def schema(self) -> JsonSchema:
        return {"type": "string", **({"pattern": f"^(?:{self.pattern})$"} if self.pattern else {})}


@dataclass(frozen=True)
class Literal(Word):
    """A value of an environment or label: text, or a number or boolean taken as the text that was written."""

    expects: str = "text (quote it when it is empty)"

    def value(self, scalar: Scalar) -> str:
        if "\x00" in scalar.text:
            raise Wrong(", with the control character U+0000 in it")
        return scalar.text

    def schema(self) -> JsonSchema:
        return {"type": ["string", "number", "boolean"]}


@dataclass(frozen=True)
class Choice(Word):
    """One of a few names; `like` has what else the same is called elsewhere."""

    names: tuple[str, ...]
    like: dict[str, str] = field(default_factory=dict)

    @property
    def expects(self) -> str:
        *others, last = self.names
        return f"{', '.join(others)} or {last}" if others else last

    def value(self, scalar: Scalar) -> str:
        if scalar.text in self.names:
            return scalar.text
        guess = self.like.get(scalar.text)
        raise Wrong(f"; did you mean {quoted(guess)}?" if guess else did_you_mean(scalar.text, self.names))

    def schema(self) -> JsonSchema:
        return {"enum": list(self.names)}


@dataclass(frozen=True)
class Flag(Word):
    expects: str = "true or false"
    _LIKE: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("yes", "y", "on", "true"), "true"),
        **dict.fromkeys(("no", "n", "off", "false"), "false"),
    }

    def value(self, scalar: Scalar) -> bool:
        if scalar.plain and scalar.text in {"true", "false"}:
            return scalar.text == "true"
        like = self._LIKE.get(scalar.text.lower())
        raise Wrong(f"; did you mean {like}, without quotes?" if like and not scalar.plain else _write(like))

    def schema(self) -> JsonSchema:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Always(Flag):
    """A flag of Compose that has one value here."""

    expects: str = "true, the only way it is done here"

    def value(self, scalar: Scalar) -> bool:
        if not super().value(scalar):
            raise Wrong("")
        return True


@dataclass(frozen=True)
class Never(Flag):
    expects: str = "false, the only way it is done here"

    def value(self, scalar: Scalar) -> bool:
        if super().value(scalar):
            raise Wrong("")
        return False


@dataclass(frozen=True)
class OrNull(Kind):
    """The kind itself, or `null` for none."""

    kind: Kind

    @property
    def expects(self) -> str:
        return f"{self.kind.expects}, or null"

    def read(self, node: Node, at: At, into: Reading) -> Any:
        if is_null(node) and isinstance(node, Scalar) and node.text:
            into.places[at] = Place(node)
            return None
        return self.kind.read(node, at, into)

    def schema(self) -> JsonSchema:
        return {"anyOf": [self.kind.schema(), {"type": "null"}]}


def _write(like: str | None) -> str:
    return f", which YAML 1.1 reads as {like}: write {like}" if like else ""
