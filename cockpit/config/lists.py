"""Lists and maps of Compose that may be written in more than one way."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, ClassVar

from cockpit.config.base import MISSING, JsonSchema, Kind, Place, Reading, Word, Wrong, is_null
from cockpit.config.kinds import Choice, Literal, Text
from cockpit.config.problems import At
from cockpit.config.settings import PRIVATE
from cockpit.config.shapes import Many, Named, Short, Table
from cockpit.config.tree import Listing, Mapping, Node, Scalar
from cockpit.config.words import Range


@dataclass(frozen=True)
class Members(Kind):
    """Names, or names with more about each; always a map of what is said of each."""

    names: Text
    table: Table
    expects: str = "a list of names, or a map of them"

    def read(self, node: Node, at: At, into: Reading) -> Any:
        into.places[at] = Place(node)
        match node:
            case Listing():
                names = Many(self.names).read(node, at, into)
                for name, item in zip(names, node.items, strict=True):
                    into.keys[*at, name] = item
                return {name: {} for name in names if name is not MISSING}
            case Mapping():
                return Named(self.names, self.table).read(node, at, into)
            case _:
                return self.expected(node, at, into)

    def schema(self) -> JsonSchema:
        return {"anyOf": [Many(self.names).schema(), Named(self.names, self.table).schema()]}


class HostAddress(Word):
    """`name:address` or `name=address`, as `name:address`."""

    expects = "NAME:ADDRESS or NAME=ADDRESS, where host-gateway is an address too"

    def value(self, scalar: Scalar) -> str:
        name, _, address = re.sub("[:=]", " ", scalar.text, count=1).partition(" ")
        return f"{host_name(name)}:{address_of(address)}"

    def schema(self) -> JsonSchema:
        return {"type": "string", "pattern": "^[A-Za-z0-9_.-]+[:=]."}


class Address(Word):
    expects = "an address, or host-gateway"

    def value(self, scalar: Scalar) -> str:
        return address_of(scalar.text)

    def schema(self) -> JsonSchema:
        return {"type": "string"}


def host_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,253}", text):
        raise Wrong("")
    return text


def address_of(text: str) -> str:
    if text == "host-gateway":
        return text
    try:
        return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        raise Wrong("") from None


@dataclass(frozen=True)
class Hosts(Kind):
    """Lines of /etc/hosts as `name:address`."""

    expects: str = "a list of NAME:ADDRESS, or a map"
    _MAP: ClassVar = Named(Text("a host name", r"[A-Za-z0-9_.-]{1,253}"), Many(Address(), short=True))

    def read(self, node: Node, at: At, into: Reading) -> Any:
        if not isinstance(node, Mapping):
            return Many(HostAddress(), expects=self.expects).read(node, at, into)
        values = self._MAP.read(node, at, into)
        return tuple(
            f"{name}:{address}"
            for name, addresses in values.items()
            if addresses is not MISSING
            for address in addresses
            if address is not MISSING
        )

    def schema(self) -> JsonSchema:
        return {"anyOf": [Many(HostAddress()).schema(), self._MAP.schema()]}


@dataclass(frozen=True)
class Proxies(Kind):
    """Whose X-Forwarded-* headers are believed, as CIDRs."""

    expects: str = "none, private, or a list of addresses such as 10.0.0.0/8"
    _WORDS: ClassVar[dict[str, tuple[str, ...]]] = {"none": (), "private": PRIVATE}

    def read(self, node: Node, at: At, into: Reading) -> Any:
        if isinstance(node, Scalar) and not is_null(node) and node.text in self._WORDS:
            into.places[at] = Place(node)
            return self._WORDS[node.text]
        if isinstance(node, Listing) or (isinstance(node, Scalar) and re.match(r"[0-9a-fA-F:.]+(/\d*)?$", node.text)):
            return Many(Range(), short=True).read(node, at, into)
        return self.expected(node, at, into)

    def schema(self) -> JsonSchema:
        return {"anyOf": [Choice(tuple(self._WORDS)).schema(), Many(Range(), short=True).schema()]}


@dataclass(frozen=True)
class Both(Short):
    """A number is the soft and the hard limit."""

    def read(self, node: Node, at: At, into: Reading) -> Any:
        value = super().read(node, at, into)
        return {**value, "hard": value["soft"]} if isinstance(value, dict) and set(value) == {"soft"} else value


@dataclass(frozen=True)
class Test(Kind):
    """Docker's own health check: text is for a shell, a list starts with CMD, CMD-SHELL or NONE."""

    expects: str = "a command as text, [CMD, …], [CMD-SHELL, text] or [NONE]"

    def read(self, node: Node, at: At, into: Reading) -> Any:
        into.places[at] = Place(node)
        if isinstance(node, Scalar) and not is_null(node):
            text = Literal(self.expects).read(node, at, into)
            return text if text is MISSING else ("CMD-SHELL", text)
        words = Many(Literal(), expects=self.expects).read(node, at, into)
        if words is MISSING or MISSING in words or self._whole(words):
            return words
        return self.expected(node, at, into, f" that starts with {words[0]}" if words else " without a word in it")

    @staticmethod
    def _whole(words: tuple[str, ...]) -> bool:
        match words:
            case ("NONE",) | ("CMD-SHELL", _) | ("CMD", _, *_):
                return True
            case _:
                return False

    def schema(self) -> JsonSchema:
        return {"anyOf": [{"type": "string"}, {"type": "array", "items": Literal().schema(), "minItems": 1}]}
