"""The edge behind a Traefik that goes by labels: routers of its own, which come after those of Compose's containers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cockpit.config.compose.draft import Draft, unique
from cockpit.config.compose.neighbours import Front, networks_of
from cockpit.config.compose.project import Project
from cockpit.config.compose.sheet import Sheet
from cockpit.config.compose.values import Unclear, pairs
from cockpit.config.compose.withheld import has_password, named

OURS = "cockpit"  # the name of the edge's router and service there
LISTEN = "80"  # where the edge listens in those networks
LAST = "1"  # Traefik takes the router with the highest priority: Compose's, until a person says otherwise
HIDDEN = "(not shown)"
MADE_UP = "the rule is made up, for Compose's own comes from Traefik's configuration"
TIE = "a router of Compose's has a priority as low: raise that first, or Traefik splits the customers"
FILL_IN = f"what is {HIDDEN} is in the Compose file"
CHAINS = {"middlewares", "chain.middlewares"}

_LABEL = re.compile(
    r"traefik\.http\.(?P<kind>routers|services|middlewares)\.(?P<name>[^.]+)\.(?P<key>.+)", re.IGNORECASE
)
_TRAEFIK = re.compile(r"traefik\.(?:constraint-label|tags)", re.IGNORECASE)
_USERS = re.compile(r"basicauth|digestauth", re.IGNORECASE)

Parts = dict[str, dict[str, str]]  # name -> key -> value


def behind_traefik(
    project: Project, drafts: list[Draft], fronts: tuple[Front, ...]
) -> tuple[dict[str, Any], list[str]]:
    """The `edge` for it, and what has to be looked at there; nothing when no label of ours is Traefik's."""
    sheets = [sheet for draft in drafts for sheet in draft.processes.values() if speaks_to_traefik(sheet)]
    if not sheets:
        return {}, []
    network = _network(project, sheets, fronts)
    labels = {"traefik.enable": "true", "traefik.docker.network": network}
    labels |= {name: value for sheet in sheets for name, value in sheet.proxied.items() if _TRAEFIK.fullmatch(name)}
    routers = _routers(sheets)
    made_up = {"rule": f"Host(`{drafts[0].name}.example.com`)"}
    notes = [] if routers and all("rule" in keys for keys in routers.values()) else [MADE_UP]
    routers = {name: {**made_up, **keys} for name, keys in routers.items()} or {OURS: made_up}
    middlewares = _used(routers, _parts(sheets, "middlewares"))
    taken = _names(project)
    own = {name: unique(OURS if len(routers) == 1 else f"{OURS}-{name}", taken) for name in routers}
    renamed = {name: unique(f"{OURS}-{name}", taken) for name in middlewares}
    for name, keys in routers.items():
        copied = {**keys, "priority": LAST}
        labels |= {f"traefik.http.routers.{own[name]}.{key}": _own(key, copied[key], renamed) for key in copied}
    for name, keys in middlewares.items():
        labels |= {f"traefik.http.middlewares.{renamed[name]}.{key}": _own(key, keys[key], renamed) for key in keys}
    labels[f"traefik.http.services.{unique(OURS, taken)}.loadbalancer.server.port"] = LISTEN
    notes += [TIE] if any(_low(keys.get("priority", "")) for keys in _parts(sheets, "routers").values()) else []
    notes += [FILL_IN] if HIDDEN in labels.values() else []
    return {"networks": [network], "labels": labels}, notes


def speaks_to_traefik(sheet: Sheet) -> bool:
    return any(name.lower().startswith("traefik.") for name in sheet.proxied)


def _routers(sheets: list[Sheet]) -> Parts:
    """Those that lead to the application, not into Traefik itself, without what names Compose's own service."""
    found = _parts(sheets, "routers")
    inside = {name for name, keys in found.items() if keys.get("service", "").endswith("@internal")}
    return {
        name: {key: value for key, value in keys.items() if key not in {"service", "priority"}}
        for name, keys in found.items()
        if name not in inside
    }


def _low(priority: str) -> bool:
    """0 is none: as many as the rule has characters."""
    return bool(re.fullmatch(r"-\d+|0*1", priority.strip()))


def _parts(sheets: list[Sheet], kind: str) -> Parts:
    found: Parts = {}
    for sheet in sheets:
        for name, value in sheet.proxied.items():
            match = _LABEL.fullmatch(name)
            if match and match["kind"].lower() == kind:
                found.setdefault(match["name"], {})[match["key"].lower()] = value
    return found


def _used(routers: Parts, middlewares: Parts) -> Parts:
    """Those that the routers name, and what these are chains of."""
    found: Parts = {}
    asked = [keys.get("middlewares", "") for keys in routers.values()]
    while asked:
        for name in {each.strip().removesuffix("@docker") for each in asked.pop().split(",")} - {*found}:
            if name in middlewares:
                found[name] = middlewares[name]
                asked.append(found[name].get("chain.middlewares", ""))
    return {name: keys for name, keys in middlewares.items() if name in found}


def _own(key: str, value: str, renamed: dict[str, str]) -> str:
    """With the edge's own names of middlewares, and without secrets."""
    if key in CHAINS:
        return ",".join(_called(each.strip(), renamed) for each in value.split(","))
    return HIDDEN if _USERS.search(key) or named(key) or has_password(value) else value


def _called(middleware: str, renamed: dict[str, str]) -> str:
    name, _, provider = middleware.partition("@")
    return renamed[name] if name in renamed and provider in {"", "docker"} else middleware


def _network(project: Project, sheets: list[Sheet], fronts: tuple[Front, ...]) -> str:
    """Where Traefik reaches them: what it was told, else one that it is in too, else one that is not theirs alone."""
    for sheet in sheets:
        for name, value in sheet.proxied.items():
            if name.lower() == "traefik.docker.network" and value:
                return value
    joined = [network for sheet in sheets for network in sheet.options.get("networks", [])]
    shared = {network for each in fronts for network in networks_of(project.services[each.service], project)}
    default = project.network("default")
    ranked = sorted(joined, key=lambda network: (network not in shared, network == default))
    return next(iter(ranked), default)


def _names(project: Project) -> set[str]:
    """Of all routers, services and middlewares that the Compose file has."""
    matches = (
        _LABEL.fullmatch(name) for service in project.services.values() for name in _labels(service.node("labels"))
    )
    return {match["name"] for match in matches if match}


def _labels(node: Any) -> Iterator[str]:
    try:
        yield from pairs(node) if node is not None else ()
    except Unclear:  # said where the service itself is carried over
        return
