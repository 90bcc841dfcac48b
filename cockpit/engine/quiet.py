"""The release log, repositories and people's reasons without known values, so that nobody else has to think of it.

Names, shas and settings pass as they are; what people and programs say is looked at.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar, cast

from cockpit.engine.api import Handler, Peer
from cockpit.engine.known import Known
from cockpit.engine.ports import Ports
from cockpit.model import AuditRow, Commit, Failure, Hold, Lock
from cockpit.source.base import Range
from cockpit.store.base import ReleaseRecord

TEXTS: dict[type, tuple[str, ...]] = {
    AuditRow: ("text", "reason", "cli"),
    Commit: ("subject", "author"),
    Failure: ("summary", "line", "means", "next"),
    Hold: ("reason",),
    Lock: ("reason",),
    ReleaseRecord: ("subject", "author"),
}
SAID = frozenset({"detail", "summary", "reason", "subject", "cli"})  # parameters that are texts
WRITTEN = frozenset(
    {
        "add_release",
        "begin_operation",
        "end_operation",
        "outcome",
        "record",
        "release_hold",
        "set_hold",
        "set_lock",
        "set_operation",
    }
)
READ = frozenset({"between", "commit", "diff", "pending"})

T = TypeVar("T")


def quiet(ports: Ports) -> Ports:
    """The same; no known value gets into the log, or out of a repository."""
    known = ports.secrets.known
    return replace(ports, store=_Quiet.of(ports.store, known, WRITTEN), source=_Quiet.of(ports.source, known, READ))


def reasons(handlers: Mapping[str, Handler], known: Known) -> Mapping[str, Handler]:
    """The same; whoever gives a reason may have pasted anything into it."""

    def hiding(handler: Handler) -> Handler:
        async def answer(peer: Peer, asked: Any) -> Any:
            reason = getattr(asked, "reason", "")
            return await handler(peer, replace(asked, reason=known.hide(reason)) if reason else asked)

        return answer

    return {name: hiding(handler) for name, handler in handlers.items()}


class _Quiet:
    """Stands for a port: what the named verbs are given, and what they give back, is without known values."""

    def __init__(self, port: Any, known: Known, verbs: frozenset[str]) -> None:
        self._port, self._known, self._verbs = port, known, verbs

    @classmethod
    def of(cls, port: T, known: Known, verbs: frozenset[str]) -> T:
        return cast(T, cls(port, known, verbs))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        return self._hiding(found) if name in self._verbs else found

    def _hiding(self, verb: Callable[..., Any]) -> Callable[..., Any]:
        signature, writes = inspect.signature(verb), verb.__name__ in WRITTEN

        @wraps(verb)
        async def ask(*arguments: Any, **named: Any) -> Any:
            if not writes:
                return self._without(await verb(*arguments, **named))
            given = signature.bind(*arguments, **named)
            given.arguments = {name: self._argument(name, each) for name, each in given.arguments.items()}
            return await verb(*given.args, **given.kwargs)

        return ask

    def _argument(self, name: str, given: Any) -> Any:
        if name == "fields":  # those of set_operation, by name
            return {field: self._argument(field, each) for field, each in given.items()}
        if isinstance(given, str):
            return self._known.hide(given) if name in SAID else given
        return self._without(given)

    def _without(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._known.hide(value)
        if isinstance(value, Range):
            return replace(value, commits=tuple(map(self._without, value.commits)))
        fields = TEXTS.get(type(value), ())
        changed = {name: hidden for name in fields if (hidden := self._known.hide(now := getattr(value, name))) != now}
        return replace(value, **changed) if changed else value
