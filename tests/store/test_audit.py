"""The audit's chain: whatever is done to its rows behind the cockpit's back, the first bad one is named."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.errors import StoreError
from cockpit.model import Actor, AuditRow, Failure, Lock, OperationKind, OperationState, PlacementKey, Side
from cockpit.store import chain, opening
from cockpit.store.database import Database
from cockpit.store.log import ReleaseLog
from cockpit.store.migrations import MIGRATIONS
from tests.store.conftest import HandClock, operation

ANA = Actor("ana", 1000, "ana", "SUDO_USER=tom")
WEB = PlacementKey("web", "production")
COLUMNS = (
    "at", "actor", "actor_uid", "actor_login", "actor_claimed", "action", "outcome", "service", "environment",
    "operation", "text", "reason", "seconds", "overrides", "cli", "previous", "hash",
)  # fmt: skip
SIZE = 7  # rows in a chain that is tampered with

Edit = Callable[[sqlite3.Connection], object]


def note(number: int) -> AuditRow:
    return AuditRow(
        0,
        1_790_000_000.25 + number,
        ANA,
        "exec",
        "began",
        WEB,
        operation=number,
        text=f"runs “ls {number}”",
        reason="",
        seconds=None if number % 2 else 1.5,
        overrides=("lock by tom: the ledger", "freeze by kim: sale") if number % 3 == 0 else (),
        cli="cockpit exec web/production",
    )


async def written(directory: Path, rows: int = SIZE) -> Path:
    path = directory / "releases.db"
    log = await ReleaseLog.open(path, HandClock())
    for number in range(1, rows + 1):
        await log.record(note(number))
    await log.close()
    return path


async def verdict(path: Path, head: str = "") -> chain.Broken | None:
    log = await ReleaseLog.open(path, HandClock())
    try:
        return (await log.verify_audit(head))[1]
    finally:
        await log.close()


def tamper(path: Path, edit: Edit) -> None:
    """As somebody who may write the file: triggers are no obstacle."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        edit(db)


def after(edit: Edit, head: str = "") -> chain.Broken | None:
    """What is found in a whole chain after somebody's edit."""

    async def story() -> chain.Broken | None:
        with tempfile.TemporaryDirectory() as directory:
            path = await written(Path(directory))
            assert await verdict(path) is None
            tamper(path, edit)
            return await verdict(path, head)

    return asyncio.run(story())


ROW = st.integers(1, SIZE)
CHANGED: dict[str, st.SearchStrategy[Any]] = {
    "at": st.floats(0, 2e9),
    "actor_uid": st.integers(-1, 2**31),
    "operation": st.none() | st.integers(1, 99),
    "seconds": st.none() | st.floats(0, 1e6),
    "previous": st.text("0123456789abcdef", min_size=64, max_size=64),
    "hash": st.text("0123456789abcdef", min_size=64, max_size=64),
}
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@st.composite
def edits(draw: st.DrawFn) -> tuple[int, str, Any]:
    column = draw(st.sampled_from(COLUMNS))
    nullable = st.none() if column in ("service", "environment") else st.nothing()
    return draw(ROW), column, draw(CHANGED.get(column, TEXT | nullable))


@pytest.mark.blocking("writes databases in this thread")
@settings(max_examples=40, deadline=None)
@given(edits())
def test_a_changed_field_of_any_row_is_found_in_that_row(made: tuple[int, str, Any]) -> None:
    number, column, value = made
    was: list[Any] = []

    def edit(db: sqlite3.Connection) -> None:
        was.extend(db.execute(f"SELECT {column} FROM audit WHERE id = ?", (number,)).fetchone())
        db.execute(f"UPDATE audit SET {column} = ? WHERE id = ?", (value, number))

    broken = after(edit)
    assert (broken.row if broken else None) == (None if was == [value] else number)


@pytest.mark.blocking("writes databases in this thread")
@settings(max_examples=15, deadline=None)
@given(st.sets(ROW, min_size=1))
def test_of_removed_rows_the_first_is_named(gone: set[int]) -> None:
    broken = after(lambda db: [db.execute("DELETE FROM audit WHERE id = ?", (each,)) for each in gone])
    assert broken is not None
    assert (broken.row, "missing" in broken.why) == (min(gone), True)


@pytest.mark.blocking("writes databases in this thread")
@settings(max_examples=15, deadline=None)
@given(ROW, ROW)
def test_of_rows_that_changed_places_the_first_is_named(one: int, other: int) -> None:
    def swap(db: sqlite3.Connection) -> None:
        for old, new in ((one, 99), (other, one), (99, other)):
            db.execute("UPDATE audit SET id = ? WHERE id = ?", (new, old))

    broken = after(swap)
    assert (broken.row if broken else None) == (None if one == other else min(one, other))


@pytest.mark.parametrize("number", range(1, SIZE))
@pytest.mark.blocking("writes databases in this thread")
def test_a_row_that_was_rewritten_with_a_hash_of_its_own_is_named(number: int) -> None:
    broken = after(lambda db: forge(db, number, number))
    assert broken is not None
    assert broken.row == number


