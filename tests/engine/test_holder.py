"""Whether another engine still lives, as far as this machine can tell."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cockpit.engine import holder
from cockpit.engine.holder import lives, this_process
from cockpit.targets.host_lock import Holder


@pytest.fixture
def me() -> Holder:
    return this_process()


@pytest.fixture
def another(me: Holder) -> Iterator[tuple[Holder, subprocess.Popen[bytes]]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = holder._started(Path("/proc"), process.pid)
        assert started is not None
        yield replace(me, pid=process.pid, started=started), process
        process.kill()


def test_this_process_lives(me: Holder) -> None:
    assert lives(me, me) is True
    assert me.pid == os.getpid()
    assert me.started > 0


def test_a_process_lives_until_it_ends(me: Holder, another: tuple[Holder, subprocess.Popen[bytes]]) -> None:
    other, process = another
    assert lives(other, me) is True
    process.kill()
    process.wait()
    assert lives(other, me) is False


def test_one_that_ended_and_is_not_buried_yet_is_dead(
    me: Holder, another: tuple[Holder, subprocess.Popen[bytes]]
) -> None:
    other, process = another
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert lives(other, me) is False


def test_another_process_with_its_number_is_not_it(me: Holder) -> None:
    assert lives(replace(me, started=me.started + 1), me) is False


def test_the_same_machine_after_a_reboot_has_none_of_its_processes(me: Holder) -> None:
    assert lives(replace(me, boot="before"), replace(me, machine="m") if not me.machine else me) is False


def test_nobody_can_tell_of_another_machine_or_another_table_of_processes(me: Holder) -> None:
    assert lives(replace(me, machine="elsewhere", boot="elsewhere"), me) is None
    assert lives(replace(me, processes="pid:[1]"), me) is None


def test_a_clone_with_the_same_machine_id_is_another_machine(me: Holder) -> None:
    mine = replace(me, machine="m")
    assert lives(replace(mine, boot="elsewhere", bastion="another"), mine) is None


def test_nobody_can_tell_of_a_process_that_is_hidden(
    me: Holder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def not_ours(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", not_ours)
    assert lives(me, me, tmp_path) is None
