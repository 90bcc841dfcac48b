"""A release log as years of deploys leave it, written through the store's own statements in one go.

Every fifth operation of a placement is a rollback of the release before it, every eleventh a deploy that fails, every
seventh a restart; all others are deploys. Each placement's live release has a slot, as one that serves.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cockpit.model import (
    Actor,
    Minute,
    Operation,
    OperationKind,
    OperationState,
    PlacementKey,
    Step,
    StepState,
)
from cockpit.store import audit, minutes, operations, placements, releases, slots
from cockpit.store.base import ReleaseRecord
from cockpit.store.opening import open_file

MAYA = Actor("maya", 1000, "maya")
SLOTS = 4  # that each placement has had
APART = 3  # hours between two operations of a placement
HOUR = 3600.0
DEPLOY = ("preflight", "fetch", "build", "start", "verify", "switch", "confirm", "bake", "settle")
MOVE = ("start", "verify", "switch", "confirm", "settle")

# What tells the copies apart, in SQL: `each` is the placement, `of` the pattern's row, n how many placements there are.
_COPIED = {
    "operations": {"id": "(of.id - 1) * {n} + each.id", "placement": "each.id"},
    "releases": {
        "placement": "each.id",
        "operation": "(of.operation - 1) * {n} + each.id",
        "slot": f"of.slot + {SLOTS} * (each.id - 1)",
    },
    "slots": {"slot": f"of.slot + {SLOTS} * (each.id - 1)", "placement": "each.id"},
    "steps": {"operation": "(of.operation - 1) * {n} + each.id"},
    "events": {"id": "NULL", "operation": "(of.operation - 1) * {n} + each.id"},
}


@dataclass(frozen=True, slots=True)
class Kept:
    """What the log is about: `frozen` is the configuration that all releases have, as text."""

    keys: Sequence[PlacementKey]
    commit: str
    frozen: str
    image: str
    now: float


def write(path: Path, kept: Kept, turns: Sequence[int]) -> None:
    """So many operations of each placement, the newest an hour ago; and the last hour's minutes.

    One placement's history is written as the engine would, and copied for all with as many operations."""
    with _unsafe(path) as db:
        for key in kept.keys:
            placements.ensure(db, key)
        db.execute("COMMIT")
        for count in sorted(set(turns)):
            pattern = path.with_name(f"{path.name}.pattern")
            _write_pattern(pattern, kept, count)
            db.execute("ATTACH ? AS pattern", (str(pattern),))
            db.execute("BEGIN")
            chosen = ",".join(str(number) for number, each in enumerate(turns, start=1) if each == count)
            for table, changed in _COPIED.items():
                _copy(db, table, {name: form.format(n=len(turns)) for name, form in changed.items()}, chosen)
            db.execute("COMMIT")
            db.execute("DETACH pattern")
            pattern.unlink()
        db.execute("BEGIN")
        _chain(db)
        if any(turns):
            minutes.add(db, tuple(_last_hour(kept)))


def _write_pattern(path: Path, kept: Kept, turns: int) -> None:
    with _unsafe(path) as db:
        for turn in range(turns):
            _Turn(kept, kept.keys[0], turn).write(db, kept.now - HOUR * (1 + (turns - turn) * APART))


@contextmanager
def _unsafe(path: Path) -> Iterator[sqlite3.Connection]:
    """In one transaction, that no loss of power is expected in."""
    db = open_file(path).db
    try:
        for pragma in ("synchronous = OFF", "journal_mode = OFF", "foreign_keys = OFF", "cache_size = -262144"):
            db.execute(f"PRAGMA {pragma}")
        db.execute("BEGIN")
        yield db
        db.execute("COMMIT")
    finally:
        db.close()


def _copy(db: sqlite3.Connection, table: str, changed: Mapping[str, str], chosen: str) -> None:
    """The pattern's rows for each placement of `chosen`, whose own are told apart by `changed`."""
    columns = [str(row[1]) for row in db.execute(f"PRAGMA main.table_info({table})")]
    values = ", ".join(changed.get(name, f"of.{name}") for name in columns)
    order = "of.operation, each.id, of.rowid" if table == "events" else "1, 2"
    db.execute(
        f"INSERT INTO main.{table} SELECT {values} FROM pattern.{table} AS of, main.placements AS each "
        f"WHERE each.id IN ({chosen}) ORDER BY {order}"
    )


