"""Volumes, in Compose's short form or its long one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from cockpit.config.amounts import Size
from cockpit.config.base import MISSING, JsonSchema, Kind, Reading, Word, Wrong
from cockpit.config.kinds import Always, Choice, Flag, Never
from cockpit.config.problems import At, quoted
from cockpit.config.shapes import Key, Table, Values
from cockpit.config.tree import Mapping, Node, Scalar
from cockpit.config.words import SOURCE, TARGET, VOLUME


class Mode(Word):
    """Permissions as Docker takes them; YAML's prefix of octal numbers may stand before them."""

    expects = "an octal mode such as 1777"
    pattern: ClassVar[str] = "(?:0o?)?([0-7]{3,4})"

    def value(self, scalar: Scalar) -> str:
        match = re.fullmatch(self.pattern, scalar.text)
        if match is None:
            raise Wrong("")
        return match[1]

    def schema(self) -> JsonSchema:
        return {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": f"^{self.pattern}$"}]}


BIND = Table({"create_host_path": Key(Always(), "A folder that is missing is made.")})
NAMED = Table({"nocopy": Key(Never(), "A new volume starts with what the image has there.")})
TMPFS = Table(
    {
        "size": Key(Size(), "How large it may become."),
        "mode": Key(Mode(), "Its permissions."),
    }
)
TYPES = ("volume", "bind", "tmpfs")  # each has a key of its own name


@dataclass(frozen=True, slots=True)
class Memory:
    """A mount that is one of `tmpfs`: /path or /path:OPTIONS."""

    text: str


def _sensible(values: Values, at: At, into: Reading) -> Values:
    kind, source = values.get("type"), values.get("source")
    for other in TYPES:
        if other in values and kind in TYPES and other != kind:
            into.wrong_name((*at, other), f"expected nothing of {other} in a mount of type {kind}")
    if kind == "tmpfs" and "source" in values:
        into.wrong_name((*at, "source"), "expected no source in a mount of type tmpfs")
    if kind in {"volume", "bind"} and "source" not in values:
        into.wrong_name(at, 'expected a key "source", which is missing')
    what = "an absolute path" if kind == "bind" else "a volume's name"
    if isinstance(source, str) and kind in {"volume", "bind"} and (kind == "bind") != source.startswith("/"):
        into.wrong_name((*at, "source"), f"expected {what} for type {kind}, got {quoted(source)}")
    return values


LONG = Table(
    {
        "type": Key(Choice(TYPES), "What is mounted."),
        "source": Key(SOURCE, "A volume's name, or a path of the Docker host."),
        "target": Key(TARGET, "Where, in the container."),
        "read_only": Key(Flag(), "Whether it is only read."),
        "bind": Key(BIND, "Of type bind."),
        "volume": Key(NAMED, "Of type volume."),
        "tmpfs": Key(TMPFS, "Of type tmpfs."),
    },
    required=("type", "target"),
    settle=_sensible,
)


@dataclass(frozen=True)
class Mount(Kind):
    """Text of the short form; Memory where the long form says tmpfs."""

    expects: str = VOLUME.expects

    def read(self, node: Node, at: At, into: Reading) -> Any:
        if not isinstance(node, Mapping):
            return VOLUME.read(node, at, into)
        values = LONG.read(node, at, into)
        needed = ("type", "target") if values.get("type") == "tmpfs" else ("type", "source", "target")
        if any(values.get(name, MISSING) is MISSING for name in needed):
            return MISSING
        if values["type"] == "tmpfs":
            return Memory(_memory(values))
        return f"{values['source']}:{values['target']}{':ro' if values.get('read_only') else ''}"

    def schema(self) -> JsonSchema:
        return {"anyOf": [VOLUME.schema(), LONG.schema()]}


def _memory(values: Values) -> str:
    own = given if isinstance(given := values.get("tmpfs"), dict) else {}
    options = [f"{name}={own[name]}" for name in ("size", "mode") if own.get(name, MISSING) is not MISSING]
    options += ["ro"] if values.get("read_only") else []
    return f"{values['target']}{':' if options else ''}{','.join(options)}"
