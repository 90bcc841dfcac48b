"""Verbs about what runs on hosts that had things before: processes, probe addresses, commands, other containers."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cockpit.cli import around, render
from cockpit.json_form import decode
from cockpit.paths import Paths
from cockpit.protocol import EdgeUpgrade, Others, ProbeAddress, Snapshot
from tests.cli.conftest import COMMAND, ROOT, Cli
from tests.fakes import world
from tests.several_users import User, needs_root

SOMEBODY = User(61102)


def ended(engine: Paths) -> list[str]:
    record = engine.state / "ended"
    return record.read_text().splitlines() if record.exists() else []


# ---------------------------------------------------------------- what status says


def test_status_shows_processes_and_why_one_does_not_run(adopted: Paths, cli: Cli) -> None:
    web = next(line for line in cli("status").stdout.splitlines() if "web/production" in line)
    assert web.startswith("▲ degraded")
    assert "web 2/2 worker 0/1" in web
    assert "worker: exited 1 three times" in web
    assert "on ssh://deploy@shop-1" in web


def test_status_says_what_left_the_configuration_and_why_nothing_is_automatic(adopted: Paths, cli: Cli) -> None:
    shown = cli("status").stdout.splitlines()
    assert any("checkout/production" in line and "not in config" in line for line in shown)
    assert any("web/staging" in line and "auto off: r43 was rolled back" in line for line in shown)


def test_status_names_each_host_when_there_are_several_and_a_bad_edit_with_file_and_line(
    adopted: Paths, cli: Cli
) -> None:
    shown = cli("status").stdout
    assert "▲  local" in shown
    assert "the edge is outdated" in shown
    assert "✖  ssh://deploy@shop-1  Docker: connection refused, last seen" in shown
    assert "▲ config.yaml:12:5 unknown key 'servces' · the last good one is used" in shown
    assert "ssh://deploy@shop-1" in cli("engine", "status").stdout
    assert "config.yaml:12:5" in cli("engine", "status").stdout


def test_status_of_one_process_on_one_host_is_as_short_as_ever(engine: Paths, cli: Cli) -> None:
    shown = cli("status").stdout
    assert len(shown.splitlines()) == 3
    assert "1/1" in shown
    assert "web 1/1" not in shown
    assert "auto" not in shown


# ---------------------------------------------------------------- open


def test_open_shows_where_a_release_answers_before_customers_are_on_it(engine: Paths, cli: Cli) -> None:
    shown = cli("open", "web", "production").stdout
    assert shown.startswith("r43 ")
    for wanted in ("▲ customers are not on it", "http://10.231.0.6:8000/ (host shop.test)", "  curl -H 'Host:"):
        assert wanted in shown


def test_open_says_on_which_host_customers_are_served_where_it_is_another_one() -> None:
    found = replace(world.address(world.WEB, None), public="http://127.0.0.1:8100")
    assert around.address(found, "ssh://deploy@shop-1")[-1] == "Customers: http://127.0.0.1:8100 on ssh://deploy@shop-1"
    assert around.address(found, "local")[-1] == "Customers: http://127.0.0.1:8100"


def test_open_takes_a_release(engine: Paths, cli: Cli) -> None:
    assert cli("open", "web/production", "--release", "r41").stdout.startswith("r41 ")
    ran = cli("open", "web/production", "--release", "r7")
    assert (ran.returncode, "has no release r7" in ran.stderr) == (2, True)


# ---------------------------------------------------------------- exec


def test_a_command_runs_with_its_own_output_and_exit_status_and_its_end_is_recorded(engine: Paths, cli: Cli) -> None:
    ran = cli("exec", "web", "production", "--", "sh", "-c", "echo out; echo err >&2; echo $TICKET; exit 7")
    assert (ran.returncode, ran.stdout, ran.stderr) == (7, "out\nmain live pipe\n", "err\n")
    assert ended(engine) == ["5 7"]


def test_what_stands_behind_two_dashes_is_not_read_as_ours(engine: Paths, cli: Cli) -> None:
    ran = cli("exec", "checkout", "--", "echo", "--process", "--", "--help")
    assert (ran.returncode, ran.stdout) == (0, "--process -- --help\n")


def test_a_command_without_two_dashes_is_shown_where_they_go(engine: Paths, cli: Cli) -> None:
    ran = cli("exec", "web", "production", "ls")
    assert (ran.returncode, "[-- COMMAND…]" in ran.stderr) == (2, True)
    assert ended(engine) == []


def test_a_process_and_a_container_of_ones_own_can_be_asked_for(engine: Paths, cli: Cli) -> None:
    ran = cli("exec", "web/production", "--one-off", "--process", "worker", "--", "sh", "-c", "echo $TICKET")
    assert ran.stdout == "worker one-off pipe\n"


def test_a_process_that_is_not_there_runs_nothing(engine: Paths, cli: Cli) -> None:
    ran = cli("exec", "web/production", "--process", "nope")
    assert (ran.returncode, "It has: web, worker" in ran.stderr) == (2, True)
    assert ended(engine) == []


def test_a_machine_without_docker_is_told_so_and_the_end_is_recorded(engine: Paths, cli: Cli) -> None:
    ran = cli("exec", "web/production", "--process", "absent")
    assert ran.returncode == 1
    assert "There is no no-such-docker command on this machine" in ran.stderr
    assert ended(engine) == ["5 127"]


def test_a_command_that_a_signal_ends_has_the_shells_exit_status(engine: Paths, cli: Cli) -> None:
    assert cli("exec", "web/production", "--", "sh", "-c", "kill -9 $$").returncode == 137


def test_ctrl_c_is_the_commands_and_its_end_is_recorded(engine: Paths) -> None:
    script = "trap 'echo caught; exit 5' INT; echo ready; while :; do read line; done"
    status, shown = at_a_terminal(["exec", "web/production", "--", "sh", "-c", script], "ready", b"\x03")
    assert (status, "caught" in shown) == (5, True)
    assert ended(engine) == ["5 5"]


def test_at_a_terminal_the_command_gets_one(engine: Paths) -> None:
    script = "test -t 0 && echo $TICKET ready; read line; echo got $line"
    status, shown = at_a_terminal(["exec", "web/production", "--", "sh", "-c", script], "ready", b"a word\n")
    assert status == 0
    assert "main live tty ready" in shown
    assert "got a word" in shown


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_is_passed_on_and_the_end_is_recorded(engine: Paths, number: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    script = "echo ready; exec cat"
    process = subprocess.Popen(
        [*COMMAND, "exec", "web/production", "--", "sh", "-c", script],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.wait(timeout=20) == 128 + number
    process.communicate()
    assert ended(engine) == [f"5 {128 + number}"]


def test_an_engine_that_is_gone_at_the_end_does_not_change_the_exit_status(
    engine: Paths, cli: Cli, tmp_path: Path
) -> None:
    """It is started again for the record; where it cannot be, that is said."""
    pid = engine.lock.read_text().strip()
    script = f"echo broken > {engine.config}; kill -9 {pid}; exit 7"
    ran = cli("exec", "web/production", "--", "sh", "-c", script)
    assert ran.returncode == 7, ran.stderr
    assert "Its end is not recorded" in ran.stderr
    assert "Traceback" not in ran.stderr


# ---------------------------------------------------------------- restart


def test_a_restart_says_what_it_does_and_is_followed_to_its_end(adopted: Paths, cli: Cli) -> None:
    ran = cli("restart", "web/production", "--yes", "--confirm", "web", "--reason", "it hangs")
    assert ran.returncode == 0, ran.stderr
    for wanted in ("Restart web/production: r42 in new containers", "no gap", "worker", "Customers have r42"):
        assert wanted in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("restart", "web/staging"), 2, "--yes"),
        (("restart", "web/production", "--yes"), 3, "--confirm web"),
        (("restart", "nothing", "--yes"), 2, "There is no service 'nothing'"),
        (("edge", "upgrade"), 2, "--yes"),
        (("edge", "upgrade", "shop-9", "--yes"), 2, "There is: local"),
    ],
)
def test_what_was_not_agreed_to_is_not_done(
    engine: Paths, cli: Cli, arguments: tuple[str, ...], status: int, said: str
) -> None:
    ran = cli(*arguments)
    assert (ran.returncode, said in ran.stderr) == (status, True), ran.stderr
    assert json.loads(cli("status", "--json").stdout)["operations"] == []


# ---------------------------------------------------------------- the rest


def test_other_containers_are_listed_with_state_and_image(adopted: Paths, cli: Cli) -> None:
    ran = cli("containers")
    db, nginx, lost = ran.stdout.splitlines()
    assert ran.returncode == 1
    assert db.startswith("●")
    for wanted in ("shop-db-1", "Up 3 hours", "postgres:16", "shop"):
        assert wanted in db
    assert "[/x]" in nginx
    assert "Exited (1)" in nginx
    assert lost == "✖ ssh://deploy@shop-1 did not answer"


def test_foreign_names_command_no_terminal(adopted: Paths, cli: Cli) -> None:
    assert not set(cli("containers").stdout) & {"\x1b", "\x07"}


def test_a_host_without_others_says_so(engine: Paths, cli: Cli) -> None:
    ran = cli("containers")
    assert (ran.returncode, ran.stdout) == (0, "There is none beside those of the cockpit\n")


def test_an_edge_is_upgraded_after_saying_what_customers_notice(engine: Paths, cli: Cli) -> None:
    ran = cli("edge", "upgrade", "--yes")
    assert ran.returncode == 0, ran.stderr
    for wanted in ("▲ Caddy 2.10, this cockpit brings 2.11", "Customers notice: new connections wait up to 2 s"):
        assert wanted in ran.stdout
    assert ran.stdout.endswith("✔ The edge on local is new\n")
    assert cli("edge", "upgrade").stdout == "The edge on local is as the configuration says\n"


def test_a_person_is_asked_before_an_edge_is_upgraded(engine: Paths, cli: Cli) -> None:
    status, shown = at_a_terminal(["edge", "upgrade"], "[y/N] ", b"n\n")
    assert (status, "Nothing was changed" in shown) == (3, True)
    assert "Caddy 2.10" in cli("edge", "upgrade", "--yes").stdout


def test_pending_says_which_commits_wait_for_their_image() -> None:
    there, missing, built = (replace(world.COMMITS[0], image=each) for each in (True, False, None))
    first, second, third = render.commits((there, missing, built))
    assert "  image  " in first
    assert "no image yet" in second
    assert "image" not in third


def test_a_deploy_that_would_wait_for_its_image_says_so_before_it_asks() -> None:
    sheet = world.deploy_sheet(world.WEB, "")
    assert sheet.commit is not None
    waiting = replace(sheet, commit=replace(sheet.commit, image=False))
    said = "▲ the image of aaaaaaa is not there yet: pull waits for it"
    assert said in render.deploy_sheet(waiting)
    assert said not in render.deploy_sheet(sheet)


def test_logs_of_one_process(engine: Paths, cli: Cli) -> None:
    assert cli("logs", "checkout", "--process", "worker").stdout.startswith("worker ")


def test_what_a_deploy_waits_for_is_said_once_and_until_when(engine: Paths, cli: Cli) -> None:
    ran = cli("deploy", "web/staging", "--yes", "--commit", "late")
    assert ran.returncode == 0
    (said,) = [line for line in ran.stdout.splitlines() if "waiting for registry/web:late" in line]
    assert said.endswith("of 10 min")


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("status", "--json"), Snapshot),
        (("open", "web/production", "--json"), ProbeAddress),
        (("containers", "--json"), Others),
        (("edge", "upgrade", "--yes", "--json"), EdgeUpgrade),
    ],
)
def test_json_is_one_document_of_the_protocol(
    adopted: Paths, cli: Cli, arguments: tuple[str, ...], kind: type[object]
) -> None:
    (line,) = cli(*arguments).stdout.splitlines()
    assert isinstance(decode(kind, json.loads(line)), kind)


def at_a_terminal(arguments: list[str], awaited: str, typed: bytes) -> tuple[int, str]:
    """As a person's own terminal: `typed` goes in once `awaited` is there. Exit status, and all that was shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update({"PYTHONPATH": str(ROOT), "TERM": "xterm"})
        os.execvp(COMMAND[0], [*COMMAND, *arguments])
    shown, end = "", time.monotonic() + 30
    while time.monotonic() < end:
        try:
            shown += os.read(terminal, 65536).decode()
        except OSError:
            break
        if awaited and awaited in shown:
            awaited = ""
            os.write(terminal, typed)
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


@needs_root
def test_a_docker_socket_that_is_for_others_is_told_with_whom_it_is_for() -> None:
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX) as docker:
        path = Path(name) / "docker.sock"
        docker.bind(str(path))
        path.chmod(0o660)
        why = f"from cockpit.foreground import out_of_reach; print(out_of_reach({{'DOCKER_HOST': 'unix://{path}'}}))"
        assert SOMEBODY.python("-c", why).stdout == f"{path} lies where only the engine's user goes\n"
        Path(name).chmod(0o755)
        assert SOMEBODY.python("-c", why).stdout == f"{path} is for root and group root alone\n"
        path.chmod(0o600)
        assert SOMEBODY.python("-c", why).stdout == f"{path} is for root alone\n"
        path.chmod(0o666)
        assert SOMEBODY.python("-c", why).stdout == "\n"
