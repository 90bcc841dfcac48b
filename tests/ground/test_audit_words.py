"""docs/audit.md has every word that stands in the audit, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cockpit.engine.audit import ACTIONS
from cockpit.model import OperationKind, Role
from cockpit.protocol import CALLS

ROOT = Path(__file__).parents[2]
BEFORE = {"AuditRow": 3, "row": 1}  # arguments ahead of the action: the outcome comes behind it


def documented() -> dict[str, str]:
    """Each action with what its line says of the outcomes."""
    table = (ROOT / "docs" / "audit.md").read_text().partition("| action | outcomes |")[2].partition("\n\n")[0]
    lines = [line.strip("| ").split(" | ", 1) for line in table.splitlines() if line.startswith("| `")]
    return {action: outcomes for actions, outcomes in lines for action in re.findall("`([^`]+)`", actions)}


def written() -> Iterator[tuple[str, str]]:
    """Action and outcome of each row that is made, as far as the code names them; "" for what it only computes."""
    for path in sorted((ROOT / "cockpit").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                at = BEFORE.get(called)
                if at is not None and len(node.args) > at + 1:
                    outcomes = texts(node.args[at + 1]) or [""]
                    yield from ((action, outcome) for action in texts(node.args[at]) for outcome in outcomes)


def texts(node: ast.expr) -> list[str]:
    """The strings that an expression may be."""
    if isinstance(node, ast.IfExp):
        return [*texts(node.body), *texts(node.orelse)]
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def asked() -> set[str]:
    """What a client may ask for and be refused."""
    calls = (call for call in CALLS.values() if call.needs is not Role.VIEWER)
    return {ACTIONS.get(call.name, call.name.replace(".", " ")) for call in calls}


ROWS = sorted(set(written()))


def test_the_rows_are_found_in_the_code() -> None:
    assert {("rebuild", "done"), ("unlock", "expired"), ("engine stop", "done"), ("edge upgrade", "began")} <= set(ROWS)


@pytest.mark.parametrize(("action", "outcome"), ROWS)
def test_each_row_that_the_code_makes_has_a_line(action: str, outcome: str) -> None:
    assert action in documented()
    assert not outcome or f"`{outcome}`" in documented()[action]


def test_what_is_asked_for_has_a_line_and_nothing_is_documented_that_nobody_writes() -> None:
    words = asked() | {kind.value for kind in OperationKind} | {action for action, _ in ROWS}
    assert words - {"recovery"} <= documented().keys()
    assert documented().keys() <= words | {"recovery"}