def _chain(db: sqlite3.Connection) -> None:
    """Who asked for each operation, and how it ended: two rows of the audit, as the engine adds them."""
    rows = db.execute("SELECT id, state, summary, started_at, ended_at FROM main.operations ORDER BY id").fetchall()
    for number, state, summary, started_at, ended_at in rows:
        audit.operation_began(db, number, started_at, "cockpit deploy")
        audit.operation_ended(db, number, OperationState(state), summary, ended_at, recovered=False)


@dataclass(frozen=True, slots=True)
class _Turn:
    """Operation `turn` of a placement; its first is a deploy that succeeds."""

    kept: Kept
    key: PlacementKey
    turn: int

    @property
    def kind(self) -> OperationKind:
        if self.turn % 5 == 4:
            return OperationKind.ROLLBACK
        return OperationKind.RESTART if self.turn % 7 == 6 else OperationKind.DEPLOY

    def write(self, db: sqlite3.Connection, at: float) -> None:
        live = releases.select(db, "service = ? AND environment = ? AND live_since IS NOT NULL", self._name)
        failed = self.kind is OperationKind.DEPLOY and self.turn % 11 == 10
        before = live[0].number if live else None
        new = self._release(db, at, failed) if self.kind is OperationKind.DEPLOY else self._former(db, before)
        number = self._operation(db, at, before, new, failed)
        if failed:
            return
        if before is not None and live[0].slot is not None and before != new:
            slots.free(db, live[0].slot, at)
        slots.lease(db, self.key, new, SLOTS, rest=0.0, avoid=frozenset(), at=at)
        releases.set_live(db, self.key, new, at, None, None)
        releases.update(db, self.key, new, {"good_at": at + 600.0, "operation": number})

    @property
    def _name(self) -> tuple[str, str]:
        return self.key.service, self.key.environment

    def _release(self, db: sqlite3.Connection, at: float, failed: bool) -> int:
        kept = self.kept
        record = ReleaseRecord(
            self.key, 0, 0, kept.commit, kept.commit, f"Change price {self.turn}", "Maya", "maya", at,
            image=kept.image, spec=kept.frozen, failed=failed, bad_reason="did not answer" if failed else "",
        )  # fmt: skip
        return releases.add(db, record).number

    def _former(self, db: sqlite3.Connection, before: int | None) -> int:
        """A restart stays where it is, a rollback goes one back."""
        assert before is not None, "the first is a deploy"
        if self.kind is OperationKind.RESTART:
            return before
        found = releases.select(
            db,
            "service = ? AND environment = ? AND number < ? AND NOT failed ORDER BY number DESC LIMIT 1",
            (*self._name, before),
        )
        return found[0].number if found else before

    def _operation(self, db: sqlite3.Connection, at: float, before: int | None, new: int, failed: bool) -> int:
        names = DEPLOY if self.kind is OperationKind.DEPLOY else MOVE
        number = operations.begin(
            db,
            Operation(
                0, self.kind, self.key, MAYA, OperationState.RUNNING, at, from_release=before, to_release=new,
                commit=self.kept.commit, subject=f"Change price {self.turn}", reason="bench",
                steps=tuple(Step(name) for name in names),
            ),
        )  # fmt: skip
        last = "verify" if failed else names[-1]
        for position, name in enumerate(names):
            operations.intent(db, number, name, f'{{"release": {new}}}', at + position, position)
            if name == "switch":
                operations.switched(db, number, at + position + 0.5)
            state = StepState.FAILED if failed and name == last else StepState.DONE
            operations.outcome(db, number, name, state, "", at + position + 0.9)
            if name == last:
                break
        outcome = OperationState.FAILED if failed else OperationState.SUCCEEDED
        operations.end(db, number, outcome, f"r{new}", None, at + len(names))
        return number


def _last_hour(kept: Kept) -> Iterator[Minute]:
    start = kept.now // 60 * 60 - HOUR
    for key in kept.keys:
        for turn in range(60):
            yield Minute(key, start + 60 * turn, 30, 0, 2.0, 600, 1, 12.0)
