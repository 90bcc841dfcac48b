"""A Compose file as a tree of nodes: merge keys resolved, nothing interpolated yet."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import yaml

from cockpit.config.problems import Mark, Problems
from cockpit.config.read import LIMIT, text_of
from cockpit.config.tree import Listing, Mapping, Node, Scalar, Unreadable, parse
from cockpit.errors import ConfigError
from cockpit.text import clean

HINT = "Nothing was written. `docker compose config` shows what Compose itself makes of the file."
MERGE = "<<"


def document(path: Path) -> Mapping:
    """Raises ConfigError with a line `file:line:column: what was expected` for each problem."""
    problems = Problems(str(path))
    try:
        root = _resolved(parse(_quoted_merges(content(path)), problems), problems)
        if root is not None and not problems:
            return root
    except Unreadable as unreadable:
        problems.add(unreadable.mark, unreadable.text)
    raise ConfigError(problems.error().message, HINT)


def content(path: Path) -> str:
    """The text of a file of any owner: it decides nothing before a person has read what was made of it."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError(clean(f"{path}: expected a file, got a device or pipe"), HINT)
            data = file.read(LIMIT + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "that is no file name"
        raise ConfigError(clean(f"{path}: {why}"), HINT) from None
    if len(data) > LIMIT:
        raise ConfigError(clean(f"{path}: expected at most {LIMIT // 1024} kB"), HINT)
    return text_of(data)


def _quoted_merges(text: str) -> str:
    """Merge keys in quotes: the tree takes them for ordinary keys then."""
    if MERGE not in text:
        return text
    try:
        places = [
            event.start_mark.index
            for event in yaml.parse(text, Loader=yaml.SafeLoader)
            if isinstance(event, yaml.ScalarEvent) and event.value == MERGE and event.style is None and event.start_mark
        ]
    except (yaml.YAMLError, ValueError, OverflowError):  # the tree says where
        return text
    pieces = [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]
    return pieces[0] + "".join(f'"{MERGE}"{piece[len(MERGE) :]}' for piece in pieces[1:])


def _resolved(root: Node | None, problems: Problems) -> Mapping | None:
    match root:
        case Mapping():
            whole = _merged(root, problems)
            return whole if isinstance(whole, Mapping) else None
        case None:
            problems.add(Mark(1, 1), "expected a Compose file, got an empty one")
        case _:
            problems.add(root.mark, "expected a Compose file, which is a map with services")
    return None


def _merged(node: Node, problems: Problems) -> Node:
    """Keys that are written win over merged ones, and what is merged first over what is merged later."""
    match node:
        case Scalar():
            return node
        case Listing():
            items = tuple(_merged(item, problems) for item in node.items)
            return Listing(node.mark, items, node.size, node.depth)
    own: dict[str, tuple[Scalar, Node]] = {}
    inherited: dict[str, tuple[Scalar, Node]] = {}
    for key, value in node.entries:
        value = _merged(value, problems)
        if key.text == MERGE:
            for source in reversed(_sources(value, problems)):
                inherited.update({name.text: (name, each) for name, each in source.entries})
        else:
            own[key.text] = (key, value)
    return Mapping(node.mark, tuple({**inherited, **own}.values()), node.size, node.depth)


def _sources(node: Node, problems: Problems) -> list[Mapping]:
    found = [each for each in (node.items if isinstance(node, Listing) else (node,)) if isinstance(each, Mapping)]
    if len(found) != (len(node.items) if isinstance(node, Listing) else 1):
        problems.add(node.mark, "expected a map to merge, or a list of maps")
    return found
