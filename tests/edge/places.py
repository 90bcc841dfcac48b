"""The edge's directory as an engine is given it: on this disk, and through a shell."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from cockpit import process
from cockpit.edge.far_files import FarFiles
from cockpit.edge.files import Files, LocalFiles
from cockpit.ssh.address import Address
from cockpit.ssh.lane import Lane

KINDS = ("local", "far")


class Neighbour:
    """What a line offers, without ssh: shells of this machine in a directory of theirs."""

    address = Address("deploy", "neighbour")

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sockets = root / "sockets"
        self.lanes: list[Lane] = []

    def lane(self, first: str = ":") -> Lane:
        begin = f"cd {self.root} && {first}"
        made = Lane(lambda: process.started(["sh"], env=dict(os.environ), stdin=PIPE), begin)
        self.lanes.append(made)
        return made

    def known_edge(self) -> PurePosixPath:
        return PurePosixPath(self.root / "edge")

    def known_owner(self) -> int:
        return os.geteuid()


@contextlib.contextmanager
def place(kind: str, directory: Path) -> Iterator[Files]:
    """Files of `directory`; its name has to be "edge"."""
    if kind == "local":
        yield LocalFiles(directory)
        return
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    neighbour = Neighbour(directory.parent)

    async def made() -> FarFiles:
        return FarFiles(neighbour)

    try:
        yield asyncio.run_coroutine_threadsafe(made(), loop).result(10)
    finally:
        for lane in neighbour.lanes:
            asyncio.run_coroutine_threadsafe(lane.end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
