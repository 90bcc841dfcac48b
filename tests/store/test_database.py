"""The file itself: damage, newer schemas, full disks, killed engines and cancelled callers."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cockpit.errors import StoreError
from cockpit.model import Actor, AuditRow, Hold, Minute, OperationKind, OperationState, PlacementKey, StepState
from cockpit.store import checking, opening
from cockpit.store.ballast import FLOOR, SIZE, Ballast
from cockpit.store.base import ReleaseRecord
from cockpit.store.database import Database
from cockpit.store.log import ReleaseLog
from cockpit.store.migrations import MIGRATIONS
from tests.store.conftest import operation
from tests.waiting import until


def execute(path: Path, sql: str) -> list[Any]:
    """By another connection, when the log is closed."""
    db = sqlite3.connect(path)
    try:
        with db:
            return db.execute(sql).fetchall()
    finally:
        db.close()


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        ((3, 40, 1), "persist"),
        ((3, 44, 5), "persist"),
        ((3, 44, 6), "wal"),
        ((3, 45, 0), "persist"),
        ((3, 50, 6), "persist"),
        ((3, 50, 7), "wal"),
        ((3, 51, 2), "persist"),
        ((3, 51, 3), "wal"),
        ((3, 54, 0), "wal"),
    ],
)
def test_wal_is_used_only_where_its_race_is_fixed(version: tuple[int, ...], mode: str) -> None:
    assert opening.journal_mode(version) == mode


async def test_the_connection_is_as_careful_as_it_can_be(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "releases.db")
    names = ("synchronous", "foreign_keys", "trusted_schema", "cell_size_check", "application_id", "journal_mode")
    found = await database.read(lambda db: [db.execute(f"PRAGMA {name}").fetchone()[0] for name in names])
    await database.close()
    assert found == [2, 1, 0, 1, opening.APPLICATION_ID, opening.journal_mode()]


async def test_only_its_owner_may_read_the_log(tmp_path: Path, clock: Any) -> None:
    log = await ReleaseLog.open(tmp_path / "new" / "releases.db", clock)
    await log.close()
    assert (tmp_path / "new" / "releases.db").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("table", ["events", "audit"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET text = 'forged'"])
async def test_what_was_recorded_is_not_rewritten(
    log: ReleaseLog, begin: Any, tmp_path: Path, table: str, change: str
) -> None:
    await begin()
    await log.close()
    with pytest.raises(sqlite3.IntegrityError, match="only ever added"):
        execute(tmp_path / "releases.db", change.format(table))


async def test_every_word_of_the_model_is_one_the_schema_knows(log: ReleaseLog, begin: Any) -> None:
    for kind in OperationKind:
        for state in OperationState:
            operation = await begin(kind=kind, steps=[step.value for step in StepState])
            for step in StepState:
                await log.outcome(operation, step.value, step, "", 1.0)
            if state.ended:
                await log.end_operation(operation, state, "", None, 2.0)


async def test_what_was_written_is_there_after_opening_again(
    tmp_path: Path, log: ReleaseLog, add: Any, clock: Any
) -> None:
    record = await add()
    await log.close()
    again = await ReleaseLog.open(tmp_path / "releases.db", clock)
    assert await again.release(record.key, 1) == record
    assert (again.note, again.read_only_reason) == ("", "")
    await again.close()


@pytest.mark.parametrize("damage", ["header", "page", "text"])
async def test_a_damaged_log_is_set_aside_and_a_new_one_begun(
    tmp_path: Path, log: ReleaseLog, add: Any, clock: Any, shop: PlacementKey, damage: str
) -> None:
    for _ in range(50):
        await add(spec='{"x": "' + "y" * 2000 + '"}')
    await log.close()
    path = tmp_path / "releases.db"
    data = bytearray(path.read_bytes())
    if damage == "header":
        data[:100] = b"\0" * 100
    elif damage == "page":
        data[4096 * 3 :] = b"\xa5" * (len(data) - 4096 * 3)
    path.write_bytes(b"not a database at all" * 999 if damage == "text" else data)
    Path(f"{path}-wal").write_bytes(b"")
    fresh = await ReleaseLog.open(path, clock)
    assert await fresh.releases(shop) == ()
    assert "damaged" in fresh.note
    (aside,) = [each for each in tmp_path.glob("releases.db.damaged-*") if not each.name.endswith(opening.SIDECARS)]
    assert aside.name in fresh.note
    await fresh.close()


def damage(path: Path, table: str) -> None:
    """The first of its pages."""
    (page,) = execute(path, f"SELECT rootpage FROM sqlite_schema WHERE name = '{table}'")[0]
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 4096)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any log is one that is too large to be checked whole at opening."""
    monkeypatch.setattr(opening, "WHOLE_BYTES", 0)


