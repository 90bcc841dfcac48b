"""How a placement is called in files and in the access log: safe as a file name, and readable back."""

from __future__ import annotations

import re
from urllib.parse import unquote

from cockpit.model import PlacementKey

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_QUOTED = re.compile(r"[A-Za-z0-9_%-]+")


def name_of(key: PlacementKey) -> str:
    """`checkout@production`; any other character is %XX, so that no two share a name and none leaves its directory."""
    return f"{_quote(key.service)}@{_quote(key.environment)}"


def door_of(key: PlacementKey, process: str) -> str:
    """`checkout@production`, `checkout@production.admin`: no other pair has the same."""
    return f"{name_of(key)}.{_quote(process)}" if process else name_of(key)


def key_of(name: str) -> PlacementKey | None:
    service, at, environment = name.partition("@")
    if not (at and _QUOTED.fullmatch(service) and _QUOTED.fullmatch(environment)):
        return None
    return PlacementKey(unquote(service), unquote(environment))


def _quote(text: str) -> str:
    return "".join(
        char if _PLAIN.fullmatch(char) else "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "replace"))
        for char in text
    )
