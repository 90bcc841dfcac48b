"""What must hold between keys that are each right by themselves."""

from __future__ import annotations

import graphlib
from collections.abc import Callable, Iterator
from typing import TypeAlias

from cockpit.config.base import LISTED, Reading
from cockpit.config.listeners import normal
from cockpit.config.problems import At, quoted
from cockpit.config.processes import OF_WEB, WEB
from cockpit.config.settings import MAX_PROCESSES, MAX_ROUTED, Environment, PlacementSettings, Process, Service
from cockpit.config.shapes import Values

Locate: TypeAlias = Callable[[At], tuple[At, ...]]  # where a value may have been written, likeliest first


def of_service(name: str, service: Values, into: Reading) -> None:
    """As it is written: which process a key is about."""
    root = ("services", name)
    names = service.get("processes", {WEB: {}})
    if not names and not into.problems:
        into.wrong_name((*root, "processes"), "expected at least one process, got none")
    if len(names) > MAX_PROCESSES:
        into.wrong_name((*root, "processes"), f"expected at most {MAX_PROCESSES} processes, got {len(names)}")
    for at, level in _levels(root, service):
        if "build" in level and "{" in (level.get("image", service.get("image")) or ""):
            text = "an image with {sha} or {short} comes from CI and is not built; keep image or build"
            into.wrong_name((*at, "build"), text)
        for key in OF_WEB if names and WEB not in names else ():
            if key in level:
                into.wrong_name(
                    (*at, key),
                    f"it belongs to the process {WEB}, which there is not; say it below one of the processes",
                )
        for process in level.get("processes", ()):
            if process not in names:
                text = f"no process is called {quoted(process)}{into.near(process, names)}"
                into.wrong_name((*at, "processes", process), text)


def of_environment(environment: Environment, locate: Locate, into: Reading) -> None:
    edge, tls = environment.edge, environment.edge.tls
    if tls is not None and tls.issuer == "files" and not tls.certificates:
        into.wrong_where(locate(("edge", "tls", "issuer")), "expected certificates beside it, for they are the files")
    listens: dict[At, str] = {("edge", "listen"): edge.listen}
    if tls is not None:
        listens["edge", "tls", "listen"] = tls.listen
    for at, listen in listens.items() if edge.networks else ():
        if not normal(listen).startswith(":"):
            port = listen.rpartition(":")[2]
            why = "with networks the edge is in those instead of the host's, and nobody there reaches one address"
            into.wrong_where(locate(at), f"expected :{port}, got {listen}; {why}")


def of_placement(placement: PlacementSettings, locate: Locate, into: Reading) -> None:
    service = placement.service
    _few_enough(service, locate, into)
    _in_order(service, locate, into)
    for name, process in service.processes.items():
        _one_source_each(placement, name, locate, into)
        _by_its_port(name, process, locate, into)


def _levels(root: At, service: Values) -> Iterator[tuple[At, Values]]:
    yield root, service
    for environment, level in service.get("environments", {}).items():
        yield (*root, "environments", environment), level


def _few_enough(service: Service, locate: Locate, into: Reading) -> None:
    counts = {name: process.replicas for name, process in service.routed.items()}
    if sum(counts.values()) <= MAX_ROUTED:
        return
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    each = f" ({listed})" if 1 < len(counts) <= LISTED else ""
    text = f"expected at most {MAX_ROUTED} containers with a port in one release, got {sum(counts.values())}{each}"
    into.wrong_where(locate(("processes", [*counts][-1], "replicas")), text)


def _in_order(service: Service, locate: Locate, into: Reading) -> None:
    known = service.processes
    for name, process in known.items():
        for other in process.depends_on:
            if other not in known:
                text = f"no process of this service is called {quoted(other)}{into.near(other, known)}"
                into.wrong_where(locate(("processes", name, "depends_on", other)), text)
    try:
        graphlib.TopologicalSorter(
            {name: [each for each in process.depends_on if each in known] for name, process in known.items()}
        ).prepare()
    except graphlib.CycleError as error:
        cycle: list[str] = error.args[1]
        text = f"expected an order, but each waits for the next: {' → '.join(reversed(cycle))}"
        into.wrong_where(locate(("processes", cycle[-1], "depends_on")), text)


def _one_source_each(placement: PlacementSettings, name: str, locate: Locate, into: Reading) -> None:
    process = placement.service.processes[name]
    for variable in sorted(set(process.environment) & set(process.secrets)):
        text = f"{quoted(variable)} is in environment and in secrets; keep one"
        into.wrong_where(locate(("processes", name, "secrets", variable)), text)


def _by_its_port(name: str, process: Process, locate: Locate, into: Reading) -> None:
    if process.port is not None and process.replace == "recreate":
        text = "a process with a port is replaced without a gap; recreate is for those without one"
        into.wrong_where(locate(("processes", name, "replace")), text)
    for key, given in (("hosts", process.hosts), ("aliases", process.aliases)):
        if process.port is None and given:
            into.wrong_where(locate(("processes", name, key)), f"a process without a port has no {key}")
    if process.port is not None and process.aliases and not process.networks:
        text = "expected networks beside it, for only containers there can call these names"
        into.wrong_where(locate(("processes", name, "aliases")), text)
