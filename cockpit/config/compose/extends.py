"""`extends` of a service by another of the same file."""

from __future__ import annotations

from cockpit.config.compose.values import Entries, Unclear, entries
from cockpit.config.problems import quoted
from cockpit.config.tree import Listing, Mapping, Node, Scalar

REPLACED = {"command", "entrypoint", "test"}  # lists that say one thing; every other list is added to


def extended(name: str, services: Entries) -> tuple[Node, Unclear | None]:
    """The service with what it inherits, and why something could not be inherited."""
    return _extended(name, services, ())


def _extended(name: str, services: Entries, above: tuple[str, ...]) -> tuple[Node, Unclear | None]:
    mark, node = services[name]
    keys = entries(node)
    if "extends" not in keys:
        return node, None
    mark, said = keys["extends"]
    rest = _without(node, "extends")
    inner = entries(said) if isinstance(said, Mapping) else {"service": (mark, said)}
    _, named = inner.get("service", (mark, None))
    if "file" in inner:
        return rest, Unclear(mark, "only this one file was read: what it inherits from another is missing here")
    if not isinstance(named, Scalar):
        return rest, Unclear(mark, "it names no service")
    base = named.text
    if base not in services or base in (*above, name):
        return rest, Unclear(mark, f"there is no service {quoted(base)} that it could inherit from")
    inherited, complaint = _extended(base, services, (*above, name))
    return _together(inherited, rest), complaint


def _without(node: Node, key: str) -> Node:
    if not isinstance(node, Mapping):
        return node
    return Mapping(node.mark, tuple(each for each in node.entries if each[0].text != key), node.size, node.depth)


def _together(base: Node, own: Node, key: str = "") -> Node:
    match base, own:
        case Mapping(), Mapping():
            entries = {name.text: (name, value) for name, value in base.entries}
            for name, value in own.entries:
                before = entries.get(name.text)
                entries[name.text] = (name, _together(before[1], value, name.text) if before else value)
            return Mapping(own.mark, tuple(entries.values()), own.size, own.depth)
        case Listing(), Listing() if key not in REPLACED:
            return Listing(own.mark, base.items + own.items, own.size, own.depth)
        case _:
            return own
