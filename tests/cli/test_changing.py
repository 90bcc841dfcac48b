from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from cockpit.cli import main, render
from cockpit.cli.follow import Screen
from cockpit.cli.session import Session
from cockpit.model import LogLine, Operation, OperationKind, OperationState
from cockpit.paths import Paths
from cockpit.protocol import LogChunk, RollbackSheet
from tests.cli.conftest import COMMAND, ROOT, Cli
from tests.fakes import world

Begin = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def begin(engine: Paths) -> Iterator[Begin]:
    """Starts the command and leaves it running; it is ended with the test, before the engine that it would restart."""
    begun: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        pipe = subprocess.PIPE
        begun.append(subprocess.Popen([*COMMAND, *arguments], stdout=pipe, stderr=pipe, text=True, env=environment))
        return begun[-1]

    yield run
    for process in begun:
        process.kill()
        process.wait()


def test_a_deploy_shows_its_sheet_its_steps_its_log_and_what_customers_have(engine: Paths, cli: Cli) -> None:
    ran = cli("deploy", "web/staging", "--yes")
    assert ran.returncode == 0, ran.stderr
    for text in (
        "r42 → r43, 2 commits",
        "▲ two commits touch the database",
        "COPY . .",
        "✔ switch",
        "Customers have r43",
    ):
        assert text in ran.stdout
    assert ran.stdout.count("COPY . .") == 1


def test_how_a_step_ended_is_said_by_the_step_and_not_by_the_log_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    said = [
        LogLine(0, 0.0, "✔ build: 38 s", "build", "cockpit"),
        LogLine(1, 0.0, "· migrate: no migrations", "migrate", "cockpit"),
        LogLine(2, 0.0, "✖ start: exited 1", "start", "cockpit"),
        LogLine(3, 0.0, "not cleaned up yet", "start", "cockpit"),
        LogLine(4, 0.0, "✔ build: of the build's own", "build"),
    ]
    Screen(as_json=False).lines(LogChunk(1, tuple(said)))
    assert capsys.readouterr().out == "  start not cleaned up yet\n  build ✔ build: of the build's own\n"
    Screen(as_json=True).lines(LogChunk(1, tuple(said)))
    assert len(capsys.readouterr().out.splitlines()) == len(said)


def test_why_a_rollback_is_refused_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    why = "r1 is the first release: there is none to go back to"
    monkeypatch.setattr(Session, "placement", lambda *_: world.WEB)
    monkeypatch.setattr(Session, "ask", lambda *_: RollbackSheet(world.WEB, None, refused=why))
    assert main.run(["rollback", "web/production"]) == 3
    shown = capfd.readouterr()
    assert (shown.out + shown.err).count(why) == 1


def test_an_operation_says_between_which_releases_it_went() -> None:
    done = Operation(1, OperationKind.DEPLOY, world.WEB, world.ANA, OperationState.SUCCEEDED, 0.0, 1.0, None, 1)
    assert "deploy first release, r1" in render.operations([done])[0]
    assert "first release, r1 · by ana" in render.operation(done)[0]
    assert render.ends(replace(done, from_release=1, to_release=2)) == "r1 → r2"
    assert render.ends(replace(done, kind=OperationKind.RESTART, from_release=2, to_release=2)) == "r2"
    assert render.ends(replace(done, from_release=2, to_release=None)) == "r2 → –"


def test_a_failed_deploy_says_why_and_what_customers_have(engine: Paths, cli: Cli) -> None:
    ran = cli("deploy", "web/staging", "--yes", "--commit", "bad")
    assert ran.returncode == 1
    for text in ("✖ failed at build: exited 1 (build)", "no such file", "add it", "Customers have r42"):
        assert text in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("deploy", "web/staging"), 2, "--yes"),
        (("deploy", "web/production", "--yes"), 3, "--confirm web"),
        (("deploy", "web/production", "--yes", "--confirm", "checkout"), 3, "--confirm web"),
        (("deploy", "web/production", "--confirm", "web"), 2, "--yes"),
        (("deploy", "web/staging", "--yes", "--commit", "none"), 3, "No commit is pending"),
        (("rollback", "web/production", "--yes"), 3, "web is healthy. checkout fails"),
        (("rollback", "checkout", "--yes", "--to", "r12"), 2, "It can go back to: r41, r40"),
        (("cancel",), 2, "No operation runs"),
        (("cancel", "99"), 2, "There is no operation 99"),
        (("unhold", "web", "staging"), 2, "--reason"),
    ],
)
def test_what_was_not_agreed_to_is_not_done(
    engine: Paths, cli: Cli, arguments: tuple[str, ...], status: int, said: str
) -> None:
    ran = cli(*arguments)
    assert (ran.returncode, said in ran.stderr) == (status, True), ran.stderr
    assert json.loads(cli("status", "--json").stdout)["operations"] == []


