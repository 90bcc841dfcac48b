"""A Docker engine on a host of its own: another network namespace, one cable to it, and an sshd there. Needs root."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
from docker import DockerClient
from docker.errors import DockerException

from tests.ssh.rig import Elsewhere
from tests.waiting import LOOK_EVERY

STARTING = 60.0  # seconds
ENDING = 30.0

USER, UID = "deploy", 4242  # known on that host alone; in the group docker, and nobody else

# The namespace exists before its cable, so it waits for a word. /run is its own: the state of the engine that is there
# on this machine stays out of reach.
_INSIDE = """read -r go
set -e
ip link set lo up
ip addr add "$2/30" dev uplink
ip link set uplink up
ip route add default via "$3"
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/sshd
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
exec dockerd --data-root "$1/data" --exec-root /run/docker --pidfile "$1/pid" -H "unix://$1/docker.sock" >"$1/log" 2>&1
"""


class FarHost:
    """`elsewhere` is how ssh gets there; customers come to `address`."""

    def __init__(self, root: Path) -> None:
        number = os.getpid() % 16_000 * 4  # the parallel workers' cables do not meet
        net = f"10.98.{number // 256}."
        self.here, self.address = f"{net}{number % 256 + 1}", f"{net}{number % 256 + 2}"
        self.root, self.cable = root, f"cable{os.getpid()}"
        self.elsewhere = Elsewhere(root / "host", self.address, USER)
        self.elsewhere.options["ListenAddress"] = self.address
        self.elsewhere.environment["DOCKER_HOST"] = f"unix://{root}/docker.sock"
        self._let_in()
        self._engine: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of dockerd: unshare and sh become it."""
        assert self._engine is not None
        return self._engine.pid

    @property
    def inside(self) -> tuple[str, ...]:
        """In front of a command: it runs there."""
        return ("nsenter", f"--net=/proc/{self.pid}/ns/net", f"--mount=/proc/{self.pid}/ns/mnt")

    def start(self) -> None:
        words = ("unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", _INSIDE, "sh")
        self._engine = subprocess.Popen(
            [*words, str(self.root), self.address, self.here], stdin=subprocess.PIPE, start_new_session=True
        )
        own = os.readlink("/proc/self/ns/net")
        _until(lambda: os.readlink(f"/proc/{self.pid}/ns/net") != own, "a namespace")
        _ip("link", "add", self.cable, "type", "veth", "peer", "name", "uplink", "netns", str(self.pid))
        _ip("addr", "add", f"{self.here}/30", "dev", self.cable)
        self.plug()
        assert self._engine.stdin is not None
        self._engine.stdin.write(b"go\n")
        self._engine.stdin.close()
        _until(self._answers, "dockerd")
        self.elsewhere.inside = self.inside
        self.elsewhere.start()

    def _let_in(self) -> None:
        self.root.chmod(0o755)
        os.chown(self.elsewhere.home, UID, UID)
        users = Path("/etc/passwd").read_text() + f"{USER}:x:{UID}:{UID}::{self.elsewhere.home}:/bin/sh\n"
        others = [line for line in Path("/etc/group").read_text().splitlines() if not line.startswith("docker:")]
        (self.root / "passwd").write_text(users)
        (self.root / "group").write_text("\n".join([*others, f"{USER}:x:{UID}:", f"docker:x:{UID + 1}:{USER}", ""]))

    def plug(self) -> None:
        _ip("link", "set", self.cable, "up")

    def unplug(self) -> None:
        """From now on every packet is lost, either way."""
        _ip("link", "set", self.cable, "down")

    @contextlib.contextmanager
    def hung_engine(self) -> Iterator[None]:
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def client(self) -> DockerClient:
        return docker.DockerClient(f"unix://{self.root}/docker.sock", version="1.41")

    def end(self) -> None:
        self.elsewhere.end()
        if self._engine is not None:
            with contextlib.suppress(DockerException, OSError), contextlib.closing(self.client()) as client:
                for container in client.containers.list(all=True):
                    container.remove(force=True)
            self._engine.terminate()
            try:
                self._engine.wait(ENDING)
            except subprocess.TimeoutExpired:
                self._engine.kill()
                self._engine.wait()
        subprocess.run(["ip", "link", "del", self.cable], capture_output=True, check=False)

    def _answers(self) -> bool:
        assert self._engine is not None
        assert self._engine.poll() is None, (self.root / "log").read_text()[-2000:]
        with contextlib.suppress(DockerException, OSError), contextlib.closing(self.client()) as client:
            return bool(client.ping())
        return False


@contextlib.contextmanager
def far_host() -> Iterator[FarHost]:
    made = FarHost(Path(tempfile.mkdtemp(prefix="far-", dir="/tmp")))
    try:
        made.start()
        yield made
    finally:
        made.end()
        shutil.rmtree(made.root, ignore_errors=True)


def missing() -> list[str]:
    """What this machine lacks for it."""
    programs = [each for each in ("unshare", "nsenter", "ip", "dockerd") if not shutil.which(each)]
    return [*(["root"] if os.geteuid() != 0 else []), *programs]


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + STARTING
    while not condition():
        assert time.monotonic() < deadline, f"not within {STARTING:g} s: {what}"
        time.sleep(LOOK_EVERY)