@pytest.mark.usefixtures("large")
async def test_damage_that_opening_does_not_look_for_is_found_after_it_showed(
    tmp_path: Path, log: ReleaseLog, clock: Any
) -> None:
    await log.close()
    path = tmp_path / "releases.db"
    damage(path, "audit")
    opened = await ReleaseLog.open(path, clock)
    assert opened.note == ""
    with pytest.raises(StoreError, match="damaged") as raised:
        await opened.audit(10)
    assert "restart the engine" in raised.value.hint
    await opened.close()
    again = await ReleaseLog.open(path, clock)
    assert "damaged" in again.note
    assert await again.audit(10) == ()
    assert not opening.suspect(path).exists()
    await again.close()


@pytest.mark.usefixtures("large")
async def test_damage_that_opening_does_not_look_for_is_told_by_the_check_and_the_next_opening_begins_a_new_log(
    tmp_path: Path, log: ReleaseLog, clock: Any
) -> None:
    assert await log.check() == ""
    await log.close()
    path = tmp_path / "releases.db"
    damage(path, "audit")
    opened = await ReleaseLog.open(path, clock)
    found = await opened.check()
    assert found
    assert found in opened.note
    assert "restart the engine" in opened.note
    await opened.close()
    again = await ReleaseLog.open(path, clock)
    assert "a new one was begun" in again.note
    await again.close()


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("table", opening.DECISIVE)
async def test_damage_to_what_decides_about_customers_is_always_found_at_opening(
    tmp_path: Path, log: ReleaseLog, clock: Any, table: str
) -> None:
    await log.close()
    path = tmp_path / "releases.db"
    damage(path, table)
    opened = await ReleaseLog.open(path, clock)
    assert "a new one was begun" in opened.note
    await opened.close()


