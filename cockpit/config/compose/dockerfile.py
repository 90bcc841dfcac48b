"""What a Dockerfile says about ports."""

from __future__ import annotations

import re
from pathlib import Path

from cockpit.config.compose.document import content
from cockpit.config.tree import Unreadable
from cockpit.errors import ConfigError

_FROM = re.compile(r"FROM\s.*?(?:\sAS\s+(?P<stage>\S+))?\s*", re.IGNORECASE)
_EXPOSE = re.compile(r"EXPOSE\s+(?P<port>[1-9]\d{0,4})(?:/tcp)?(?:\s.*)?", re.IGNORECASE)


def exposed(path: Path, target: str = "") -> int | None:
    """The first port of the stage that is built; None without one, or without a Dockerfile that can be read."""
    try:
        lines = content(path).splitlines()
    except (ConfigError, Unreadable):
        return None
    port, stage = None, ""
    for line in map(str.strip, lines):
        if start := _FROM.fullmatch(line):
            if target and stage == target:
                break
            port, stage = None, start["stage"] or ""
        elif (match := _EXPOSE.fullmatch(line)) and port is None:
            port = int(match["port"])
    return port if port is None or port < 65536 else None
