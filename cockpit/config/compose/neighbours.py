"""What the rest of a Compose project has to do with a service: who calls it, and who has the public ports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from cockpit.config.compose.building import image
from cockpit.config.compose.ports import NOT_HTTP, ports
from cockpit.config.compose.project import Project, Service, is_proxy
from cockpit.config.compose.sheet import Published, Sheet
from cockpit.config.compose.values import Unclear
from cockpit.config.tree import Listing, Mapping, Node, Scalar

PUBLIC = {"80", "443"}
_TALKING = ("environment", "command", "entrypoint", "healthcheck", "labels")  # where addresses of others are written


@dataclass(frozen=True, slots=True)
class Front:
    """A service that has port 80 or 443 of the host; without `ports` it is in the host's network, where it may."""

    service: str
    image: str
    ports: tuple[str, ...] = ()


def published(service: Service, project: Project) -> list[Published]:
    sheet, node = Sheet(service, project), service.node("ports")
    with suppress(Unclear):  # said where the service itself is carried over; a stock image's is no matter of ours
        if node is not None:
            ports(node, sheet)
    return sheet.published


def fronts(project: Project) -> list[Front]:
    found = []
    for service in project.services.values():
        host = service.node("network_mode")
        if isinstance(host, Scalar) and host.text == "host":
            if is_proxy(service):
                found.append(Front(service.name, image(service)))
        elif public := {each.port for each in published(service, project)} & PUBLIC:
            found.append(Front(service.name, image(service), tuple(sorted(public, key=int))))
    return found


def passes_on(service: Service, project: Project) -> bool:
    """Whether it is what stands in front of the others, also where its image is built."""
    if not is_proxy(service) or not {each.port for each in published(service, project)} & PUBLIC:
        return False
    others = [name for name in project.services if name != service.name]
    return any(_calls(service, name, _address(name), project, waiting=True) for name in others)


def names_of(service: Service) -> list[str]:
    """All by which other containers reach Compose's own."""
    container, networks = service.node("container_name"), service.node("networks")
    joined = [value for _, value in networks.entries] if isinstance(networks, Mapping) else []
    listed = [
        each for value in joined if isinstance(value, Mapping) for key, each in value.entries if key.text == "aliases"
    ]
    named = [container.text] if isinstance(container, Scalar) else []
    return [service.name, *named, *(text for node in listed for text in _texts(node))]


def networks_of(service: Service, project: Project) -> list[str]:
    """As Docker calls them."""
    match service.node("networks"):
        case Mapping(entries=entries):
            return [project.network(key.text) for key, _ in entries]
        case Listing(items=items):
            return [project.network(item.text) for item in items if isinstance(item, Scalar)]
        case _:
            return [project.network("default")]


def talks_otherwise(service: Service, project: Project) -> int | None:
    """The port by which a service is known to speak something else than HTTP."""
    sheet, node = Sheet(service, project), service.node("ports")
    with suppress(Unclear):
        if node is not None:
            ports(node, sheet)
    port = sheet.port or called_port(service.name, project)
    return port if port in NOT_HTTP else None


def callers(name: str, project: Project, apart: set[str]) -> list[str]:
    """Services that address `name`: in their values, or (those that are not in `apart`) because they wait for it."""
    address = _address(name)
    return [
        other.name
        for other in project.services.values()
        if other.name != name and _calls(other, name, address, project, waiting=other.name not in apart)
    ]


def _calls(service: Service, name: str, address: re.Pattern[str], project: Project, *, waiting: bool) -> bool:
    if waiting and name in (*waits_for(service), *_linked(service)):
        return True
    return any(address.search(text) for text in _said(service, project))


def _address(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-]){re.escape(name)}:\d{{2,5}}\b(?!@)|//(?:[^\s/@]*@)?{re.escape(name)}(?=[:/\"']|$)")


def called_port(name: str, project: Project) -> int | None:
    """The port at which another service addresses it."""
    address = re.compile(rf"(?<![\w.-]){re.escape(name)}:(\d{{2,5}})\b(?!@)")
    for other in project.services.values():
        for text in _said(other, project) if other.name != name else ():
            if match := address.search(text):
                return int(match[1])
    return None


def waits_for(service: Service) -> list[str]:
    match service.node("depends_on"):
        case Mapping(entries=entries):
            return [key.text for key, _ in entries]
        case Listing(items=items):
            return [item.text for item in items if isinstance(item, Scalar)]
        case _:
            return []


def _linked(service: Service) -> list[str]:
    links = service.node("links")
    found = links.items if isinstance(links, Listing) else ()
    return [item.text.partition(":")[0] for item in found if isinstance(item, Scalar)]


def _said(service: Service, project: Project) -> Iterator[str]:
    for key in _TALKING:
        yield from _texts(service.node(key))
    yield from project.mounted.get(service.name, ())


def _texts(node: Node | None) -> Iterator[str]:
    match node:
        case Scalar():
            yield node.text
        case Listing():
            for item in node.items:
                yield from _texts(item)
        case Mapping():
            for _, value in node.entries:
                yield from _texts(value)
