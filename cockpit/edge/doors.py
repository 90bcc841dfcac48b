"""Doors: how other containers reach a placement under a network alias. Pure.

A door is a Caddy of its own in their networks that dials a Unix socket of the edge. The edge's side follows the pointer
like any customers' server; the door's side never changes with a release.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePath

from cockpit.edge.base import RUN, RUN_VARIABLE, Alias
from cockpit.edge.follow import AGAIN, PATIENCE, Json, follow

# Of the containers that call: one of them may be a proxy that knows the customer's scheme and address.
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fd00::/8", "::1")


def doors(aliases: tuple[Alias, ...], root: PurePath, mode: str) -> Json:
    """The edge's side: one server for each alias."""
    return {f"door {alias.door}": _inner(alias, root, mode) for alias in aliases}


def _inner(alias: Alias, root: PurePath, mode: str) -> Json:
    return {
        "listen": [f"unix/{root}/{{env.{RUN_VARIABLE}}}/{_socket(alias)}|{mode}"],
        "protocols": ["h1"],
        "automatic_https": {"disable": True},
        "trusted_proxies_unix": True,  # X-Forwarded-* are the door's own
        "logs": {"default_logger_name": "customers"},
        "routes": follow(alias.key, alias.process, root),
    }


def door_document(alias: Alias, root: PurePath) -> bytes:
    """The door's side. An edge that is away for a moment is waited for."""
    dial = f"unix/{root / RUN / _socket(alias)}"
    proxy = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": dial}],
        "load_balancing": {"try_duration": PATIENCE, "try_interval": AGAIN},
        # An idle connection to an edge that is about to be replaced would fail the next request on it.
        "transport": {"protocol": "http", "dial_timeout": "1s", "keep_alive": {"enabled": False}},
    }
    server = {
        "listen": [f":{alias.port}"],
        "protocols": ["h1"],
        "automatic_https": {"disable": True},
        "trusted_proxies": {"source": "static", "ranges": list(PRIVATE)},
        "routes": [{"handle": [proxy]}],
    }
    caddy = {
        "admin": {"disabled": True, "config": {"persist": False}},
        "logging": {"logs": {"default": {"level": "INFO", "encoder": {"format": "json"}}}},  # tells when it is up
        "apps": {"http": {"servers": {"door": server}}},
    }
    return json.dumps(caddy, sort_keys=True, indent=1).encode()


def _socket(alias: Alias) -> str:
    """Short: the kernel takes 107 bytes for a socket's whole path."""
    return f"door-{hashlib.sha256(alias.door.encode()).hexdigest()[:12]}.sock"
