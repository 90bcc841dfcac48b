"""One contract for the edge and its fake: what the engine relies on when it moves customers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cockpit.edge.base import Edge, Pointer, Route
from cockpit.edge.caddy import CaddyEdge
from cockpit.model import PlacementKey
from tests.fakes.edge import FakeEdge

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
    caddy = CaddyEdge(tmp_path / "edge", "10.231.0.0/18")
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
