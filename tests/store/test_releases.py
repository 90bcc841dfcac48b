"""Releases, placements and slots: what the log remembers, and what it may not forget."""

from __future__ import annotations

from typing import Any

import pytest

from cockpit.errors import StoreError
from cockpit.model import Hold, PlacementKey
from cockpit.store.base import PlacementRecord, ReleaseRecord
from cockpit.store.log import ReleaseLog

OTHER = PlacementKey("shop", "staging")


async def good(log: ReleaseLog, record: ReleaseRecord, at: float) -> None:
    """It took traffic at `at` and was good at once."""
    await log.set_live(record.key, record.number, at, hot_until=None, baking_until=None)
    await log.update_release(record.key, record.number, good_at=at)


async def test_numbers_count_per_placement(log: ReleaseLog, add: Any, shop: PlacementKey) -> None:
    assert [(await add()).number, (await add()).number, (await add(OTHER)).number] == [1, 2, 1]
    assert [record.number for record in await log.releases(shop)] == [2, 1]
    assert await log.release(OTHER, 2) is None


async def test_every_field_of_a_release_comes_back(log: ReleaseLog, shop: PlacementKey) -> None:
    record = ReleaseRecord(
        shop, 7, 3, "c", "t", "s'; DROP TABLE releases; --", "a\x00b", "b", 1.5, 4, "sha256:1", '{"port": 80}', 5,
        2.0, 3.0, 2.5, 9.0, 4.0, 6.0, None, True, 8.0, "slow", False, True,
    )  # fmt: skip
    await log.add_release(record)
    assert await log.release(shop, 7) == record


async def test_going_live_takes_the_traffic_from_the_former_release(
    log: ReleaseLog, add: Any, shop: PlacementKey
) -> None:
    await add()
    await add()
    await log.set_live(shop, 1, 100.0, hot_until=None, baking_until=700.0)
    await log.set_live(shop, 2, 160.0, hot_until=1060.0, baking_until=760.0)
    former, live = await log.release(shop, 1), await log.release(shop, 2)
    assert former
    assert live
    assert (former.live_since, former.left_traffic_at, former.served_seconds, former.hot_until) == (None, 160, 60, 1060)
    assert former.baking_until is None
    assert (live.live_since, live.took_traffic_at, live.baking_until, live.hot_until) == (160, 160, 760, None)
    assert (await log.placement(shop)).live == 2


async def test_a_release_that_comes_back_keeps_its_first_traffic_and_its_service_time(
    log: ReleaseLog, add: Any, shop: PlacementKey
) -> None:
    await add()
    await add()
    await log.set_live(shop, 1, 100.0, hot_until=None, baking_until=None)
    await log.set_live(shop, 2, 160.0, hot_until=1060.0, baking_until=None)
    await log.update_release(shop, 1, stopped=True)
    await log.set_live(shop, 1, 200.0, hot_until=None, baking_until=None)
    back = await log.release(shop, 1)
    assert back
    assert (back.took_traffic_at, back.live_since, back.served_seconds) == (100, 200, 60)
    assert (back.hot_until, back.stopped) == (None, False)


async def test_saying_twice_that_a_release_is_live_does_no_harm(log: ReleaseLog, add: Any, shop: PlacementKey) -> None:
    await add()
    for at in (100.0, 150.0):
        await log.set_live(shop, 1, at, hot_until=None, baking_until=700.0)
    live = await log.release(shop, 1)
    assert live
    assert (live.live_since, live.served_seconds) == (100, 0)


async def test_a_clock_that_went_back_takes_no_service_time_away(log: ReleaseLog, add: Any, shop: PlacementKey) -> None:
    await add()
    await add()
    await log.set_live(shop, 1, 100.0, hot_until=None, baking_until=None)
    await log.set_live(shop, 2, 40.0, hot_until=None, baking_until=None)
    former = await log.release(shop, 1)
    assert former
    assert former.served_seconds == 0


async def test_an_unknown_release_cannot_go_live_and_the_former_stays(
    log: ReleaseLog, add: Any, shop: PlacementKey
) -> None:
    await add()
    await log.set_live(shop, 1, 100.0, hot_until=None, baking_until=None)
    with pytest.raises(StoreError, match="r9"):
        await log.set_live(shop, 9, 160.0, hot_until=None, baking_until=None)
    assert (await log.placement(shop)).live == 1


async def test_two_releases_of_a_placement_are_never_live_at_once(
    log: ReleaseLog, add: Any, shop: PlacementKey
) -> None:
    await add()
    await add()
    await log.set_live(shop, 1, 100.0, hot_until=None, baking_until=None)
    with pytest.raises(StoreError):
        await log.update_release(shop, 2, live_since=100.0, took_traffic_at=100.0)


async def test_only_known_fields_of_a_known_release_change(log: ReleaseLog, add: Any, shop: PlacementKey) -> None:
    await add()
    wrong: Any = {"number": 5}
    with pytest.raises(TypeError, match="number"):
        await log.update_release(shop, 1, **wrong)
    with pytest.raises(StoreError, match="r5"):
        await log.update_release(shop, 5, failed=True)


