"""The one-off containers of a Docker host in memory."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cockpit.clock import Clock
from cockpit.errors import TargetDown, TargetError
from cockpit.model import PlacementKey
from cockpit.targets.base import ContainerState, OneOff, RawLine
from cockpit.targets.one_offs import why_not_done
from cockpit.targets.orders import RunOrder

_LOOK = 0.01  # seconds between two looks


@dataclass(frozen=True, slots=True)
class Migration:
    """What the command of a release's one-off does."""

    exits: int | None = 0  # None: it goes on for ever
    after: float = 0.0  # seconds after its start
    oom: bool = False
    lines: tuple[tuple[str, str], ...] = ()  # (stream, text), written at the start
    refuses: str = ""  # Docker's reason why it cannot start


@dataclass(slots=True)
class _Box:
    one_off: OneOff
    migration: Migration
    log: list[RawLine] = field(default_factory=list)


class FakeOneOffs:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._boxes: dict[str, _Box] = {}  # by id
        self._ids = itertools.count(1)

    async def run(
        self, order: RunOrder, migration: Migration, emit: Callable[[RawLine], None], reached: Callable[[], None]
    ) -> int:
        """`reached` raises when the host is down."""
        box = self._begin(order, migration)
        identifier = box.one_off.id
        try:
            for line in box.log:
                emit(line)
            while self._now(box).running:
                await asyncio.sleep(_LOOK)
                reached()
        except TargetDown:
            raise
        except BaseException:  # also a cancellation: who gave up on it does not leave it running
            with contextlib.suppress(TargetDown):
                reached()
                self._boxes.pop(identifier, None)
            raise
        if identifier not in self._boxes:
            raise TargetError("its container was removed while it ran", "…")
        if (error := why_not_done(order, box.one_off, tuple(line.text for line in box.log))) is not None:
            raise error
        return box.one_off.exit_code or 0

    def found(self, key: PlacementKey, release: int) -> tuple[OneOff, ...]:
        boxes = [box for box in self._boxes.values() if (box.one_off.key, box.one_off.release) == (key, release)]
        return tuple(sorted((self._now(box) for box in boxes), key=lambda each: each.operation))

    def remove(self, key: PlacementKey, release: int, *, running: bool) -> None:
        for each in self.found(key, release):
            if running or not each.running:
                box = self._boxes.pop(each.id)
                box.one_off = replace(box.one_off, state=ContainerState.DEAD)

    def _begin(self, order: RunOrder, migration: Migration) -> _Box:
        doing = f"the migration of {order.key} r{order.release}"
        if any(each.operation == order.operation for each in self.found(order.key, order.release)):
            raise TargetError(f"operation {order.operation} began {doing} before", "…")
        if migration.refuses:
            raise TargetError(f"Docker refused to run {doing}: {migration.refuses}", "…")
        now, identifier = self._clock.now(), f"{next(self._ids):063x}e"
        one_off = OneOff(identifier, order.key, order.release, order.operation, ContainerState.RUNNING, started_at=now)
        box = _Box(one_off, migration, [RawLine(now, words, stream) for stream, words in migration.lines])
        self._boxes[identifier] = box
        return box

    def _now(self, box: _Box) -> OneOff:
        """With all that it did by now."""
        it, migration, now = box.one_off, box.migration, self._clock.now()
        due = migration.exits is not None and it.started_at is not None and now >= it.started_at + migration.after
        if it.running and due:
            box.one_off = replace(
                it,
                state=ContainerState.EXITED,
                exit_code=migration.exits,
                oom_killed=migration.oom,
                finished_at=now,
            )
        return box.one_off
