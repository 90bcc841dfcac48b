"""A Docker engine of a test's own, that may be killed, stopped and filled: nobody else's containers are in it.

It has a network, a mount and a pid namespace of its own, and its files are in memory. The namespaces outlive the
engine, so that it can be started again where its containers are; they end with everything in them. Needs root.
"""

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

from tests.waiting import LOOK_EVERY

STARTING = 60.0  # seconds
ENDING = 20.0
DISK = "900m"

# The first process of the pid namespace. Its shell takes up each orphan that ends, or a dead containerd stays a zombie.
_INSIDE = """read -r go
set -e
ip link set lo up
ip addr add "$2/30" dev uplink
ip link set uplink up
mount -t tmpfs tmpfs /run
mkdir -p /run/netns
mount -t tmpfs -o "size=$3" tmpfs "$1/data"
echo ready
while :; do sleep 0.1; done
"""


class PrivateDocker:
    """`url` is how an engine reaches it, `address` is where its edge is reached from here."""

    def __init__(self, root: Path) -> None:
        number = 32_768 + os.getpid() % 8_000 * 4  # beside the cables of tests/ssh, and of the parallel workers
        net = f"10.98.{number // 256}."
        self.here, self.address = f"{net}{number % 256 + 1}", f"{net}{number % 256 + 2}"
        self.root, self.socket = root, root / "docker.sock"
        self.url = f"unix://{self.socket}"
        self._cable = f"fault{os.getpid()}"
        self._namespaces: subprocess.Popen[str] | None = None
        self._engine: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """Its root directory, as this machine reaches it."""
        return Path(f"/proc/{self._space.pid}/root{self.root}/data")

    @property
    def pid(self) -> int:
        """Of dockerd: the one child of nsenter."""
        return next(_children(self._running.pid))

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._engine is not None
        return self._engine

    @property
    def _space(self) -> subprocess.Popen[str]:
        assert self._namespaces is not None
        return self._namespaces

    # ------------------------------------------------------------ its life

    def open(self) -> None:
        """The namespaces, the cable and the first dockerd in them."""
        (self.root / "data").mkdir()
        self.root.chmod(0o755)
        spaces = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private")
        words = ("unshare", *spaces, "sh", "-c", _INSIDE, "sh", str(self.root), self.address, DISK)
        self._namespaces = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        own, its = os.readlink("/proc/self/ns/net"), f"/proc/{self._space.pid}/ns/net"
        _until(lambda: os.readlink(its) != own, "a namespace")
        _ip("link", "add", self._cable, "type", "veth", "peer", "name", "uplink", "netns", str(self._space.pid))
        _ip("addr", "add", f"{self.here}/30", "dev", self._cable)
        _ip("link", "set", self._cable, "up")
        assert self._space.stdin is not None
        assert self._space.stdout is not None
        self._space.stdin.write("go\n")
        self._space.stdin.flush()
        assert self._space.stdout.readline() == "ready\n"
        self.start()

    def start(self, *options: str) -> None:
        """Returns once it answers."""
        space = f"/proc/{self._space.pid}/ns"
        inside = ("nsenter", f"--net={space}/net", f"--mount={space}/mnt", f"--pid={space}/pid_for_children")
        files = ("--data-root", f"{self.root}/data", "--exec-root", "/run/docker", "--pidfile", "/run/dockerd.pid")
        with open(self.root / "log", "ab") as log:
            self._engine = subprocess.Popen(
                [*inside, "dockerd", *files, "-H", self.url, *options], stdout=log, stderr=log, start_new_session=True
            )
        _until(self._answers, "dockerd")

    def kill(self) -> None:
        """As the kernel does when memory is short."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As an upgrade of its package does."""
        self._end(signal.SIGTERM)

    @contextlib.contextmanager
    def hung(self) -> Iterator[None]:
        pid = self.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for each in (pid, self._running.pid):  # nsenter stops with its child, and does not go on with it
                os.kill(each, signal.SIGCONT)

    @contextlib.contextmanager
    def without_socket(self) -> Iterator[None]:
        """New connections find nobody; those that there are stay open."""
        aside = self.socket.with_suffix(".aside")
        self.socket.rename(aside)
        try:
            yield
        finally:
            aside.rename(self.socket)

    def client(self) -> DockerClient:
        return docker.DockerClient(self.url, version="1.41")

    def close(self) -> None:
        if self._engine is not None and self._engine.poll() is None:
            with contextlib.suppress(DockerException, OSError), contextlib.closing(self.client()) as client:
                for container in client.containers.list(all=True):
                    container.remove(force=True)
            self.stop()
        if self._namespaces is not None:
            self._namespaces.kill()
            self._namespaces.wait()
            for pipe in (self._namespaces.stdin, self._namespaces.stdout):
                if pipe is not None:
                    pipe.close()
        subprocess.run(["ip", "link", "del", self._cable], capture_output=True, check=False)

    def _end(self, sign: signal.Signals) -> None:
        os.kill(self.pid, sign)
        try:
            self._running.wait(ENDING)
        except subprocess.TimeoutExpired:
            os.kill(self.pid, signal.SIGKILL)
            self._running.wait()

    def _answers(self) -> bool:
        assert self._running.poll() is None, (self.root / "log").read_text()[-2000:]
        with contextlib.suppress(DockerException, OSError), contextlib.closing(self.client()) as client:
            return bool(client.ping())
        return False


@contextlib.contextmanager
def private_docker() -> Iterator[PrivateDocker]:
    made = PrivateDocker(Path(tempfile.mkdtemp(prefix="fault-", dir="/tmp")))
    try:
        made.open()
        yield made
    finally:
        made.close()
        shutil.rmtree(made.root, ignore_errors=True)


def missing() -> list[str]:
    """What this machine lacks for it."""
    programs = [each for each in ("unshare", "nsenter", "ip", "dockerd") if not shutil.which(each)]
    return [*(["root"] if os.geteuid() != 0 else []), *programs]


def _children(parent: int) -> Iterator[int]:
    for each in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(each.read_text().rpartition(")")[2].split()[1]) == parent:
                yield int(each.parent.name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + STARTING
    while not condition():
        assert time.monotonic() < deadline, f"not within {STARTING:g} s: {what}"
        time.sleep(LOOK_EVERY)