@pytest.mark.usefixtures("large")
async def test_a_check_makes_way_to_whoever_writes_and_goes_on_later(
    tmp_path: Path, log: ReleaseLog, clock: Any, shop: PlacementKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    await log.close()
    opened = await ReleaseLog.open(tmp_path / "releases.db", clock)
    await opened.set_hold(shop, None)
    with monkeypatch.context() as patch:
        patch.setattr(checking, "problem", reads_for_ever)
        looking = asyncio.create_task(opened.check())
        await until(lambda: opened._database._checker._reading is not None, what="it reads")
        await opened.set_hold(shop, Hold("ana", 1.0, "the cause"))
        assert await looking is None
    assert (await opened.placement(shop)).hold is not None
    assert await opened.check() == ""
    await opened.close()


@pytest.mark.usefixtures("large")
async def test_a_check_does_not_hold_up_the_end(
    tmp_path: Path, log: ReleaseLog, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "problem", reads_for_ever)
    await log.close()
    opened = await ReleaseLog.open(tmp_path / "releases.db", clock)
    looking = asyncio.create_task(opened.check())
    await until(lambda: opened._database._checker._reading is not None, what="it reads")
    await opened.close()
    assert await looking is None


def reads_for_ever(db: sqlite3.Connection) -> str:
    """With the lock that keeps others from committing."""
    db.execute(
        "WITH RECURSIVE n(i) AS (SELECT count(*) FROM placements UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    )
    return ""


async def test_a_newer_log_is_read_and_not_written(
    tmp_path: Path, log: ReleaseLog, add: Any, clock: Any, shop: PlacementKey
) -> None:
    await add()
    await log.close()
    path = tmp_path / "releases.db"
    execute(path, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    newer = await ReleaseLog.open(path, clock)
    assert len(await newer.releases(shop)) == 1
    assert "newer cockpit" in newer.read_only_reason
    with pytest.raises(StoreError, match="newer cockpit") as raised:
        await newer.set_hold(shop, None)
    assert raised.value.hint
    await newer.close()


async def test_another_programs_database_is_left_alone(tmp_path: Path, clock: Any) -> None:
    path = tmp_path / "releases.db"
    execute(path, "CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        await ReleaseLog.open(path, clock)
    assert path.read_bytes() == before


async def test_a_migration_and_its_number_come_together_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "releases.db"
    await (await Database.open(path)).close()
    broken = (*MIGRATIONS, ("CREATE TABLE more (x)", "NOT SQL"))
    with pytest.raises(StoreError):
        await Database.open(path, broken)
    assert execute(path, "PRAGMA user_version") == [(len(MIGRATIONS),)]
    assert execute(path, "SELECT count(*) FROM sqlite_schema WHERE name = 'more'") == [(0,)]


async def test_an_older_log_is_copied_before_it_is_migrated(tmp_path: Path, log: ReleaseLog, add: Any) -> None:
    await add()
    await log.close()
    path = tmp_path / "releases.db"
    await (await Database.open(path, (*MIGRATIONS, ("ALTER TABLE releases ADD COLUMN more TEXT",)))).close()
    assert execute(path, "SELECT more FROM releases") == [(None,)]
    assert execute(tmp_path / f"releases.db.v{len(MIGRATIONS)}", "SELECT number FROM releases") == [(1,)]


async def test_a_log_of_the_first_schema_takes_restarts_and_keeps_all_that_it_had(
    tmp_path: Path, clock: Any, shop: PlacementKey
) -> None:
    path = tmp_path / "releases.db"
    await (await Database.open(path, MIGRATIONS[:1])).close()
    execute(path, "INSERT INTO placements (service, environment) VALUES ('shop', 'production')")
    columns = (
        "id, placement, kind, state, actor, actor_uid, actor_login, actor_claimed, started_at, commit_sha, subject"
    )
    operation = (
        "INSERT INTO operations ({}, reason) VALUES ({}, 1, '{}', 'running', 'ana', 1, '', '', 1.0, 'c', 's', '')"
    )
    execute(path, operation.format(columns, 4, "deploy"))
    execute(path, "INSERT INTO steps (operation, position, name) VALUES (4, 0, 'fetch')")
    with pytest.raises(sqlite3.IntegrityError):
        execute(path, operation.format(columns, 5, "restart"))

    log = await ReleaseLog.open(path, clock)
    kept = await log.operation(4)
    assert kept is not None
    assert [step.name for step in kept.steps] == ["fetch"]
    new = await begin_restart(log, shop)
    assert new > 4
    assert (await log.operations(shop))[0].kind is OperationKind.RESTART
    await log.close()


async def begin_restart(log: ReleaseLog, key: PlacementKey) -> int:
    return await log.begin_operation(operation(kind=OperationKind.RESTART, key=key))


async def test_a_cancelled_caller_leaves_no_transaction_open(log: ReleaseLog, add: Any, shop: PlacementKey) -> None:
    await add()
    for _ in range(50):
        write = asyncio.create_task(log.set_live(shop, 1, 5.0, hot_until=None, baking_until=None))
        await asyncio.sleep(0)
        write.cancel()
        await asyncio.gather(write, return_exceptions=True)
    await log.update_release(shop, 1, good_at=6.0)
    record = await log.release(shop, 1)
    assert record
    assert (record.live_since, record.good_at) == (5.0, 6.0)


async def test_a_write_that_fails_takes_nothing_of_its_neighbours_along(log: ReleaseLog, begin: Any) -> None:
    operation = await begin()
    results = await asyncio.gather(
        log.record(note("one")),
        log.intent(operation, "no such step", "{}", 1.0),
        log.record(note("two")),
        return_exceptions=True,
    )
    assert isinstance(results[1], StoreError)
    assert [row.text for row in await log.audit(2)] == ["two", "one"]


async def test_a_closed_log_says_so_and_closes_twice(log: ReleaseLog) -> None:
    await log.close()
    await log.close()
    with pytest.raises(StoreError, match="closed"):
        await log.placements()


SCRIPT = """
import asyncio, sys
from pathlib import Path
from cockpit.clock import SystemClock
from cockpit.model import Actor, AuditRow
from cockpit.store.log import ReleaseLog

async def main():
    log = await ReleaseLog.open(Path(sys.argv[1]), SystemClock())
    number = 0
    while sys.argv[2] == "write":
        number += 1
        await log.record(AuditRow(0, 1.0, Actor("ana"), "note", "done", text=str(number)))
        print(number, flush=True)

asyncio.run(main())
"""


def start(path: Path, what: str) -> subprocess.Popen[str]:
    script = textwrap.dedent(SCRIPT)
    return subprocess.Popen([sys.executable, "-c", script, path, what], stdout=subprocess.PIPE, text=True)


@pytest.mark.blocking("waits for a child process")
async def test_a_killed_engine_loses_nothing_that_was_acknowledged(tmp_path: Path, clock: Any) -> None:
    path = tmp_path / "releases.db"
    child = start(path, "write")
    assert child.stdout
    for _ in range(30):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    acknowledged = 30 + len(child.stdout.read().split())
    child.wait()
    log = await ReleaseLog.open(path, clock)
    rows = await log.audit(1_000_000)
    _, broken = await log.verify_audit()
    await log.close()
    assert log.note == ""
    assert broken is None
    assert [int(row.text) for row in reversed(rows)] == list(range(1, len(rows) + 1))
    assert len(rows) - acknowledged in (0, 1)


def test_an_unclosed_log_does_not_hang_the_exit(tmp_path: Path) -> None:
    child = start(tmp_path / "releases.db", "open")
    try:
        assert child.wait(timeout=20) == 0
    finally:
        child.kill()
        child.communicate()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 48 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", disk], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small file system needs root and mount")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                pass


@pytest.mark.blocking("fills a disk")
async def test_on_a_full_disk_outcomes_are_recorded_and_new_deploys_refused(small_disk: Path, clock: Any) -> None:
    shop = PlacementKey("shop", "production")
    log = await ReleaseLog.open(small_disk / "releases.db", clock)
    new = operation(("build",), reason="x" * 20_000)
    number = await log.begin_operation(new)
    assert (small_disk / "releases.db.ballast").stat().st_size == SIZE
    fill(small_disk)
    with pytest.raises(StoreError, match="no space left") as raised:
        await asyncio.gather(*(log.begin_operation(new) for _ in range(500)))
    assert raised.value.hint
    await log.intent(number, "build", "i" * 20_000, 2.0)
    await log.outcome(number, "build", StepState.FAILED, "d" * 20_000, 3.0)
    await log.begin_operation(replace(new, kind=OperationKind.ROLLBACK))
    assert not (small_disk / "releases.db.ballast").exists()
    (small_disk / "filler").unlink()
    await log.add_minutes([Minute(shop, 60.0)])
    assert (small_disk / "releases.db.ballast").exists()
    await log.close()


@pytest.mark.blocking("fills a disk")
def test_no_ballast_is_taken_from_a_disk_with_little_space(small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(b"x" * (48 * 1024 * 1024 - FLOOR + 4096))
    assert not Ballast(small_disk / "releases.db").hold()


def actor() -> Actor:
    return Actor("ana")


def note(text: str) -> AuditRow:
    return AuditRow(0, 1.0, actor(), "note", "done", text=text)


def test_a_release_record_has_a_column_for_each_field() -> None:
    from cockpit.store.releases import ReleaseChange

    assert set(ReleaseChange.__annotations__) == set(ReleaseRecord.__dataclass_fields__) - {"key", "number"}


async def test_a_directory_that_cannot_be_written_is_said(tmp_path: Path, clock: Any) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened") as raised:
        await ReleaseLog.open(tmp_path / "file" / "releases.db", clock)
    assert raised.value.hint
    assert os.listdir(tmp_path) == ["file"]
