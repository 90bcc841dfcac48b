"""An engine starts with the newest of each placement's releases; the older ones are there as soon as they matter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cockpit.engine.rows import FIRST, Rows
from cockpit.errors import StoreError
from cockpit.model import OperationState
from cockpit.protocol import RELEASES, ROLLBACK_SHEET, For
from tests.engine.rig import SHOP, Rig, rig

FAILED = 2 * FIRST  # deploys since r2, which is live
ALL = list(range(FAILED + 2, 0, -1))


@asynccontextmanager
async def after_many_failed_deploys(
    directory: Path, monkeypatch: pytest.MonkeyPatch | None, *, good: bool = True
) -> AsyncIterator[Rig]:
    """An engine that has just started: r2 serves, r1 served. With `monkeypatch` it never comes to read the rest."""
    async with rig(directory) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        if good:
            await shop.make_good(1)
        r1 = await shop.store.release(SHOP, 1)
        assert r1 is not None
        never = replace(r1, number=0, slot=None, took_traffic_at=None, good_at=None, left_traffic_at=None)
        for _ in range(FAILED):
            await shop.store.add_release(replace(never, hot_until=None, failed=True))
        if monkeypatch is not None:
            monkeypatch.setattr(Rows, "complete", _never)
        await shop.again()
        yield shop


async def _never(_: Rows) -> None:
    await asyncio.Event().wait()


def known(shop: Rig) -> list[int]:
    return [each.number for each in shop.engine.world.placements[SHOP].records]


async def test_a_start_reads_the_newest_releases_and_however_old_the_live_and_the_last_good_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with after_many_failed_deploys(tmp_path, monkeypatch) as shop:
        assert known(shop) == [*ALL[:FIRST], 2, 1]
        (shown,) = shop.engine.window.snapshot().placements
        assert shown.live is not None
        assert shown.live.number == 2


async def test_the_rest_is_read_without_anybody_asking(tmp_path: Path) -> None:
    async with after_many_failed_deploys(tmp_path, None) as shop:
        await shop.until(lambda: known(shop) == ALL)


async def test_who_asks_for_the_releases_before_that_is_shown_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with after_many_failed_deploys(tmp_path, monkeypatch) as shop:
        answer = await shop.call(RELEASES, For(SHOP, 50))
        assert [each.number for each in answer.releases] == ALL


async def test_a_rollback_goes_to_an_old_release_before_the_history_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with after_many_failed_deploys(tmp_path, monkeypatch, good=False) as shop:
        done = await shop.ended(await shop.rollback(to=1))
        assert (done.state, shop.customers_on()) == (OperationState.SUCCEEDED, 1)


async def test_a_rollback_finds_what_served_last_behind_many_failed_deploys_before_the_history_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with after_many_failed_deploys(tmp_path, monkeypatch, good=False) as shop:
        done = await shop.ended(await shop.rollback())
        assert (done.state, shop.customers_on()) == (OperationState.SUCCEEDED, 1)


async def test_the_sheet_offers_an_old_release_before_the_history_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with after_many_failed_deploys(tmp_path, monkeypatch, good=False) as shop:
        sheet = await shop.call(ROLLBACK_SHEET, For(SHOP))
        assert ([each.release.number for each in sheet.options], sheet.selected) == ([1], 0)


async def test_a_rollback_needs_no_history_when_the_log_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with after_many_failed_deploys(tmp_path, monkeypatch) as shop:

        async def refuses(*_: object) -> None:
            raise StoreError("disk I/O error")

        monkeypatch.setattr(shop.store, "rows", refuses)
        monkeypatch.setattr(shop.disk, "refuses", "disk I/O error", raising=False)
        await shop.rollback()
        await shop.until(lambda: shop.customers_on() == 1)
        monkeypatch.undo()


async def test_what_was_read_whole_stays_whole_when_all_is_read_again(tmp_path: Path) -> None:
    async with after_many_failed_deploys(tmp_path, None) as shop:
        await shop.until(lambda: known(shop) == ALL)
        await shop.engine.rows.load()  # as when a host that came back had something that the log had not
        assert known(shop) == ALL
