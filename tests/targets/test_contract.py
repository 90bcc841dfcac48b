"""What every target does, the real Docker host and the one in memory alike."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import cast

import pytest

from cockpit.errors import TargetDown, TargetError
from cockpit.targets.base import Claim, ContainerState, RawLine, Standing, Target
from cockpit.targets.labels import container_name
from tests.fakes.target import Program
from tests.targets.rigs import KEY, Rig, observed
from tests.waiting import until


async def test_preparing_twice_gives_the_same_subnet(rig: Rig) -> None:
    assert await rig.target.prepare() == await rig.target.prepare()


async def test_replicas_run_at_the_addresses_of_their_slot_and_say_what_they_are(rig: Rig) -> None:
    subnet = await rig.target.prepare()
    started = await rig.target.start(rig.order(42, slot=3, replicas=2, operation=7))
    assert [each.address for each in started] == list(subnet.addresses(3, 2))
    assert await rig.target.observe() == started
    for index, each in enumerate(started, start=1):
        assert each.name == container_name(rig.target.installation, KEY, 42, index)
        assert (each.key, each.release, each.operation, each.slot, each.index) == (KEY, 42, 7, 3, index)
        assert (each.state, each.port, each.exit_code, each.restarts) == (ContainerState.RUNNING, 8000, None, 0)
        assert each.started_at == pytest.approx(time.time(), abs=30)


async def test_what_a_container_was_given_can_be_asked_for_by_id_and_name(rig: Rig) -> None:
    given = {"PASSWORD": "a=b c\n$d", "EMPTY": ""}
    (started,) = await rig.target.start(replace(rig.order(42), environment=given))
    for name in (started.id, started.name):
        assert given.items() <= (await rig.target.environment(name)).items()
    assert await rig.target.environment("nobody") == {}


async def test_starting_again_keeps_what_runs(rig: Rig) -> None:
    first = await rig.target.start(rig.order(replicas=2))
    again = await rig.target.start(rig.order(replicas=2))
    assert [each.id for each in again] == [each.id for each in first]
    assert len(await rig.target.observe()) == 2


async def test_a_stopped_release_starts_again_as_the_same_containers_at_the_same_addresses(rig: Rig) -> None:
    first = await rig.target.start(rig.order(replicas=2))
    await rig.target.stop(KEY, 1, grace=2, remove=False)
    stopped = await rig.target.observe()
    assert [each.state for each in stopped] == [ContainerState.EXITED] * 2
    again = await rig.target.start(rig.order(replicas=2, operation=9))
    assert [(each.id, each.address, each.running) for each in again] == [
        (each.id, each.address, True) for each in first
    ]


async def test_a_container_that_exits_is_seen_with_its_status_and_stays_down(rig: Rig) -> None:
    await rig.target.start(rig.order(program=Program(exits=3)))
    (seen,) = await observed(rig.target, lambda found: found[0].state is ContainerState.EXITED)
    assert (seen.exit_code, seen.oom_killed, seen.restarts) == (3, False, 0)
    assert seen.finished_at is not None


async def test_a_live_release_comes_back_when_it_dies(rig: Rig) -> None:
    await rig.target.start(rig.order(program=Program(exits=1, after=1.0)))
    await rig.target.activate(KEY, 1, Standing.LIVE)
    await observed(rig.target, lambda found: found[0].restarts >= 1)


async def test_a_release_that_is_live_no_more_stays_down_when_it_dies(rig: Rig) -> None:
    await rig.target.start(rig.order(program=Program(exits=1, after=1.0)))
    await rig.target.activate(KEY, 1, Standing.LIVE)
    await rig.target.activate(KEY, 1, Standing.OFF)
    (seen,) = await observed(rig.target, lambda found: not found[0].running)
    assert seen.restarts == 0


async def test_a_live_release_that_is_stopped_stays_down(rig: Rig) -> None:
    await rig.target.start(rig.order())
    await rig.target.activate(KEY, 1, Standing.LIVE)
    await rig.target.stop(KEY, 1, grace=2, remove=False)
    assert [each.state for each in await rig.target.observe()] == [ContainerState.EXITED]


@pytest.mark.parametrize("standing", Standing)
async def test_what_a_release_is_to_its_customers_is_seen_again(rig: Rig, standing: Standing) -> None:
    await rig.target.start(rig.order(replicas=2))
    assert [each.standing for each in await rig.target.observe()] == [Standing.OFF] * 2
    await rig.target.activate(KEY, 1, standing)
    assert [each.standing for each in await rig.target.observe()] == [standing] * 2


async def test_activating_a_release_without_containers_says_so(rig: Rig) -> None:
    with pytest.raises(TargetError, match="shop/production r9 has no containers"):
        await rig.target.activate(KEY, 9, Standing.LIVE)
    await rig.target.activate(KEY, 9, Standing.OFF)


async def test_stopping_is_repeatable_and_touches_only_that_release(rig: Rig) -> None:
    await rig.target.start(rig.order(1, slot=0))
    await rig.target.start(rig.order(2, slot=1))
    for _ in range(2):
        await rig.target.stop(KEY, 1, grace=2, remove=True)
    assert [(each.release, each.running) for each in await rig.target.observe()] == [(2, True)]


async def test_another_installation_on_the_host_is_neither_seen_nor_stopped(rig: Rig) -> None:
    other = rig.neighbour()
    mine = await rig.target.start(rig.order())
    assert await other.observe() == ()
    await other.stop(KEY, 1, grace=0, remove=True)
    await other.close()
    assert [each.id for each in await rig.target.observe()] == [mine[0].id]


async def test_a_name_that_a_stranger_has_is_left_alone_and_nothing_half_made_stays(rig: Rig) -> None:
    await rig.target.prepare()
    name = container_name(rig.target.installation, KEY, 1, 2)
    rig.take_name(name)
    with pytest.raises(TargetError, match=f"the name {name} is taken by container .* no cockpit"):
        await rig.target.start(rig.order(replicas=3))
    assert rig.has_foreign(name)
    assert await rig.target.observe() == ()


async def test_an_image_that_is_not_there_fails_in_words_and_leaves_nothing(rig: Rig) -> None:
    here, missing = rig.images()
    assert await rig.target.has_image(here)
    assert not await rig.target.has_image(missing)
    order = rig.order(replicas=2)
    with pytest.raises(TargetError, match="the image is not on the host"):
        await rig.target.start(replace(order, spec=replace(order.spec, image=missing)))
    assert await rig.target.observe() == ()


async def test_an_image_is_removed_unless_it_is_used_or_gone(rig: Rig) -> None:
    here, missing = rig.images()
    order = rig.order()
    await rig.target.start(replace(order, spec=replace(order.spec, image=here)))
    await rig.target.stop(KEY, 1, grace=0, remove=False)
    await rig.target.remove_image(here)
    assert await rig.target.has_image(here)
    await rig.target.stop(KEY, 1, grace=0, remove=True)
    for image in (here, here, missing):
        await rig.target.remove_image(image)
    assert not await rig.target.has_image(here)


async def test_a_command_that_cannot_run_fails_in_words_and_leaves_nothing(rig: Rig) -> None:
    with pytest.raises(TargetError, match="refused to start shop/production"):
        await rig.target.start(rig.order(replicas=2, program=Program(refuses="its command cannot be run")))
    assert await rig.target.observe() == ()


async def test_a_taken_address_fails_in_words_and_leaves_the_owner_alone(rig: Rig) -> None:
    (owner,) = await rig.target.start(rig.order(1))
    with pytest.raises(TargetError, match="another container has its address"):
        await rig.target.start(rig.order(2))
    assert [(each.id, each.running) for each in await rig.target.observe()] == [(owner.id, True)]


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.2])
async def test_a_cancelled_start_leaves_nothing(rig: Rig, delay: float) -> None:
    await rig.target.prepare()
    task = asyncio.ensure_future(rig.target.start(rig.order(replicas=3, program=Program(starts_in=5))))
    await asyncio.sleep(delay)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await rig.target.observe() == ()


async def test_a_cancelled_start_of_a_stopped_release_stops_it_again(rig: Rig) -> None:
    first = await rig.target.start(rig.order(replicas=2))
    await rig.target.stop(KEY, 1, grace=2, remove=False)
    task = asyncio.ensure_future(rig.target.start(rig.order(replicas=2, program=Program(starts_in=5))))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(each.id, each.running) for each in await rig.target.observe()] == [(each.id, False) for each in first]


SAYS = Program(lines=(("out", "one"), ("err", "two"), ("out", "three"), ("out", "four")))


async def test_a_log_has_its_lines_with_stream_and_time(rig: Rig) -> None:
    (container,) = await rig.target.start(rig.order(program=SAYS))
    lines = await logged(rig.target, container.id, 4)
    assert sorted((line.stream, line.text) for line in lines) == sorted(SAYS.lines)
    assert [line.text for line in lines if line.stream == "out"] == ["one", "three", "four"]
    assert all(line.at == pytest.approx(time.time(), abs=30) for line in lines)


async def test_a_log_begins_where_it_is_asked_to(rig: Rig) -> None:
    (container,) = await rig.target.start(rig.order(program=Program(lines=(("out", "one"), ("out", "two")))))
    await logged(rig.target, container.id, 2)
    assert [line.text for line in await logged(rig.target, container.id, 1, tail=1)] == ["two"]
    assert [line async for line in rig.target.logs(container.id, tail=0)] == []
    assert [line async for line in rig.target.logs(container.id, since=time.time() + 60)] == []


async def test_a_followed_log_ends_with_its_container(rig: Rig) -> None:
    (container,) = await rig.target.start(rig.order(program=SAYS))
    seen: list[RawLine] = []

    async def follow() -> None:
        async for line in rig.target.logs(container.id, follow=True):
            seen.append(line)

    task = asyncio.ensure_future(follow())
    await rig.target.stop(KEY, 1, grace=2, remove=False)
    async with asyncio.timeout(5):
        await task
    assert len(seen) == 4


@pytest.mark.parametrize("how", ["closed", "cancelled"])
async def test_a_follower_ends_at_once_when_it_is_given_up(rig: Rig, how: str) -> None:
    (container,) = await rig.target.start(rig.order(program=SAYS))
    lines = rig.target.logs(container.id, follow=True)
    assert (await anext(lines)).text in ("one", "two")
    before = time.monotonic()
    if how == "closed":
        await cast(AsyncGenerator[RawLine, None], lines).aclose()
    else:
        task = asyncio.ensure_future(exhaust(lines))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert time.monotonic() - before < 1


async def test_the_log_of_a_container_that_is_gone_says_so(rig: Rig) -> None:
    with pytest.raises(TargetError, match=r"(?i)no such container"):
        await exhaust(rig.target.logs("0" * 64))


async def test_listeners_tell_a_wrong_bind(rig: Rig) -> None:
    (container,) = await rig.target.start(rig.order(program=Program(listens=("127.0.0.1:3000",))))

    async def listens() -> bool:
        return await rig.target.listeners(container.id) == ("127.0.0.1:3000",)

    await until(listens)
    await rig.target.stop(KEY, 1, grace=2, remove=True)
    assert await rig.target.listeners(container.id) == ()


VERBS: dict[str, Callable[[Target, Rig], Awaitable[object]]] = {
    "ping": lambda target, rig: target.ping(),
    "prepare": lambda target, rig: target.prepare(),
    "observe": lambda target, rig: target.observe(),
    "start": lambda target, rig: target.start(rig.order()),
    "activate": lambda target, rig: target.activate(KEY, 1, Standing.LIVE),
    "stop": lambda target, rig: target.stop(KEY, 1, grace=1, remove=True),
    "logs": lambda target, rig: exhaust(target.logs("x")),
    "has_image": lambda target, rig: target.has_image("x"),
    "remove_image": lambda target, rig: target.remove_image("x"),
    "listeners": lambda target, rig: target.listeners("x"),
    "others": lambda target, rig: target.others(),
    "missing": lambda target, rig: target.missing(rig.order().spec),
    "run": lambda target, rig: target.run(rig.migration(), lambda line: None),
    "remember": lambda target, rig: target.remember(KEY, 1, "{}"),
    "remembered": lambda target, rig: target.remembered(),
    "forget": lambda target, rig: target.forget(KEY, 1),
    "claim": lambda target, rig: target.claim(Claim(target.installation, "", "", "", "")),
    "claims": lambda target, rig: target.claims(),
    "one_offs": lambda target, rig: target.one_offs(KEY, 1),
    "remove_one_offs": lambda target, rig: target.remove_one_offs(KEY, 1),
}


@pytest.mark.parametrize("verb", VERBS)
async def test_without_docker_each_verb_says_that_it_does_not_answer_and_what_to_do(rig: Rig, verb: str) -> None:
    target = rig.broken()
    with pytest.raises(TargetDown, match="Docker does not answer") as raised:
        await VERBS[verb](target, rig)
    assert raised.value.hint
    await target.close()


async def exhaust(lines: AsyncIterator[RawLine]) -> list[RawLine]:
    return [line async for line in lines]


async def logged(target: Target, container: str, count: int, *, tail: int | None = None) -> list[RawLine]:
    """The log, as soon as it has that many lines."""
    lines: list[RawLine] = []

    async def look() -> bool:
        lines[:] = await exhaust(target.logs(container, tail=tail))
        return len(lines) >= count

    await until(look)
    return lines
