"""What else runs on the host: containers that aren't this installation's, as Docker lists them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cockpit.targets import labels
from cockpit.targets.base import OtherContainer
from cockpit.text import clean

_WIDE = 120  # characters kept of a name, an image, a status


def others(listed: Iterable[Mapping[str, Any]], installation: str) -> tuple[OtherContainer, ...]:
    """Those of a Compose project together, and the rest after them."""
    found = [_other(each) for each in listed if _written(each).get(labels.INSTALLATION) != installation]
    return tuple(sorted(found, key=lambda each: (not each.project, each.project, each.service, each.name)))


def published(ports: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Docker lists a port once for IPv4 and once for IPv6: one is enough where it is open on all addresses."""
    return tuple(sorted({_port(each) for each in ports if each.get("PublicPort")}))


def _other(listed: Mapping[str, Any]) -> OtherContainer:
    written = _written(listed)
    created = listed.get("Created")
    return OtherContainer(
        id=str(listed["Id"]),
        name=_name(listed.get("Names") or ()),
        image=clean(str(listed.get("Image", "")), _WIDE),
        state=clean(str(listed.get("State", "")), _WIDE),
        status=clean(str(listed.get("Status", "")), _WIDE),
        project=clean(str(written.get(labels.COMPOSE_PROJECT, "")), _WIDE),
        service=clean(str(written.get(labels.COMPOSE_SERVICE, "")), _WIDE),
        ports=published(listed.get("Ports") or ()),
        created_at=float(created) if isinstance(created, int) else None,
    )


def _name(names: Iterable[str]) -> str:
    """Links give a container further names, with a slash in the middle."""
    plain = [name.removeprefix("/") for name in names]
    return clean(min(plain, key=lambda name: ("/" in name, name), default=""), _WIDE)


def _port(port: Mapping[str, Any]) -> str:
    address = clean(str(port.get("IP", "")), _WIDE)
    where = "" if address in ("", "0.0.0.0", "::") else f"[{address}]:" if ":" in address else f"{address}:"
    return f"{where}{port['PublicPort']}->{port['PrivatePort']}/{clean(str(port.get('Type', 'tcp')), 8)}"


def _written(listed: Mapping[str, Any]) -> Mapping[str, str]:
    return listed.get("Labels") or {}
