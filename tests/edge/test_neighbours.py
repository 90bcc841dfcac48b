"""The edge in networks of others, its replacement, and the names under which other containers reach a release."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from cockpit.edge.base import Alias, EdgePlan, Pointer, Route
from cockpit.errors import TargetError
from cockpit.model import PlacementKey
from cockpit.targets.edge_container import edge_name
from cockpit.targets.edge_spec import EdgeSpec, EdgeState
from cockpit.targets.labels import network_name
from tests.edge.street import Street, street
from tests.edge.world import SHOP, App, Load, ask, customers, free_port
from tests.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.blocking("asks Docker small things in between")]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Street]:
    """Applications are containers of the cockpit's network."""
    with street(tmp_path) as made:
        yield made
        await made.edge.close()


@pytest.fixture
async def serving(here: Street) -> tuple[Street, int]:
    """An edge on the host's network with one release, and its port."""
    port = free_port()
    app = await asyncio.to_thread(here.application, "first")
    await here.load(EdgePlan((Route(SHOP, f"127.0.0.1:{port}"),)))
    await here.edge.point(SHOP, Pointer(1, (app,)))
    assert (await here.ensure(here.spec())).started
    await until(lambda: _says("127.0.0.1", port, "first"))
    return here, port


async def _says(address: str, port: int, body: str) -> bool:
    try:
        return (await ask(address, port)).body == body
    except (OSError, EOFError):
        return False


def _edge(here: Street) -> Container:
    return here.client.containers.get(edge_name(here.installation))


# ---------------------------------------------------------------- networks and labels


async def test_an_edge_joins_the_networks_that_are_named_and_our_own(here: Street) -> None:
    front = here.network("front")
    app = await asyncio.to_thread(here.application, "one")
    await here.load(EdgePlan((Route(SHOP, ":80"),)))
    await here.edge.point(SHOP, Pointer(1, (app,)))
    spec = here.spec(front, **{"traefik.enable": "true"})
    assert await here.ensure(spec) == EdgeState(started=True)
    assert set(_edge(here).attrs["NetworkSettings"]["Networks"]) == {front, network_name(here.installation)}
    assert _edge(here).labels["traefik.enable"] == "true"
    assert _edge(here).attrs["NetworkSettings"]["Ports"] == {}
    address = here.address(edge_name(here.installation), front)
    await until(lambda: _says(address, 80, "one"))
    assert await here.ensure(spec) == EdgeState()


async def test_a_network_that_is_missing_is_named_and_not_made(here: Street) -> None:
    await here.load(EdgePlan((Route(SHOP, ":80"),)))
    missing = f"{here.installation}-nowhere"
    with pytest.raises(TargetError, match=f"the host has no Docker network {missing}"):
        await here.ensure(here.spec(missing))
    assert here.client.networks.list(names=[missing]) == []
    assert here.containers("edge") == []


async def test_other_networks_and_labels_make_a_running_edge_outdated_and_it_serves_on(
    serving: tuple[Street, int],
) -> None:
    here, port = serving
    before, front = _edge(here).id, here.network("front")
    state = await here.ensure(here.spec(front))
    own = network_name(here.installation)
    assert state.outdated == f"it is in the host's network, not in the networks {', '.join(sorted((own, front)))}"
    assert (await here.ensure(here.spec(team="shop"))).outdated == "its labels are others"
    assert (await here.ensure(replace(here.spec(), image="other:1"))).outdated == "its image is another one"
    assert (_edge(here).id, (await ask("127.0.0.1", port)).body) == (before, "first")


async def test_an_outdated_edge_that_does_not_run_is_made_anew(serving: tuple[Street, int]) -> None:
    here, port = serving
    _edge(here).stop(timeout=1)
    assert await here.ensure(here.spec(team="shop")) == EdgeState(started=True)
    assert (await ask("127.0.0.1", port)).body == "first"
    assert _edge(here).labels["team"] == "shop"


# ---------------------------------------------------------------- the replacement


async def test_a_new_edge_takes_over_beside_the_old_one_and_nobody_is_refused(serving: tuple[Street, int]) -> None:
    here, port = serving
    spec = here.spec(team="shop")
    for count in range(2):
        before = _edge(here).id
        async with customers(Load(port, looks=True)) as seen:
            await seen.hears(50)
            await here.upgrade(replace(spec, labels={"count": str(count)}))
            await seen.hears(50)
        assert set(seen.statuses) == {200}
        assert len(seen.lost) <= 2, seen.lost  # requests on their way in a connection that closes just then
        assert _edge(here).id != before
        assert [each.name for each in here.containers("edge")] == [edge_name(here.installation)]
        assert await here.edge.answers()
        assert (await here.ensure(replace(spec, labels={"count": str(count)}))).outdated == ""


