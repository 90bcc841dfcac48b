"""A Docker that isn't there: absent, stopped, hung, forbidden, or something else."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cockpit.clock import SystemClock
from cockpit.errors import ConfigError, TargetDown
from cockpit.targets import docker as docker_target
from cockpit.targets.docker import DockerTarget
from tests.targets.rigs import DockerRig, order

pytestmark = pytest.mark.docker


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short enough for a socket's path, and open to other users."""
    with tempfile.TemporaryDirectory(prefix="ck") as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.fixture
def silent(folder: Path) -> Iterator[Path]:
    """A Docker that hangs: it accepts and never answers."""
    with socket.socket(socket.AF_UNIX) as listener:
        path = folder / "silent.sock"
        listener.bind(str(path))
        listener.listen(64)
        yield path


async def test_a_hung_docker_is_told_from_an_absent_one_in_time(silent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_target, "PING", 1.0)
    target = DockerTarget(f"unix://{silent}", "t0", subnet=None, clock=SystemClock())
    before = time.monotonic()
    with pytest.raises(TargetDown, match=r"silence|no reply") as raised:
        await target.ping()
    assert time.monotonic() - before < 3
    assert "hangs" in raised.value.hint
    await target.close()


async def test_a_docker_that_stopped_leaves_a_socket_where_nobody_listens(folder: Path) -> None:
    path = folder / "dead.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    target = DockerTarget(f"unix://{path}", "t0", subnet=None, clock=SystemClock())
    with pytest.raises(TargetDown, match=f"nobody listens on {path}"):
        await target.ping()
    with pytest.raises(TargetDown, match=f"nobody listens on {path}"):
        await target.start(order())
    await target.close()


async def test_something_else_on_the_socket_is_no_docker(folder: Path) -> None:
    path = folder / "other.sock"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"SSH-2.0-OpenSSH\r\n")
        writer.close()

    async with await asyncio.start_unix_server(answer, path):
        target = DockerTarget(f"unix://{path}", "t0", subnet=None, clock=SystemClock())
        with pytest.raises(TargetDown, match="Docker does not answer"):
            await target.observe()
        await target.close()


async def test_a_docker_that_comes_back_is_used_again(docker_rig: DockerRig, folder: Path) -> None:
    path = folder / "docker.sock"
    target = DockerTarget(f"unix://{path}", docker_rig.target.installation, subnet=None, clock=SystemClock())
    with pytest.raises(TargetDown, match=f"there is no socket {path}"):
        await target.ping()
    path.symlink_to("/var/run/docker.sock")
    assert (await target.ping()).version
    await target.close()


PING = """
import asyncio, sys
from cockpit.clock import SystemClock
from cockpit.errors import TargetDown
from cockpit.targets.docker import DockerTarget
try:
    asyncio.run(DockerTarget(sys.argv[1], "t0", subnet=None, clock=SystemClock()).ping())
except TargetDown as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_forbidden_socket_names_the_group_that_may(folder: Path) -> None:
    path = folder / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        path.chmod(0o660)
        os.chown(path, 0, 1)
        become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        command = [*become, sys.executable, "-c", PING, f"unix://{path}"]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    assert f"no permission for {path}" in done.stdout
    assert "must be in the group daemon" in done.stdout


@pytest.mark.parametrize("host", ["tcp://10.0.0.1:2375", "ssh://deploy@web1", "unix://", "elsewhere"])
def test_a_host_that_is_no_unix_socket_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match="is no Unix socket"):
        DockerTarget(host, "t0", subnet=None, clock=SystemClock())


def test_local_follows_docker_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2375")
    with pytest.raises(ConfigError, match="is no Unix socket"):
        DockerTarget("local", "t0", subnet=None, clock=SystemClock())


async def test_a_target_that_was_closed_says_so() -> None:
    target = DockerTarget("local", "t0", subnet=None, clock=SystemClock())
    await target.close()
    with pytest.raises(TargetDown, match="closed"):
        await target.observe()
