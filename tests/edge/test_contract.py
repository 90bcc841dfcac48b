"""One contract for the edge and its fake: what the engine relies on when it moves customers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from cockpit.clock import SystemClock
from cockpit.edge.base import Edge, EdgePlan, Pointer, Route
from cockpit.edge.caddy import CaddyEdge
from cockpit.edge.files import LocalFiles
from cockpit.errors import ConfigError, EdgeError, Fenced
from cockpit.model import PlacementKey
from cockpit.targets.base import Target
from cockpit.targets.docker import DockerTarget
from cockpit.targets.edge_spec import EdgeSpec, EdgeState
from tests.edge.world import free_port
from tests.fakes.edge import FakeEdge
from tests.fakes.target import FakeTarget
from tests.world import fresh_installation

WEB = PlacementKey("web", "production")
SHOP = PlacementKey("shop", "production")
OLD = Pointer(1, ("10.231.1.0:8000",))
NEW = Pointer(2, ("10.231.1.8:8000", "10.231.1.9:8000"))
ROUTES = (Route(WEB, "127.0.0.1:8100"), Route(SHOP, "127.0.0.1:8101", ("shop.example",)))


@pytest.fixture(params=["fake", "caddy"])
async def edge(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Edge]:
    if request.param == "fake":
        yield FakeEdge()
        return
    caddy = CaddyEdge(LocalFiles(tmp_path / "edge"), "10.231.0.0/18")
    yield caddy
    await caddy.close()


async def test_before_the_first_switch_there_is_no_pointer(edge: Edge) -> None:
    await edge.load(ROUTES)
    assert await edge.pointer(WEB) is None


async def test_a_pointer_reads_back_as_it_was_written(edge: Edge) -> None:
    await edge.load(ROUTES)
    for pointer in (OLD, NEW, OLD):
        await edge.point(WEB, pointer)
        assert await edge.pointer(WEB) == pointer


async def test_only_the_last_token_counts(edge: Edge) -> None:
    await edge.load(ROUTES)
    await edge.guard(WEB, "ana")
    await edge.point(WEB, OLD, "ana")
    assert await edge.guarded(WEB, "ana")
    await edge.guard(WEB, "tom")
    assert (await edge.guarded(WEB, "ana"), await edge.guarded(WEB, "tom")) == (False, True)
    with pytest.raises(Fenced):
        await edge.point(WEB, NEW, "ana")
    assert await edge.pointer(WEB) == OLD
    await edge.guard(WEB, "")
    assert not await edge.guarded(WEB, "tom")


async def test_moving_one_placement_leaves_the_others(edge: Edge) -> None:
    await edge.load(ROUTES)
    await edge.point(WEB, OLD)
    await edge.point(SHOP, NEW)
    assert await edge.pointer(WEB) == OLD


async def test_pointers_outlive_a_change_of_routes(edge: Edge) -> None:
    await edge.load(ROUTES)
    await edge.point(WEB, NEW)
    await edge.load(ROUTES[:1])
    assert await edge.pointer(WEB) == NEW


async def test_nobody_asked_means_no_hits(edge: Edge) -> None:
    await edge.load(ROUTES)
    assert await edge.hits() == ()


async def test_a_pointer_keeps_the_addresses_of_further_processes(edge: Edge) -> None:
    await edge.load(ROUTES)
    both = Pointer(
        3, ("10.231.1.0:8000",), (("admin", ("10.231.1.1:9000",)), ("api", ("10.231.1.2:1", "10.231.1.3:1")))
    )
    alone = Pointer(4, (), (("admin", ("10.231.1.1:9000",)),))
    for pointer in (both, alone):
        await edge.point(WEB, pointer)
        assert await edge.pointer(WEB) == pointer


@pytest.mark.parametrize("bad", [Pointer(5, ()), Pointer(5, ("nowhere",)), Pointer(5, (), (("a b", ("10.0.0.1:1",)),))])
async def test_a_pointer_that_leads_nowhere_changes_nothing(edge: Edge, bad: Pointer) -> None:
    await edge.load(ROUTES)
    await edge.point(WEB, OLD)
    with pytest.raises(EdgeError, match="web/production cannot be switched"):
        await edge.point(WEB, bad)
    assert await edge.pointer(WEB) == OLD


async def test_a_plan_that_clashes_is_refused(edge: Edge) -> None:
    with pytest.raises(ConfigError, match="both want requests for any host"):
        await edge.load(EdgePlan((Route(WEB, ":80"), Route(SHOP, "*:80"))))


async def test_routes_alone_and_a_plan_of_them_are_the_same(edge: Edge) -> None:
    await edge.load(ROUTES)
    assert not await edge.load(EdgePlan(ROUTES))


@pytest.fixture(params=["fake", pytest.param("docker", marks=pytest.mark.docker)])
async def host(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Target, EdgeSpec]]:
    spec = EdgeSpec(tmp_path / "edge")
    if request.param == "fake":
        yield FakeTarget(), spec
        return
    target = DockerTarget("local", fresh_installation(), subnet=None, clock=SystemClock())
    caddy = CaddyEdge(LocalFiles(tmp_path / "edge"), "127.0.0.0/9")
    await caddy.load((Route(WEB, f"127.0.0.1:{free_port()}"),))
    try:
        yield target, spec
    finally:
        await target.remove_all()
        await target.close()
        await caddy.close()


async def test_an_edge_is_started_once_and_is_up_to_date_after_an_upgrade(host: tuple[Target, EdgeSpec]) -> None:
    target, spec = host
    assert await target.ensure_edge(spec) == EdgeState(started=True)
    assert await target.ensure_edge(spec) == EdgeState()
    other = replace(spec, labels={"team": "shop"})
    await target.upgrade_edge(other)
    assert await target.ensure_edge(other) == EdgeState()


async def test_an_edge_that_is_not_there_is_started_by_an_upgrade(host: tuple[Target, EdgeSpec]) -> None:
    target, spec = host
    await target.upgrade_edge(spec)
    assert await target.ensure_edge(spec) == EdgeState()
