"""Setting and lifting locks and the freeze: durable and in the audit before they are in force."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from cockpit.engine.api import Handler, Peer
from cockpit.engine.audit import ENGINE, line_of
from cockpit.engine.locks import Of, said, when
from cockpit.engine.shared import Shared
from cockpit.engine.window import Window
from cockpit.errors import Refused, UsageError
from cockpit.model import Lock, Operation, PlacementKey
from cockpit.protocol import (
    FREEZE,
    LOCK,
    MAX_LOCK_SECONDS,
    UNFREEZE,
    UNLOCK,
    Done,
    FreezeRequest,
    LockRequest,
    UnfreezeRequest,
    UnlockRequest,
)
from cockpit.text import clean

LIMIT = 500  # characters of a reason


class Locking:
    def __init__(self, shared: Shared, window: Window) -> None:
        self._ports = shared.ports
        self._world = shared.world
        self._audit = shared.audit
        self._window = window
        self._one = asyncio.Lock()  # what the log has and what is in force change together

    def handlers(self) -> Mapping[str, Handler]:
        return {LOCK.name: self._set, FREEZE.name: self._set, UNLOCK.name: self._lift, UNFREEZE.name: self._lift}

    async def _set(self, peer: Peer, asked: LockRequest | FreezeRequest) -> Done:
        """In place of one that there is. Raises UsageError without a reason, or for no sensible time."""
        key, what = (asked.key, "lock") if isinstance(asked, LockRequest) else (None, "freeze")
        if key is not None:
            self._world.find(key)
        seconds = _sensible(asked.seconds)
        now = self._ports.clock.now()
        lock = Lock(peer.actor.name, now, needed(asked.reason, "why nothing may be deployed"), now + seconds)
        async with self._one:
            before = self._world.locks.of(key)
            text = f"for {_length(seconds)}" + (f", instead of the one {said(before, now)}" if before else "")
            row = self._audit.row(peer.actor, what, "done", key, text=text, reason=lock.reason, cli=line_of(asked))
            await self._ports.store.set_lock(key, lock, row)
            self._world.locks.put(key, lock)
        await self._window.tell()
        state = f"{key} is locked" if key else "everything is frozen"
        on = "".join(f" · {each.kind.value} {each.id} of {each.key} goes on" for each in self._running(key))
        return Done(f"{state} until {when(lock.until, now)}; rollbacks go on{on}")

    async def _lift(self, peer: Peer, asked: UnlockRequest | UnfreezeRequest) -> Done:
        """Anybody's. Raises Refused when there is none."""
        key, what = (asked.key, "unlock") if isinstance(asked, UnlockRequest) else (None, "unfreeze")
        if key is not None:
            self._world.find(key)
        reason = needed(asked.reason, "why it is safe to deploy again")
        async with self._one:
            lock = self._world.locks.of(key)
            if lock is None:
                raise Refused(_none(key), self._hint(key))
            text = f"it was set {said(lock, self._ports.clock.now())}"
            row = self._audit.row(peer.actor, what, "done", key, text=text, reason=reason, cli=line_of(asked))
            await self._ports.store.set_lock(key, None, row)
            self._world.locks.put(key, None)
        await self._window.tell()
        still = self._world.locks.refusal(key) if key else ""
        return Done(
            f"{key} is unlocked{f', but {still}' if still else ''}" if key else "the freeze is lifted; locks stay"
        )

    async def expire(self) -> None:
        """What is over by itself is taken out of the log, so that a clock that is set back does not revive it."""
        for key, lock in self._world.locks.expired():
            async with self._one:
                if (key, lock) in self._world.locks.expired():
                    text = f"it was set by {lock.by}: {lock.reason}"
                    row = self._audit.row(ENGINE, "unlock" if key else "unfreeze", "expired", key, text=text)
                    await self._ports.store.set_lock(key, None, row)
                    self._world.locks.put(key, None)

    def _running(self, key: Of) -> tuple[Operation, ...]:
        runs = self._world.runs.values()
        return tuple(each.operation for each in runs if key in (None, each.operation.key) and not each.ended.is_set())

    def _hint(self, key: PlacementKey | None) -> str:
        frozen = key is not None and self._world.locks.freeze is not None
        return "but everything is frozen: cockpit unfreeze --reason …" if frozen else "cockpit status shows what is"


def needed(reason: str, what: str) -> str:
    """Cleaned. Raises UsageError when nothing is left of it."""
    reason = clean(reason, LIMIT)
    if not reason:
        raise UsageError("a reason is needed", f"say in a few words {what}")
    return reason


def _sensible(seconds: float) -> float:
    if 60.0 <= seconds <= MAX_LOCK_SECONDS:
        return seconds
    raise UsageError(
        f"a lock is for a minute at least and for {MAX_LOCK_SECONDS / 86400:.0f} d at most",
        "one that is needed longer is set again: somebody still wants it then",
    )


def _length(seconds: float) -> str:
    days, rest = divmod(round(seconds), 86400)
    parts = ((days, "d"), (rest // 3600, "h"), (rest % 3600 // 60, "m"), (rest % 60, "s"))
    return " ".join(f"{size}{unit}" for size, unit in parts if size)


def _none(key: PlacementKey | None) -> str:
    return f"{key} is not locked" if key else "nothing is frozen"
