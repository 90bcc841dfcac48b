"""What acts on the world for an operation: each change passes two named points, and is refused to who lost the lock.

Whose step it is travels in a context variable, so that neither steps nor ports need to know: see `doing`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, TypeVar, cast

from cockpit import points
from cockpit.engine.host import Host
from cockpit.engine.ports import Ports

T = TypeVar("T")
Fence = Callable[[], Awaitable[None]]  # raises Fenced

TARGET = frozenset({"start", "activate", "stop", "run", "remove_one_offs", "remove_image"})
EDGE = frozenset({"point"})
BUILDER = frozenset({"build", "push", "pull"})
SOURCE = frozenset({"fetch", "keep", "archive"})
LOCK = frozenset({"take_lock", "release_lock"})
LOG = frozenset(
    {
        "begin_operation",
        "set_operation",
        "intent",
        "outcome",
        "switched",
        "end_operation",
        "add_release",
        "update_release",
        "set_live",
        "set_hold",
        "lease_slot",
        "lease_spare",
        "free_slot",
    }
)


@dataclass(frozen=True, slots=True)
class _Doing:
    what: str  # "deploy/switch"
    fence: Fence | None


_doing: ContextVar[_Doing | None] = ContextVar("doing", default=None)


@contextmanager
def doing(what: str, fence: Fence | None = None) -> Iterator[None]:
    """All that is changed in here, also by tasks that begin in here, is part of `what`."""
    token = _doing.set(_Doing(what, fence))
    try:
        yield
    finally:
        _doing.reset(token)


def ports_that_tell(ports: Ports) -> Ports:
    """The same; what they change passes points."""
    return replace(ports, store=_acting(ports.store, "log", LOG), source=_acting(ports.source, "source", SOURCE))


def guarded(host: Host) -> Host:
    """The same host; what is changed there passes points, and asks the fence first."""
    target = _acting(host.target, "target", LOCK)
    host.target = _acting(target, "target", TARGET, fenced=True)
    host.edge = _acting(host.edge, "edge", EDGE, fenced=True)
    host.builder = _acting(host.builder, "builder", BUILDER, fenced=True)
    return host


def _acting(port: T, room: str, verbs: frozenset[str], *, fenced: bool = False) -> T:
    return cast(T, _Acting(port, room, verbs, fenced))


class _Acting:
    """Stands for a port: all but the named verbs are the port's own."""

    def __init__(self, port: Any, room: str, verbs: frozenset[str], fenced: bool) -> None:
        self._port, self._room, self._verbs, self._fenced = port, room, verbs, fenced

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name not in self._verbs:
            return found

        @wraps(found)
        async def act(*arguments: Any, **named: Any) -> Any:
            now = _doing.get()
            if now is None:
                return await found(*arguments, **named)
            points.passed(f"{now.what} {self._room}.{name} before")
            if self._fenced and now.fence is not None:
                await now.fence()
            done = await found(*arguments, **named)
            points.passed(f"{now.what} {self._room}.{name} after")
            return done

        return act
