"""Several Docker hosts: what happens to one of them is no other's trouble."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.clock import SystemClock
from cockpit.config.settings import Environment, PlacementSettings, Settings
from cockpit.edge.base import Pointer
from cockpit.engine.host import Host
from cockpit.engine.host_opener import HostOpener
from cockpit.errors import EdgeError, Refused, TargetDown
from cockpit.model import OperationState, PlacementKey
from cockpit.paths import Paths
from cockpit.protocol import UNHOLD, UnholdRequest
from tests.engine.rig import SHOP, Rig, rig, service, settings
from tests.fakes.edge import FakeEdge
from tests.fakes.target import FakeTarget

FAR = PlacementKey("shop", "far")
FAR_HOST = "ssh://deploy@far"
OTHER = PlacementKey("other", "production")


def on_two_hosts() -> Settings:
    near = settings((SHOP, service()))
    far = Environment(host=FAR_HOST)
    placement = PlacementSettings(key=FAR, environment=far, service=service())
    return near.model_copy(
        update={"environments": {**near.environments, "far": far}, "placements": (*near.placements, placement)}
    )


class TwoHosts(Rig):
    def __init__(self, directory: Path) -> None:
        super().__init__(directory, on_two_hosts())
        self.far_target = FakeTarget()
        self.far_edge = FakeEdge()

    async def _open_host(self, name: str, wanted: Settings) -> Host:
        host = await super()._open_host(name, wanted)
        if name == FAR_HOST:
            host.target, host.edge = self.far_target, self.far_edge
        return host


async def test_a_host_whose_docker_hangs_holds_up_no_other(tmp_path: Path) -> None:
    shop = TwoHosts(tmp_path)
    shop.far_target.hold_looks()
    await shop.up()
    try:
        await shop.until(lambda: {route.key for route in shop.edge.routes} == {SHOP})
        assert (await shop.shipped("first")).state is OperationState.SUCCEEDED
        looks = shop.target.calls.count("observe")
        await shop.until(lambda: shop.target.calls.count("observe") > looks + 1)
    finally:
        await shop.down()


async def test_a_recovery_waits_for_a_host_that_is_away_however_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.prober.answers[2] = 0
        deploying = await shop.deploy(shop.commit("second"))
        await shop.until(lambda: 2 in shop.running())
        await shop.down()

        async def pointer(_: PlacementKey) -> Pointer | None:
            raise EdgeError("the line to far is down")

        monkeypatch.setattr(shop.edge, "pointer", pointer)
        shop.target.down = "the line to far is down"
        shop.clock.hurry()
        await shop.up(wait=False)
        shop.target.calls.clear()
        await shop.until(lambda: shop.target.calls.count(f"take_lock {SHOP}") > 10)
        shop.target.down = ""
        monkeypatch.undo()
        await shop.settled()
        found = await shop.store.operation(deploying.id)
        assert found is not None
        assert found.state is OperationState.INTERRUPTED


async def test_a_service_that_leaves_the_file_in_its_first_deploy_is_still_served(tmp_path: Path) -> None:
    async with rig(tmp_path, settings((SHOP, service(deploy_timeout=15.0)))) as shop:
        shop.prober.answers[1] = 0
        deploying = await shop.deploy(shop.commit("first"))
        await shop.until(lambda: 1 in shop.running())
        await shop.reconfigured(settings((OTHER, service(hosts=("other.test",)))))
        shop.prober.answers[1] = 200
        assert (await shop.ended(deploying)).state is OperationState.SUCCEEDED
        assert {each.key for each in shop.engine.window.snapshot().placements} == {SHOP, OTHER}


async def test_a_service_that_leaves_the_file_in_a_first_deploy_that_fails_is_forgotten_then(tmp_path: Path) -> None:
    async with rig(tmp_path, settings((SHOP, service(deploy_timeout=5.0)))) as shop:
        shop.prober.answers[1] = 0
        await shop.deploy(shop.commit("first"))
        await shop.until(lambda: 1 in shop.running())
        await shop.reconfigured(settings((OTHER, service(hosts=("other.test",)))))
        shop.clock.hurry()
        await shop.until(lambda: {each.key for each in shop.engine.window.snapshot().placements} == {OTHER})
        assert set(shop.engine.world.placements) == {OTHER}


async def test_a_hold_that_was_entered_late_holds(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        shop.disk.refuses = "disk full"
        await shop.rollback()
        await shop.until(lambda: shop.customers_on() == 1 and SHOP not in shop.engine.world.runs)
        shop.disk.refuses = ""
        await shop.until(lambda: not shop.engine.backlog)
        with pytest.raises(Refused, match="held by ana"):
            await shop.deploy(shop.commit("third"))
        await shop.call(UNHOLD, UnholdRequest(SHOP, "it was the disk"))
        assert (await shop.shipped("fourth")).state is OperationState.SUCCEEDED


async def test_a_context_that_docker_does_not_have_is_a_host_that_is_away(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path_factory.mktemp("s")  # the edge's sockets are below it, and their paths have to be short
    monkeypatch.setenv("DOCKER_CONFIG", str(state))
    opener = HostOpener(Paths(state / "cockpit.yaml", state, state / "socket"), "test", SystemClock())
    host = await opener.open("context:gone", settings((SHOP, service())))
    with pytest.raises(TargetDown, match="Docker has no context gone"):
        await host.target.ping()
    await host.close()
