"""Which port of a container customers come to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cockpit.config.compose.sheet import Published, Sheet
from cockpit.config.compose.values import Unclear, entries, items, text
from cockpit.config.tree import Mapping, Node

ONE = "a process has one port"
# [[host address:]host port:]container port[/protocol], each port also as a range.
_SHORT = re.compile(
    r"(?:(?:(?P<address>\[[0-9a-fA-F:]+\]|[^:\[\]]*):)?(?P<host>\d*(?:-\d+)?):)?(?P<port>\d+)(?P<range>-\d+)?(?:/(?P<protocol>\w+))?"
)
_FROM_CONTAINER = re.compile(r"(?:0\.0\.0\.0|127\.0\.0\.1|localhost|\[::1?\]):(\d{2,5})\b|(?:-p|--port)[= ](\d{2,5})\b")


def ports(node: Node, sheet: Sheet) -> None:
    for index, item in enumerate(items(node)):
        key = f"ports[{index}]"
        port, published, why = _long(item, key, sheet) if isinstance(item, Mapping) else _short(item)
        if published is not None:
            sheet.published.append(published)
        if port is None or (sheet.port is not None and sheet.port != port):
            sheet.leave(key, item.mark, why or ONE)
        elif sheet.port is None:
            sheet.options["port"] = port


def expose(node: Node, sheet: Sheet) -> None:
    for index, item in enumerate(items(node)):
        port, _, why = _short(item)
        if sheet.port is None and port is not None:
            sheet.options["port"] = port
        elif port != sheet.port:
            sheet.leave(
                f"expose[{index}]", item.mark, why or "containers of one network reach every port of each other"
            )


def guessed(sheet: Sheet) -> tuple[int, str] | None:
    """From what is said elsewhere in the service: a port, and where it was found."""
    for found, where in _guesses(sheet):
        if 0 < found < 65536:
            return found, where
    return None


def _guesses(sheet: Sheet) -> Iterator[tuple[int, str]]:
    for label, value in sheet.proxied.items():
        if label.endswith("loadbalancer.server.port") and value.isascii() and value.isdigit():
            yield int(value[:9]), f"from the label {label}"
    for name in ("VIRTUAL_PORT", "PORT"):
        value = str(sheet.options.get("environment", {}).get(name, ""))
        if value.isascii() and value.isdigit():
            yield int(value[:9]), f"from the variable {name}"
    for key in ("command", "entrypoint"):
        for port in listening(sheet.options.get(key, "")):
            yield port, f"from the {key}"


def listening(command: str | list[str]) -> list[int]:
    """Ports that a command's words name as its own."""
    words = command if isinstance(command, str) else " ".join(command)
    return [int(one or other) for one, other in _FROM_CONTAINER.findall(words)]


def _short(item: Node) -> tuple[int | None, Published | None, str]:
    match = _SHORT.fullmatch(text(item))
    if match is None:
        raise Unclear(item.mark, "expected a port such as 8000, 80:8000 or 127.0.0.1:8001:8000")
    published = None
    if match["host"] or match["address"]:
        published = Published((match["address"] or "").strip("[]"), match["host"] or "")
    if (match["protocol"] or "tcp").lower() != "tcp":
        return None, published, "only TCP goes through the edge"
    if match["range"]:
        return None, published, ONE
    return int(match["port"][:9]), published, ""


def _long(item: Node, key: str, sheet: Sheet) -> tuple[int | None, Published | None, str]:
    keys = {name: (mark, text(node)) for name, (mark, node) in entries(item).items() if not name.startswith("x-")}
    for name, (mark, value) in keys.items():
        if name not in {"target", "published", "host_ip", "protocol"} and (name, value) != ("mode", "ingress"):
            sheet.leave(f"{key}.{name}", mark, "there is no such option of a port here")
    said = {name: value for name, (_, value) in keys.items()}
    published = Published(said.get("host_ip", ""), said["published"]) if "published" in said else None
    if said.get("protocol", "tcp").lower() != "tcp":
        return None, published, "only TCP goes through the edge"
    target = said.get("target", "")
    if not (target.isascii() and target.isdigit()):
        raise Unclear(item.mark, "expected a number as target")
    return int(target[:9]), published, ""
