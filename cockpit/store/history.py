"""Operations in the release log, as they are read back: whole, newest first, and how long they usually take."""

from __future__ import annotations

import json
import sqlite3
import statistics
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from cockpit.model import (
    Actor,
    Failure,
    Operation,
    OperationKind,
    OperationState,
    PlacementKey,
    Side,
    Step,
    StepState,
)
from cockpit.store import audit, placements
from cockpit.store.base import Intent

USUAL_OF = 5  # the newest good ones that a median is made of
LOOK_BACK = 25  # succeeded operations searched for them, as a step may be skipped in many

_SELECT = """
SELECT operations.id, service, environment, kind, state, actor, actor_uid, actor_login, actor_claimed, started_at,
       ended_at, switched_at, from_release, to_release, commit_sha, subject, reason, summary, failure, overrides
FROM operations JOIN placements ON placements.id = placement
"""


def one(db: sqlite3.Connection, operation: int) -> Operation | None:
    found = _operations(db, "WHERE operations.id = ?", (operation,))
    return found[0] if found else None


def newest(
    db: sqlite3.Connection, key: PlacementKey | None, limit: int, *, told: int | None = None
) -> tuple[Operation, ...]:
    """Steps only of the first `told`: they are most of what there is to read."""
    if key is None:
        return _operations(db, "ORDER BY operations.id DESC LIMIT ?", (limit,), told)
    placement = placements.find(db, key)
    return _operations(db, "WHERE placement = ? ORDER BY operations.id DESC LIMIT ?", (placement, limit), told)


def unfinished(db: sqlite3.Connection) -> tuple[Operation, ...]:
    """Oldest first."""
    return _operations(db, "WHERE state = 'running' ORDER BY operations.id", ())


def dangling(db: sqlite3.Connection, operation: int) -> Intent | None:
    """The newest intent, when no outcome of its step came after it."""
    row = db.execute(
        """
        SELECT step, text, at FROM events AS intent WHERE operation = ? AND kind = 'intent' AND NOT EXISTS (
            SELECT 1 FROM events WHERE operation = intent.operation AND kind = 'outcome' AND step = intent.step
                                       AND id > intent.id)
        ORDER BY id DESC LIMIT 1
        """,
        (operation,),
    ).fetchone()
    return Intent(operation, *row) if row else None


def usual_seconds(db: sqlite3.Connection, key: PlacementKey, kind: OperationKind) -> dict[str, float]:
    """Median seconds by step; of any placement's operations when this one has none."""
    own = _durations(db, "placement = ? AND kind = ?", (placements.find(db, key), kind.value))
    return own or _durations(db, "kind = ?", (kind.value,))


def usual_rollback(db: sqlite3.Connection, key: PlacementKey, tier: str) -> float | None:
    """Median seconds from request to switch of this placement's last rollbacks to such a release."""
    rows = db.execute(
        """
        SELECT switched_at - started_at FROM operations
        WHERE placement = ? AND kind = 'rollback' AND state = 'succeeded' AND tier = ? AND switched_at >= started_at
        ORDER BY id DESC LIMIT ?
        """,
        (placements.find(db, key), tier, USUAL_OF),
    ).fetchall()
    return statistics.median(seconds for (seconds,) in rows) if rows else None


def _durations(db: sqlite3.Connection, where: str, values: tuple[Any, ...]) -> dict[str, float]:
    rows = db.execute(
        f"""
        SELECT name, ended_at - started_at FROM steps WHERE state = 'done' AND ended_at >= started_at AND operation IN (
            SELECT id FROM operations WHERE {where} AND state = 'succeeded' ORDER BY id DESC LIMIT {LOOK_BACK})
        ORDER BY operation DESC
        """,
        values,
    )
    taken: defaultdict[str, list[float]] = defaultdict(list)
    for name, seconds in rows:
        taken[name].append(seconds)
    return {name: statistics.median(seconds[:USUAL_OF]) for name, seconds in taken.items()}


def _operations(
    db: sqlite3.Connection, clause: str, values: tuple[Any, ...], told: int | None = None
) -> tuple[Operation, ...]:
    rows = db.execute(f"{_SELECT} {clause}", values).fetchall()
    steps = _steps(db, [row[0] for row in rows[:told]])
    return tuple(_operation(row, tuple(steps[row[0]])) for row in rows)


def _steps(db: sqlite3.Connection, operations: Iterable[int]) -> defaultdict[int, list[Step]]:
    steps: defaultdict[int, list[Step]] = defaultdict(list)
    rows = db.execute(
        """
        SELECT operation, name, state, started_at, ended_at, detail, log_offset
        FROM steps WHERE operation IN (SELECT value FROM json_each(?)) ORDER BY operation, position
        """,
        (json.dumps(list(operations)),),
    )
    for operation, name, state, started_at, ended_at, detail, log_offset in rows:
        step = Step(name, StepState(state), started_at, ended_at, detail, log_offset=log_offset)
        steps[operation].append(step)
    return steps


def _operation(row: tuple[Any, ...], steps: tuple[Step, ...]) -> Operation:
    number, service, environment, kind, state, *more = row
    actor, started_at, ended_at, switched_at = Actor(*more[:4]), *more[4:7]
    from_release, to_release, commit, subject, reason, summary, failure, overrides = more[7:]
    return Operation(
        id=number,
        kind=OperationKind(kind),
        key=PlacementKey(service, environment),
        actor=actor,
        state=OperationState(state),
        started_at=started_at,
        ended_at=ended_at,
        from_release=from_release,
        to_release=to_release,
        commit=commit,
        subject=subject,
        reason=reason,
        steps=steps,
        failure=_failure(failure),
        switched_at=switched_at,
        summary=summary,
        overrides=audit.lines_of(overrides),
    )


def _failure(stored: str | None) -> Failure | None:
    if stored is None:
        return None
    fields = json.loads(stored)
    return Failure(**{**fields, "side": Side(fields["side"])})