@pytest.mark.parametrize("head", ["{id}:{hash}", "{hash}"])
@pytest.mark.blocking("writes databases in this thread")
def test_a_chain_that_was_forged_to_its_end_is_found_by_a_head_that_left_the_machine(head: str, tmp_path: Path) -> None:
    path = asyncio.run(written(tmp_path))
    with closing(sqlite3.connect(path)) as db:
        number, digest = db.execute("SELECT id, hash FROM audit WHERE id = 5").fetchone()
    sent = head.format(id=number, hash=digest)
    assert asyncio.run(verdict(path, sent)) is None
    tamper(path, lambda db: forge(db, 4, SIZE))
    assert asyncio.run(verdict(path)) is None
    broken = asyncio.run(verdict(path, sent))
    assert broken is not None
    assert broken.row == (5 if "id" in head else SIZE + 1)


@pytest.mark.blocking("writes databases in this thread")
def test_a_cut_tail_is_found_by_the_numbers_given_out_or_by_a_head(tmp_path: Path) -> None:
    path = asyncio.run(written(tmp_path))
    with closing(sqlite3.connect(path)) as db:
        (digest,) = db.execute("SELECT hash FROM audit WHERE id = ?", (SIZE,)).fetchone()
    tamper(path, lambda db: db.execute("DELETE FROM audit WHERE id > 5"))
    broken = asyncio.run(verdict(path))
    assert broken is not None
    assert (broken.row, "cut" in broken.why) == (6, True)
    tamper(path, lambda db: db.execute("UPDATE sqlite_sequence SET seq = 5 WHERE name = 'audit'"))
    assert asyncio.run(verdict(path)) is None
    for head in (digest, f"{SIZE}:{digest}"):
        broken = asyncio.run(verdict(path, head))
        assert broken is not None
        assert broken.row == 6


async def test_rows_that_come_after_a_cut_do_not_hide_it(tmp_path: Path) -> None:
    path = await written(tmp_path)
    tamper(path, lambda db: db.execute("DELETE FROM audit WHERE id > 5"))
    log = await ReleaseLog.open(path, HandClock())
    assert (await log.record(note(9))).id == SIZE + 1
    _, broken = await log.verify_audit()
    await log.close()
    assert broken is not None
    assert broken.row == 6


async def test_a_row_before_the_first_is_named(tmp_path: Path) -> None:
    path = await written(tmp_path)
    tamper(path, lambda db: db.execute("UPDATE audit SET id = -3 WHERE id = 2"))
    broken = await verdict(path)
    assert broken is not None
    assert broken.row == -3


def forge(db: sqlite3.Connection, first: int, last: int) -> None:
    """Says something else in `first`, and chains all up to `last` to it as the cockpit would have."""
    from cockpit.store import audit

    db.execute("UPDATE audit SET actor = 'kim' WHERE id = ?", (first,))
    (previous,) = db.execute("SELECT previous FROM audit WHERE id = ?", (first,)).fetchone()
    for row in audit.page(db, first - 1, last - first + 1):
        forged = chain.chained(row, previous)
        db.execute("UPDATE audit SET previous = ?, hash = ? WHERE id = ?", (forged.previous, forged.hash, forged.id))
        previous = forged.hash


# ---------------------------------------------------------------- what the form is


def test_the_form_of_a_row_is_the_documented_one() -> None:
    """Another program checks old rows by it: it never changes."""
    row = chain.chained(replace(note(3), id=3), chain.GENESIS)
    assert chain.canonical(row) == (
        b'["cockpit-audit-1",3,1790000003.25,["ana",1000,"ana","SUDO_USER=tom"],"exec","began",["web","production"],3,'
        b'"runs \\u201cls 3\\u201d","",null,["lock by tom: the ledger","freeze by kim: sale"],'
        b'"cockpit exec web/production"]'
    )
    assert row.hash == "5450fa10b6c9b35226766bd6ce1e2184ccdfee7b226d4a784d9595888abb266b"


@pytest.mark.blocking("writes databases in this thread")
@settings(max_examples=30, deadline=None)
@given(
    st.builds(
        AuditRow,
        st.just(0),
        st.integers(0, 10) | st.floats(0, 1e10),
        st.builds(Actor, TEXT, st.integers(-1, 2**31), TEXT, TEXT),
        TEXT.filter(bool),
        TEXT.filter(bool),
        st.none() | st.just(WEB),
        st.none() | st.integers(1, 2**40),
        TEXT,
        TEXT,
        st.none() | st.floats(0, 1e6),
        st.lists(TEXT.filter(lambda text: bool(text) and "\n" not in text)).map(tuple),
        TEXT,
    )
)
def test_what_is_read_back_is_what_was_hashed(row: AuditRow) -> None:
    async def story(path: Path) -> tuple[AuditRow, AuditRow, chain.Broken | None]:
        log = await ReleaseLog.open(path, HandClock())
        added = await log.record(row)
        found = await log.audit(1)
        _, broken = await log.verify_audit()
        await log.close()
        return added, found[0], broken

    with tempfile.TemporaryDirectory() as directory:
        added, found, broken = asyncio.run(story(Path(directory) / "releases.db"))
    assert broken is None
    assert found == added
    assert replace(found, id=0, previous="", hash="") == row


