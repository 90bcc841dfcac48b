"""The edge where something else has the public ports, and the names by which several services are told apart."""

from __future__ import annotations

import re
from typing import Any

from cockpit.config.compose.draft import Draft
from cockpit.config.compose.fit import complaint
from cockpit.config.compose.neighbours import Front, fronts, published
from cockpit.config.compose.project import Project
from cockpit.config.compose.sheet import Sheet
from cockpit.config.compose.withheld import has_password, named
from cockpit.config.compose.writing import scalar

FIRST = 8100  # of the ports that the edge may listen on behind a proxy
MADE_UP = "made up: which name is its own? Two on one listener are told apart by their hosts"
_HOST = re.compile(r"\bHost\(([^)]*)\)")
_NAME = re.compile(r"[`'\"]([^`'\"]+)[`'\"]")
_USERS = re.compile(r"(?:basicauth|digestauth|basic_auth)", re.IGNORECASE)


def edge(project: Project, drafts: list[Draft]) -> tuple[dict[str, Any], list[str]]:
    """The `edge` of the configuration, and why; nothing when the public ports are free as far as Compose knows."""
    every = [each for service in project.services.values() for each in published(service, project)]
    ahead = fronts(project)
    ours = [sheet for draft in drafts for sheet in draft.processes.values()]
    loopback = [sheet.name for sheet in ours if any(each.loopback for each in sheet.published)]
    spoken = [sheet.name for sheet in ours if sheet.proxied or sheet.virtual]
    if ahead:
        notes = [_has(each) for each in ahead]
    elif spoken:
        notes = [f"What {', '.join(spoken)} told a proxy says that one runs here, and has the public ports."]
    elif loopback:
        notes = [
            f"{', '.join(loopback)} was published on loopback alone, so a proxy of this machine has the public ports."
        ]
    else:
        return {}, []
    taken = {each.port for each in every}
    port = next(port for port in range(FIRST, 65536) if str(port) not in taken)
    notes.append("The proxy passes on to this address.")
    if any("aliases" in sheet.options for sheet in ours):
        notes[-1] = "A proxy on this machine passes on to this address; one in a container goes on calling the aliases."
    notes += _behind_traefik(project, ours)
    return {"listen": f"127.0.0.1:{port}"}, notes


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


def _behind_traefik(project: Project, ours: list[Sheet]) -> list[str]:
    """The two keys for it, with the labels that its containers had."""
    labels = {name: value for sheet in ours for name, value in sheet.proxied.items()}
    if not labels:
        return []
    joined = [network for sheet in ours if sheet.proxied for network in sheet.options.get("networks", [])]
    networks = ", ".join(dict.fromkeys(joined)) or project.network("default")
    lines = ["Behind Traefik, or another proxy that reads labels, these two keys stand here instead of listen:"]
    lines += [f"  networks: [{networks}]", "  labels:"]
    return [*lines, *(f"    {scalar(name)}: {scalar(_shown(name, value))}" for name, value in labels.items())]


def _shown(name: str, value: str) -> str:
    if name.endswith("loadbalancer.server.port"):
        return "80"  # where the edge listens in those networks
    return "(not shown)" if _USERS.search(name) or named(name) or has_password(value) else value