async def test_a_hold_comes_back_whole_and_goes_again(log: ReleaseLog, shop: PlacementKey) -> None:
    assert await log.placement(shop) == PlacementRecord(shop)
    hold = Hold("ana", 12.5, "checkout is slow", ("c1", "c2"))
    await log.set_hold(shop, hold)
    assert await log.placements() == (PlacementRecord(shop, None, hold),)
    await log.set_hold(shop, None)
    assert (await log.placement(shop)).hold is None


async def test_the_last_good_release_is_the_newest_one_can_go_back_to(
    log: ReleaseLog, add: Any, shop: PlacementKey
) -> None:
    for _ in range(6):
        await add()
    for number in (1, 2, 3, 4, 5):
        await log.update_release(shop, number, good_at=float(number), took_traffic_at=1.0)
    await log.update_release(shop, 5, rolled_back_at=9.0)
    await log.update_release(shop, 4, image_removed=True)
    last, before = await log.last_good(shop), await log.last_good(shop, excluding=3)
    assert last
    assert before
    assert (last.number, before.number) == (3, 2)
    assert await log.last_good(OTHER) is None


async def test_a_release_marked_bad_is_no_place_to_go_back_to(log: ReleaseLog, add: Any, shop: PlacementKey) -> None:
    await good(log, await add(), 1.0)
    await log.update_release(shop, 1, bad_reason="leaks memory")
    assert await log.last_good(shop) is None


async def test_hot_releases_expire_but_never_the_live_one(log: ReleaseLog, add: Any, shop: PlacementKey) -> None:
    for _ in range(3):
        await add()
    await log.set_live(shop, 1, 10.0, hot_until=None, baking_until=None)
    await log.set_live(shop, 2, 20.0, hot_until=100.0, baking_until=None)
    await log.set_live(shop, 3, 30.0, hot_until=200.0, baking_until=None)
    assert [record.number for record in await log.hot_expired(99.0)] == []
    assert [record.number for record in await log.hot_expired(100.0)] == [1]


class TestImagesThatMayGo:
    async def numbers(self, log: ReleaseLog, key: PlacementKey, keep: int) -> list[int]:
        return [record.number for record in await log.retained(key, keep)]

    async def test_the_newest_good_ones_stay_and_failed_attempts_evict_none(
        self, log: ReleaseLog, add: Any, shop: PlacementKey
    ) -> None:
        for at in (1.0, 2.0, 3.0):
            await good(log, await add(), at)
        for _ in range(7):
            failed = await add()
            await log.update_release(shop, failed.number, failed=True)
        assert await self.numbers(log, shop, 2) == [1, 4, 5, 6, 7, 8, 9, 10]

    async def test_where_a_rollback_would_go_stays_though_only_one_is_kept(
        self, log: ReleaseLog, add: Any, shop: PlacementKey
    ) -> None:
        for at in (1.0, 2.0, 3.0):
            await good(log, await add(), at)
        assert await self.numbers(log, shop, 1) == [1]

    @pytest.mark.parametrize("fields", [{"hot_until": 9.0}, {"stopped": True}, {"slot": 3}])
    async def test_a_release_with_containers_stays(
        self, log: ReleaseLog, add: Any, shop: PlacementKey, fields: dict[str, Any]
    ) -> None:
        await add(**fields)
        for at in (1.0, 2.0):
            await good(log, await add(), at)
        assert await self.numbers(log, shop, 1) == []

    async def test_a_release_being_deployed_stays_before_it_has_a_slot(
        self, log: ReleaseLog, add: Any, begin: Any, shop: PlacementKey
    ) -> None:
        await begin(to_release=(await add()).number)
        assert await self.numbers(log, shop, 1) == []

    async def test_an_image_that_a_kept_release_shares_stays(
        self, log: ReleaseLog, add: Any, shop: PlacementKey
    ) -> None:
        for at in (1.0, 2.0, 3.0):
            await good(log, await add(image="sha256:same" if at < 3 else "sha256:new"), at)
        assert await self.numbers(log, shop, 1) == []

    async def test_an_image_that_is_live_in_another_environment_stays(
        self, log: ReleaseLog, add: Any, shop: PlacementKey
    ) -> None:
        await good(log, await add(OTHER, image="sha256:promoted"), 1.0)
        await log.update_release(shop, (await add(image="sha256:promoted")).number, failed=True)
        assert await self.numbers(log, shop, 1) == []

    async def test_two_placements_do_not_hold_on_to_an_image_that_neither_keeps(
        self, log: ReleaseLog, add: Any, shop: PlacementKey
    ) -> None:
        for key in (shop, OTHER):
            await log.update_release(key, (await add(key, image="sha256:old")).number, failed=True)
        assert await self.numbers(log, shop, 1) == [1]

    async def test_one_that_went_is_not_named_again(self, log: ReleaseLog, add: Any, shop: PlacementKey) -> None:
        await log.update_release(shop, (await add()).number, failed=True, image_removed=True)
        assert await self.numbers(log, shop, 1) == []
