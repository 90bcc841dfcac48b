"""The edge's whole configuration: customers' servers, the private one for probes, admin socket, logs. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path, PurePath

from cockpit.edge.base import RUN_VARIABLE, EdgePlan
from cockpit.edge.doors import doors
from cockpit.edge.follow import Json
from cockpit.edge.names import name_of
from cockpit.edge.routes import hosts_of
from cockpit.edge.servers import normal, secure, servers
from cockpit.edge.tls import tls_app

ADMIN_SOCKET, PROBE_SOCKET = "admin.sock", "probe.sock"  # below RUN
ACCESS_LOG = "log/access.log"
SHAPE = 2  # raised when running edges must take what this module now makes of the same routes: a reload each
LOG_MEGABYTES = 64  # before the access log rolls: about 500 000 requests

_AUTHORITY = {"certificate_authorities": {"local": {"install_trust": False}}}  # the host's trust is not ours
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"


def document(
    plan: EdgePlan, root: PurePath, subnet: str, mode: str = "0600", files: Mapping[Path, str] | None = None
) -> tuple[bytes, str]:
    """Caddy's JSON, and a digest of what it is made of, which the private server tells: so it is known what runs.

    `root` is where the edge itself sees the edge directory; `mode` is its sockets'; `files` are the
    copies that it has of certificates and keys, named by what is in them. Raises ConfigError."""
    copies = dict(files or {})
    facts = json.dumps(
        [SHAPE, str(root), subnet, mode, _placed(plan), _served(plan), _doors(plan), sorted(copies.values())]
    )
    digest = hashlib.sha256(facts.encode()).hexdigest()[:32]
    return json.dumps(_caddy(plan, root, subnet, mode, digest, copies), sort_keys=True, indent=1).encode(), digest


def _placed(plan: EdgePlan) -> list[list[str]]:
    return sorted([name_of(each.key), each.process, normal(each.listen), *hosts_of(each)] for each in plan.routes)


def _served(plan: EdgePlan) -> list[str]:
    """A listener that no route uses is none."""
    used = {normal(route.listen) for route in plan.routes}
    return sorted(repr(each) for each in plan.listeners if normal(each.listen) in used)


def _doors(plan: EdgePlan) -> list[str]:
    """Networks, names and ports are the doors' own."""
    return sorted(alias.door for alias in plan.aliases)


def _caddy(plan: EdgePlan, root: PurePath, subnet: str, mode: str, digest: str, files: Mapping[Path, str]) -> Json:
    tls = tls_app(secure(plan), root, files)
    run = root / f"{{env.{RUN_VARIABLE}}}"
    private = {"private": _private(f"unix/{run / PROBE_SOCKET}|{mode}", subnet, digest)}
    return {
        "admin": {"listen": f"unix/{run / ADMIN_SOCKET}|{mode}", "config": {"persist": False}},
        "storage": {"module": "file_system", "root": str(root / "storage")},
        "logging": {"logs": {"default": _own_log(), "access": _access_log(root)}},
        "apps": {
            "http": {"servers": {**servers(plan, root), **doors(plan.aliases, root, mode), **private}},
            **({"tls": tls, "pki": _AUTHORITY} if tls else {}),
        },
    }


def _own_log() -> Json:
    """Each missing pointer and each dead replica is an error per request: kept, but not by the thousand."""
    return {
        "level": "WARN",
        "encoder": {"format": "json"},
        "exclude": ["http.log.access"],
        "sampling": {"interval": 10_000_000_000, "first": 5, "thereafter": 1000},  # nanoseconds
    }


def _access_log(root: PurePath) -> Json:
    """One short line per customers' request: ts, duration, status, size, placement, release."""
    short = {"format": "json", "message_key": "", "level_key": "", "name_key": "", "caller_key": ""}
    dropped = ("request", "resp_headers", "bytes_read", "user_id")
    return {
        "include": ["http.log.access.customers"],
        "writer": {
            "output": "file",
            "filename": str(root / ACCESS_LOG),
            "mode": "0644",  # the edge may run as another user than the engine; the directory lets in only its own
            "roll_size_mb": LOG_MEGABYTES,
            "roll_keep": 1,
            "roll_gzip": False,
        },
        "encoder": {"format": "filter", "wrap": short, "fields": {name: {"filter": "delete"} for name in dropped}},
    }


def _private(listen: str, subnet: str, digest: str) -> Json:
    """`/` tells the digest; `/to/ADDRESS:PORT/path` asks that address of the subnet, with the prober's headers."""
    target = "{http.regexp.to.1}:{http.regexp.to.2}"
    to = {"path_regexp": {"name": "to", "pattern": rf"^/to/({address_pattern(subnet)}):([0-9]{{1,5}})/"}}
    ask = [{"handler": "rewrite", "strip_path_prefix": f"/to/{target}"}, _probe(target)]
    return {
        "listen": [listen],
        "protocols": ["h1"],
        "automatic_https": {"disable": True},
        "trusted_proxies_unix": True,  # X-Forwarded-* are the prober's own
        "routes": [
            {"match": [{"path": ["/"]}], "handle": [{"handler": "static_response", "body": digest}], "terminal": True},
            {"match": [to], "handle": ask, "terminal": True},
            {"handle": [{"handler": "static_response", "status_code": 403, "body": f"not an address of {subnet}\n"}]},
        ],
        "errors": {
            "routes": [
                {
                    "handle": [
                        {
                            "handler": "static_response",
                            "status_code": "{http.error.status_code}",
                            "headers": {"X-Cockpit-Error": ["{http.error.message}"]},
                            "body": "{http.error.message}\n",
                        }
                    ]
                }
            ]
        },
    }


def _probe(target: str) -> Json:
    """A fresh connection each time: a process that accepts no more must not look well through an old one."""
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": target}],
        "transport": {"protocol": "http", "dial_timeout": "2s", "keep_alive": {"enabled": False}},
    }


def address_pattern(subnet: str) -> str:
    """A regular expression for exactly the addresses of an IPv4 network: Caddy cannot compare text with a CIDR."""
    network = IPv4Network(subnet)
    low, high = network.network_address.packed, network.broadcast_address.packed
    return r"\.".join(_octets(first, last) for first, last in zip(low, high, strict=True))


def _octets(first: int, last: int) -> str:
    if (first, last) == (0, 255):
        return _OCTET
    if first == last:
        return str(first)
    return f"(?:{'|'.join(str(value) for value in range(first, last + 1))})"
