"""The engine in a world that is not as it should be: it runs, says what is wrong, and what to do."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cockpit.errors import TargetDown
from cockpit.model import Failure, Operation, OperationState, Side
from tests.stories import services
from tests.stories.world import World, world

pytestmark = pytest.mark.docker


def failure_of(operation: Operation) -> Failure:
    assert operation.state is OperationState.FAILED
    assert operation.failure is not None
    return operation.failure


async def test_without_docker_the_engine_runs_says_so_and_refuses_a_deploy_with_the_next_step() -> None:
    async with world() as made:
        made.engine_host = "unix:///nowhere.sock"
        made.configure("shop")
        await made.up()
        commit = made.commit("shop", services.web(made.runtime), "Open the shop")
        with pytest.raises(TargetDown) as down:
            await made.deploy("shop", commit)
        assert "/nowhere.sock" in down.value.message + down.value.hint
        assert down.value.hint
        engine = (await made.snapshot()).engine
        assert not engine.docker_ok
        assert "Docker: " in await made.says("status")
        assert "✖ fail  docker" in await made.says("doctor")


async def test_a_port_of_the_edge_that_somebody_has_is_told_with_the_owner_and_the_line_to_change() -> None:
    async with world() as made:
        made.configure("shop")
        commit = made.commit("shop", services.web(made.runtime), "Open the shop")
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", made.port))
            taken.listen()
            await made.up()
            failure = failure_of(await made.deploy("shop", commit))
            assert failure.side is Side.INFRASTRUCTURE
            said = (await made.snapshot()).engine.edge
            name = Path("/proc/self/comm").read_text().strip()
            assert f"port {made.port} is taken by {name} (pid {os.getpid()})" in said
            assert "edge:\n  listen: 127.0.0.1:" in said
            assert (failure.step, f"port {made.port} is taken by" in failure.summary) == ("preflight", True)
            assert "edge:\n  listen: 127.0.0.1:" in failure.next
        await made.edge_up()
        await made.ships("shop", commit)


@contextmanager
def small_disk(directory: Path, megabytes: int) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "story", str(directory)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def fill(directory: Path, leave: int) -> Path:
    """A file that leaves so many bytes free."""
    disk = os.statvfs(directory)
    ballast = directory / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - leave)
    return ballast


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
async def test_a_disk_that_fills_up_in_a_build_fails_the_deploy_cleanly_and_the_next_one_works() -> None:
    async with world() as made:
        with small_disk(made.paths.state, 700):
            (made.paths.state / "installation").write_text(f"{made.host.installation}\n")
            try:
                await disk_story(made)
            finally:
                await made.client.close()
                await made.end_engine()


async def disk_story(made: World) -> None:
    made.configure("shop")
    await made.up()
    await made.ships("shop", made.commit("shop", services.web(made.runtime), "Open the shop"))
    big = made.commit("shop", {"catalogue": "0" * 64 * 2**20}, "Ship the whole catalogue")
    operation = await made.begin("shop", big)
    while (step := (await made.operation(operation)).step("fetch")) is None or step.started_at is None:
        continue
    ballast = fill(made.paths.state, leave=16 * 2**20)
    failure = failure_of(await made.ended(operation))
    assert failure.step == "build"
    assert "no space left" in failure.summary
    assert failure.next
    assert made.scratch() == []
    assert (await made.live("shop")).number == 1
    assert set(made.host.releases("shop")) == {1}
    too_full = failure_of(await made.deploy("shop", big))
    assert (too_full.step, "MB free" in too_full.summary) == ("preflight", True)
    ballast.unlink()
    await made.ships("shop", big)
