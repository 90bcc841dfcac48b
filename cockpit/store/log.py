"""The release log: the only durable memory of the engine, as named reads and writes.

A write is durable when it returns, and whole or not there at all; cancelling its caller does not cut it. Writes raise
StoreError when the log is read-only, its disk is full, or what they name does not exist. When the disk is full, what
is written during a rollback, and every outcome, still has the ballast.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar, Unpack

from cockpit.clock import Clock
from cockpit.model import (
    AuditRow,
    Failure,
    Hold,
    Lock,
    Operation,
    OperationKind,
    OperationState,
    PlacementKey,
    StepState,
)
from cockpit.store import audit, chain, history, locks, operations, placements, rebuilding, releases, retention
from cockpit.store import minutes as health
from cockpit.store import rows as whole
from cockpit.store import slots as leasing
from cockpit.store.base import Intent, Minute, PlacementRecord, PlacementRows, ReleaseRecord, SlotLease
from cockpit.store.database import Database, Work
from cockpit.store.operations import OperationChange
from cockpit.store.releases import ReleaseChange

T = TypeVar("T")
Recorded = Callable[[AuditRow], None]

AUDIT_PAGE = 1000  # rows that are verified between two chances for others to use the log
BEFORE_ALL = -(2**63)  # also before numbers that were never given out


class ReleaseLog:
    """`recorded` is called with each row of the audit once it is durable."""

    def __init__(self, database: Database, clock: Clock, recorded: Recorded = lambda row: None) -> None:
        self._database = database
        self._clock = clock
        self._recorded = recorded

    @classmethod
    async def open(cls, path: Path, clock: Clock, recorded: Recorded = lambda row: None) -> ReleaseLog:
        """Makes, migrates or, when it is damaged, replaces the file: see `note` and `read_only_reason`."""
        return cls(await Database.open(path), clock, recorded)

    async def close(self) -> None:
        await self._database.close()

    @property
    def note(self) -> str:
        """What was unusual at opening: "" or that a damaged file was set aside; and what `check` found since."""
        return self._database.note

    async def check(self) -> str | None:
        """What is wrong in all that opening had no time for, "" when nothing is. None: somebody wrote, ask again."""
        return await self._database.check()

    @property
    def read_only_reason(self) -> str:
        return self._database.read_only_reason

    # ------------------------------------------------------------ placements

    async def placement(self, key: PlacementKey) -> PlacementRecord:
        return await self._read(lambda db: placements.one(db, key))

    async def placements(self) -> tuple[PlacementRecord, ...]:
        return await self._read(placements.every)

    async def rows(
        self, keys: Iterable[PlacementKey], limit: int, moved: Mapping[PlacementKey, int]
    ) -> tuple[PlacementRows, ...]:
        """Of each placement its newest `limit` releases, with the live and the last good one, and its newest
        operations. `moved`: where customers are known to be, whatever the log says."""
        return await self._read(lambda db: tuple(whole.of(db, key, limit, moved.get(key)) for key in keys))

    async def set_live(
        self, key: PlacementKey, number: int, at: float, *, hot_until: float | None, baking_until: float | None
    ) -> None:
        """`number` is live since `at`; the former one is hot until `hot_until`. Saying it twice does no harm."""
        await self._vital(lambda db: releases.set_live(db, key, number, at, hot_until, baking_until))

    async def set_hold(self, key: PlacementKey, hold: Hold | None) -> None:
        await self._vital(lambda db: placements.set_hold(db, key, hold))

    # ------------------------------------------------------------ releases

    async def add_release(self, record: ReleaseRecord) -> ReleaseRecord:
        """A record with number 0 comes back with the placement's next one."""
        return await self._write(lambda db: releases.add(db, record))

    async def release(self, key: PlacementKey, number: int) -> ReleaseRecord | None:
        return await self._read(lambda db: releases.one(db, key, number))

    async def releases(self, key: PlacementKey, limit: int = 50) -> tuple[ReleaseRecord, ...]:
        """Newest first."""
        return await self._read(lambda db: releases.newest(db, key, limit))

    async def update_release(self, key: PlacementKey, number: int, **fields: Unpack[ReleaseChange]) -> None:
        await self._vital(lambda db: releases.update(db, key, number, fields))

    async def last_good(self, key: PlacementKey, *, excluding: int | None = None) -> ReleaseRecord | None:
        """The newest that is good, not taken back since, and whose image is still there."""
        return await self._read(lambda db: retention.last_good(db, key, excluding))

    async def hot_expired(self, now: float) -> tuple[ReleaseRecord, ...]:
        return await self._read(lambda db: releases.hot_expired(db, now))

    async def retained(self, key: PlacementKey, keep: int) -> tuple[ReleaseRecord, ...]:
        """Releases whose image may go, oldest first: none that is live, running, kept stopped, being deployed, where a
        rollback would go, or one of the newest `keep` good ones; and no image that such a one has too."""
        return await self._read(lambda db: retention.removable(db, key, keep))

    async def last_operation(self) -> int:
        """The highest number that an operation had, also one that only the hosts know of."""
        return await self._read(rebuilding.last_operation)

    async def numbers(self, key: PlacementKey) -> frozenset[int]:
        """Of all its releases."""
        return frozenset(await self._read(lambda db: rebuilding.numbers(db, key)))

    async def rebuild(self, found: rebuilding.Found, at: float, hot_until: float) -> None:
        """Releases that the log lost, or never had. What was live before them is hot until `hot_until`."""
        await self._vital(lambda db: rebuilding.enter(db, found, at, hot_until))

    # ------------------------------------------------------------ slots

    async def lease_slot(
        self, key: PlacementKey, release: int, slots: int, *, rest: float, avoid: frozenset[int]
    ) -> int:
        """The lowest slot never used, else the one freed longest ago, at least `rest` seconds. The same one when the
        release has one already. Raises StoreError when there is none."""
        at = self._clock.now()
        return await self._vital(lambda db: leasing.lease(db, key, release, slots, rest=rest, avoid=avoid, at=at))

    async def lease_spare(
        self, key: PlacementKey, release: int, slots: int, *, rest: float, avoid: frozenset[int]
    ) -> int:
        """A second slot, chosen likewise, of a release that restarts: it is the release's own once
        `update_release(slot=…)` says so. Raises StoreError when there is none."""
        at = self._clock.now()
        return await self._vital(lambda db: leasing.spare(db, key, release, slots, rest=rest, avoid=avoid, at=at))

    async def correct_slots(self, key: PlacementKey, found: leasing.Correction) -> None:
        at = self._clock.now()
        await self._vital(lambda db: leasing.correct(db, key, found, at))

    async def free_slot(self, slot: int, at: float) -> None:
        await self._vital(lambda db: leasing.free(db, slot, at))

    async def leases(self) -> tuple[SlotLease, ...]:
        """The last lease of each slot ever used; `freed_at` None means that it is held."""
        return await self._read(leasing.leases)

    # ------------------------------------------------------------ operations

    async def begin_operation(self, operation: Operation, cli: str = "") -> int:
        """With the number that it has, or the next one when that is 0. Its row in the audit is part of it."""

        def begin(db: sqlite3.Connection) -> tuple[int, AuditRow]:
            number = operations.begin(db, operation)
            return number, audit.operation_began(db, number, operation.started_at, cli)

        number, row = await self._database.write(begin, vital=operation.kind is OperationKind.ROLLBACK)
        self._recorded(row)
        return number

    async def set_operation(self, operation: int, **fields: Unpack[OperationChange]) -> None:
        await self._vital(lambda db: operations.change(db, operation, fields))

    async def intent(self, operation: int, step: str, inputs: str, at: float, *, log_offset: int | None = None) -> None:
        """Before the effect. `inputs` is JSON, with the step's idempotency key; `log_offset` its first log line."""
        await self._vital(lambda db: operations.intent(db, operation, step, inputs, at, log_offset))

    async def outcome(self, operation: int, step: str, state: StepState, detail: str, at: float) -> None:
        await self._vital(lambda db: operations.outcome(db, operation, step, state, detail, at))

    async def switched(self, operation: int, at: float) -> None:
        await self._vital(lambda db: operations.switched(db, operation, at))

    async def end_operation(
        self,
        operation: int,
        state: OperationState,
        summary: str,
        failure: Failure | None,
        at: float,
        *,
        recovered: bool = False,
    ) -> None:
        """Steps that still run are failed, those that wait are skipped; its row in the audit is part of it, in the name
        of whoever began it unless it was `recovered`. Raises StoreError when it ended before."""

        def end(db: sqlite3.Connection) -> AuditRow:
            operations.end(db, operation, state, summary, failure, at)
            return audit.operation_ended(db, operation, state, summary, at, recovered=recovered)

        self._recorded(await self._vital(end))

    async def operation(self, operation: int) -> Operation | None:
        return await self._read(lambda db: history.one(db, operation))

    async def operations(self, key: PlacementKey | None = None, limit: int = 50) -> tuple[Operation, ...]:
        """Newest first, with their steps."""
        return await self._read(lambda db: history.newest(db, key, limit))

    async def unfinished(self) -> tuple[Operation, ...]:
        """Oldest first; stuck ones are not among them."""
        return await self._read(history.unfinished)

    async def dangling(self, operation: int) -> Intent | None:
        """The newest step whose effect may or may not have happened."""
        return await self._read(lambda db: history.dangling(db, operation))

    async def usual_seconds(self, key: PlacementKey, kind: OperationKind) -> dict[str, float]:
        """Median of each step's last 5 in succeeded operations; of any placement's when this one has none."""
        return await self._read(lambda db: history.usual_seconds(db, key, kind))

    async def usual_rollback(self, key: PlacementKey, tier: str) -> float | None:
        """Median seconds from request to switch, of the last 5 (`set_operation(id, tier=…)` says what each was)."""
        return await self._read(lambda db: history.usual_rollback(db, key, tier))

    # ------------------------------------------------------------ locks

    async def locks(self) -> Mapping[PlacementKey | None, Lock]:
        """Also those that have expired. None stands for the freeze."""
        return await self._read(locks.every)

    async def set_lock(self, key: PlacementKey | None, lock: Lock | None, row: AuditRow) -> AuditRow:
        """With its row in the audit, or neither. `lock` None lifts it; `key` None is the freeze."""
        return await self.record(row, lambda db: locks.put(db, key, lock))

    async def release_hold(self, key: PlacementKey, row: AuditRow) -> AuditRow:
        return await self.record(row, lambda db: placements.set_hold(db, key, None))

    # ------------------------------------------------------------ audit

    async def record(self, row: AuditRow, work: Work[None] = lambda db: None) -> AuditRow:
        """What was done, with `work` in the same transaction. Gives the row back with its number and hash."""

        def recording(db: sqlite3.Connection) -> AuditRow:
            work(db)
            return audit.add(db, row)

        added = await self._write(recording)
        self._recorded(added)
        return added

    async def audit(
        self, limit: int, key: PlacementKey | None = None, before: int | None = None
    ) -> tuple[AuditRow, ...]:
        """Newest first; with `before`, those with smaller numbers."""
        return await self._read(lambda db: audit.newest(db, limit, key, before))

    async def verify_audit(self, head: str = "") -> tuple[AuditRow | None, chain.Broken | None]:
        """The last good row, and the first that is not as it was written. With `head`, the chain must have had it.

        Page by page: what is written meanwhile (a rollback) does not wait for years of history."""
        verifier = chain.Verifier(head)
        highest = await self._read(audit.highest)
        after = BEFORE_ALL
        while rows := await self._read(lambda db, after=after: audit.page(db, after, AUDIT_PAGE)):  # type: ignore[misc]  # a default binds it
            broken = await asyncio.to_thread(verifier.follow, rows)
            if broken is not None:
                return verifier.last, broken
            after = rows[-1].id
        return verifier.last, verifier.end(highest)

    # ------------------------------------------------------------ minutes

    async def add_minutes(self, minutes: Sequence[Minute]) -> None:
        await self._write(lambda db: health.add(db, minutes))

    async def minutes(self, since: float) -> tuple[Minute, ...]:
        """Of all placements, each oldest first."""
        return await self._read(lambda db: health.since(db, since))

    async def prune_minutes(self, before: float) -> None:
        await self._write(lambda db: health.prune(db, before))

    # ------------------------------------------------------------

    async def _read(self, work: Work[T]) -> T:
        return await self._database.read(work)

    async def _write(self, work: Work[T]) -> T:
        return await self._database.write(work)

    async def _vital(self, work: Work[T]) -> T:
        return await self._database.write(work, vital=True)
