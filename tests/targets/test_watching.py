"""A one-off watched to its end, with a Docker that says what a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from cockpit.clock import SystemClock
from cockpit.errors import TargetDown, TargetError
from cockpit.targets import watching
from cockpit.targets.base import ContainerState, OneOff, RawLine
from cockpit.targets.one_offs import why_not_done
from cockpit.targets.watching import ended
from tests.targets.rigs import KEY, run_order

RUNS = OneOff("1", KEY, 1, 1, ContainerState.RUNNING)
DONE = replace(RUNS, state=ContainerState.EXITED, exit_code=0)
KILLED = replace(DONE, exit_code=137)
HELLO = RawLine(1.0, "hello", "out")


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK", 0.01)


class Docker:
    """Shows the states one after the other, and the last one for ever."""

    def __init__(self, *states: OneOff | Exception | None) -> None:
        self.states = list(states)
        self.looks = 0

    async def look(self) -> OneOff | None:
        self.looks += 1
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, Exception):
            raise state
        return state


async def log(*lines: RawLine, follow: bool = False) -> AsyncIterator[RawLine]:
    for line in lines:
        yield line
    if follow:
        await asyncio.Event().wait()


async def watched(docker: Docker, lines: AsyncIterator[RawLine]) -> tuple[OneOff, list[RawLine]]:
    said: list[RawLine] = []
    async with asyncio.timeout(10):
        return await ended(lines, said.append, docker.look, SystemClock()), said


async def test_its_end_is_told_with_all_that_it_said() -> None:
    assert await watched(Docker(RUNS, DONE), log(HELLO)) == (DONE, [HELLO])


async def test_a_log_that_ends_a_moment_before_its_container_is_no_loss() -> None:
    assert await watched(Docker(RUNS, RUNS, RUNS, DONE), log(HELLO)) == (DONE, [HELLO])


async def test_a_log_that_ends_long_before_its_container_is_a_lost_line() -> None:
    docker = Docker(RUNS)
    with pytest.raises(TargetDown, match="ended the log of a container that still runs"):
        await watched(docker, log(HELLO))
    assert docker.looks > 1


async def test_a_log_that_never_ends_does_not_hide_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LAST_WORDS", 0.01)
    assert await watched(Docker(RUNS, DONE), log(HELLO, follow=True)) == (DONE, [HELLO])


async def test_a_docker_that_dies_is_heard_although_the_log_is_silent() -> None:
    with pytest.raises(TargetDown, match="nobody listens"):
        await watched(Docker(RUNS, TargetDown("nobody listens")), log(follow=True))


async def test_a_log_that_cannot_be_read_is_heard() -> None:
    async def unreadable() -> AsyncIterator[RawLine]:
        raise TargetError("no such container")
        yield HELLO

    with pytest.raises(TargetError, match="no such container"):
        await watched(Docker(RUNS), unreadable())


async def test_a_container_that_vanished_is_told_as_that() -> None:
    with pytest.raises(TargetError, match="removed while it ran"):
        await watched(Docker(RUNS, None), log(follow=True))


async def test_a_kill_is_looked_at_twice_because_its_cause_comes_later() -> None:
    of_memory = replace(KILLED, oom_killed=True)
    assert (await watched(Docker(KILLED, of_memory), log()))[0] == of_memory
    assert (await watched(Docker(KILLED), log()))[0] == KILLED
    assert (await watched(Docker(KILLED, None), log()))[0] == KILLED


@pytest.mark.parametrize(
    ("seen", "said", "words"),
    [
        (replace(KILLED, oom_killed=True), (), "was killed: it wanted more memory than the host's"),
        (replace(DONE, exit_code=1), ("exec /app/run: exec format error",), "it is no program for this host"),
        (
            replace(DONE, exit_code=1),
            ("standard_init_linux.go:228: exec user process caused: exec format error",),
            "it is no program for this host",
        ),
        (replace(DONE, exit_code=255), ("exec /run.sh: no such file or directory",), "is not in the image"),
        (replace(DONE, exit_code=1), ("exec /run.sh: permission denied",), "may not be run"),
    ],
)
def test_an_end_that_the_exit_code_does_not_tell_is_told(seen: OneOff, said: tuple[str, ...], words: str) -> None:
    error = why_not_done(run_order(), seen, said)
    assert error is not None
    assert words in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (DONE, ("exec /app/run: exec format error",)),
        (replace(DONE, oom_killed=True), ()),
        (replace(DONE, exit_code=1), ("migrating", "exec /app/run: exec format error")),
        (replace(DONE, exit_code=1), ("sh: exec: line 1: nope: not found",)),
        (replace(DONE, exit_code=1), ("exec sp_migrate: permission denied for table users",)),
        (KILLED, ()),
    ],
)
def test_an_end_that_the_exit_code_tells_is_left_to_it(seen: OneOff, said: tuple[str, ...]) -> None:
    assert why_not_done(run_order(), seen, said) is None
