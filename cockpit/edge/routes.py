"""Customers' routes as Caddy's JSON, from placements: what is static of one, and how it follows its pointer. Pure."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

from cockpit.edge.base import HOLD, Route
from cockpit.edge.names import name_of
from cockpit.errors import ConfigError

Json = dict[str, Any]

REPLICAS = 8  # most addresses in a pointer: one sub-route for each count
RETRY_AFTER = 2  # seconds that a customer is told to wait when nobody can be asked
TRUSTED = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fd00::/8", "::1")  # a balancer in front

ADDRESS = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}:[0-9]{1,5}"
WHOLE = rf"^(?:{HOLD}(?: \.)?|r[0-9]+(?: {ADDRESS}){{1,{REPLICAS}}} \.)$"

# Measured in DESIGN.md 3: a dead fixed address swallows the dial, so the dial is short and the patience long.
DIAL = "250ms"
PATIENCE = (
    "5s"  # of a request that nobody has taken yet; longer than DOWN, or a blip of a single replica loses requests
)
DOWN = "2s"  # an address that failed is left out this long
FAILS = 3  # in DOWN; with 1 a single request that kills a worker would stop a single replica for everybody
AGAIN = "50ms"
IDLE = "1500ms"  # gunicorn closes idle connections after 2 s, the earliest of the common servers


def servers(routes: tuple[Route, ...], root: PurePath) -> Json:
    """One Caddy server per listen address. Raises ConfigError when two placements want the same customers."""
    by_listen: dict[str, list[Route]] = {}
    for route in sorted(routes, key=lambda each: each.key):
        by_listen.setdefault(normal(route.listen), []).append(route)
    return {listen: _server(listen, by_listen[listen], root) for listen in sorted(by_listen)}


def normal(listen: str) -> str:
    """`:80` for all ways to say any address, since two of them would share the port and split its customers."""
    host, colon, port = listen.rpartition(":")
    if not (colon and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError(f"the edge cannot listen on “{listen}”", "Set edge.listen to :PORT or ADDRESS:PORT.")
    if re.search(r"[\s/{},]", host):
        raise ConfigError(f"the edge cannot listen on “{listen}”", "Set edge.listen to :PORT or ADDRESS:PORT.")
    return f":{int(port)}" if host in ("", "*", "0.0.0.0", "[::]") else f"{host}:{int(port)}"


def _server(listen: str, routes: list[Route], root: PurePath) -> Json:
    _refuse_clashes(listen, routes)
    matched = [entry for route in routes for entry in _entries(route, root)]
    matched.sort(key=lambda entry: entry[0])
    return {
        "listen": [listen],
        "protocols": ["h1"],  # the others need TLS
        "automatic_https": {"disable": True},  # left on, every reload of a plain listener takes a second
        "trusted_proxies": {"source": "static", "ranges": list(TRUSTED)},  # it knows the scheme
        "logs": {"default_logger_name": "customers"},
        "routes": [*(entry[1] for entry in matched), _nobody()],
    }


def _refuse_clashes(listen: str, routes: list[Route]) -> None:
    taken: dict[str, Route] = {}
    for route in routes:
        for host in hosts_of(route) or [""]:
            other = taken.setdefault(host, route)
            if other is not route:
                what = f"requests for {host}" if host else "requests for any host"
                raise ConfigError(
                    f"{other.key} and {route.key} both want {what} on {listen}",
                    "Give one of them other hosts, or its environment another edge.listen.",
                )


def hosts_of(route: Route) -> list[str]:
    """Each once, in order, as a browser asks for them."""
    return sorted({host.lower().rstrip(".") for host in route.hosts})


def _entries(route: Route, root: PurePath) -> list[tuple[tuple[int, str], Json]]:
    """Exact hosts come before wildcards, wildcards before a placement that answers to any name."""
    hosts = hosts_of(route)
    exact, wild = [host for host in hosts if "*" not in host], [host for host in hosts if "*" in host]
    handle = [{"handler": "subroute", "routes": _follow(route, root)}]
    ranked = [(0, exact), (1, wild)] if hosts else [(2, list[str]())]
    return [
        ((rank, str(route.key)), {**({"match": [{"host": some}]} if some else {}), "handle": handle, "terminal": True})
        for rank, some in ranked
        if some or rank == 2
    ]


def _follow(route: Route, root: PurePath) -> list[Json]:
    """Read the pointer once, take its second copy when it is not whole, go where it says."""
    name = name_of(route.key)
    file = root / "pointers" / name
    first: list[Json] = [
        {"handler": "log_append", "key": "placement", "value": name},
        {"handler": "log_append", "key": "release", "value": "{http.regexp.live.1}"},
        {"handler": "vars", "pointer": f"{{file.{file}}}"},
    ]
    second = {"handler": "vars", "pointer": f"{{file.{file}~}}"}
    return [
        {"handle": first},
        {"match": [{"not": [_pointer_is(WHOLE, "whole")]}], "handle": [second]},
        *(_proxy(count) for count in range(1, REPLICAS + 1)),
        {"handle": [_wait()]},
    ]


def _pointer_is(pattern: str, name: str) -> Json:
    return {"vars_regexp": {"pointer": {"name": name, "pattern": pattern}}}


def _proxy(count: int) -> Json:
    """Dynamic upstreams of IPv4 literals: health, least_conn and in-flight go by real address, no DNS is asked."""
    address = r" ([0-9.]+):([0-9]+)"
    sources = [
        {
            "source": "a",
            "name": f"{{http.regexp.live.{2 * index}}}",
            "port": f"{{http.regexp.live.{2 * index + 1}}}",
            "refresh": "1h",
            "versions": {"ipv4": True, "ipv6": False},
        }
        for index in range(1, count + 1)
    ]
    handler = {
        "handler": "reverse_proxy",
        "dynamic_upstreams": {"source": "multi", "sources": sources},
        "load_balancing": {
            "selection_policy": {"policy": "least_conn"},
            "try_duration": PATIENCE,
            "try_interval": AGAIN,
        },
        "health_checks": {"passive": {"fail_duration": DOWN, "max_fails": FAILS}},
        "transport": {
            "protocol": "http",
            "dial_timeout": DIAL,
            "keep_alive": {"idle_timeout": IDLE, "max_idle_conns_per_host": 256},
        },
        "headers": {"response": {"set": {"X-Cockpit-Release": ["{http.regexp.live.1}"]}}},
        "stream_close_delay": "24h",  # without it the next reload closes all WebSockets
    }
    return {"match": [_pointer_is(rf"^(r[0-9]+){address * count} \.$", "live")], "handle": [handler], "terminal": True}


def _wait() -> Json:
    return {
        "handler": "static_response",
        "status_code": 503,
        "headers": {"Retry-After": [str(RETRY_AFTER)], "Cache-Control": ["no-store"]},
        "body": "Service unavailable, please try again in a moment.\n",
    }


def _nobody() -> Json:
    """A host that no placement has; without this, Caddy answers an empty 200."""
    gone = {"handler": "static_response", "status_code": 404, "body": "No service has this host name.\n"}
    return {"handle": [{"handler": "vars", "log_skip": True}, gone]}
