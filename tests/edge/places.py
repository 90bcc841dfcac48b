"""The edge's directory as an engine is given it: on this disk, and through a shell."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import os
import shutil
import subprocess
import tempfile
import threading
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from pathlib import Path, PurePosixPath

from cockpit import process
from cockpit.edge.far_files import FarFiles
from cockpit.edge.files import Files, LocalFiles
from cockpit.ssh.address import Address
from cockpit.ssh.lane import Lane

SURVIVING = ("setsid", "--wait", "sh")  # as behind a line that is cut: what runs there is not killed from here
KINDS = ("local", "far", "busybox")


class Neighbour:
    """What a line offers, without ssh: shells of this machine in a directory of theirs."""

    address = Address("deploy", "neighbour")

    def __init__(self, root: Path, shell: tuple[str, ...], path: str) -> None:
        self.root, self.shell, self.path = root, shell, path
        self.sockets = root / "sockets"
        self.lanes: list[Lane] = []
        self._opened: list[Process] = []

    def lane(self, first: str = ":") -> Lane:
        begin = f"cd {self.root} && {first}"
        made = Lane(self._open, begin)
        self.lanes.append(made)
        return made

    async def end(self) -> None:
        """Also those that survive are over: they have nobody to talk to any more."""
        for lane in self.lanes:
            await lane.end()
        for each in self._opened:
            assert each.stdin is not None
            assert each.stdout is not None
            each.stdin.close()
            await each.stdout.read()

    @contextlib.asynccontextmanager
    async def _open(self) -> AsyncIterator[Process]:
        async with process.started(self.shell, env={**os.environ, "PATH": self.path}, stdin=PIPE) as shell:
            self._opened.append(shell)
            yield shell

    def known_edge(self) -> PurePosixPath:
        return PurePosixPath(self.root / "edge")

    def known_owner(self) -> int:
        return os.geteuid()


@functools.cache
def _busybox() -> str:
    """A directory with nothing but its programs."""
    directory = tempfile.mkdtemp(prefix="busybox-")
    atexit.register(shutil.rmtree, directory)
    subprocess.run(["busybox", "--install", "-s", directory], check=True)
    return directory


@contextlib.contextmanager
def place(kind: str, directory: Path, shell: tuple[str, ...] = ("sh",)) -> Iterator[Files]:
    """Files of `directory`; its name has to be "edge"."""
    if kind == "local":
        yield LocalFiles(directory)
        return
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    neighbour = Neighbour(directory.parent, shell, _busybox() if kind == "busybox" else os.environ["PATH"])

    async def made() -> FarFiles:
        return FarFiles(neighbour)

    try:
        yield asyncio.run_coroutine_threadsafe(made(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(neighbour.end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
