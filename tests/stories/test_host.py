"""What happens to containers, the edge and the whole host, and what a deploy leaves alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import docker
import pytest
import pytest_asyncio
from docker.errors import NotFound

from cockpit.demo.exchange import Cut
from cockpit.model import Health, OperationState
from tests.stories import services
from tests.stories.host import Host
from tests.stories.world import World, remove_all, world
from tests.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[World]:
    async with world() as made:
        made.configure("shop", replicas=2)
        await made.up()
        await made.ships("shop", made.commit("shop", services.web(made.runtime), "Open the shop"))
        yield made


async def becomes(shop: World, health: Health, within: float = 15) -> str:
    """Its reason, once the placement is in that health."""
    async with asyncio.timeout(within):
        while True:
            placement = await shop.placement("shop")
            if placement.health is health:
                return placement.why
            await asyncio.sleep(0.05)


async def answered(shop: World, within: float = 10) -> str:
    """The release that answers, once the edge is there."""
    async with asyncio.timeout(within):
        while True:
            try:
                response = await shop.get("shop")
            except Cut:
                response = None
            if response is not None and response.status == 200:
                return response.headers["x-release"]
            await asyncio.sleep(0.02)


async def test_containers_come_back_by_themselves_only_once_they_are_verified(shop: World) -> None:
    host, live = shop.host, (await shop.live("shop")).number
    old, new = host.name("shop", live), host.name("shop", live + 1)
    before: set[str] = set()
    operation = await shop.begin("shop", shop.commit("shop", {"notes": "two"}))
    while not (operation := await shop.operation(operation)).state.ended:
        try:
            policy = host.restart_policy(new)
        except NotFound:
            continue
        if shop.pointer("shop") == f"r{live}":
            before.add(policy)
    assert operation.state is OperationState.SUCCEEDED
    assert "no" in before
    assert before <= {"no", "unless-stopped"}
    assert host.restart_policy(new) == host.restart_policy(host.edge) == "always"
    assert host.restart_policy(old) == "unless-stopped"


async def test_the_edge_passes_over_a_replica_that_was_killed_and_the_placement_is_degraded(shop: World) -> None:
    host, live = shop.host, await shop.live("shop")
    await becomes(shop, Health.HEALTHY)
    async with shop.load("shop") as load:
        await until(lambda: load.tally.requests > 30)
        host.client.api.kill(host.name("shop", live.number, 1))
        why = await becomes(shop, Health.DEGRADED)
        reached = load.tally.requests
        await until(lambda: load.tally.requests > reached + 60)
    stats = load.stats()
    assert "1 of 2" in why
    assert stats.lost + stats.non_2xx <= 2, stats.lost_because  # asked of that replica at that moment
    host.client.api.start(host.name("shop", live.number, 1))
    await becomes(shop, Health.HEALTHY)


def restarted(host: Host, before: str) -> bool:
    return bool(host.inspect(host.edge)["State"]["StartedAt"] != before)


async def test_an_edge_that_crashed_or_was_killed_comes_back_with_its_routes_and_pointers(shop: World) -> None:
    host, live = shop.host, (await shop.live("shop")).number
    for end in (host.crash, host.client.api.kill):
        started = host.inspect(host.edge)["State"]["StartedAt"]
        end(host.edge)
        await until(partial(restarted, host, started))
        assert await answered(shop) == f"r{live}"
    assert shop.pointer("shop") == f"r{live}"
    await shop.edge_up()
    await shop.ships("shop", shop.commit("shop", {"notes": "after the edge was killed"}))


async def test_after_everything_was_restarted_customers_are_served_without_an_engine(shop: World) -> None:
    host, live = shop.host, (await shop.live("shop")).number
    await shop.client.close()
    await shop.end_engine()
    everything = [host.edge, *host.containers(running=True)]
    await asyncio.gather(*(asyncio.to_thread(host.client.api.restart, name, timeout=1) for name in everything))
    assert await answered(shop) == f"r{live}"
    assert {host.restart_policy(name) for name in everything} == {"always", "unless-stopped"}
    assert await shop.get("shop", "/up")
    await shop.up()
    assert await becomes(shop, Health.HEALTHY) == ""
    assert (await shop.live("shop")).number == live
    await shop.ships("shop", shop.commit("shop", {"notes": "after the restart"}))


@contextmanager
def strangers(host: Host, runtime: str) -> Iterator[list[str]]:
    """Somebody else's containers, networks and images, as alike as names can be; their ids."""
    client, installation = docker.from_env(), host.installation
    look_alike = f"cockpit-{installation}"
    images = (f"{look_alike}/shop:mine", f"{look_alike}-edges:1", f"{look_alike}x-edge:1")
    networks: list[Any] = [client.networks.create(name) for name in (f"{look_alike}x", f"{look_alike}-edge")]
    containers: list[Any] = [
        client.containers.run(runtime, ["sleep", "1000"], detach=True, name=name, labels=labels)
        for name, labels in (
            (f"{look_alike}-shop-production-r9-1", {}),
            (f"{look_alike}x-shop-production-r1-1", {"deploy-cockpit.installation": f"{installation}x"}),
            (f"{look_alike}-edge-2", {"deploy-cockpit.release": "1", "deploy-cockpit.service": "shop"}),
        )
    ]
    for image in images:
        client.images.get(runtime).tag(image)
    try:
        yield [*(str(each.name) for each in (*containers, *networks)), *images]
    finally:
        for container in containers:
            container.remove(force=True)
        for network in networks:
            network.remove()
        for image in images:
            client.images.remove(image)
        client.close()


def state(host: Host, names: list[str]) -> dict[str, Any]:
    """Identity and time of start of each."""
    found: dict[str, Any] = {}
    for each in host.client.api.containers(all=True):
        if each["Names"][0].lstrip("/") in names:
            seen = host.inspect(each["Id"])
            found[seen["Name"].lstrip("/")] = (
                seen["Id"],
                seen["State"]["StartedAt"],
                seen["HostConfig"],
                seen["Config"],
            )
    for each in host.client.api.networks():
        if each["Name"] in names:
            found[each["Name"]] = each
    return found | {
        tag: each["Id"] for each in host.client.api.images() for tag in each["RepoTags"] or () if tag in names
    }


async def test_what_is_somebody_elses_on_the_host_is_never_touched() -> None:
    async with world() as made:
        with strangers(made.host, made.runtime) as names:
            before = state(made.host, names)
            assert set(before) == set(names)
            made.configure("shop")
            await made.up()
            await made.ships("shop", made.commit("shop", services.web(made.runtime), "Open the shop"))
            bad = await made.deploy("shop", made.commit("shop", {"start": "exit 3\n"}))
            assert bad.state is OperationState.FAILED
            await made.end_engine()
            await remove_all(made.host.installation)
            assert made.host.names() == []
            assert state(made.host, names) == before
