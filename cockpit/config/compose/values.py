"""Compose's forms of a value, as plain Python data. Each raises Unclear for what Compose would not take either."""

from __future__ import annotations

import re
import signal

from cockpit.config.base import NULLS, is_null, shown
from cockpit.config.problems import Mark
from cockpit.config.tree import Listing, Mapping, Node, Scalar

Entries = dict[str, tuple[Mark, Node]]

_TRUE, _FALSE = {"true", "yes", "y", "on", "1"}, {"false", "no", "n", "off", "0"}
_UNITS = {"us": 1e-6, "µs": 1e-6, "ms": 0.001, "s": 1, "m": 60, "h": 3600}
_AMOUNT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(us|µs|ms|s|m|h)")
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([kmgt]?)i?b?", re.IGNORECASE)


class Unclear(Exception):
    """A value that cannot be carried over, and why; the text never shows a variable's value."""

    def __init__(self, mark: Mark, why: str) -> None:
        super().__init__(why)
        self.mark = mark
        self.why = why


def text(node: Node) -> str:
    if not isinstance(node, Scalar) or is_null(node):
        raise Unclear(node.mark, f"expected text, got {_kind(node)}")
    return node.text


def texts(node: Node) -> list[str]:
    """A list, or one text for a list of it."""
    return [text(item) for item in items(node)]


def items(node: Node) -> tuple[Node, ...]:
    if isinstance(node, Mapping):
        raise Unclear(node.mark, "expected a list, got a map")
    return node.items if isinstance(node, Listing) else (node,)


def entries(node: Node) -> Entries:
    if is_null(node):
        return {}
    if not isinstance(node, Mapping):
        raise Unclear(node.mark, f"expected a map, got {_kind(node)}")
    return {key.text: (key.mark, value) for key, value in node.entries}


def pairs(node: Node) -> dict[str, tuple[Mark, str | None]]:
    """A map, or a list of NAME=value; None where there is a name alone."""
    if isinstance(node, Mapping):
        return {name: (mark, None if is_null(value) else text(value)) for name, (mark, value) in entries(node).items()}
    if isinstance(node, Scalar):
        raise Unclear(node.mark, "expected a map or a list of NAME=value, got text")
    found: dict[str, tuple[Mark, str | None]] = {}
    for item in items(node):
        name, separator, value = text(item).partition("=")
        found[name] = (item.mark, value if separator else None)
    return found


def command(node: Node) -> str | list[str]:
    """As it is written: text stays text."""
    return text(node) if isinstance(node, Scalar) else texts(node)


def flag(node: Node) -> bool:
    word = text(node).lower()
    if word not in _TRUE | _FALSE:
        raise Unclear(node.mark, f"expected true or false, got {shown(node)}")
    return word in _TRUE


def whole(node: Node) -> int:
    if not re.fullmatch(r"-?\d{1,15}", text(node)):
        raise Unclear(node.mark, f"expected a whole number, got {shown(node)}")
    return int(text(node))


def number(node: Node) -> float:
    if not re.fullmatch(r"\d{1,9}(\.\d{1,6})?|\.\d{1,6}", text(node)):
        raise Unclear(node.mark, f"expected a number, got {shown(node)}")
    return float(text(node))


def seconds(node: Node) -> float:
    parts = _AMOUNT.findall(text(node))
    if not parts or "".join(map("".join, parts)) != text(node):
        raise Unclear(node.mark, f"expected a duration such as 1m30s, got {shown(node)}")
    return sum(float(amount) * _UNITS[unit] for amount, unit in parts)


def duration(value: float) -> str:
    """1m30s, as our own files have it."""
    if value != int(value):
        return f"{round(value * 1000)}ms"
    hours, rest = divmod(int(value), 3600)
    said = "".join(f"{amount}{unit}" for amount, unit in ((hours, "h"), (rest // 60, "m"), (rest % 60, "s")) if amount)
    return said or "0s"


def size(node: Node) -> str:
    """Bytes in the largest unit that leaves a whole number: 512m."""
    match = _SIZE.fullmatch(text(node))
    if match is None:
        raise Unclear(node.mark, f"expected a size such as 512m, got {shown(node)}")
    number = int(float(match[1]) * 1024 ** " kmgt".index(match[2].lower() or " "))
    for unit, power in (("g", 3), ("m", 2), ("k", 1)):
        if number and number % 1024**power == 0:
            return f"{number // 1024**power}{unit}"
    return str(number)


def signal_name(node: Node) -> str:
    word = text(node).upper()
    try:
        return signal.Signals(int(word)).name if word.isascii() and word.isdigit() else f"SIG{word.removeprefix('SIG')}"
    except ValueError:
        raise Unclear(node.mark, f"expected a signal such as SIGTERM, got {shown(node)}") from None


def _kind(node: Node) -> str:
    if isinstance(node, Scalar):
        return "nothing" if node.plain and node.text in NULLS else "text"
    return "a map" if isinstance(node, Mapping) else "a list"
