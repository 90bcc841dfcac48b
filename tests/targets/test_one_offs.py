"""Commands that are run once, on both hosts: what is told of them, and what stays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from cockpit.errors import TargetDown, TargetError
from cockpit.targets.base import ContainerState, OneOff, RawLine, Standing, Target
from cockpit.targets.orders import RunOrder
from tests.fakes.one_offs import Migration
from tests.targets.rigs import KEY, Rig
from tests.waiting import until

SAYS = Migration(lines=(("out", "one"), ("err", "two"), ("out", "three")))
GOES_ON = Migration(exits=None, lines=(("out", "begun"),))


class Lines(list[RawLine]):
    @property
    def texts(self) -> list[str]:
        return [line.text for line in self]


async def begun(target: Target, order: RunOrder) -> tuple[asyncio.Task[int], Lines]:
    """It runs and has said its first line."""
    lines = Lines()
    task = asyncio.ensure_future(target.run(order, lines.append))
    await until(lambda: bool(lines) or task.done())
    assert not task.done(), task.exception()
    return task, lines


@pytest.mark.parametrize("status", [0, 3])
async def test_a_migration_tells_its_exit_code_and_all_of_its_lines(rig: Rig, status: int) -> None:
    lines = Lines()
    assert await rig.target.run(rig.migration(1, replace(SAYS, exits=status)), lines.append) == status
    assert sorted((line.stream, line.text) for line in lines) == sorted(SAYS.lines)


async def test_lines_come_while_it_runs(rig: Rig) -> None:
    task, lines = await begun(rig.target, rig.migration(1, GOES_ON))
    assert lines.texts == ["begun"]
    (seen,) = await rig.target.one_offs(KEY, 1)
    assert (seen.key, seen.release, seen.operation, seen.running, seen.exit_code) == (KEY, 1, 1, True, None)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_migration_is_no_replica(rig: Rig) -> None:
    web = await rig.target.start(rig.order(1))
    task, _ = await begun(rig.target, rig.migration(1, GOES_ON))
    assert await rig.target.observe() == web
    await rig.target.activate(KEY, 1, Standing.LIVE)
    await rig.target.stop(KEY, 1, grace=1, remove=True)
    assert [each.running for each in await rig.target.one_offs(KEY, 1)] == [True]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_it_came_to_stays_until_it_is_removed(rig: Rig) -> None:
    await rig.target.run(rig.migration(1, Migration(exits=4)), Lines().append)
    (ended,) = await rig.target.one_offs(KEY, 1)
    assert (ended.state, ended.exit_code, ended.oom_killed) == (ContainerState.EXITED, 4, False)
    assert ended.finished_at is not None
    await rig.target.stop(KEY, 1, grace=1, remove=False)
    await rig.target.stop(KEY, 1, grace=1, remove=True, process="web")
    assert await rig.target.one_offs(KEY, 1) == (ended,)
    assert await rig.target.one_offs(KEY, 2) == ()
    for _ in range(2):
        await rig.target.remove_one_offs(KEY, 1)
    assert await rig.target.one_offs(KEY, 1) == ()


async def test_an_ended_one_goes_with_its_release(rig: Rig) -> None:
    await rig.target.run(rig.migration(1), Lines().append)
    await rig.target.run(rig.migration(2), Lines().append)
    await rig.target.stop(KEY, 1, grace=1, remove=True)
    assert await rig.target.one_offs(KEY, 1) == ()
    assert len(await rig.target.one_offs(KEY, 2)) == 1


async def test_one_that_runs_may_be_removed_and_nobody_waits_for_it_any_more(rig: Rig) -> None:
    task, _ = await begun(rig.target, rig.migration(1, GOES_ON))
    await rig.target.remove_one_offs(KEY, 1)
    assert await rig.target.one_offs(KEY, 1) == ()
    await until(task.done)


async def test_an_operation_never_runs_its_migration_twice(rig: Rig) -> None:
    await rig.target.run(rig.migration(operation=7), Lines().append)
    lines = Lines()
    with pytest.raises(TargetError, match="operation 7 began the migration of shop/production r1 before") as raised:
        await rig.target.run(rig.migration(1, SAYS, operation=7), lines.append)
    assert raised.value.hint
    assert lines == []
    assert await rig.target.run(rig.migration(operation=8), Lines().append) == 0
    assert [each.operation for each in await rig.target.one_offs(KEY, 1)] == [7, 8]


async def test_a_cancelled_migration_leaves_nothing(rig: Rig) -> None:
    task, _ = await begun(rig.target, rig.migration(1, GOES_ON))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await rig.target.one_offs(KEY, 1) == ()


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.2])
async def test_a_migration_that_is_cancelled_while_it_starts_leaves_nothing(rig: Rig, delay: float) -> None:
    await rig.target.prepare()
    task = asyncio.ensure_future(rig.target.run(rig.migration(1, Migration(exits=None)), Lines().append))
    await asyncio.sleep(delay)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await rig.target.one_offs(KEY, 1) == ()


async def test_a_reader_of_lines_that_fails_ends_the_migration_and_is_heard(rig: Rig) -> None:
    def refuse(_: RawLine) -> None:
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="the disk is full"):
        await rig.target.run(rig.migration(1, GOES_ON), refuse)
    assert await rig.target.one_offs(KEY, 1) == ()


async def test_a_line_that_is_lost_in_the_middle_leaves_it_running_for_the_recovery(rig: Rig) -> None:
    async with rig.breakable() as (target, cut):
        task, _ = await begun(target, rig.migration(1, GOES_ON))
        cut()
        with pytest.raises(TargetDown, match="Docker does not answer"):
            await task
    assert [each.running for each in await rig.target.one_offs(KEY, 1)] == [True]
    await rig.target.remove_one_offs(KEY, 1)


async def test_a_line_that_is_lost_before_it_ends_is_told_by_what_is_found_afterwards(rig: Rig) -> None:
    async with rig.breakable() as (target, cut):
        task, _ = await begun(target, rig.migration(1, Migration(exits=5, after=1, lines=GOES_ON.lines)))
        cut()
        with pytest.raises(TargetDown):
            await task

    async def has_ended() -> bool:
        return [each.exit_code for each in await rig.target.one_offs(KEY, 1)] == [5]

    await until(has_ended)


async def test_one_that_is_cancelled_while_docker_is_away_ends_as_cancelled_and_is_found_afterwards(rig: Rig) -> None:
    async with rig.breakable() as (target, cut):
        task, _ = await begun(target, rig.migration(1, GOES_ON))
        cut()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [each.running for each in await rig.target.one_offs(KEY, 1)] == [True]
    await rig.target.remove_one_offs(KEY, 1)


REFUSED: dict[str, tuple[Callable[[Rig], RunOrder], str]] = {
    "a command that is not there": (
        lambda rig: rig.migration(1, Migration(refuses="its command cannot be run")),
        "run the migration of shop/production r1: its command cannot be run",
    ),
    "a network that is not there": (
        lambda rig: with_networks(rig.migration(), "nobodys_back"),
        "the network nobodys_back does not exist on the host",
    ),
    "an image that is not there": (
        lambda rig: with_image(rig.migration(), rig.images()[1]),
        "the image is not on the host",
    ),
}


def with_networks(order: RunOrder, *names: str) -> RunOrder:
    return replace(order, spec=replace(order.spec, networks=names))


def with_image(order: RunOrder, image: str) -> RunOrder:
    return replace(order, spec=replace(order.spec, image=image))


@pytest.mark.parametrize("why", REFUSED)
async def test_what_cannot_be_run_is_said_in_words_and_leaves_nothing(rig: Rig, why: str) -> None:
    make, words = REFUSED[why]
    with pytest.raises(TargetError, match=words) as raised:
        await rig.target.run(make(rig), Lines().append)
    assert raised.value.hint
    assert await rig.target.one_offs(KEY, 1) == ()


async def test_a_migration_that_memory_killed_says_so_and_stays_to_be_looked_at(rig: Rig) -> None:
    order = rig.migration(1, Migration(exits=137, oom=True))
    order = replace(order, spec=replace(order.spec, memory=16 * 2**20))
    with pytest.raises(TargetError, match="was killed: it wanted more memory than its limit of 16 MB"):
        await rig.target.run(order, Lines().append)
    (ended,) = await rig.target.one_offs(KEY, 1)
    assert (ended.exit_code, ended.oom_killed) == (137, True)


async def test_another_installations_migrations_are_neither_seen_nor_removed(rig: Rig) -> None:
    await rig.target.run(rig.migration(), Lines().append)
    other = rig.neighbour()
    assert await other.one_offs(KEY, 1) == ()
    await other.remove_one_offs(KEY, 1)
    await other.close()
    assert [type(each) for each in await rig.target.one_offs(KEY, 1)] == [OneOff]
