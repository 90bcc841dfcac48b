"""Locks, the freeze and the audit on the command line."""

from __future__ import annotations

import json

import pytest

from cockpit.cli import around, render
from cockpit.json_form import decode
from cockpit.model import AuditRow
from cockpit.paths import Paths
from cockpit.protocol import Audit, AuditVerdict, Snapshot
from tests.cli.conftest import Cli
from tests.fakes import world


def snapshot(cli: Cli) -> Snapshot:
    return decode(Snapshot, json.loads(cli("status", "--json").stdout))


def test_a_lock_and_a_freeze_are_set_shown_and_lifted(engine: Paths, cli: Cli) -> None:
    locked = cli("lock", "web", "production", "--reason", "the ledger is moved", "--for", "1h30m")
    assert (locked.returncode, locked.stdout) == (0, "web/production is locked for 5400 s\n")
    assert cli("freeze", "--reason", "sale").stdout == "everything is locked for 14400 s\n"
    shown = cli("status").stdout.splitlines()
    assert shown[0].startswith("⏸ everything is frozen by ")
    assert shown[0].endswith(" for another 4h: sale")
    web = next(line for line in shown if "web/production" in line)
    assert "⏸ locked by" in web
    assert web.endswith("for another 1h 30m: the ledger is moved")
    seen = snapshot(cli)
    assert seen.engine.freeze is not None
    assert [each.key for each in seen.placements if each.lock] == [world.WEB]
    assert cli("unlock", "web/production", "--reason", "moved").returncode == 0
    assert cli("unfreeze", "--reason", "over", "--json").stdout == '{"note": "everything is unlocked"}\n'
    seen = snapshot(cli)
    assert seen.engine.freeze is None
    assert not any(each.lock for each in seen.placements)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("lock", "web", "production"), 2, "--reason"),
        (("freeze",), 2, "--reason"),
        (("unlock", "web", "production", "--reason", "x"), 3, "not locked"),
        (("unfreeze", "--reason", "x"), 3, "not locked"),
        (("lock", "web", "production", "--reason", "x", "--for", "4"), 2, "One is written 90m, 4h or 2d"),
        (("lock", "wbe", "--reason", "x"), 2, "Did you mean web?"),
        (("audit", "--head", "1:ab"), 2, "--head belongs to verify"),
    ],
)
def test_what_makes_no_sense_is_said_and_not_done(
    engine: Paths, cli: Cli, arguments: tuple[str, ...], status: int, said: str
) -> None:
    ran = cli(*arguments)
    assert (ran.returncode, said in ran.stderr) == (status, True), ran.stderr


def test_the_audit_says_who_did_what_when_why_and_what_came_of_it(engine: Paths, cli: Cli) -> None:
    shown = cli("audit")
    assert shown.returncode == 0
    first, second, third = shown.stdout.splitlines()
    for text in (
        "3 ",
        "2026-09-21 ",
        "ana",
        "✔ succeeded",
        "rollback 9",
        "checkout/production",
        "checkout is on r41",
        "“503s”",
        "through the lock by tom: the ledger [/x]",
        "0.2 s",
    ):
        assert text in first
    assert "– refused" in second
    assert "claims SUDO_USER=tom" in second
    assert "\x1b" not in shown.stdout
    assert "✔ done" in third


def test_the_audit_is_filtered_paged_and_written_as_json(engine: Paths, cli: Cli) -> None:
    def rows(*arguments: str) -> list[AuditRow]:
        return list(decode(Audit, json.loads(cli("audit", *arguments, "--json").stdout)).rows)

    assert rows() == list(world.AUDIT)
    assert [each.id for each in rows("web", "production")] == [2, 1]
    assert [each.id for each in rows("checkout")] == [3]
    assert rows("gone/production") == []
    assert [each.id for each in rows("--limit", "1", "--before", "3")] == [2]
    assert cli("audit", "gone/production").stdout == "Nothing is recorded\n"


def test_a_whole_chain_is_0_and_a_broken_one_is_1_with_its_first_bad_row(engine: Paths, cli: Cli) -> None:
    whole = cli("audit", "verify")
    assert whole.returncode == 0
    assert whole.stdout.splitlines() == ["✔ all 3 rows are as they were written", f"head 3:{'c' * 64}"]
    cut = cli("audit", "verify", "--head", "4:" + "d" * 64)
    assert cut.returncode == 1
    assert cut.stdout.splitlines()[0] == "✖ row 4 is missing: the end was cut off"
    as_json = cli("audit", "verify", "--head", "4:" + "d" * 64, "--json")
    assert as_json.returncode == 1
    assert decode(AuditVerdict, json.loads(as_json.stdout)).bad == 4


def test_an_operation_says_what_it_went_through() -> None:
    from cockpit.model import Operation, OperationKind, OperationState

    overrides = ("freeze by tom: sale",)
    found = Operation(
        1, OperationKind.ROLLBACK, world.WEB, world.ANA, OperationState.SUCCEEDED, world.AT, overrides=overrides
    )
    assert "⏸ went through the freeze by tom: sale" in render.operation(found)
    assert around.verdict(AuditVerdict(0, "", 1, "row 1 is missing"))[1] == "No row before it is good"
