"""Damage in the part of a large release log that opening has no time for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cockpit.store import opening
from tests.engine.rig import SHOP, rig


async def test_damage_in_years_of_history_is_told_while_the_engine_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "WHOLE_BYTES", 0)
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.down()
        _damage(shop.paths.database)
        await shop.up()
        await shop.until(lambda: "damaged" in shop.engine.window.status().log_note)
        assert "restart the engine" in shop.engine.window.status().log_note
        assert await shop.live() == shop.customers_on() == 1
        await shop.until(lambda: not shop.engine.backlog)
        told = [row for row in await shop.store.audit(10) if row.action == "release log"]
        assert [row.outcome for row in told] == ["damaged"]
        await shop.again()
        assert "a new one was begun" in shop.engine.window.status().log_note
        assert await shop.live() == shop.customers_on() == 1
        assert shop.engine.world.placements[SHOP].live is not None


def _damage(path: Path) -> None:
    """What operations went through, which no start reads."""
    with closing(sqlite3.connect(path)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'events'").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 4096)
