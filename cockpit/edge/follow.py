"""How a request follows its placement's pointer, as Caddy's JSON: read the line, dial the addresses it names. Pure."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

from cockpit.edge.base import HOLD, PROCESS
from cockpit.edge.names import name_of
from cockpit.model import PlacementKey

Json = dict[str, Any]

REPLICAS = 8  # most addresses in a pointer: one sub-route for each count
RETRY_AFTER = 2  # seconds that a customer is told to wait when nobody can be asked

ADDRESS = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}:[0-9]{1,5}"
_WEB = rf"(?: {ADDRESS}){{1,{REPLICAS}}}"
_OTHER = rf"(?: / {PROCESS}{_WEB})"
WHOLE = rf"^(?:{HOLD}(?: \.)?|r[0-9]+(?:{_WEB}{_OTHER}*|{_OTHER}+) \.)$"

# Measured in DESIGN.md 3: a dead fixed address swallows the dial, so the dial is short and the patience long.
DIAL = "250ms"
PATIENCE = (
    "5s"  # of a request that nobody has taken yet; longer than DOWN, or a blip of a single replica loses requests
)
DOWN = "2s"  # an address that failed is left out this long
FAILS = 3  # in DOWN; with 1 a single request that kills a worker would stop a single replica for everybody
AGAIN = "50ms"
IDLE = "1500ms"  # gunicorn closes idle connections after 2 s, the earliest of the common servers


def follow(key: PlacementKey, process: str, root: PurePath) -> list[Json]:
    """Read the pointer once, take its second copy when it is not whole, go where it says."""
    name = name_of(key)
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
        *(_proxy(process, count) for count in range(1, REPLICAS + 1)),
        {"handle": [_wait()]},
    ]


def _pointer_is(pattern: str, name: str) -> Json:
    return {"vars_regexp": {"pointer": {"name": name, "pattern": pattern}}}


def _proxy(process: str, count: int) -> Json:
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
    before = rf"(?: .*)? / {re.escape(process)}" if process else ""
    pattern = rf"^(r[0-9]+){before}{address * count}(?: /.*)? \.$"
    return {"match": [_pointer_is(pattern, "live")], "handle": [handler], "terminal": True}


def _wait() -> Json:
    return {
        "handler": "static_response",
        "status_code": 503,
        "headers": {"Retry-After": [str(RETRY_AFTER)], "Cache-Control": ["no-store"]},
        "body": "Service unavailable, please try again in a moment.\n",
    }