def test_a_protected_environment_is_deployed_with_its_name(engine: Paths, cli: Cli) -> None:
    assert cli("deploy", "web/production", "--yes", "--confirm", "web").returncode == 0


def test_a_rollback_wants_only_a_yes_and_goes_to_the_last_good_release(engine: Paths, cli: Cli) -> None:
    ran = cli("rollback", "checkout", "--yes", "--reason", "503s")
    assert ran.returncode == 0
    assert "r42 → r41" in ran.stdout
    assert "Customers have r41" in ran.stdout


def test_a_rollback_goes_where_it_is_told(engine: Paths, cli: Cli) -> None:
    assert "Customers have r40" in cli("rollback", "checkout", "--yes", "--to", "r40").stdout


def test_following_in_json_is_a_line_for_each_thing_and_the_outcome_last(engine: Paths, cli: Cli) -> None:
    lines = [json.loads(line) for line in cli("deploy", "web/staging", "--yes", "--json").stdout.splitlines()]
    assert lines[-1]["operation"]["state"] == "succeeded"
    assert [line["log"]["number"] for line in lines if "log" in line] == [0, 1, 2]


def test_a_detached_deploy_goes_on_and_can_be_cancelled(engine: Paths, cli: Cli) -> None:
    ran = cli("deploy", "web/staging", "--yes", "--commit", "slow", "--detach")
    assert ran.returncode == 0
    assert "cockpit logs -f 7" in ran.stdout
    assert "◐ deploy 7" in cli("status").stdout
    assert "Refused" not in cli("cancel", "web/staging").stderr
    assert "cancelled" in until(cli, "cancelled")


def test_an_engine_that_works_is_not_stopped(engine: Paths, cli: Cli) -> None:
    cli("deploy", "web/staging", "--yes", "--commit", "slow", "--detach")
    ran = cli("engine", "stop")
    assert ran.returncode == 3
    assert "An operation runs" in ran.stderr


def test_ctrl_c_detaches_with_a_sentence(begin: Begin) -> None:
    process = begin("deploy", "web/staging", "--yes", "--commit", "slow")
    assert process.stdout is not None
    while "COPY" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Detached: deploy 7 of web/staging goes on in the engine" in said
    assert "cockpit logs -f 7" in said
    assert "Traceback" not in said


def test_an_engine_that_is_killed_under_a_deploy_is_said_and_the_deploy_is_looked_up(
    engine: Paths, begin: Begin
) -> None:
    process = begin("deploy", "web/staging", "--yes", "--commit", "slow")
    assert process.stdout is not None
    while "COPY" not in process.stdout.readline():
        assert process.poll() is None
    os.kill(int(engine.lock.read_text()), signal.SIGKILL)
    while "the operation is not lost with it" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130


def test_at_a_terminal_a_person_is_asked_and_types_the_name(engine: Paths) -> None:
    assert _at_a_terminal(["deploy", "web/production"], ["y", "web"]) == 0
    assert _at_a_terminal(["deploy", "web/production"], ["y", "wbe"]) == 3
    assert _at_a_terminal(["deploy", "web/staging"], [""]) == 3


def test_colour_is_for_terminals_that_want_it(engine: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[32m● healthy\x1b[0m" in _screen(["status"])
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in _screen(["status"])


def test_output_that_nobody_reads_any_more_ends_quietly(begin: Begin) -> None:
    process = begin("logs", "checkout", "-f")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.wait(timeout=20)


def until(cli: Cli, word: str) -> str:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if word in (shown := cli("show", "7").stdout):
            return shown
    raise AssertionError(shown)


def _at_a_terminal(arguments: list[str], answers: list[str]) -> int:
    return _pty(arguments, answers)[0]


def _screen(arguments: list[str]) -> str:
    return _pty(arguments, [])[1]


def _pty(arguments: list[str], answers: list[str]) -> tuple[int, str]:
    """Types each answer when a question is on the screen. Returns the exit status and all that was shown."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*COMMAND, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown, left = "", list(answers)
    while True:
        try:
            shown += os.read(ours, 65536).decode()
        except OSError:
            break
        if left and re.search(r"(\[y/N\] |to go on: )$", shown):
            os.write(ours, f"{left.pop(0)}\n".encode())
    os.close(ours)
    return process.wait(timeout=20), shown
