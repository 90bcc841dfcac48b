"""One Caddy server for each address that the edge listens on. Pure."""

from __future__ import annotations

import re
from pathlib import PurePath

from cockpit.edge.base import EdgePlan, Listener, Route
from cockpit.edge.follow import Json
from cockpit.edge.routes import customers
from cockpit.errors import ConfigError

# Of a plan without listeners.
TRUSTED = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "127.0.0.0/8",
    "fd00::/8",
    "::1",
)


def servers(plan: EdgePlan, root: PurePath) -> Json:
    """By listen address. Raises ConfigError when two placements want the same customers."""
    by_listen: dict[str, list[Route]] = {}
    for route in sorted(plan.routes, key=lambda each: (each.key, each.process)):
        by_listen.setdefault(normal(route.listen), []).append(route)
    known = {normal(each.listen): each for each in plan.listeners}
    return {
        listen: _server(known.get(listen) or Listener(listen, TRUSTED), by_listen[listen], root)
        for listen in sorted(by_listen)
    }


def normal(listen: str) -> str:
    """`:80` for all ways to say any address, since two of them would share the port and split its customers."""
    host, colon, port = listen.rpartition(":")
    if not (colon and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError(f"the edge cannot listen on “{listen}”", "Set edge.listen to :PORT or ADDRESS:PORT.")
    if re.search(r"[\s/{},]", host):
        raise ConfigError(f"the edge cannot listen on “{listen}”", "Set edge.listen to :PORT or ADDRESS:PORT.")
    return f":{int(port)}" if host in ("", "*", "0.0.0.0", "[::]") else f"{host}:{int(port)}"


def _server(listener: Listener, routes: list[Route], root: PurePath) -> Json:
    listen = normal(listener.listen)
    return {
        "listen": [listen],
        "protocols": ["h1"],  # the others need TLS
        "automatic_https": {"disable": True},  # left on, every reload of a plain listener takes a second
        "trusted_proxies": {"source": "static", "ranges": list(listener.trusted)},
        "logs": {"default_logger_name": "customers"},
        "routes": customers(listen, routes, root),
    }
