"""Where a container's processes listen, seen from its outside. Pure."""

from __future__ import annotations

_DOCKER_DNS = "127.0.0.11"  # Docker's own resolver listens in every container of a user-defined network


def strangers(listeners: tuple[str, ...], port: int) -> tuple[str, ...]:
    """All of the app's listeners when none of them is reachable on `port`, else (); () also when there are none."""
    own = tuple(each for each in listeners if _host(each) != _DOCKER_DNS)
    return () if any(_reachable(each, port) for each in own) else own


def _reachable(listener: str, port: int) -> bool:
    host = _host(listener)
    loopback = host.startswith(("127.", "::ffff:127.")) or host in ("::1", "localhost")
    return listener.rpartition(":")[2] == str(port) and not loopback


def _host(listener: str) -> str:
    return listener.rpartition(":")[0].strip("[]")