# ---------------------------------------------------------------- how rows come about


async def test_an_operation_and_its_rows_come_together(log: ReleaseLog, begin: Any, shop: PlacementKey) -> None:
    override = ("lock by tom: the ledger",)
    operation = await begin(kind=OperationKind.ROLLBACK, reason="503s", overrides=override, cli="cockpit rollback")
    await log.end_operation(operation, OperationState.FAILED, "r41 serves", failure(), 107.5)
    ended, began = await log.audit(10)
    assert (began.action, began.outcome, began.key, began.operation, began.cli) == (
        "rollback", "began", shop, operation, "cockpit rollback",
    )  # fmt: skip
    assert (began.actor, began.reason, began.overrides) == (ended.actor, "503s", override)
    assert (ended.action, ended.outcome, ended.text, ended.seconds) == ("rollback", "failed", "r41 serves", 7.5)
    assert ended.overrides == override
    read = await log.operation(operation)
    assert read is not None
    assert read.overrides == override
    with pytest.raises(StoreError):
        await log.end_operation(operation, OperationState.FAILED, "again", None, 108.0)
    assert len(await log.audit(10)) == 2


async def test_a_recovered_operation_was_ended_by_the_engine(log: ReleaseLog, begin: Any) -> None:
    operation = await begin()
    await log.end_operation(operation, OperationState.INTERRUPTED, "the engine died", None, 160.0, recovered=True)
    ended = (await log.audit(1))[0]
    assert (ended.actor.name, ended.action, ended.outcome, ended.operation) == (
        "cockpit", "recovery", "interrupted", operation,
    )  # fmt: skip
    assert ended.text == "deploy: the engine died"


async def test_pages_follow_one_another_and_keep_to_a_placement(log: ReleaseLog, shop: PlacementKey) -> None:
    for number in range(1, 8):
        await log.record(replace(note(number), key=shop if number % 2 else None))
    first = await log.audit(3)
    second = await log.audit(3, before=first[-1].id)
    assert [each.id for each in (*first, *second)] == [7, 6, 5, 4, 3, 2]
    assert [each.id for each in await log.audit(10, shop, before=6)] == [5, 3, 1]


async def test_each_row_is_told_once_it_is_durable(tmp_path: Path) -> None:
    told: list[AuditRow] = []
    log = await ReleaseLog.open(tmp_path / "releases.db", HandClock(), told.append)
    number = await log.begin_operation(operation(key=WEB, actor=ANA))
    await log.end_operation(number, OperationState.SUCCEEDED, "", None, 2.0)
    await log.set_lock(WEB, Lock("ana", 1.0, "sale", 99.0), note(1))
    with pytest.raises(StoreError):
        await log.record(replace(note(1), at=float("nan")))
    assert told == list(reversed(await log.audit(10)))
    assert len(told) == 3
    await log.close()


async def test_locks_outlive_the_engine_and_come_with_their_row_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "releases.db"
    log = await ReleaseLog.open(path, HandClock())
    lock, freeze = Lock("ana", 1.0, "the ledger", 99.0), Lock("tom", 2.0, "sale", 50.0)
    await log.set_lock(WEB, lock, note(1))
    await log.set_lock(None, Lock("kim", 1.0, "first", 9.0), note(2))
    await log.set_lock(None, freeze, note(3))
    with pytest.raises(StoreError):
        await log.set_lock(WEB, None, replace(note(4), at=float("nan")))
    await log.close()
    again = await ReleaseLog.open(path, HandClock())
    assert await again.locks() == {WEB: lock, None: freeze}
    await again.set_lock(None, None, note(5))
    assert await again.locks() == {WEB: lock}
    await again.close()


async def test_the_old_journal_becomes_the_beginning_of_the_chain(tmp_path: Path) -> None:
    path = tmp_path / "releases.db"
    await (await Database.open(path, MIGRATIONS[:2])).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("INSERT INTO placements (service, environment) VALUES ('web', 'production')")
        db.execute("INSERT INTO entries VALUES (4, 1.5, 'ana', 'released the hold', 1, 7, 'cockpit unhold')")
        db.execute("INSERT INTO entries VALUES (9, 2.5, 'cockpit', 'customers were found on r1', NULL, NULL, '')")
    log = await ReleaseLog.open(path, HandClock())
    await log.record(note(1))
    last, broken = await log.verify_audit()
    rows = await log.audit(10)
    await log.close()
    assert broken is None
    assert last == rows[0]
    assert [(row.id, row.actor.name, row.text, row.key) for row in rows[1:]] == [
        (2, "cockpit", "customers were found on r1", None),
        (1, "ana", "released the hold", WEB),
    ]
    assert not opening.suspect(path).exists()


def failure() -> Failure:
    return Failure("switch", Side.INFRASTRUCTURE, "the edge is away")
