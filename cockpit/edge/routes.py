"""Who gets which customers on one listener: hosts of placements, in Caddy's order, as its JSON. Pure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

from cockpit.edge.base import Route
from cockpit.edge.follow import Json, follow
from cockpit.errors import ConfigError


def customers(listen: str, routes: list[Route], handle: Callable[[Route], list[Json]]) -> list[Json]:
    """What `handle` makes of each route, for its hosts.

    Raises ConfigError when two placements, or two processes of one, want the same customers."""
    _refuse_clashes(listen, routes)
    matched = [entry for route in routes for entry in _entries(route, handle(route))]
    matched.sort(key=lambda entry: entry[0])
    return [*(entry[1] for entry in matched), _nobody()]


def released(root: PurePath) -> Callable[[Route], list[Json]]:
    """To the release that the pointer names."""
    return lambda route: [{"handler": "subroute", "routes": follow(route.key, route.process, root)}]


def name(route: Route) -> str:
    return f"{route.key} ({route.process})" if route.process else str(route.key)


def _refuse_clashes(listen: str, routes: list[Route]) -> None:
    taken: dict[str, Route] = {}
    for route in routes:
        for host in hosts_of(route) or [""]:
            other = taken.setdefault(host, route)
            if other is not route:
                what = f"requests for {host}" if host else "requests for any host"
                raise ConfigError(
                    f"{name(other)} and {name(route)} both want {what} on {listen}",
                    "Give one of them other hosts, or its environment another edge.listen.",
                )


def hosts_of(route: Route) -> list[str]:
    """Each once, in order, as a browser asks for them."""
    return sorted({host.lower().rstrip(".") for host in route.hosts})


def _entries(route: Route, handle: list[Json]) -> list[tuple[tuple[int, str, str], Json]]:
    """Exact hosts come before wildcards, wildcards before a placement that answers to any name."""
    hosts = hosts_of(route)
    exact, wild = [host for host in hosts if "*" not in host], [host for host in hosts if "*" in host]
    ranked = [(0, exact), (1, wild)] if hosts else [(2, list[str]())]
    return [
        (
            (rank, str(route.key), route.process),
            {**({"match": [{"host": some}]} if some else {}), "handle": handle, "terminal": True},
        )
        for rank, some in ranked
        if some or rank == 2
    ]


def _nobody() -> Json:
    """A host that no placement has; without this, Caddy answers an empty 200."""
    gone = {"handler": "static_response", "status_code": 404, "body": "No service has this host name.\n"}
    return {"handle": [{"handler": "vars", "log_skip": True}, gone]}
