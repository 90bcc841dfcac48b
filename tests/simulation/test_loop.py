"""The simulation's own ground: time, chance, threads and death are what they are said to be."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.simulation.loop import Process, simulated
from tests.simulation.schedule import stories
from tests.simulation.story import Story

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.blocking("what would run in a thread runs on the loop here")


def trace(seed: int, steps: list[str]) -> list[str]:
    with Story(seed, trace=True) as story:
        for step in steps:
            story.take(step)
        assert story.loop.trace is not None
        return story.loop.trace


def test_the_same_seed_takes_the_same_way_and_another_seed_another() -> None:
    steps = stories(7, 12)
    first = trace(7, steps)
    assert len(first) > 1_000
    assert trace(7, steps) == first
    assert trace(8, steps) != first


def test_a_seed_takes_the_same_way_in_another_process() -> None:
    def digest(hash_seed: str) -> str:
        code = (
            "import hashlib\n"
            "from tests.simulation.schedule import stories\n"
            "from tests.simulation.test_loop import trace\n"
            "print(hashlib.sha256('\\n'.join(trace(7, stories(7, 4))).encode()).hexdigest())"
        )
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, capture_output=True,
                              text=True).stdout  # fmt: skip

    assert digest("1") == digest("2") != ""


def test_a_virtual_hour_takes_no_time() -> None:
    began = time.monotonic()
    with simulated(1) as loop:
        loop.run_until_complete(asyncio.sleep(3600.0))
        assert loop.time() == 3600.0
    assert time.monotonic() - began < 5.0


def test_a_deadline_that_was_kept_does_not_move_time() -> None:
    async def quick() -> None:
        async with asyncio.timeout(3600.0):
            await asyncio.sleep(1.0)
        await asyncio.sleep(1.0)

    with simulated(1) as loop:
        loop.run_until_complete(quick())
        assert loop.time() == 2.0


def test_who_waits_for_ever_and_who_spins_is_told() -> None:
    async def for_ever() -> None:
        await asyncio.Event().wait()

    async def spin() -> None:
        for _ in itertools.count():
            await asyncio.sleep(0)

    with simulated(1) as loop:
        waiting = loop.create_task(for_ever())
        with pytest.raises(AssertionError, match="waits for ever"):
            loop.run_until_complete(asyncio.shield(waiting))
        waiting.cancel()
        with pytest.raises(AssertionError, match="something spins"):
            loop.run_until_complete(spin())
        for task in asyncio.all_tasks(loop):
            task.cancel()


def test_a_process_that_dies_runs_no_cleanup_and_nothing_that_it_left_in_a_thread() -> None:
    said: list[str] = []

    async def live() -> None:
        asyncio.get_running_loop().call_later(5.0, said.append, "timer")
        try:
            await asyncio.sleep(3600.0)
        finally:
            said.append("cleanup")

    async def in_thread() -> None:
        await asyncio.sleep(3.0)
        await asyncio.to_thread(said.append, "thread")

    async def story() -> None:
        process = Process("p")
        process.begin(live(), "live")
        process.begin(in_thread(), "thread")
        await asyncio.sleep(2.0)
        process.die()
        await asyncio.sleep(60.0)
        assert said == []
        process.bury()

    with simulated(1) as loop:
        loop.run_until_complete(story())


def test_a_process_dies_after_the_step_that_was_named() -> None:
    said: list[int] = []

    async def count() -> None:
        for number in range(100):
            said.append(number)
            await asyncio.sleep(0.1)

    async def story() -> None:
        process = Process("p")
        process.last_step = 3
        process.begin(count(), "count")
        await asyncio.sleep(60.0)
        assert (process.alive, process.steps) == (False, 3)
        process.bury()

    with simulated(1) as loop:
        loop.run_until_complete(story())
    assert 0 < len(said) <= 3


def test_a_thread_goes_on_although_nobody_waits_for_it_any_more() -> None:
    said: list[str] = []

    async def story() -> None:
        waiting = asyncio.create_task(asyncio.to_thread(said.append, "done"))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.sleep(1.0)

    for seed in range(10):
        said.clear()
        with simulated(seed) as loop:
            loop.run_until_complete(story())
        assert said in (["done"], [])  # cancelled before it began, or done
