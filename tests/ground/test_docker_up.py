"""scripts/docker-up decides: use what answers, install and start as root on Debian, or say in one sentence what to do.

Every command that would change the machine is a stub that writes down how it was called.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "docker-up"
REAL = ("sh", "dirname", "cat", "date", "grep", "id", "sleep", "tail", "env", "ldd", "setsid")


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/_ping" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@dataclass(frozen=True)
class Machine:
    """A made-up machine: its own PATH, /etc, /proc and Docker socket."""

    root: Path

    @property
    def socket(self) -> Path:
        return self.root / "docker.sock"

    def command(self, name: str, script: str = "") -> None:
        """Calls are written down before `script` runs."""
        path = self.root / "bin" / name
        path.unlink(missing_ok=True)
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> "{self.root}/calls"\n{script}\n')
        path.chmod(0o755)

    def lacks(self, *names: str) -> None:
        for name in names:
            (self.root / "bin" / name).unlink(missing_ok=True)

    def is_system(self, name: str, init: str) -> None:
        (self.root / "etc/os-release").write_text(f"ID={name}\n")
        (self.root / "proc/1/comm").write_text(f"{init}\n")

    def run(self, seconds: int = 0) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": str(self.root / "bin"),
            "COCKPIT_DOCKER_SOCKET": str(self.socket),
            "COCKPIT_ETC": str(self.root / "etc"),
            "COCKPIT_PROC": str(self.root / "proc"),
            "COCKPIT_DOCKERD_LOG": str(self.root / "dockerd.log"),
            "COCKPIT_DOCKER_WAIT": str(seconds),
        }
        return subprocess.run([SCRIPT], check=False, env=environment, capture_output=True, text=True, timeout=60)

    @property
    def calls(self) -> list[str]:
        """Of commands that change something, in order."""
        file = self.root / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line for line in lines if not line.startswith("id ")]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Debian without systemd, asked by root, with Docker's packages installed and nothing running."""
    made = Machine(tmp_path)
    for folder in ("bin", "etc", "proc/1"):
        (tmp_path / folder).mkdir(parents=True)
    for name in REAL:
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    (tmp_path / "bin/python3").symlink_to(sys.executable)
    made.command("id", "echo 0")
    for name in ("apt-get", "dockerd", "systemctl", "docker", "apparmor_parser", "mountpoint"):
        made.command(name)
    made.is_system("debian", "init")
    return made


@pytest.fixture
def engine(machine: Machine) -> Iterator[None]:
    with UnixStreamServer(str(machine.socket), Answering) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield
        server.shutdown()
        serving.join()


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("system", ["debian", "fedora"])
def test_an_engine_that_answers_is_used_and_never_touched(machine: Machine, system: str) -> None:
    machine.is_system(system, "systemd")
    result = machine.run()
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert machine.calls == []


@pytest.mark.usefixtures("engine")
def test_no_docker_client_is_needed_to_see_that_an_engine_answers(machine: Machine) -> None:
    machine.lacks("docker", "dockerd")
    assert machine.run().returncode == 0


def test_a_client_without_an_engine_does_not_pass_for_one(machine: Machine) -> None:
    machine.command("docker", "exit 0")
    assert machine.run().returncode == 1
    assert not any(call.startswith("docker ") for call in machine.calls)


@pytest.mark.parametrize(("init", "call"), [("systemd", "systemctl start docker"), ("init", "dockerd ")])
def test_an_installed_engine_is_started_the_way_the_machine_starts_things(
    machine: Machine, init: str, call: str
) -> None:
    machine.is_system("debian", init)
    result = machine.run()
    assert call in machine.calls
    assert not any(each.startswith("apt-get") for each in machine.calls)
    assert result.returncode == 1
    assert "dockerd does not answer after 0 s" in result.stderr


@pytest.mark.parametrize("system", ["debian", "ubuntu"])
def test_a_missing_engine_is_installed_from_the_distribution(machine: Machine, system: str) -> None:
    machine.is_system(system, "systemd")
    machine.lacks("dockerd")
    machine.run()
    assert machine.calls[-3:] == [
        "apt-get update -qq",
        "apt-get install -qq -y --no-install-recommends docker.io",
        "systemctl start docker",
    ]


def test_a_started_engine_is_waited_for(machine: Machine) -> None:
    serve = f"""exec python3 - <<'PYTHON'
import socket
server = socket.create_server("{machine.socket}", family=socket.AF_UNIX)
line, _ = server.accept()
line.recv(1000)
line.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nOK")
PYTHON"""
    machine.command("dockerd", serve)
    result = machine.run(seconds=30)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == f"docker-up: a Docker engine answers at {machine.socket}"


def test_a_refusal_of_apt_is_passed_on(machine: Machine) -> None:
    machine.lacks("dockerd")
    machine.command("apt-get", '[ "$1" = update ] || { echo "E: held broken packages" >&2; exit 100; }')
    result = machine.run()
    assert result.returncode == 1
    assert "E: held broken packages" in result.stderr
    assert "dockerd " not in machine.calls


@pytest.mark.parametrize(
    ("system", "user", "sentence"),
    [
        ("debian", "1000", "start one, or run this as root to have it done"),
        ("fedora", "0", "install Docker for this system and start it"),
    ],
)
def test_where_it_cannot_help_it_says_what_to_do_and_changes_nothing(
    machine: Machine, system: str, user: str, sentence: str
) -> None:
    machine.is_system(system, "systemd")
    machine.command("id", f"echo {user}")
    result = machine.run()
    assert result.returncode == 1
    assert result.stderr == f"docker-up: no Docker engine answers at {machine.socket}: {sentence}\n"
    assert machine.calls == []
