"""docs/protocol.md says what the code does."""

from __future__ import annotations

import dataclasses
import re
import typing
from enum import Enum
from pathlib import Path

import pytest

from cockpit import errors
from cockpit.model import Role
from cockpit.protocol import ACROSS_ONE_VERSION, CALLS, MAX_TAIL, PROTOCOL, Call, Event, LogChunk, WireError
from cockpit.rpc import Code

TEXT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()


def types_on_the_wire() -> list[type]:
    found: list[type] = []
    for root in (Event, LogChunk, WireError, *(each for call in CALLS.values() for each in (call.params, call.result))):
        _collect(root, found)
    return found


def _collect(kind: typing.Any, found: list[type]) -> None:
    for inner in typing.get_args(kind):
        _collect(inner, found)
    if not isinstance(kind, type) or kind in found:
        return
    if issubclass(kind, Enum):
        found.append(kind)
    elif dataclasses.is_dataclass(kind):
        found.append(kind)
        for hint in typing.get_type_hints(kind).values():
            _collect(hint, found)


@pytest.mark.parametrize("call", CALLS.values(), ids=str)
def test_each_call_is_there_with_what_it_takes_and_gives(call: Call[typing.Any, typing.Any]) -> None:
    row = re.search(rf"^\| `{re.escape(call.name)}` \| (\w+) \| (\w+) \| (\w*) \| (.+) \|$", TEXT, re.MULTILINE)
    assert row is not None
    assert row.group(1, 2) == (call.params.__name__, call.result.__name__)
    assert (row[3] == "yes") == (call.name in ACROSS_ONE_VERSION)


@pytest.mark.parametrize("kind", types_on_the_wire(), ids=lambda kind: kind.__name__)
def test_each_type_is_there_with_all_its_fields(kind: typing.Any) -> None:
    row = re.search(rf"^\| \*\*{kind.__name__}\*\* \| (.+) \|$", TEXT, re.MULTILINE)
    assert row is not None
    named = re.findall(r"`(\w+)`", row[1])
    if issubclass(kind, Enum):
        assert named == [member.value for member in kind]
    else:
        assert named == [field.name for field in dataclasses.fields(kind)]


def test_each_call_is_with_the_role_that_it_needs() -> None:
    told = {name: role for role in Role for name in re.findall(r"`([\w.]+)`", _row(role).partition("; and")[0])}
    assert told == {call.name: call.needs for call in CALLS.values()}


def _row(role: Role) -> str:
    (row,) = re.findall(rf"^\| `{role}` \| (.+) \|$", TEXT, re.MULTILINE)
    return str(row)


def test_the_version_and_every_error_code_are_there() -> None:
    assert f"This is protocol {PROTOCOL}." in TEXT
    assert all(str(int(code)) in TEXT for code in Code)
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.CockpitError)]
    for kind in kinds:
        row = next(line for line in TEXT.splitlines() if f"`{kind.code}`" in line and line.startswith("| `"))
        assert row.endswith(f"| {kind.exit_status} |")


def test_how_much_of_a_log_is_sent_is_there() -> None:
    assert f"(at most {MAX_TAIL:,})".replace(",", " ") in TEXT
