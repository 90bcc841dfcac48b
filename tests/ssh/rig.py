"""A host elsewhere: a real sshd on the loopback interface, with keys, a home and a Docker socket of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.waiting import LOOK_EVERY

SSHD = "/usr/sbin/sshd"
ENDING = 10.0  # seconds

_OPTIONS = {
    "ListenAddress": "127.0.0.1",
    "AuthorizedKeysFile": "{root}/authorized_keys",
    "StrictModes": "no",
    "PasswordAuthentication": "no",
    "KbdInteractiveAuthentication": "no",
    "UsePAM": "no",
    "PidFile": "none",
    "MaxStartups": "100",
    "LogLevel": "VERBOSE",
}


class Elsewhere:
    """`home` is the login user's there; `bin` has to be first in PATH of whoever is to know this host's key."""

    def __init__(self, root: Path, address: str = "127.0.0.1", user: str = "") -> None:
        self.root, self.address, self.port = root, address, free_port()
        self.user = user or _me()
        self.home, self.bin = root / "home", root / "bin"
        self.docker = root / "docker.sock"
        self.options: dict[str, str] = {}  # of sshd_config, in force from the next start on
        self.environment: dict[str, str] = {"HOME": str(self.home), "DOCKER_HOST": f"unix://{self.docker}"}
        self.inside: tuple[str, ...] = ()  # in front of its command: where it runs
        self._process: subprocess.Popen[bytes] | None = None
        for each in (self.home, self.bin):
            each.mkdir(parents=True)
        self.new_host_key()
        _keygen(root / "id")
        (root / "authorized_keys").write_bytes((root / "id.pub").read_bytes())
        self.make_known()
        self._write_client()

    @property
    def url(self) -> str:
        return f"ssh://{self.user}@{self.address}:{self.port}"

    @property
    def log(self) -> str:
        return (self.root / "sshd.log").read_text()

    @property
    def logins(self) -> int:
        return self.log.count("Accepted publickey")

    @property
    def attempts(self) -> int:
        return self.log.count("Connection from")

    def new_host_key(self) -> None:
        for old in self.root.glob("host_key*"):
            old.unlink()
        _keygen(self.root / "host_key")

    def make_known(self) -> None:
        kind, key, *_ = (self.root / "host_key.pub").read_text().split()
        (self.root / "known_hosts").write_text(f"[{self.address}]:{self.port} {kind} {key}\n")

    def start(self) -> None:
        """Returns once it listens."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # sshd insists
        variables = " ".join(f'{name}="{value}"' for name, value in self.environment.items())
        options = {name: value.format(root=self.root) for name, value in _OPTIONS.items()}
        own = {"Port": str(self.port), "HostKey": str(self.root / "host_key"), "SetEnv": variables}
        lines = (f"{name} {value}\n" for name, value in {**options, **own, **self.options}.items())
        (self.root / "sshd_config").write_text("".join(lines))
        with open(self.root / "sshd.log", "ab") as log:
            before = log.tell()
            self._process = subprocess.Popen(
                [*self.inside, SSHD, "-D", "-e", "-f", str(self.root / "sshd_config")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while b"Server listening" not in (self.root / "sshd.log").read_bytes()[before:]:
            assert self._process.poll() is None, self.log
            time.sleep(LOOK_EVERY)

    def cut(self) -> None:
        """Its connections end, as when somebody kills them; it goes on listening."""
        for pid in self._connections():
            os.kill(pid, signal.SIGKILL)

    @contextlib.contextmanager
    def silence(self) -> Iterator[None]:
        """Nothing is heard of it: connections stay open, and no byte comes. It ends with its connections dead."""
        held = self._connections()
        for pid in held:
            os.kill(pid, signal.SIGSTOP)
        listener = self._listener
        os.kill(listener, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in held:
                os.kill(pid, signal.SIGKILL)
            os.kill(listener, signal.SIGCONT)

    def end(self) -> None:
        if self._process is not None:
            self.cut()
            self._process.terminate()
            self._process.wait(ENDING)
            self._process = None

    @property
    def _listener(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _connections(self) -> list[int]:
        """The processes below the listener that are sshd's own."""
        return [pid for pid in _below(self._listener) if _name(pid).startswith("sshd")]

    def _write_client(self) -> None:
        config = self.root / "ssh_config"
        files = {"UserKnownHostsFile": "known_hosts", "GlobalKnownHostsFile": "none", "IdentityFile": "id"}
        lines = (f"{name} {self.root / value}\n" for name, value in files.items())
        config.write_text("".join(lines) + "IdentitiesOnly yes\n")
        ssh = self.bin / "ssh"
        ssh.write_text(f'#!/bin/sh\nPATH=${{PATH#{self.bin}:}}; exec ssh -F {config} "$@"\n')
        ssh.chmod(0o755)


@contextlib.contextmanager
def elsewhere(root: Path) -> Iterator[Elsewhere]:
    made = Elsewhere(root)
    try:
        made.start()
        yield made
    finally:
        made.end()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _me() -> str:
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name


def _keygen(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


def _below(root: int) -> list[int]:
    parents = {}
    for each in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(each.parent.name)] = int(each.read_text().rpartition(")")[2].split()[1])
    found: list[int] = []
    for pid in sorted(parents):
        at = pid
        while at in parents and at != root:
            at = parents[at]
        if at == root and pid != root:
            found.append(pid)
    return found


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


HOLDER = """
import asyncio, sys
from pathlib import Path
from cockpit.clock import SystemClock
from cockpit.ssh.line import Line

async def main():
    line = Line(sys.argv[1], "killed", Path(sys.argv[2]), SystemClock())
    line.start()
    await line.settled(20)
    await line.run("true")
    print(line.state.condition, flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""


def engine_with_a_line(url: str, directory: Path) -> subprocess.Popen[str]:
    """Another process that holds a line; it says "up" when it does."""
    return subprocess.Popen([sys.executable, "-c", HOLDER, url, str(directory)], stdout=subprocess.PIPE, text=True)
