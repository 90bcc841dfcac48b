"""Several processes of one release, one release in two slots, and what they join: the same on both hosts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from cockpit.errors import TargetError
from cockpit.targets.base import Container, Standing
from cockpit.targets.labels import container_name
from cockpit.targets.orders import StartOrder
from tests.fakes.target import Program
from tests.targets.rigs import KEY, Rig


def worker(order: StartOrder) -> StartOrder:
    """The same order for a process without a port."""
    return replace(order, process="worker", first=None, spec=replace(order.spec, port=None))


def with_spec(order: StartOrder, **settings: Any) -> StartOrder:
    return replace(order, spec=replace(order.spec, **settings))


def told(containers: tuple[Container, ...]) -> list[tuple[str, int, int]]:
    return [(each.process, each.slot, each.index) for each in containers]


async def test_processes_of_a_release_share_its_slot_and_stand_side_by_side(rig: Rig) -> None:
    subnet = await rig.target.prepare()
    web = await rig.target.start(rig.order(slot=3, replicas=2))
    admin = await rig.target.start(replace(rig.order(slot=3), process="admin", first=2))
    jobs = await rig.target.start(worker(rig.order(slot=3, replicas=2)))
    assert [each.address for each in (*web, *admin)] == list(subnet.addresses(3, 3))
    assert [(each.address, each.port) for each in jobs] == [("", None)] * 2
    assert await rig.target.observe() == (*admin, *web, *jobs)
    assert [each.name for each in jobs] == [
        container_name(rig.target.installation, KEY, 1, index, "worker") for index in (1, 2)
    ]


async def test_starting_a_process_again_keeps_it_and_leaves_the_others_alone(rig: Rig) -> None:
    web = await rig.target.start(rig.order())
    jobs = await rig.target.start(worker(rig.order()))
    assert [each.id for each in await rig.target.start(worker(rig.order()))] == [jobs[0].id]
    assert [each.id for each in await rig.target.observe()] == [web[0].id, jobs[0].id]


async def test_a_process_without_addresses_may_have_more_replicas_than_a_slot(rig: Rig) -> None:
    await rig.target.start(worker(rig.order(replicas=9)))
    assert len(await rig.target.observe()) == 9
    with pytest.raises(ValueError, match="no slot 0 with 9 addresses"):
        await rig.target.start(replace(rig.order(replicas=2), first=7))


async def test_stopping_one_process_leaves_the_rest_of_the_release(rig: Rig) -> None:
    await rig.target.start(rig.order())
    await rig.target.start(worker(rig.order(replicas=2)))
    await rig.target.stop(KEY, 1, grace=2, remove=False, process="worker")
    assert [(each.process, each.running) for each in await rig.target.observe()] == [
        ("web", True),
        ("worker", False),
        ("worker", False),
    ]
    await rig.target.stop(KEY, 1, grace=2, remove=True, process="web")
    assert {each.process for each in await rig.target.observe()} == {"worker"}
    await rig.target.stop(KEY, 1, grace=2, remove=True)
    assert await rig.target.observe() == ()


async def test_a_restart_runs_the_same_release_in_two_slots_and_either_may_go(rig: Rig) -> None:
    subnet = await rig.target.prepare()
    old = await rig.target.start(rig.order(slot=0, replicas=2))
    new = await rig.target.start(rig.order(slot=17, replicas=2, operation=2))
    assert [each.address for each in new] == list(subnet.addresses(17, 2))
    assert [each.name for each in new] == [f"{each.name}-s17" for each in old]
    assert await rig.target.observe() == (*old, *new)
    assert [each.id for each in await rig.target.start(rig.order(slot=17, replicas=2))] == [each.id for each in new]
    await rig.target.stop(KEY, 1, grace=2, remove=True, slot=0)
    assert await rig.target.observe() == new
    third = await rig.target.start(rig.order(slot=5, replicas=2, operation=3))
    assert [each.name for each in third] == [each.name for each in old]
    await rig.target.stop(KEY, 1, grace=2, remove=True, slot=17)
    assert await rig.target.observe() == third


async def test_a_stopped_set_gives_way_to_the_same_release_in_another_slot(rig: Rig) -> None:
    (old,) = await rig.target.start(worker(rig.order(slot=0)))
    await rig.target.stop(KEY, 1, grace=2, remove=False, process="worker")
    (new,) = await rig.target.start(worker(rig.order(slot=1)))
    assert new.id != old.id
    assert new.name == old.name
    assert told(await rig.target.observe()) == [("worker", 1, 1)]


@pytest.mark.parametrize("narrow", [{"slot": 0}, {"process": "web"}, {"process": "web", "slot": 0}])
async def test_only_what_is_named_comes_back_when_it_dies(rig: Rig, narrow: dict[str, Any]) -> None:
    (web,) = await rig.target.start(rig.order(slot=0))
    (admin,) = await rig.target.start(replace(rig.order(slot=1), process="admin"))
    await rig.target.activate(KEY, 1, Standing.LIVE, **narrow)
    assert [rig.comes_back(each) for each in (web, admin)] == [True, False]
    await rig.target.activate(KEY, 1, Standing.LIVE)
    await rig.target.activate(KEY, 1, Standing.OFF, **narrow)
    assert [rig.comes_back(each) for each in (web, admin)] == [False, True]


async def test_activating_a_process_without_containers_says_so(rig: Rig) -> None:
    await rig.target.start(rig.order())
    with pytest.raises(TargetError, match="shop/production r1 has no containers"):
        await rig.target.activate(KEY, 1, Standing.LIVE, process="worker")


async def test_a_cancelled_restart_leaves_what_ran_before(rig: Rig) -> None:
    old = await rig.target.start(rig.order(slot=0, replicas=2))
    task = asyncio.ensure_future(rig.target.start(rig.order(slot=1, replicas=2, program=Program(starts_in=5))))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await rig.target.observe() == old


async def test_the_second_name_of_a_restart_may_be_taken_by_a_stranger_too(rig: Rig) -> None:
    old = await rig.target.start(rig.order(slot=0))
    rig.take_name(f"{old[0].name}-s1")
    with pytest.raises(TargetError, match=f"the name {old[0].name}-s1 is taken by container .* no cockpit"):
        await rig.target.start(rig.order(slot=1))
    assert rig.has_foreign(f"{old[0].name}-s1")
    assert await rig.target.observe() == old


async def test_a_network_of_somebody_else_is_joined_by_its_name(rig: Rig) -> None:
    network = rig.network()
    order = with_spec(rig.order(replicas=2), networks=(network,))
    assert await rig.target.missing(order.spec) == ()
    assert [each.running for each in await rig.target.start(order)] == [True, True]


async def test_a_network_that_is_not_there_is_named_before_anything_is_made(rig: Rig) -> None:
    order = with_spec(rig.order(replicas=2), networks=(rig.network(), "nobodys_front"))
    (sentence,) = await rig.target.missing(order.spec)
    assert sentence.startswith("the network nobodys_front does not exist on the host: ")
    with pytest.raises(TargetError, match="the network nobodys_front does not exist on the host") as raised:
        await rig.target.start(order)
    assert raised.value.hint
    assert await rig.target.observe() == ()


async def test_a_host_path_that_is_not_there_is_refused_and_not_made(rig: Rig) -> None:
    rig.lacks_path("/srv/nobodys")
    with pytest.raises(TargetError, match=r"a path of `volumes` is not on the host \(.*/srv/nobodys\)"):
        await rig.target.start(with_spec(rig.order(), volumes=("/srv/nobodys:/data:ro",)))
    rig.lacks_path("/srv/nobodys")
    assert await rig.target.observe() == ()
