"""Kinds made of kinds: lists, maps, tables of known keys, and the short forms of Compose."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cockpit.config.base import MISSING, JsonSchema, Kind, Place, Reading, Word, is_null, shown
from cockpit.config.kinds import Literal, Text
from cockpit.config.problems import At, quoted
from cockpit.config.tree import Listing, Mapping, Node, Scalar

Values: TypeAlias = dict[str, Any]
Settle: TypeAlias = Callable[[Values, At, Reading], Values]


@dataclass(frozen=True)
class Key:
    """One key of a table: its kind and the sentence that an editor shows."""

    kind: Kind
    about: str


@dataclass(frozen=True)
class Table(Kind):
    """A map of known keys, some of them required. `models` have the defaults and bounds."""

    keys: dict[str, Key]
    models: tuple[type[BaseModel], ...] = ()
    required: tuple[str, ...] = ()
    expects: str = "a map"
    instead: dict[str, str] = field(default_factory=dict)  # names that are often expected here, and what to do
    secret: bool = False  # what was written instead of the map may be a secret's value
    settle: Settle = field(default=lambda values, at, into: values)  # what the values say together

    def read(self, node: Node, at: At, into: Reading) -> Any:
        into.places[at] = Place(node)
        if is_null(node) and not self.required:
            return {}
        if not isinstance(node, Mapping):
            got = "text that is not shown" if self.secret and isinstance(node, Scalar) else shown(node)
            return into.wrong(node, at, f"expected {self.expects}, got {got}")
        values: dict[str, Any] = {}
        for key, value in node.entries:
            if key.text in self.keys:
                into.keys[*at, key.text] = key
                values[key.text] = self.keys[key.text].kind.read(value, (*at, key.text), into)
            else:
                into.wrong(key, at, f"unknown key {quoted(key.text)}{self._suggestion(key.text, into)}")
        for name in self.required:
            if name not in values:
                into.wrong_name(at, f"expected a key {quoted(name)}, which is missing")
        return self.settle(values, at, into)

    def _suggestion(self, name: str, into: Reading) -> str:
        if name in self.instead:
            return f"; {self.instead[name]}"
        return into.near(name, self.keys, "config.example.yaml has all that are known")

    def schema(self) -> JsonSchema:
        return {
            "type": ["object"] if self.required else ["object", "null"],
            "properties": {name: self._property(name, key) for name, key in self.keys.items()},
            "additionalProperties": False,
            **({"required": list(self.required)} if self.required else {}),
        }

    def _property(self, name: str, key: Key) -> JsonSchema:
        schema = {"description": key.about, **key.kind.schema()}
        info = next((each.model_fields[name] for each in self.models if name in each.model_fields), None)
        if info is None:
            return schema
        if isinstance(info.default, str | int | float):
            schema["default"] = info.default
        return {**schema, **_bounds(info)}


def _bounds(info: FieldInfo) -> JsonSchema:
    """The model's own, for an editor; they apply to numbers and pass over text and null."""
    words = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum"}
    return {word: getattr(each, sign) for each in info.metadata for sign, word in words.items() if hasattr(each, sign)}


@dataclass(frozen=True)
class Named(Kind):
    """A map from names of the reader's choice to values of one kind."""

    names: Word
    kind: Kind
    expects: str = "a map"

    def read(self, node: Node, at: At, into: Reading) -> Any:
        into.places[at] = Place(node)
        if not isinstance(node, Mapping):
            return self.expected(node, at, into)
        values = {}
        for name, value in node.entries:
            into.keys[*at, name.text] = name
            named = self.names.read(name, (*at, name.text), into) is not MISSING
            read = self.kind.read(value, (*at, name.text), into)
            values.update({name.text: read} if named else {})
        return values

    def schema(self) -> JsonSchema:
        return {
            "type": "object",
            "propertyNames": self.names.schema(),
            "additionalProperties": self.kind.schema(),
        }


