"""What the edge of a host serves and how it runs, from the placements there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from cockpit.config.settings import Edge, EdgeProgram, PlacementSettings
from cockpit.config.settings import Tls as TlsSettings
from cockpit.edge.base import Alias, EdgePlan, Limits, Listener, Route, Tls
from cockpit.engine.host import EdgePlace
from cockpit.engine.spec import WEB
from cockpit.errors import ConfigError
from cockpit.targets.edge_spec import EdgeAlias, EdgeSpec


def edge_plan(placements: Iterable[PlacementSettings]) -> EdgePlan:
    """Raises ConfigError when two environments want the same listener to be different things."""
    placements = tuple(placements)
    return EdgePlan(
        routes=tuple(route for each in placements for route in _routes(each)),
        listeners=_listeners(placements),
        aliases=tuple(alias for each in placements for alias in _aliases(each)),
    )


def clash(placements: Iterable[PlacementSettings]) -> str:
    """Which two placements want the same customers; "" when none do. The edge would refuse all routes."""
    taken: dict[tuple[str, str, str], str] = {}
    for each in placements:
        for route in _routes(each):
            for name in route.hosts or ("",):
                wanted = (each.environment.host, route.listen, name)
                other = taken.setdefault(wanted, str(each.key))
                if other != str(each.key):
                    return f"{other} and {each.key} both want {name or 'any host'} on {route.listen}"
    return ""


def _routes(placement: PlacementSettings) -> Iterator[Route]:
    for name, hosts in placement.service.public.items():
        yield Route(placement.key, placement.environment.edge.listen, hosts, process=_pointed(name))


def _aliases(placement: PlacementSettings) -> Iterator[Alias]:
    for name, process in placement.service.routed.items():
        if process.aliases and process.port is not None:
            yield Alias(placement.key, _pointed(name), process.networks, process.aliases, process.port)


def _pointed(process: str) -> str:
    """As a pointer names it."""
    return "" if process == WEB else process


def _listeners(placements: tuple[PlacementSettings, ...]) -> tuple[Listener, ...]:
    found: dict[str, Listener] = {}
    for each in placements:
        listener = _listener(each.environment.edge)
        other = found.setdefault(listener.listen, listener)
        if other != listener:
            raise ConfigError(
                f"two environments on one host use the listener {listener.listen} in different ways",
                "Give one of them another edge.listen, or both the same tls, limits and trusted_proxies.",
            )
    return tuple(found.values())


def _listener(edge: Edge) -> Listener:
    limits = edge.limits
    return Listener(
        listen=edge.listen,
        trusted=edge.trusted,
        tls=_tls(edge.tls) if edge.tls is not None else None,
        limits=Limits(
            body=limits.body,
            header_timeout=limits.header_timeout,
            idle_timeout=limits.idle_timeout,
            read_timeout=limits.read_timeout,
            write_timeout=limits.write_timeout,
        ),
    )


def _tls(tls: TlsSettings) -> Tls:
    return Tls(
        listen=tls.listen,
        issuer=tls.issuer,
        email=tls.email,
        directory=tls.directory,
        ca=Path(tls.ca).expanduser() if tls.ca else None,
        certificates=tuple(
            (Path(each.certificate).expanduser(), Path(each.key).expanduser()) for each in tls.certificates
        ),
        redirect=tls.redirect,
        hsts=tls.hsts,
    )


def edge_spec(placements: Iterable[PlacementSettings], program: EdgeProgram, place: EdgePlace) -> EdgeSpec:
    """One edge for all placements of a host: what any of their environments asks for. Raises ConfigError."""
    placements = tuple(placements)
    edges = [each.environment.edge for each in placements]
    labels: dict[str, str] = {}
    for edge in edges:
        clash = next((name for name, value in edge.labels.items() if labels.get(name, value) != value), None)
        if clash is not None:
            raise ConfigError(f"two environments give the edge different labels {clash}", "One host has one edge.")
        labels |= edge.labels
    networks = tuple(dict.fromkeys(network for edge in edges for network in edge.networks))
    return EdgeSpec(
        directory=place.directory,
        admin=place.admin,
        owner=place.owner,
        image=program.image,
        binaries={name: Path(file).expanduser() for name, file in program.binaries.items()},
        ports=() if networks else tuple(sorted({int(each.rsplit(":", 1)[1]) for each in _listens(edges)})),
        networks=networks,
        labels=labels,
        aliases=tuple(
            EdgeAlias(each.door, each.networks, each.names, each.port)
            for placement in placements
            for each in _aliases(placement)
        ),
    )


def _listens(edges: list[Edge]) -> Iterator[str]:
    for edge in edges:
        yield edge.listen
        if edge.tls is not None:
            yield edge.tls.listen
