"""What the configuration of a proxy says, where that is a file of the project: mounted, or built in."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from cockpit.config.compose.document import content
from cockpit.config.compose.values import Unclear, entries, items, text
from cockpit.config.tree import Mapping, Node, Unreadable
from cockpit.errors import ConfigError

FILES = 20  # of one service
LARGEST = 200_000  # characters of all services
_NOT_HTTP = re.compile(r"\b(?:fastcgi|uwsgi|scgi)_pass\b")
_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)


def mounted(sources: Collection[Node | None], directory: Path, most: int) -> tuple[str, ...]:
    """Texts without their comments; at most so many characters."""
    found: list[str] = []
    for path in [*_files(sources, directory)][:FILES]:
        try:
            said = _COMMENT.sub("", content(path))
        except (ConfigError, Unreadable):
            continue
        if not _NOT_HTTP.search(said) and sum(map(len, found)) + len(said) <= most:
            found.append(said)
    return tuple(found)


def _files(sources: Collection[Node | None], directory: Path) -> Iterator[Path]:
    """Below the project's directory; of a directory what lies in it."""
    top = directory.resolve()
    for source in (each for node in sources for each in _paths(node)):
        try:
            path = (directory / source).resolve()
            if not path.is_relative_to(top) or path == top:
                continue
            yield from sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]
        except (OSError, ValueError, RuntimeError):  # no name of a file, or none that may be looked at
            continue


def _paths(node: Node | None) -> Iterator[str]:
    try:
        for item in items(node) if node is not None and not isinstance(node, Mapping) else ():
            if not isinstance(item, Mapping):
                yield text(item).partition(":")[0]
            elif "source" in (keys := entries(item)):
                yield text(keys["source"][1])
    except Unclear:  # said where the service itself is carried over
        return
