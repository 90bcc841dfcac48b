"""Named points where a test makes a process die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cockpit import points

PASSES = (
    "from cockpit.points import passed\nfor n in range(3):\n    passed('a point')\n    passed('another')\nprint('end')"
)


def run(directory: Path | None, script: str = PASSES) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != points.VARIABLE}
    armed = {} if directory is None else {points.VARIABLE: str(directory)}
    return subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env={**environment, **armed}
    )


def test_without_the_variable_a_point_is_nothing(tmp_path: Path) -> None:
    assert run(None).communicate()[0] == "end\n"


def test_each_point_that_is_passed_is_told(tmp_path: Path) -> None:
    assert run(tmp_path).communicate()[0] == "end\n"
    assert (tmp_path / points.PASSED).read_text().split("\n")[:-1] == ["a point", "another"] * 3


@pytest.mark.parametrize(("count", "passed"), [(1, 1), (2, 3), (3, 5)])
def test_a_process_dies_at_the_named_point_the_nth_time_and_says_nothing(
    tmp_path: Path, count: int, passed: int
) -> None:
    (tmp_path / points.DIE).write_text(f"exit {count} a point\nexit 9 later")
    process = run(tmp_path)
    assert process.communicate()[0] == ""
    assert process.returncode == points.STATUS
    assert len((tmp_path / points.PASSED).read_text().splitlines()) == passed
    assert (tmp_path / points.DIE).read_text() == "exit 9 later"


def test_a_point_that_is_never_passed_kills_nobody(tmp_path: Path) -> None:
    (tmp_path / points.DIE).write_text("exit 4 a point")
    assert run(tmp_path).communicate()[0] == "end\n"


def test_a_process_that_stops_at_a_point_can_be_killed_there_from_outside(tmp_path: Path) -> None:
    (tmp_path / points.DIE).write_text("stop 2 another")
    process = run(tmp_path)
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert len((tmp_path / points.PASSED).read_text().splitlines()) == 4
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert process.stdout is not None
    process.stdout.close()
