"""A Docker engine of our own that is made a Swarm: the user's engine never is.

It lives in its own network and mount namespace, with its own data, execution root, pid file and socket, so that it
cannot touch the bridge, the firewall or the state of the engine that is there. Needs root.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cockpit.errors import TargetError, UsageError

ADDRESS = "10.99.0.1"  # of the only node, in a network that ends in nothing
STARTING = 60.0  # seconds
ENDING = 30.0

# A default route keeps Docker from looking for one; nothing behind it answers.
_INSIDE = f"""set -e
ip link set lo up
ip link add uplink type veth peer name nowhere
ip addr add {ADDRESS}/24 dev uplink
ip link set uplink up
ip link set nowhere up
ip route add default via 10.99.0.254 dev uplink
mount -t tmpfs tmpfs /run
mkdir -p /run/netns
exec dockerd --data-root "$1/data" --exec-root /run/docker --pidfile "$1/pid" -H "unix://$1/docker.sock" > "$1/log" 2>&1
"""


@dataclass(frozen=True, slots=True)
class Daemon:
    directory: Path
    pid: int

    @property
    def url(self) -> str:
        return f"unix://{self.directory}/docker.sock"

    @property
    def inside(self) -> tuple[str, ...]:
        """In front of a command: it runs in this engine's network."""
        return ("nsenter", f"--net=/proc/{self.pid}/ns/net")

    def docker(self, *arguments: str, stdin: bytes = b"", timeout: float = 180.0) -> str:
        """Raises TargetError with what docker said."""
        done = subprocess.run(
            ["docker", "-H", self.url, *arguments], input=stdin, capture_output=True, timeout=timeout, check=False
        )
        if done.returncode != 0:
            raise TargetError(f"docker {' '.join(arguments[:2])}: {done.stderr.decode('utf-8', 'replace').strip()}")
        return done.stdout.decode("utf-8", "replace").strip()


@contextmanager
def swarm() -> Iterator[Daemon]:
    """A Swarm of one node. Raises UsageError where it cannot be made."""
    if os.geteuid() != 0 or missing():
        raise UsageError(f"a private Docker engine needs root{''.join(f', {each}' for each in missing())}")
    directory = Path(tempfile.mkdtemp(prefix="cockpit-swarm-"))
    process = subprocess.Popen(
        ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", _INSIDE, "sh", str(directory)],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        # Swarm asks a registry for the image at each start of a task otherwise, and none can be reached.
        env={**os.environ, "DOCKER_SERVICE_PREFER_OFFLINE_IMAGE": "1"},
    )
    try:
        daemon = Daemon(directory, process.pid)  # unshare and sh become dockerd: no fork
        _await(daemon, process)
        daemon.docker("swarm", "init", "--advertise-addr", ADDRESS, "--listen-addr", ADDRESS)
        yield daemon
    finally:
        _end(process)
        shutil.rmtree(directory, ignore_errors=True)


def missing() -> list[str]:
    return [program for program in ("unshare", "nsenter", "ip", "dockerd", "docker") if not shutil.which(program)]


def _await(daemon: Daemon, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTING
    while True:
        try:
            daemon.docker("info", timeout=10)
            return
        except (TargetError, subprocess.TimeoutExpired) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                log = daemon.directory / "log"
                tail = log.read_text("utf-8", "replace").splitlines()[-1:] if log.exists() else []
                raise UsageError(f"the private Docker engine does not start: {' '.join(tail) or error}") from None
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    """It stops its containers first."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(ENDING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