async def test_a_request_under_way_is_finished_by_the_old_edge(here: Street, tmp_path: Path) -> None:
    port, one = free_port(), await App("one").start()
    await here.load(EdgePlan((Route(SHOP, f"127.0.0.1:{port}"),)))
    await here.edge.point(SHOP, Pointer(1, (one.address,)))
    await here.ensure(here.spec())
    slow = asyncio.create_task(ask("127.0.0.1", port, "/slow"))
    await until(lambda: len(one.requests) == 1)
    upgrade = asyncio.create_task(here.upgrade(here.spec(team="shop")))
    await until(lambda: len(here.containers("edge")) == 2)
    await until(here.edge.answers)
    one.release.set()
    assert (await slow).body == "one"
    await upgrade
    await one.die()


async def test_an_edge_that_cannot_be_replaced_serves_on(serving: tuple[Street, int]) -> None:
    here, port = serving
    before = _edge(here).id
    with pytest.raises(docker.errors.APIError):
        await here.upgrade(replace(here.spec(), image="127.0.0.1:1/nothing:there"))
    with pytest.raises(TargetError, match="no Docker network nowhere"):
        await here.upgrade(here.spec("nowhere"))
    assert (_edge(here).id, (await ask("127.0.0.1", port)).body) == (before, "first")
    assert await here.edge.answers()


@pytest.mark.parametrize("old_runs", [True, False])
async def test_an_engine_that_dies_in_an_upgrade_leaves_what_the_next_one_settles(
    serving: tuple[Street, int], monkeypatch: pytest.MonkeyPatch, old_runs: bool
) -> None:
    here, port = serving
    before, stop = _edge(here).id, docker.APIClient.stop

    def dies(client: docker.APIClient, container: str, **_: object) -> None:
        if not old_runs:
            stop(client, container, timeout=1)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(docker.APIClient, "stop", dies)
        with pytest.raises(KeyboardInterrupt):
            await asyncio.to_thread(_interrupted, here)
    assert len(here.containers("edge")) == 2
    state = await here.ensure(here.spec(team="shop"))
    assert (state.outdated == "") != old_runs
    assert (_edge(here).id == before) == old_runs
    assert len(here.containers("edge")) == 1
    assert await here.edge.answers()
    assert (await ask("127.0.0.1", port)).body == "first"


def _interrupted(here: Street) -> None:
    from cockpit.targets.edge_host import upgrade_edge

    upgrade_edge(here.client, here.installation, here.spec(team="shop"))


# ---------------------------------------------------------------- aliases


def calling(network: str, *names: str, process: str = "", port: int = 8000, key: PlacementKey = SHOP) -> Alias:
    return Alias(key, process, (network,), names, port)


def door_of(here: Street, network: str) -> str:
    return here.address(str(here.containers("door")[0].id), network)


def names_in(here: Street, container: str, network: str) -> set[str]:
    found = here.client.containers.get(container).attrs["NetworkSettings"]["Networks"][network]
    return set(found["Aliases"] or ())


async def with_alias(here: Street, port: int, *aliases: Alias) -> EdgeState:
    await here.load(EdgePlan((Route(SHOP, f"127.0.0.1:{port}"),), aliases=aliases))
    return await here.ensure(here.spec())


async def test_other_containers_that_call_an_alias_follow_the_pointer(serving: tuple[Street, int]) -> None:
    here, port = serving
    shop = here.network("shop")
    one, two = [await asyncio.to_thread(here.application, each) for each in ("one", "two")]
    assert await with_alias(here, port, calling(shop, "web", "shop")) == EdgeState()
    door = door_of(here, shop)
    assert {"web", "shop"} <= names_in(here, str(here.containers("door")[0].id), shop)
    await until(lambda: _says(door, 8000, "first"))
    async with customers(Load(8000, address=door)) as seen:
        await seen.hears(50)
        for release, app in ((2, two), (1, one), (2, two)):
            await here.edge.point(SHOP, Pointer(release, (app,)))
            await seen.hears(50)
    assert (seen.lost, set(seen.statuses), set(seen.bodies)) == ([], {200}, {"first", "one", "two"})


async def test_a_container_of_the_network_finds_the_alias_by_name(serving: tuple[Street, int]) -> None:
    here, port = serving
    shop = here.network("shop")
    await with_alias(here, port, calling(shop, "web"))
    caller = await asyncio.to_thread(here.neighbour, "caller", shop)
    proxy = ["/caddy", "reverse-proxy", "--from", "http://:9000", "--to", "http://web:8000"]
    caller.exec_run(proxy, detach=True)
    await until(lambda: _says(here.address(caller, shop), 9000, "first"))


