"""The edge where something else has the public ports, and the names by which several services are told apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from cockpit.config.compose.draft import Draft
from cockpit.config.compose.fit import complaint
from cockpit.config.compose.neighbours import Front, fronts, published
from cockpit.config.compose.project import Project
from cockpit.config.compose.sheet import Sheet
from cockpit.config.compose.traefik import speaks_to_traefik

FIRST = 8100  # of the ports that the edge may listen on behind a proxy
MADE_UP = "made up: which name is its own? Two on one listener are told apart by their hosts"
FREE = "No service of the Compose file has port 80. If something else has (nginx, say), write 127.0.0.1:8100 here."
HAND_OVER = "Until it hands the port over, the edge is at this address (docs/adopt.md)."
BY_LABELS = "Traefik does not look for the edge at this address: see below."
BY_NAME = "From its container it reaches the edge as {names} (docs/adopt.md); this address is for this machine alone."
NO_NAME = "From its container it cannot reach this address, but a name in aliases, which wants a port and a network."
BY_ADDRESS = "After the first deploy, let the proxy pass on to this address (docs/adopt.md)."
BY_EITHER = (
    "After the first deploy, let it pass on to this address; from a container, to a name in aliases (docs/adopt.md)."
)
_HOST = re.compile(r"\bHost\(([^)]*)\)")
_NAME = re.compile(r"[`'\"]([^`'\"]+)[`'\"]")


@dataclass(frozen=True, slots=True)
class Ahead:
    """What has the public ports: proxies in containers of the project reach the edge by a name, Traefik by labels."""

    fronts: tuple[Front, ...]
    ours: frozenset[str]  # Compose services that are carried over

    labelled: bool  # Traefik goes by their labels

    @property
    def contained(self) -> list[str]:
        """Proxies that reach the edge by a name alone."""
        names = [each.service for each in self.fronts if each.ports and each.service not in self.ours]
        return [] if self.labelled else names


def ahead(project: Project, drafts: list[Draft]) -> Ahead:
    ours = [sheet for draft in drafts for sheet in draft.processes.values()]
    return Ahead(tuple(fronts(project)), frozenset(sheet.name for sheet in ours), any(map(speaks_to_traefik, ours)))


def edge(project: Project, drafts: list[Draft], ahead: Ahead) -> tuple[dict[str, Any], list[str]]:
    """The `edge` of the configuration, and why; nothing when nobody has customers."""
    every = [each for service in project.services.values() for each in published(service, project)]
    ours = [sheet for draft in drafts for sheet in draft.processes.values()]
    loopback = [sheet.name for sheet in ours if any(each.loopback for each in sheet.published)]
    spoken = [sheet.name for sheet in ours if sheet.proxied or sheet.virtual]
    if ahead.fronts:
        notes = [_has(each) for each in ahead.fronts]
    elif spoken:
        notes = [f"What {', '.join(spoken)} told a proxy says that one runs here, and has the public ports."]
    elif loopback:
        names = ", ".join(loopback)
        notes = [f"Compose publishes {names} on loopback alone, so a proxy of this machine has the public ports."]
    elif any("port" in sheet.options for sheet in ours):
        return {"listen": ":80"}, [FREE]
    else:
        return {}, []
    taken = {each.port for each in every}
    port = next(port for port in range(FIRST, 65536) if str(port) not in taken)
    return {"listen": f"127.0.0.1:{port}"}, [*notes, _way(ahead, ours, spoken)]


def _way(ahead: Ahead, ours: list[Sheet], spoken: list[str]) -> str:
    """How requests come from there to the edge."""
    if any(each.service in ahead.ours for each in ahead.fronts):
        return HAND_OVER
    if ahead.labelled:
        return BY_LABELS
    if ahead.contained:
        names = [f"http://{name}:{each.port}" for each in ours for name in each.options.get("aliases", [])]
        return BY_NAME.format(names=" or ".join(names)) if names else NO_NAME
    return BY_EITHER if spoken else BY_ADDRESS


def hosts(drafts: list[Draft]) -> None:
    """Nobody needs one where a single process has customers; several need theirs."""
    routed = [(draft, name, sheet) for draft in drafts for name, sheet in draft.routed.items()]
    taken: set[str] = set()
    for draft, name, sheet in routed if len(routed) > 1 else ():
        known = known_hosts(sheet)
        if known and not taken & set(known) and not complaint("hosts", known, sheet):
            sheet.options["hosts"] = known
        else:
            first = next(iter(draft.routed)) == name
            sheet.options["hosts"] = [f"{draft.name}.example.com" if first else f"{name}.{draft.name}.example.com"]
            sheet.note("hosts", MADE_UP)
        taken |= set(sheet.options["hosts"])


def known_hosts(sheet: Sheet) -> list[str]:
    """From Traefik's rules, and from what nginx-proxy is told."""
    rules = [value for name, value in sheet.proxied.items() if name.endswith(".rule") and ".http." in name]
    found = [name for rule in rules for said in _HOST.findall(rule) for name in _NAME.findall(said)]
    found += filter(None, sheet.virtual.get("VIRTUAL_HOST", "").split(","))
    return list(dict.fromkeys(name.lower() for name in found))


def _has(front: Front) -> str:
    name = f"{front.service} ({front.image})" if front.image else front.service
    if not front.ports:
        return f"{name} is in this machine's own network, where the public ports are likely its."
    return f"{name} has port {' and '.join(front.ports)} of this machine while Compose runs it."
