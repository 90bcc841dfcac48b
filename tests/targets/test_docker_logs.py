"""Logs of the real Docker host: hostile lines, many followers."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from cockpit.targets import docker as docker_target
from cockpit.targets.base import RawLine
from cockpit.targets.daemon import QUICK_THREADS
from tests.targets.rigs import DockerRig, started
from tests.waiting import until

pytestmark = pytest.mark.docker


async def whole_log(rig: DockerRig, container: str) -> list[RawLine]:
    async with asyncio.timeout(20):
        return [line async for line in rig.target.logs(container, follow=True)]


async def test_a_line_of_ten_megabytes_is_cut_and_counted(docker_rig: DockerRig) -> None:
    container = await started(docker_rig, "head -c 10000000 /dev/zero | tr '\\0' x; echo; echo after")
    long, after = await whole_log(docker_rig, container)
    assert long.text == "x" * 65536 + " … 9934464 more bytes"
    assert after.text == "after"


async def test_bytes_that_are_no_utf_8_and_a_last_line_without_end_come_through(docker_rig: DockerRig) -> None:
    container = await started(docker_rig, "printf 'a\\377\\376b\\nlast'")
    assert [line.text for line in await whole_log(docker_rig, container)] == ["a\ufffd\ufffdb", "last"]


async def test_many_followers_hold_up_neither_each_other_nor_a_question_and_leave_nothing_open(
    docker_rig: DockerRig,
) -> None:
    container = await started(docker_rig, "echo ready; sleep 1000000")
    await docker_rig.target.observe()
    threads = threading.active_count()
    ready = asyncio.Semaphore(0)

    async def follow() -> None:
        async for _ in docker_rig.target.logs(container, follow=True):
            ready.release()

    followers = [asyncio.ensure_future(follow()) for _ in range(50)]
    async with asyncio.timeout(10):
        for _ in followers:
            await ready.acquire()
        await docker_rig.target.observe()
    assert threading.active_count() <= threads + QUICK_THREADS
    following = open_files()
    for each in followers:
        each.cancel()
    async with asyncio.timeout(2):
        await asyncio.gather(*followers, return_exceptions=True)
    await until(lambda: no_more_than(following - len(followers)))


async def test_a_silent_follower_goes_on_waiting(docker_rig: DockerRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_target, "QUICK", 0.3)
    container = await started(docker_rig, "sleep 1; echo late")
    assert [line.text for line in await whole_log(docker_rig, container)] == ["late"]


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


async def no_more_than(files: int) -> bool:
    return open_files() <= files
