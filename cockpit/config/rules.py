"""What must hold between keys that are each right by themselves."""

from __future__ import annotations

import graphlib
from collections.abc import Callable, Iterator
from typing import TypeAlias

from cockpit.config.kinds import Reading
from cockpit.config.listeners import normal
from cockpit.config.problems import At, quoted
from cockpit.config.processes import OF_WEB, WEB
from cockpit.config.settings import MAX_ROUTED, Environment, PlacementSettings, Process, Service
from cockpit.config.shapes import Values

Locate: TypeAlias = Callable[[At], tuple[At, ...]]  # where a value may have been written, likeliest first


def of_service(name: str, service: Values, into: Reading) -> None:
    """As it is written: which process a key is about."""
    root = ("services", name)
    names = service.get("processes", {WEB: {}})
    if not names:
        into.wrong_name((*root, "processes"), "expected at least one process, got none")
        return
    for at, level in _levels(root, service):
        for key in OF_WEB if WEB not in names else ():
            if key in level:
                into.wrong_name((*at, key), f"it is of the process {WEB}, which there is not; say it of a process")
        for process in level.get("processes", ()):
            if process not in names:
                text = f"no process is called {quoted(process)}{into.near(process, names)}"
                into.wrong_name((*at, "processes", process), text)


def of_environment(environment: Environment, locate: Locate, into: Reading) -> None:
    edge = environment.edge
    if edge.tls is None:
        return
    if edge.tls.issuer == "files" and not edge.tls.certificates:
        into.wrong_where(locate(("edge", "tls", "issuer")), "expected certificates beside it, for they are the files")
    if normal(edge.tls.listen) == normal(edge.listen):
        into.wrong_where(
            locate(("edge", "tls", "listen")),
            f"expected another address than {edge.listen}, which is edge.listen and takes plain HTTP",
        )


def of_placement(placement: PlacementSettings, locate: Locate, into: Reading) -> None:
    service = placement.service
    _few_enough(service, locate, into)
    _in_order(service, locate, into)
    for name, process in service.processes.items():
        _one_source_each(placement, name, locate, into)
        _by_its_port(name, process, locate, into)
    _certified(placement, locate, into)


def _levels(root: At, service: Values) -> Iterator[tuple[At, Values]]:
    yield root, service
    for environment, level in service.get("environments", {}).items():
        yield (*root, "environments", environment), level


def _few_enough(service: Service, locate: Locate, into: Reading) -> None:
    counts = {name: process.replicas for name, process in service.routed.items()}
    if sum(counts.values()) <= MAX_ROUTED:
        return
    each = f" ({', '.join(f'{name} {count}' for name, count in counts.items())})" if len(counts) > 1 else ""
    text = f"expected at most {MAX_ROUTED} containers with a port in one release, got {sum(counts.values())}{each}"
    into.wrong_where(locate(("processes", [*counts][-1], "replicas")), text)


def _in_order(service: Service, locate: Locate, into: Reading) -> None:
    known = service.processes
    for name, process in known.items():
        for other in process.depends_on:
            if other not in known:
                near = into.near(other, known) or f"; known are {', '.join(known)}"
                text = f"no process of this service is called {quoted(other)}{near}"
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


def _certified(placement: PlacementSettings, locate: Locate, into: Reading) -> None:
    """An ACME authority certifies names that it can reach, one by one."""
    tls = placement.environment.edge.tls
    if tls is None or tls.issuer != "acme" or tls.certificates:
        return
    for process, names in placement.service.public.items():
        wild = [name for name in names if name.startswith("*.")]
        if wild or not names:
            what = quoted(wild[0]) if wild else "any name"
            text = f"no ACME certificate can be had for {what}; name the hosts, or give edge.tls certificates"
            into.wrong_where(locate(("processes", process, "hosts")), text)
