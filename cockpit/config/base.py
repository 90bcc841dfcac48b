"""One pass over the tree: what a kind of value is, where values were written, and what is wrong with them.

A kind reads a node and adds to `Reading.problems` what is wrong with it; then the value is MISSING.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, TypeAlias

from cockpit.config.problems import SHOWN, At, Mark, Problems, did_you_mean, quoted
from cockpit.config.tree import Mapping, Node, Scalar

JsonSchema: TypeAlias = dict[str, Any]
NULLS = {"", "~", "null", "Null", "NULL"}  # as YAML has them, when plain
LISTED = 12  # names that a complaint has room for


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
