"""YAML text to a tree of nodes that know their place. Scalars stay the text that was written: nothing is guessed.

Built from the parser's events rather than by PyYAML's loader, whose YAML 1.1 reads `no` as false and 22:22 as 1342,
takes the last of two equal keys, and can be made to recurse or to grow without end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard

import yaml

from cockpit.config.problems import Mark, Problems, quoted

DEPTH = 50
NODES = 20_000  # with every alias counted as all that it stands for; 500 placements need fewer


@dataclass(frozen=True, slots=True)
class Scalar:
    mark: Mark
    text: str
    plain: bool = True  # written without quotes
    size: int = 1
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Listing:
    mark: Mark
    items: tuple[Node, ...]
    size: int
    depth: int


@dataclass(frozen=True, slots=True)
class Mapping:
    mark: Mark
    entries: tuple[tuple[Scalar, Node], ...]
    size: int
    depth: int


Node: TypeAlias = Scalar | Listing | Mapping


class Unreadable(Exception):
    """The rest of the file cannot be understood."""

    def __init__(self, mark: Mark, text: str) -> None:
        super().__init__(text)
        self.mark = mark
        self.text = text


def parse(text: str, problems: Problems) -> Node | None:
    """The one document of `text`, None when there is none. Raises Unreadable; equal keys become problems."""
    try:
        return _Builder(yaml.parse(text, Loader=yaml.SafeLoader), problems).document()
    except yaml.MarkedYAMLError as error:
        raise _syntax(error) from None
    except (yaml.YAMLError, ValueError, OverflowError):  # PyYAML lets chr() and int() of an escape's number fail
        raise Unreadable(Mark(1, 1), "expected YAML, got an escape or directive that is none") from None


class _Builder:
    def __init__(self, events: Iterator[yaml.Event], problems: Problems) -> None:
        self._events = events
        self._problems = problems
        self._anchors: dict[str, Node] = {}
        self._nodes = 0

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise Unreadable(_mark(event), "expected one document, got a second one")
                root = self._node(next(self._events), 1)
        return root

    def _node(self, event: yaml.Event, depth: int) -> Node:
        mark = _mark(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, mark, depth)
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)  # the parser's grammar
        if event.tag:
            raise Unreadable(mark, f"expected a value without a tag, got {quoted(event.tag)}")
        self._count(1, mark)
        if depth > DEPTH:
            raise Unreadable(mark, f"expected at most {DEPTH} levels of nesting")
        node = self._made(event, mark, depth)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _made(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, mark: Mark, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            text = event.value.encode("utf-8", "replace").decode()  # an escape can write half a character
            return Scalar(mark, text, plain=event.style is None)
        return self._listing(mark, depth) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(mark, depth)

    def _alias(self, event: yaml.AliasEvent, mark: Mark, depth: int) -> Node:
        name = event.anchor or ""
        node = self._anchors.get(name)
        if node is None:
            raise Unreadable(mark, f"expected the name of an anchor that is complete here, got {quoted(name)}")
        self._count(node.size, mark)
        if depth + node.depth - 1 > DEPTH:
            raise Unreadable(mark, f"expected at most {DEPTH} levels of nesting, aliases counted")
        return node

    def _count(self, nodes: int, mark: Mark) -> None:
        self._nodes += nodes
        if self._nodes > NODES:
            raise Unreadable(mark, f"expected at most {NODES} values, aliases counted as all that they stand for")

    def _listing(self, mark: Mark, depth: int) -> Listing:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Listing(mark, tuple(items), *_extent(items))

    def _mapping(self, mark: Mark, depth: int) -> Mapping:
        entries: dict[str, tuple[Scalar, Node]] = {}
        children: list[Node] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key, value = self._node(event, depth + 1), self._node(next(self._events), depth + 1)
            children += (key, value)
            if self._is_new(key, entries):
                entries[key.text] = (key, value)
        return Mapping(mark, tuple(entries.values()), *_extent(children))

    def _is_new(self, key: Node, entries: dict[str, tuple[Scalar, Node]]) -> TypeGuard[Scalar]:
        if not isinstance(key, Scalar):
            self._problems.add(key.mark, "expected a key of one word, got a list or map")
            return False
        if key.plain and key.text in {"", "<<"}:
            what = "merge keys are not used here; write the keys out" if key.text else "expected a key before the colon"
            self._problems.add(key.mark, what)
            return False
        if key.text in entries:
            first = entries[key.text][0].mark
            self._problems.add(key.mark, f"duplicate key {quoted(key.text)}: it is in line {first.line} already")
            return False
        return True


def _extent(children: list[Node]) -> tuple[int, int]:
    """Size and depth of the node that has them."""
    return 1 + sum(child.size for child in children), 1 + max((child.depth for child in children), default=0)


def _mark(event: yaml.Event) -> Mark:
    assert event.start_mark is not None  # only events made by hand have none
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


def _syntax(error: yaml.MarkedYAMLError) -> Unreadable:
    place = error.problem_mark
    mark = Mark(place.line + 1, place.column + 1) if isinstance(place, yaml.Mark) else Mark(1, 1)
    problem = error.problem or error.context or "not YAML"
    if "'\\t'" in problem:
        return Unreadable(mark, "expected spaces, got a tab: YAML is indented with spaces")
    context = f" {error.context}" if error.context and error.problem else ""
    return Unreadable(mark, f"expected YAML, but{context}: {problem}" if context else f"expected YAML, but {problem}")
