"""Worlds in which things fail: one whose Docker engine is the test's own, and small disks."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from cockpit.demo.exchange import Connection, Response
from cockpit.demo.load import Load
from cockpit.model import Failure, Operation, OperationState
from tests.faults.private import PrivateDocker, private_docker
from tests.stories import services
from tests.stories.host import Host
from tests.stories.world import PRODUCTION, World
from tests.waiting import until
from tests.world import fresh_installation, runtime_image


class PrivateWorld(World):
    """Its customers come to the address of its own Docker host, under any name."""

    private: PrivateDocker

    def listen(self, on: PrivateDocker) -> None:
        self.private, self.engine_host = on, on.url
        self.edge = {"listen": f"{on.address}:{self.port}"}

    def configure(self, service: str, **changes: Any) -> None:
        super().configure(service, **{"hosts": ..., **changes})

    def pointer(self, service: str) -> str:
        (found,) = (self.paths.state / "hosts").glob(f"*/edge/pointers/{service}@{PRODUCTION}")
        return found.read_text().split()[0]

    def url(self, service: str) -> str:
        return f"http://{self.private.address}:{self.port}/"

    async def get(self, service: str, path: str = "/") -> Response:
        connection = await Connection.open(self.private.address, self.port)
        try:
            head = f"GET {path} HTTP/1.1\r\nHost: {self.private.address}\r\nConnection: close\r\n\r\n"
            return await connection.exchange(head.encode())
        finally:
            connection.close()


@asynccontextmanager
async def private_world() -> AsyncIterator[PrivateWorld]:
    """With nothing configured yet, and no engine."""
    root = Path(tempfile.mkdtemp(prefix="story-", dir="/tmp"))
    with private_docker() as private:
        client = private.client()
        made = PrivateWorld(root, Host(client, fresh_installation()), await asyncio.to_thread(runtime_image, client))
        made.listen(private)
        try:
            await asyncio.to_thread(made.prepare)
            yield made
            assert " ERROR cockpit" not in made.engine_log(), made.engine_log()
        finally:
            if hasattr(made, "client"):
                await made.client.close()
            await made.end_engine()
            made.paths.socket.unlink(missing_ok=True)
            client.close()
            shutil.rmtree(root, ignore_errors=True)


async def open_shop(made: World, **keys: Any) -> None:
    """One service with a good first release."""
    made.configure("shop", **keys)
    await made.up()
    await made.ships("shop", made.commit("shop", services.web(made.runtime), "Open the shop"))


async def next_deploy_works(made: World) -> None:
    """And the customers are on it."""
    operation = await made.ships("shop", made.commit("shop", {"notes": os.urandom(8).hex()}, "Go on"))
    assert made.pointer("shop") == f"r{operation.to_release}"
    assert (await made.get("shop")).headers["x-release"] == f"r{operation.to_release}"


async def in_step(made: World, operation: Operation, name: str) -> None:
    """Returns once that step has begun."""

    async def there() -> bool:
        step = (await made.operation(operation)).step(name)
        return step is not None and step.started_at is not None

    await until(there, 20, f"the step {name}")


def nobody_noticed(load: Load) -> None:
    stats = load.stats()
    assert stats.requests > 0
    assert (stats.lost, stats.non_2xx, stats.wrong) == (0, 0, 0), (stats.lost_because, stats)


def failed(operation: Operation) -> Failure:
    assert operation.state is OperationState.FAILED, operation
    assert operation.failure is not None
    assert operation.failure.next, "a failure says what to do next"
    return operation.failure


@contextmanager
def small_disk(directory: Path, megabytes: int) -> Iterator[Path]:
    """The directory, which is there, on a disk of its own."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "fault", str(directory)], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def fill(directory: Path, leave: int = 0) -> Path:
    """A file that leaves so many bytes free on its disk."""
    filler = directory / "filler"
    with filler.open("wb") as file:
        while (free := _free(directory) - leave) > 0:
            with suppress(OSError):  # somebody else writes there too
                os.posix_fallocate(file.fileno(), file.seek(0, 2), free)
    return filler


def _free(directory: Path) -> int:
    disk = os.statvfs(directory)
    return disk.f_bavail * disk.f_frsize
