"""Operators' locks and the freeze, as they are in force: what they refuse, and what goes through them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cockpit.clock import Clock
from cockpit.model import Lock, PlacementKey
from cockpit.text import age, remaining

DRIFT = 10.0  # seconds that the wall clock may be off before a lock's end is told anew
SOON = 20 * 3600.0  # seconds in which a time of day says enough

Of = PlacementKey | None  # None is the freeze


@dataclass(frozen=True, slots=True)
class _Held:
    lock: Lock
    deadline: float  # by the clock that never jumps


class Locks:
    """A lock lasts as long as was said, also when the wall clock is set meanwhile: that one counts only across a
    restart of the engine, and there for no longer than the whole length."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[Of, _Held] = {}

    def load(self, found: Mapping[Of, Lock]) -> None:
        """What the log has from before this engine."""
        for key, lock in found.items():
            self.put(key, lock)

    def put(self, key: Of, lock: Lock | None) -> None:
        if lock is None:
            self._held.pop(key, None)
            return
        left = min(lock.until - self._clock.now(), lock.until - lock.at)
        self._held[key] = _Held(lock, self._clock.monotonic() + left)

    def of(self, key: Of) -> Lock | None:
        """Its `until` is what the wall clock will say then."""
        held = self._held.get(key)
        left = held.deadline - self._clock.monotonic() if held else 0.0
        if held is None or left <= 0:
            return None
        until = self._clock.now() + left
        if abs(until - held.lock.until) <= DRIFT:
            return held.lock
        return replace(held.lock, until=round(until / DRIFT) * DRIFT)

    @property
    def freeze(self) -> Lock | None:
        return self.of(None)

    def expired(self) -> tuple[tuple[Of, Lock], ...]:
        """What is over and still in the log."""
        return tuple((key, held.lock) for key, held in self._held.items() if self.of(key) is None)

    def refusal(self, key: PlacementKey) -> str:
        """Why nothing may be deployed or restarted there; "" when nothing forbids it."""
        now = self._clock.now()
        if (freeze := self.freeze) is not None:
            return f"everything is frozen {said(freeze, now)} · lift it: cockpit unfreeze --reason …"
        if (lock := self.of(key)) is not None:
            return f"locked {said(lock, now)} · lift it: cockpit unlock {key} --reason …"
        return ""

    def overrides(self, key: PlacementKey) -> tuple[str, ...]:
        """What a rollback goes through."""
        found = (("freeze", self.freeze), ("lock", self.of(key)))
        return tuple(f"{what} by {lock.by}: {lock.reason}" for what, lock in found if lock)


def said(lock: Lock, now: float) -> str:
    """ "by ana 2h ago until 18:30 UTC (in 1h): the ledger is being moved"."""
    return f"by {lock.by} {age(now - lock.at)} ago until {when(lock.until, now)}: {lock.reason}"


def when(until: float, now: float) -> str:
    form = "%H:%M UTC" if until - now < SOON else "%d %b %H:%M UTC"
    return f"{time.strftime(form, time.gmtime(until))} (in {remaining(until - now)})"
