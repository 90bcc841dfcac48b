"""docs/cli.md says what the command does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cockpit import errors
from cockpit.cli.main import DETACHED
from cockpit.cli.verbs import cockpit

TEXT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
NO_JSON = {
    "cockpit engine start",
    "cockpit engine stop",
    "cockpit engine run",
    "cockpit engine install",
    "cockpit engine adopt",
    "cockpit demo",
    "cockpit backup",
    "cockpit restore",
    "cockpit exec",
}


def verbs(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from verbs(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


ALL = dict(verbs(cockpit, "cockpit"))


@pytest.mark.parametrize("path", ALL)
def test_each_verb_has_a_row_and_each_option_a_word(path: str) -> None:
    assert f"| `{path}" in TEXT
    for parameter in ALL[path].params:
        if isinstance(parameter, click.Option):
            assert any(f"`{name}" in TEXT for name in parameter.opts), parameter.name


@pytest.mark.parametrize("path", ALL)
def test_each_verb_says_in_its_help_what_it_does(path: str) -> None:
    assert ALL[path].help


@pytest.mark.parametrize("path", sorted(set(ALL) - NO_JSON - {"cockpit config schema", "cockpit config example"}))
def test_each_verb_that_prints_speaks_json(path: str) -> None:
    assert any(parameter.name == "as_json" for parameter in ALL[path].params)


def test_no_verb_is_documented_that_does_not_exist() -> None:
    rows = [line.split("`")[1] for line in TEXT.splitlines() if line.startswith("| `cockpit ")]
    assert all(any(row.startswith(path) for path in ALL) for row in rows)


def test_each_exit_status_is_there() -> None:
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.CockpitError)]
    for status in {0, DETACHED, *(kind.exit_status for kind in kinds)}:
        assert f"\n| {status} | " in TEXT