@dataclass(frozen=True)
class Many(Kind):
    """A list of one kind; a single one, a map too, stands for a list of it when `short`."""

    kind: Kind
    short: bool = False
    expects: str = "a list"

    def read(self, node: Node, at: At, into: Reading) -> Any:
        into.places[at] = Place(node)
        if self.short and not isinstance(node, Listing) and not is_null(node):
            value = self.kind.read(node, at, into)
            return value if value is MISSING else (value,)
        if not isinstance(node, Listing):
            return self.expected(node, at, into)
        values = tuple(self.kind.read(item, (*at, index), into) for index, item in enumerate(node.items))
        self._say_twice(node, values, at, into)
        return values

    def _say_twice(self, node: Listing, values: tuple[Any, ...], at: At, into: Reading) -> None:
        seen = set()
        for index, value in enumerate(values):
            if isinstance(value, str) and value in seen:
                into.wrong(node.items[index], (*at, index), f"{quoted(value)} is in the list already")
            seen.add(value if isinstance(value, str) else None)

    def schema(self) -> JsonSchema:
        listed: JsonSchema = {"type": "array", "items": self.kind.schema()}
        return {"anyOf": [self.kind.schema(), listed]} if self.short else listed


@dataclass(frozen=True)
class Command(Kind):
    """A command as a list of words, or as text that is split as a shell splits it (no shell runs it)."""

    expects: str = "a command as text or as a list of words"

    def read(self, node: Node, at: At, into: Reading) -> Any:
        if not isinstance(node, Scalar):
            words = Many(Literal(), expects=self.expects).read(node, at, into)
            return self._some(words, node, at, into)
        into.places[at] = Place(node)
        if is_null(node) or "\x00" in node.text:
            return self.expected(node, at, into)
        try:
            return self._some(tuple(shlex.split(node.text)), node, at, into)
        except ValueError as error:
            return self.expected(node, at, into, f": {str(error).lower()}")

    def _some(self, words: Any, node: Node, at: At, into: Reading) -> Any:
        return words if words is MISSING or words else self.expected(node, at, into, " without a word in it")

    def schema(self) -> JsonSchema:
        return {"anyOf": [{"type": "string"}, {"type": "array", "items": Literal().schema(), "minItems": 1}]}


@dataclass(frozen=True)
class Pairs(Kind):
    """Names and text values: a map, or a list of NAME=value, as in Compose."""

    names: Text
    missing: str = ""  # what to do about a name without a value
    expects: str = "a map or a list of NAME=value"

    def read(self, node: Node, at: At, into: Reading) -> Any:
        into.places[at] = Place(node)
        match node:
            case Mapping():
                return Named(self.names, Literal(f"text (quote it when it is empty){self.missing}")).read(
                    node, at, into
                )
            case Listing():
                return self._listed(node, at, into)
            case _:
                return self.expected(node, at, into)

    def _listed(self, node: Listing, at: At, into: Reading) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for index, item in enumerate(node.items):
            if not isinstance(item, Scalar) or "=" not in item.text:
                into.wrong(item, (*at, index), f"expected NAME=value, got {shown(item)}{self.missing}")
                continue
            name, _, value = item.text.partition("=")
            part = (*at, name)
            if name in values:
                into.wrong(item, (*at, index), f"{quoted(name)} is in the list already")
            elif self.names.read(Scalar(item.mark, name, plain=False), part, into) is not MISSING:
                values[name] = Literal().read(Scalar(item.mark, value, plain=False), part, into)
        return values

    def schema(self) -> JsonSchema:
        listed = {"type": "array", "items": {"type": "string", "pattern": "^[^=]+="}}
        return {"anyOf": [Named(self.names, Literal()).schema(), listed]}


@dataclass(frozen=True)
class Short(Kind):
    """A table that a value which is no map may stand for: that of its key `key`."""

    table: Table
    key: str

    @property
    def expects(self) -> str:
        return f"{self._kind.expects} or a map"

    @property
    def _kind(self) -> Kind:
        return self.table.keys[self.key].kind

    def read(self, node: Node, at: At, into: Reading) -> Any:
        if isinstance(node, Mapping) or is_null(node):
            return self.table.read(node, at, into)
        value = self._kind.read(node, (*at, self.key), into)
        return value if value is MISSING else {self.key: value}

    def schema(self) -> JsonSchema:
        return {"anyOf": [self._kind.schema(), self.table.schema()]}
