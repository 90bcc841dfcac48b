"""A release log that is new, damaged or old learns from the hosts what it lacks; customers are found first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cockpit.edge.base import Pointer
from cockpit.engine import memory, rebuild, spec
from cockpit.engine.pointed import put_back
from cockpit.engine.rebuild import Scene
from cockpit.engine.spec import ReleaseSpec
from cockpit.model import OperationState, Tier
from cockpit.protocol import UNHOLD, UnholdRequest
from cockpit.store.base import ReleaseRecord
from cockpit.targets.base import Container, ContainerState, Remembered, Standing
from cockpit.targets.orders import ContainerSpec, SecretSource
from cockpit.targets.subnet import Subnet
from tests.engine.rig import SHOP, Rig, rig, service, settings

SUBNET = Subnet("10.231.0.0/18")
FROZEN = ReleaseSpec({"web": ContainerSpec("img", port=8000, secrets={"KEY": SecretSource(file="/srv/key")})})


def record(number: int, **changes: Any) -> ReleaseRecord:
    return ReleaseRecord(
        SHOP, number, 10 + number, f"c{number}", "t", "subject", "author", "ana", 1.0, image="img",
        spec=spec.to_text(FROZEN), **{"took_traffic_at": float(number), **changes},
    )  # fmt: skip


def container(release: int, standing: Standing = Standing.OFF, *, slot: int = 0, running: bool = True) -> Container:
    return Container(
        id=f"{release}-{slot}", name=f"shop-r{release}-s{slot}", key=SHOP, release=release, operation=10 + release,
        slot=slot, index=1, address=SUBNET.addresses(slot, 1)[0], port=8000, image="img",
        state=ContainerState.RUNNING if running else ContainerState.EXITED, started_at=float(release),
        standing=standing,
    )  # fmt: skip


def scene(*containers: Container, remembered: tuple[ReleaseRecord, ...] = (), pointer: Pointer | None = None) -> Scene:
    return Scene(SHOP, {each.number: each for each in remembered}, containers, pointer, known=())


# ---------------------------------------------------------------- who is live


def test_the_pointer_knows_who_is_live_better_than_any_container() -> None:
    both = (container(1), container(2, Standing.LIVE, slot=1))
    assert rebuild.live(scene(*both, pointer=Pointer(1, ("10.231.1.0:8000",)))) == 1


def test_a_pointer_to_what_nobody_knows_is_not_believed() -> None:
    assert rebuild.live(scene(container(2, Standing.LIVE), pointer=Pointer(7, ("10.231.1.0:8000",)))) == 2


def test_without_a_pointer_the_restart_policy_tells() -> None:
    assert rebuild.live(scene(container(1, Standing.LIVE), container(2, Standing.HOT, slot=1))) == 1


def test_without_either_it_is_the_newest_that_runs_and_served_before() -> None:
    on_its_way = record(3, took_traffic_at=None)
    remembered = (record(1), record(2), on_its_way)
    found = scene(container(1), container(2, slot=1), container(3, slot=2), remembered=remembered)
    assert rebuild.live(found) == 2
    assert rebuild.live(scene(container(3), remembered=(on_its_way,))) is None


def test_what_stopped_is_not_live_whatever_its_policy_was() -> None:
    assert rebuild.live(scene(container(1, Standing.LIVE, running=False), remembered=(record(1),))) is None


# ---------------------------------------------------------------- what becomes of each release


def test_of_two_blocks_of_addresses_the_release_has_the_one_that_the_pointer_names() -> None:
    both = (container(1, Standing.LIVE, slot=4), container(1, slot=9))
    for slot in (4, 9):
        found = scene(*both, remembered=(record(1),), pointer=FROZEN.pointer(1, slot, SUBNET))
        assert rebuild.slot(found, 1, FROZEN, SUBNET) == slot
    assert rebuild.slot(scene(*both, remembered=(record(1),)), 1, FROZEN, SUBNET) == 4


def test_a_release_that_runs_beside_the_live_one_is_hot_for_a_while() -> None:
    found = scene(container(1), container(2, Standing.LIVE, slot=1), remembered=(record(1), record(2)))
    old = rebuild.release(found, 1, 2, 100.0, SUBNET)
    assert (old.slot, old.hot_until, old.stopped, old.failed) == (0, 700.0, False, False)
    new = rebuild.release(found, 2, 2, 100.0, SUBNET)
    assert (new.slot, new.hot_until, new.took_traffic_at) == (1, None, 2.0)


def test_a_release_that_died_on_its_way_is_taken_away() -> None:
    found = scene(container(2), remembered=(record(1), record(2, took_traffic_at=None)))
    assert rebuild.release(found, 2, 1, 100.0, SUBNET).failed


def test_a_stopped_one_keeps_its_containers_and_one_without_any_only_its_image() -> None:
    found = scene(container(1, running=False), remembered=(record(1), record(2)))
    assert (
        rebuild.release(found, 1, None, 9.0, SUBNET).stopped,
        rebuild.release(found, 2, None, 9.0, SUBNET).slot,
    ) == (
        True,
        None,
    )


def test_of_what_nobody_remembers_the_containers_tell_enough_to_send_customers_there() -> None:
    workers = replace(container(5), id="w", process="worker", port=None, address="")
    found = scene(container(5, Standing.LIVE, slot=3), workers)
    made = rebuild.release(found, 5, 5, 100.0, SUBNET)
    frozen = spec.from_text(made.spec)
    assert made.slot is not None
    assert frozen.routed == ("web",)
    assert set(frozen.processes) == {"web", "worker"}
    assert made.subject == rebuild.UNKNOWN


def test_a_rollback_that_was_made_holds_the_placement_again() -> None:
    bad = record(2, rolled_back_at=50.0, bad_reason="checkout fails")
    held = rebuild.hold((record(1), bad), 1)
    assert held is not None
    assert (held.reason, held.bad_commits) == ("checkout fails", ("c2",))
    assert rebuild.hold((record(1), bad, record(3)), 3) is None


# ---------------------------------------------------------------- what a host remembers


def test_what_is_remembered_says_all_of_a_release_but_what_containers_tell() -> None:
    whole = record(4, good_at=9.0, slot=7, live_since=4.0, hot_until=None, bad_reason="")
    back = memory.record_of(Remembered(SHOP, 4, memory.text_of(whole)))
    assert back == replace(whole, slot=None, live_since=None)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"key": {"service": "x", "environment": "y"}}', "\0"])
def test_what_cannot_be_read_is_no_release(text: str) -> None:
    assert memory.record_of(Remembered(SHOP, 4, text)) is None


def test_a_record_of_another_release_is_not_believed() -> None:
    assert memory.record_of(Remembered(SHOP, 5, memory.text_of(record(4)))) is None


# ---------------------------------------------------------------- a whole engine


async def _forgets(shop: Rig) -> None:
    """The engine dies, and its release log with it."""
    await shop.down()
    for each in shop.paths.state.glob("releases.db*"):
        each.unlink()


def tiers(shop: Rig) -> dict[int, Tier]:
    return {each.number: each.tier for each in shop.engine.window.releases(SHOP, 50).releases}


async def _hot_and_live(shop: Rig) -> None:
    await shop.shipped("first")
    await shop.shipped("second")
    await shop.until(lambda: len(shop.target.records) == 2)


async def test_a_lost_log_is_built_again_from_the_host_and_goes_on_counting(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await _hot_and_live(shop)
        await _forgets(shop)
        await shop.up()
        assert tiers(shop) == {2: Tier.LIVE, 1: Tier.HOT}
        assert (await shop.store.releases(SHOP))[0].subject == "second"
        assert shop.edge.moves == ["shop/production r1", "shop/production r2"]
        back = await shop.ended(await shop.rollback())
        assert (back.state, back.to_release, shop.customers_on()) == (OperationState.SUCCEEDED, 1, 1)
        await shop.call(UNHOLD, UnholdRequest(SHOP, "it was not the release"))
        third = await shop.shipped("third")
        assert (third.state, third.to_release) == (OperationState.SUCCEEDED, 3)
        assert third.id > 3


async def test_a_lost_pointer_is_written_again_before_anything_else(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await _hot_and_live(shop)
        pointer = shop.edge.pointers[SHOP]
        await shop.ended(await shop.rollback())
        wanted = shop.edge.pointers[SHOP]
        await _forgets(shop)
        shop.edge.pointers.clear()
        await shop.up()
        assert shop.edge.pointers == {SHOP: wanted}
        assert wanted != pointer
        assert await shop.live() == 1
        assert (await shop.store.placement(SHOP)).hold is not None


async def test_a_pointer_that_is_removed_under_a_running_engine_is_written_again(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await _hot_and_live(shop)
        wanted = shop.edge.pointers.pop(SHOP)
        shop.clock.hurry()
        await shop.until(lambda: shop.edge.pointers.get(SHOP) == wanted)


async def test_without_a_running_release_no_pointer_is_made_up(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.target.stop(SHOP, 1, grace=0, remove=True)
        await shop.engine.watch.look(SHOP)
        del shop.edge.pointers[SHOP]
        assert not await put_back(shop.engine.world, SHOP)
        assert shop.customers_on() is None


async def test_a_release_that_was_on_its_way_when_the_log_was_lost_never_serves(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.until(lambda: len(shop.target.records) == 1)
        shop.prober.answers[2] = 0
        await shop.deploy(shop.commit("second"))
        await shop.until(lambda: 2 in shop.running())
        await _forgets(shop)
        shop.edge.pointers.clear()
        shop.clock.hurry()
        await shop.up()
        assert await shop.live() == shop.customers_on() == 1
        await shop.until(lambda: {each.release for each in shop.target.containers} == {1})


async def test_a_log_from_a_backup_learns_what_it_missed(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.down()
        kept = shop.paths.database.read_bytes()
        await shop.up()
        await shop.shipped("second")
        await shop.until(lambda: len(shop.target.records) == 2)
        await _forgets(shop)
        shop.paths.database.write_bytes(kept)
        await shop.up()
        assert await shop.live() == 2
        assert tiers(shop) == {2: Tier.LIVE, 1: Tier.HOT}


async def test_a_retained_release_comes_back_cold_as_it_was_frozen(tmp_path: Path) -> None:
    async with rig(tmp_path, settings((SHOP, service(environment={"COLOUR": "green"})))) as shop:
        await _hot_and_live(shop)
        frozen = (await shop.store.releases(SHOP))[1].spec
        await _forgets(shop)
        await shop.target.stop(SHOP, 1, grace=0, remove=True)
        await shop.up()
        assert tiers(shop) == {2: Tier.LIVE, 1: Tier.RETAINED}
        assert (await shop.ended(await shop.rollback())).state is OperationState.SUCCEEDED
        assert shop.customers_on() == 1
        assert (await shop.store.releases(SHOP))[1].spec == frozen


async def test_a_host_that_cannot_remember_does_not_keep_anybody_from_deploying(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        shop.target.forgetful = "no volumes here"
        assert (await shop.shipped("first")).state is OperationState.SUCCEEDED
        assert shop.target.records == {}
        await _forgets(shop)
        shop.edge.pointers.clear()
        await shop.up()
        assert await shop.live() == shop.customers_on() == 1


async def test_what_is_too_old_to_go_back_to_is_forgotten_and_what_another_engine_knows_is_not(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        host = shop.engine.world.host(SHOP)
        for number in (1, 2, 3, 60):
            await memory.note(host, record(number))
        newest = tuple(record(number) for number in range(53, 3, -1))
        await memory.keep(host, shop.clock, SHOP, newest[:5])  # as at a start, before the others are read
        assert {1, 2, 3, 60} <= {number for _, number in shop.target.records}
        await memory.keep(host, shop.clock, SHOP, (*newest, record(2)))  # the live one
        assert {number for _, number in shop.target.records} == {2, *range(4, 54), 60}


async def test_what_somebody_pruned_is_remembered_again(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await _hot_and_live(shop)
        shop.target.records.clear()
        host = shop.engine.world.host(SHOP)
        host.memory_read_at = shop.clock.monotonic() - memory.AGAIN
        await shop.until(lambda: len(shop.target.records) == 2)


async def test_what_failed_or_whose_image_is_gone_is_forgotten(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.prober.answers[2] = 500
        assert (await shop.shipped("second")).state is OperationState.FAILED
        assert "remember shop/production r2" in shop.target.calls
        await shop.shipped("third")
        await shop.until(lambda: {number for _, number in shop.target.records} == {1, 3})
        await shop.store.update_release(SHOP, 1, image_removed=True)
        await shop.engine.watch.changed(SHOP)
        assert {number for _, number in shop.target.records} == {3}
