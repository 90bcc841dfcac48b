"""One Caddy server for each address that the edge listens on. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath

from cockpit.edge.base import EdgePlan, Limits, Listener, Route, Tls
from cockpit.edge.follow import Json
from cockpit.edge.routes import customers, released
from cockpit.edge.tls import in_browsers, secured, to_https
from cockpit.errors import ConfigError

# Of a plan without listeners.
TRUSTED = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fd00::/8", "::1")

Handle = Callable[[Route], list[Json]]


def servers(plan: EdgePlan, root: PurePath) -> Json:
    """By listen address. Raises ConfigError when two placements want the same customers, or listeners one address."""
    by_listen = placed(plan)
    made: Json = {}
    for listen, (listener, routes) in by_listen.items():
        redirected = listener.tls is not None and listener.tls.redirect
        handle = to_https(listener.tls) if listener.tls is not None and redirected else released(root)
        made[listen] = _server(listen, listener, routes, handle)
    for listen, (listener, tls, routes) in secure(plan).items():
        if listen in made:
            raise ConfigError(
                f"the edge cannot have both HTTP and HTTPS on {listen}", "See edge.listen and tls.listen."
            )
        made[listen] = _server(listen, listener, routes, in_browsers(tls, released(root))) | secured(tls, routes)
    return made


def placed(plan: EdgePlan) -> dict[str, tuple[Listener, list[Route]]]:
    """The listeners that some route uses, with these routes in a fixed order."""
    known = {normal(each.listen): each for each in plan.listeners}
    by_listen: dict[str, list[Route]] = {}
    for route in sorted(plan.routes, key=lambda each: (each.key, each.process)):
        by_listen.setdefault(normal(route.listen), []).append(route)
    return {listen: (known.get(listen, Listener(listen, TRUSTED)), by_listen[listen]) for listen in sorted(by_listen)}


def secure(plan: EdgePlan) -> dict[str, tuple[Listener, Tls, list[Route]]]:
    """The TLS listeners; several plain ones may share one when they say the same of it."""
    found: dict[str, tuple[Listener, Tls, list[Route]]] = {}
    for listener, routes in placed(plan).values():
        if listener.tls is None:
            continue
        listen = normal(listener.tls.listen)
        first, tls, others = found.setdefault(listen, (listener, listener.tls, []))
        if (first.trusted, tls, first.limits) != (listener.trusted, listener.tls, listener.limits):
            raise ConfigError(
                f"{first.listen} and {listener.listen} want different things of {listen}",
                "Give their environments the same edge.tls, trusted_proxies and limits, or another tls.listen.",
            )
        others.extend(routes)
    return found


def normal(listen: str) -> str:
    """`:80` for all ways to say any address, since two of them would share the port and split its customers."""
    host, colon, port = listen.rpartition(":")
    if not (colon and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError(f"the edge cannot listen on “{listen}”", "Set edge.listen to :PORT or ADDRESS:PORT.")
    if re.search(r"[\s/{},]", host):
        raise ConfigError(f"the edge cannot listen on “{listen}”", "Set edge.listen to :PORT or ADDRESS:PORT.")
    return f":{int(port)}" if host in ("", "*", "0.0.0.0", "[::]") else f"{host}:{int(port)}"


def _server(listen: str, listener: Listener, routes: list[Route], handle: Handle) -> Json:
    return {
        "listen": [listen],
        "protocols": ["h1"],  # the others need TLS
        "automatic_https": {"disable": True},  # left on, every reload of a plain listener takes a second
        **_trusted(listener.trusted),
        **_times(listener.limits),
        "logs": {"default_logger_name": "customers"},
        "routes": [*_body(listener.limits), *customers(listen, routes, handle)],
    }


def _trusted(ranges: tuple[str, ...]) -> Json:
    """Without any, Caddy writes all X-Forwarded-* itself."""
    return {"trusted_proxies": {"source": "static", "ranges": list(ranges)}} if ranges else {}


def _times(limits: Limits) -> Json:
    said = {
        "read_header_timeout": limits.header_timeout,
        "idle_timeout": limits.idle_timeout,
        "read_timeout": limits.read_timeout,
        "write_timeout": limits.write_timeout,
    }
    return {name: round(seconds * 1e9) for name, seconds in said.items() if seconds is not None}


def _body(limits: Limits) -> list[Json]:
    return [] if limits.body is None else [{"handle": [{"handler": "request_body", "max_size": limits.body}]}]
