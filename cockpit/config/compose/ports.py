"""Which port of a container customers come to."""

from __future__ import annotations

import re

from cockpit.config.compose.sheet import Published, Sheet
from cockpit.config.compose.values import Unclear, entries, items, text
from cockpit.config.tree import Mapping, Node

ONE = "a process has one port"
# [[host address:]host port:]container port[/protocol], each port also as a range.
_SHORT = re.compile(
    r"(?:(?:(?P<address>\[[0-9a-fA-F:]+\]|[^:\[\]]*):)?(?P<host>\d*(?:-\d+)?):)?(?P<port>\d+)(?P<range>-\d+)?(?:/(?P<protocol>\w+))?"
)
_LISTENING = re.compile(r"(?:0\.0\.0\.0|\[::\]|\*):(\d{2,5})\b|(?:-p|--port)[= ](\d{2,5})\b")
# Of mail, names, databases, caches and queues: nothing that an edge could pass requests on to.
NOT_HTTP = {21, 22, 25, 53, 389, 465, 587, 1025, 1433, 1521, 1883, 2181, 3306, 4222, 5432, 5672, 6379, 9042, 9092, 9300}
NOT_HTTP |= {11211, 27017}


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


def told(sheet: Sheet) -> tuple[int, str] | None:
    """What the service tells a proxy, or its program, about its port; and where that was found."""
    for name, value in sheet.proxied.items():
        if name.endswith("loadbalancer.server.port") and (port := _port(value)):
            return port, f"from the label {name}"
    if port := _port(sheet.virtual.get("VIRTUAL_PORT", "")):
        return port, "from the variable VIRTUAL_PORT"
    for key in ("command", "entrypoint"):
        words: str | list[str] = sheet.options.get(key, "")
        match = _LISTENING.search(words if isinstance(words, str) else " ".join(words))
        if match and (port := _port(match[1] or match[2])) and port not in NOT_HTTP:
            return port, f"from the {key}"
    return None


def from_variable(sheet: Sheet) -> int | None:
    return _port(str(sheet.options.get("environment", {}).get("PORT", "")))


def _port(text: str) -> int | None:
    return int(text) if re.fullmatch("[1-9][0-9]{0,4}", text) and int(text) < 65536 else None


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
