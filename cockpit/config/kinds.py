"""What one value may be: how it is written, what it becomes, and how an editor is told.

A kind reads a node and adds to `Reading.problems` what is wrong with it; then the value is MISSING.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, TypeAlias

from cockpit.config.problems import SHOWN, At, Mark, Problems, did_you_mean, quoted
from cockpit.config.tree import Mapping, Node, Scalar

JsonSchema: TypeAlias = dict[str, Any]
NULLS = {"", "~", "null", "Null", "NULL"}  # as YAML has them, when plain
LISTED = 12  # names that a complaint has room for
LONGEST = 4096  # characters of a name, path or address
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value was written, the unit that its number has, and the key's own spelling where there are several."""

    node: Node
    unit: str = ""
    spelled: At = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """One pass over the tree: what was found where. `keys` are the names themselves, where a name is at fault."""

    problems: Problems
    places: dict[At, Place] = field(default_factory=dict)
    keys: dict[At, Node] = field(default_factory=dict)

    def wrong(self, node: Node, at: At, text: str) -> _Missing:
        self.problems.add(node.mark, text, at)
        return MISSING

    def wrong_name(self, at: At, text: str) -> None:
        """Shown at the key of `at`, or where its value is; at the top of the file where there is neither."""
        node = self.keys.get(at) or (self.places[at].node if at in self.places else None)
        self.problems.add(node.mark if node else Mark(1, 1), text, at)

    def written(self, candidates: tuple[At, ...]) -> At:
        """The first that is in the file, else the last."""
        return next((at for at in candidates if at in self.places or at in self.keys), candidates[-1])

    def wrong_where(self, candidates: tuple[At, ...], text: str) -> None:
        """Shown at the value of the first candidate that is in the file, or as near to the last one as there is."""
        at = near = self.written(candidates)
        while near and near not in self.places and near not in self.keys:
            near = near[:-1]
        node = self.places[near].node if near in self.places else self.keys.get(near)
        self.problems.add(node.mark if node else Mark(1, 1), text, self.spelled(at))

    def near(self, name: str, known: Collection[str], otherwise: str = "") -> str:
        """`; did you mean "port"?`, or `; known are …`. Nothing when so much is wrong that comparing takes its time."""
        if len(self.problems) >= SHOWN:
            return ""
        listed = f"known are {', '.join(known)}" if len(known) <= LISTED else otherwise
        return did_you_mean(name, known) or (f"; {listed}" if listed else "")

    def spelled(self, at: At) -> At:
        return (self.places[at].spelled if at in self.places else ()) or at


class Kind(ABC):
    """`expects` completes the sentence "expected …"."""

    @property
    @abstractmethod
    def expects(self) -> str: ...

    @abstractmethod
    def read(self, node: Node, at: At, into: Reading) -> Any: ...

    @abstractmethod
    def schema(self) -> JsonSchema: ...

    def expected(self, node: Node, at: At, into: Reading, because: str = "") -> _Missing:
        return into.wrong(node, at, f"expected {self.expects}, got {shown(node)}{because}")


class Wrong(Exception):
    """A scalar is not what its kind expects; the text continues "…, got 10:80" and may be empty."""


class Word(Kind):
    """A kind that is written as one scalar."""

    unit: ClassVar[str] = ""

    def read(self, node: Node, at: At, into: Reading) -> Any:
        into.places[at] = Place(node, self.unit)
        if not isinstance(node, Scalar) or is_null(node):
            return self.expected(node, at, into)
        try:
            return self.value(node)
        except Wrong as wrong:
            return self.expected(node, at, into, str(wrong))

    @abstractmethod
    def value(self, scalar: Scalar) -> Any:
        """Raises Wrong."""


def is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.plain and node.text in NULLS


def shown(node: Node) -> str:
    if not isinstance(node, Scalar):
        return "a map" if isinstance(node, Mapping) else "a list"
    if is_null(node):
        return "nothing"
    return node.text if node.plain and len(node.text) <= 60 else quoted(node.text)


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
class Whole(Word):
    expects: str = "a whole number"

    def value(self, scalar: Scalar) -> int:
        if scalar.plain and re.fullmatch(r"0|[1-9]\d{0,8}", scalar.text):
            return int(scalar.text)
        raise Wrong(_misread(scalar))

    def schema(self) -> JsonSchema:
        return {"type": "integer"}