async def test_a_door_outlives_a_restart_and_a_replacement_of_the_edge(serving: tuple[Street, int]) -> None:
    here, port = serving
    shop = here.network("shop")
    await with_alias(here, port, calling(shop, "web"))
    door = here.containers("door")[0]
    address = door_of(here, shop)
    await until(lambda: _says(address, 8000, "first"))
    assert door.attrs["HostConfig"]["RestartPolicy"]["Name"] == "always"
    async with customers(Load(8000, address=address, every=0.02)) as seen:
        await seen.hears(5)
        _edge(here).restart(timeout=1)
        await seen.hears(5)
    assert (seen.lost, set(seen.statuses)) == ([], {200})


async def test_those_who_ask_by_name_notice_no_new_door(serving: tuple[Street, int]) -> None:
    here, port = serving
    shop = here.network("shop")
    await with_alias(here, port, calling(shop, "web"))
    caller = await asyncio.to_thread(here.neighbour, "caller", shop)
    caller.exec_run(["/caddy", "reverse-proxy", "--from", "http://:9000", "--to", "http://web:8000"], detach=True)
    address, before = here.address(caller, shop), here.containers("door")[0].id
    await until(lambda: _says(address, 9000, "first"))
    async with customers(Load(9000, address=address, every=0.02)) as seen:
        await here.upgrade(here.spec(team="shop"))
        await seen.hears(20)
    assert [each.id == before for each in here.containers("door")] == [False]
    assert seen.lost == []
    assert seen.statuses.pop(502, 0) <= 2  # a request of the caller in a connection that closes just then
    assert set(seen.statuses) == {200}


async def test_a_door_whose_replacement_was_not_finished_is_the_door(serving: tuple[Street, int]) -> None:
    here, port = serving
    shop = here.network("shop")
    await with_alias(here, port, calling(shop, "web"))
    door = here.containers("door")[0]
    name = door.name
    door.rename(f"{name}-next")
    assert await here.ensure(here.spec()) == EdgeState()
    assert [(each.id, each.name) for each in here.containers("door")] == [(door.id, name)]


async def test_a_name_that_another_container_has_is_left_to_it(serving: tuple[Street, int]) -> None:
    here, port = serving
    shop = here.network("shop")
    old = await asyncio.to_thread(here.neighbour, "old", shop, aliases=("web",))
    state = await with_alias(here, port, calling(shop, "web", "shop"))
    assert state.aliases == (
        f"web in the network {shop} is the container {old.name}. "
        f"Stop it, and the alias follows within a minute: docker stop {old.name}",
    )
    assert here.containers("door") == []
    old.stop(timeout=0)
    assert await here.ensure(here.spec()) == EdgeState()
    assert len(here.containers("door")) == 1


async def test_doors_go_with_their_aliases_and_change_with_them(serving: tuple[Street, int]) -> None:
    here, port = serving
    shop = here.network("shop")
    await with_alias(here, port, calling(shop, "web"))
    first = here.containers("door")[0].id
    assert await with_alias(here, port, calling(shop, "web")) == EdgeState()
    assert here.containers("door")[0].id == first
    await with_alias(here, port, calling(shop, "web", port=8001))
    assert here.containers("door")[0].id != first
    await until(lambda: _says(door_of(here, shop), 8001, "first"))
    await with_alias(here, port)
    assert here.containers("door") == []


async def test_an_alias_in_a_network_that_is_missing_is_told_and_the_edge_serves(serving: tuple[Street, int]) -> None:
    here, port = serving
    state = await with_alias(here, port, calling("nowhere", "web"), calling(here.network("shop"), "api", process="api"))
    assert [each.startswith("the host has no Docker network nowhere") for each in state.aliases] == [True]
    assert len(here.containers("door")) == 1
    assert (await ask("127.0.0.1", port)).body == "first"


async def test_requests_by_an_alias_count_as_in_flight(here: Street) -> None:
    port, one = free_port(), await App("one").start()
    shop = here.network("shop")
    await with_alias(here, port, calling(shop, "web"))
    await here.edge.point(SHOP, Pointer(1, (one.address,)))
    address = door_of(here, shop)
    await until(lambda: _says(address, 8000, "one"))
    slow = asyncio.create_task(ask(address, 8000, "/slow"))
    await until(lambda: len(one.requests) == 2)
    assert (await here.edge.in_flight())[one.address] == 1
    one.release.set()
    assert (await slow).body == "one"
    await one.die()


def test_a_spec_describes_a_host_whose_disk_is_elsewhere(tmp_path: Path) -> None:
    from cockpit.targets.edge_container import admin_socket, owner

    spec = EdgeSpec(Path("/srv/edge"), admin=tmp_path / "admin.sock", owner=1000)
    assert (admin_socket(spec), owner(spec)) == (tmp_path / "admin.sock", 1000)