@dataclass(frozen=True)
class WholeOrUnlimited(Whole):
    expects: str = "a whole number, or -1 for no limit"

    def value(self, scalar: Scalar) -> int:
        if scalar.plain and re.fullmatch(r"-1|0|[1-9]\d{0,17}", scalar.text):
            return int(scalar.text)
        raise Wrong(_misread(scalar))


@dataclass(frozen=True)
class Pids(Word):
    """Compose's, where -1 is no limit."""

    expects: str = Whole.expects

    def value(self, scalar: Scalar) -> int | None:
        return None if scalar.plain and scalar.text == "-1" else Whole().value(scalar)

    def schema(self) -> JsonSchema:
        return Whole().schema()


@dataclass(frozen=True)
class Number(Word):
    expects: str = "a number such as 2 or 0.5"
    quoted: bool = False  # it may be in quotes, as Compose has it in some places

    def value(self, scalar: Scalar) -> float:
        if (scalar.plain or self.quoted) and re.fullmatch(r"(0|[1-9]\d{0,8})(\.\d{1,6})?", scalar.text):
            return float(scalar.text)
        raise Wrong(_misread(scalar))

    def schema(self) -> JsonSchema:
        return {"type": ["number", "string"] if self.quoted else "number"}


UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_AMOUNT = r"(?:0|[1-9]\d{0,8})(?:\.\d{1,3})?"


@dataclass(frozen=True)
class Duration(Word):
    """Seconds, as a number or with units that fall: 30, 30s, 2m, 1h30m, 500ms."""

    expects: str = "a duration such as 30s, 2m or 1h30m"
    unit: ClassVar[str] = " s"
    pattern: ClassVar[str] = "(?!$)" + "".join(f"(?:{_AMOUNT}{unit})?" for unit in reversed(UNITS))

    def value(self, scalar: Scalar) -> float:
        if scalar.plain and re.fullmatch(_AMOUNT, scalar.text):
            return float(scalar.text)
        if re.fullmatch(self.pattern, scalar.text):
            parts = re.findall(r"([\d.]+)([a-z]+)", scalar.text)
            return float(sum(float(amount) * UNITS[unit] for amount, unit in parts))
        raise Wrong(_misread(scalar))

    def schema(self) -> JsonSchema:
        return {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": f"^{self.pattern}$"}]}


@dataclass(frozen=True)
class Size(Word):
    """Bytes, as Compose writes them; a k is 1024."""

    expects: str = "a size such as 512m or 2g"
    unit: ClassVar[str] = " bytes"
    pattern: ClassVar[str] = r"([1-9]\d{0,14})([kKmMgG]?)[bB]?"

    def value(self, scalar: Scalar) -> int:
        match = re.fullmatch(self.pattern, scalar.text)
        if match is None:
            raise Wrong(_misread(scalar))
        return int(match[1]) << 10 * " kmg".index(match[2].lower() or " ")

    def schema(self) -> JsonSchema:
        return {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": f"^{self.pattern}$"}]}


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


def _misread(scalar: Scalar) -> str:
    """What YAML 1.1 would make of a plain scalar that looks like a number."""
    text = scalar.text
    if not scalar.plain:
        return "; write it without quotes" if re.fullmatch(r"\d{1,9}", text) else ""
    if re.fullmatch(r"0[0-7]{1,9}", text):
        return f", which YAML 1.1 reads as {int(text, 8)}: write {int(text)}"
    if re.fullmatch(r"[1-9]\d{0,8}(:[0-5]?\d){1,3}", text):
        total = 0
        for part in text.split(":"):
            total = total * 60 + int(part)
        return f", which YAML 1.1 reads as {total}"
    if re.fullmatch(r"0x[0-9a-fA-F]{1,8}", text):
        return f", which YAML 1.1 reads as {int(text, 16)}: write that"
    return ""
