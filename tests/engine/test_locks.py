"""Operators' locks and the freeze: what they refuse, what goes through them, and when they are over."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest

from cockpit.errors import Refused, StoreError, UsageError
from cockpit.model import AuditRow, Lock, OperationState, PlacementKey
from cockpit.protocol import (
    DEPLOY,
    DEPLOY_SHEET,
    EDGE_UPGRADE,
    FREEZE,
    LOCK,
    RESTART,
    ROLLBACK_SHEET,
    STATUS,
    UNFREEZE,
    UNLOCK,
    CommitRequest,
    DeployRequest,
    EdgeUpgradeRequest,
    Event,
    For,
    FreezeRequest,
    LockRequest,
    Nothing,
    RestartRequest,
    UnfreezeRequest,
    UnlockRequest,
)
from tests.engine.rig import ANA, SHOP, TOM, Rig, rig, service, settings
from tests.engine.test_auto import auto, by_itself, is_live, pushed

API = PlacementKey("api", "staging")
HOUR = 3600.0
LEDGER = "the ledger is being moved"


async def lock(shop: Rig, key: PlacementKey = SHOP, seconds: float = 4 * HOUR, **more: Any) -> str:
    return (await shop.call(LOCK, LockRequest(key, LEDGER, seconds), **more)).note


async def in_force(shop: Rig, key: PlacementKey = SHOP) -> Lock | None:
    seen = await shop.call(STATUS, Nothing())
    return next(each.lock for each in seen.placements if each.key == key)


async def recorded(shop: Rig, *actions: str) -> list[AuditRow]:
    """Oldest first."""
    return [row for row in reversed(await shop.store.audit(100)) if row.action in actions]


async def refusal(shop: Rig, call: Any, request: Any) -> str:
    with pytest.raises(Refused) as raised:
        await shop.call(call, request)
    return raised.value.message


async def test_a_lock_refuses_deploys_and_restarts_and_says_by_whom_until_when_why_and_how_to_lift_it(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        second = shop.commit("second")
        await lock(shop, actor=TOM)
        shop.clock.ahead = 2 * HOUR + 60
        for call, request in ((DEPLOY, DeployRequest(SHOP, force=True)), (RESTART, RestartRequest(SHOP))):
            said = await refusal(shop, call, request)
            assert said.startswith("locked by tom 2h ago until ")
            assert " UTC (in 1h 59m): the ledger is being moved" in said
            assert "cockpit unlock shop/production --reason" in said
        sheet = await shop.call(DEPLOY_SHEET, CommitRequest(SHOP))
        assert sheet.refused.startswith("locked by tom")
        assert sheet.lock is not None
        assert sheet.lock.reason == LEDGER
        await shop.call(UNLOCK, UnlockRequest(SHOP, "moved"))
        assert not (await shop.call(DEPLOY_SHEET, CommitRequest(SHOP, second))).refused
        assert (await shop.ended(await shop.deploy(second))).state is OperationState.SUCCEEDED


async def test_a_lock_is_one_placements_and_a_freeze_is_everybodys(tmp_path: Path) -> None:
    async with rig(tmp_path, settings((SHOP, service()), (API, service()))) as shop:
        await lock(shop)
        sheet = await shop.call(DEPLOY_SHEET, CommitRequest(API, shop.commit("first")))
        assert (sheet.refused, sheet.lock) == ("", None)
        await shop.call(FREEZE, FreezeRequest("sale"), TOM)
        for key in (SHOP, API):
            assert (await refusal(shop, DEPLOY, DeployRequest(key))).startswith("everything is frozen by tom 0s ago")
        assert "frozen by tom" in await refusal(shop, EDGE_UPGRADE, EdgeUpgradeRequest(confirmed=True))
        assert not any(call.startswith("upgrade_edge") for call in shop.target.calls)
        lifted = await shop.call(UNLOCK, UnlockRequest(SHOP, "moved"))
        assert "but everything is frozen by tom" in lifted.note
        assert "locks stay" in (await shop.call(UNFREEZE, UnfreezeRequest("over"))).note
        assert not (await shop.call(DEPLOY_SHEET, CommitRequest(API))).refused


async def test_a_rollback_goes_through_both_and_its_record_says_so(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        await lock(shop)
        await shop.call(FREEZE, FreezeRequest("sale"), TOM)
        through = ("freeze by tom: sale", f"lock by ana: {LEDGER}")
        sheet = await shop.call(ROLLBACK_SHEET, For(SHOP))
        assert not sheet.refused
        assert [each in " ".join(sheet.warnings) for each in through] == [True, True]
        done = await shop.ended(await shop.rollback(reason="503s"))
        assert (done.state, done.overrides) == (OperationState.SUCCEEDED, through)
        assert shop.customers_on() == 1
        assert [(row.outcome, row.overrides) for row in await recorded(shop, "rollback")] == [
            ("began", through),
            ("succeeded", through),
        ]
        assert await in_force(shop) is not None


async def test_a_rollback_that_goes_through_nothing_says_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        assert (await shop.ended(await shop.rollback())).overrides == ()


async def test_a_lock_is_over_by_itself_and_the_record_says_when(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        shop.commit("first")
        await lock(shop, seconds=HOUR)
        await shop.call(FREEZE, FreezeRequest("sale", HOUR))
        shop.clock.ahead = HOUR - 5
        assert await in_force(shop) is not None
        shop.clock.ahead = HOUR + 1
        shop.clock.hurry()
        assert await in_force(shop) is None
        assert (await shop.call(STATUS, Nothing())).engine.freeze is None
        assert (await shop.ended(await shop.deploy())).state is OperationState.SUCCEEDED
        await shop.until(lambda: not shop.engine.world.locks.expired())
        rows = await recorded(shop, "unlock", "unfreeze")
        assert {(row.action, row.outcome, row.actor.name) for row in rows} == {
            ("unlock", "expired", "cockpit"),
            ("unfreeze", "expired", "cockpit"),
        }
        assert await shop.store.locks() == {}


@pytest.mark.parametrize("jump", [-HOUR, 365 * 86400.0])
async def test_a_wall_clock_that_is_set_neither_prolongs_a_lock_nor_ends_it(tmp_path: Path, jump: float) -> None:
    async with rig(tmp_path) as shop:
        await lock(shop, seconds=HOUR)
        shop.clock.jumped = jump
        shown = await in_force(shop)
        assert shown is not None
        assert shown.until - shop.clock.now() == pytest.approx(HOUR, abs=15)
        shop.clock.ahead = HOUR + 1
        assert await in_force(shop) is None


async def test_a_clock_that_is_set_back_does_not_revive_a_lock_or_stretch_it_in_a_new_engine(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        shop.clock.hurry()
        await shop.call(FREEZE, FreezeRequest("sale", HOUR))
        shop.clock.ahead = HOUR + 1
        await shop.until(lambda: not shop.engine.world.locks.expired())
        await lock(shop, seconds=HOUR)
        shop.clock.jumped = -5 * HOUR
        await shop.again()
        assert (await shop.call(STATUS, Nothing())).engine.freeze is None
        assert await in_force(shop) is not None
        shop.clock.ahead += HOUR + 1
        assert await in_force(shop) is None


async def test_locks_outlive_the_engine(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await lock(shop)
        await shop.call(FREEZE, FreezeRequest("sale"))
        before = await shop.call(STATUS, Nothing())
        await shop.again()
        after = await shop.call(STATUS, Nothing())
        assert after.engine.freeze is not None
        assert after.engine.freeze == before.engine.freeze
        assert await in_force(shop) == before.placements[0].lock
        assert (await refusal(shop, DEPLOY, DeployRequest(SHOP))).startswith("everything is frozen by ana")


async def test_somebody_elses_lock_can_be_replaced_and_lifted_and_the_record_says_whose_it_was(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await lock(shop, actor=TOM)
        await lock(shop, seconds=HOUR, actor=ANA)
        found = await in_force(shop)
        assert found is not None
        assert (found.by, round(found.until - found.at)) == ("ana", 3600)
        await shop.call(UNLOCK, UnlockRequest(SHOP, "moved"), TOM)
        first, second, lifted = await recorded(shop, "lock", "unlock")
        assert (first.actor, first.reason, first.text) == (TOM, LEDGER, "for 4h")
        assert second.text.startswith("for 1h, instead of the one by tom 0s ago until ")
        assert (lifted.actor, lifted.reason, lifted.key) == (TOM, "moved", SHOP)
        assert lifted.text.startswith("it was set by ana 0s ago until ")
        assert lifted.text.endswith(LEDGER)


async def test_what_is_not_locked_cannot_be_lifted(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        assert await refusal(shop, UNLOCK, UnlockRequest(SHOP, "x")) == "shop/production is not locked"
        assert await refusal(shop, UNFREEZE, UnfreezeRequest("x")) == "nothing is frozen"
        with pytest.raises(UsageError, match="there is no web/production"):
            await lock(shop, PlacementKey("web", "production"))


@pytest.mark.parametrize(
    ("reason", "seconds"),
    [
        ("", HOUR),
        (" \n\t ", HOUR),
        ("\x1b[2J", HOUR),
        ("x", 0.0),
        ("x", -HOUR),
        ("x", 59.0),
        ("x", 14 * 86400 + 1.0),
        ("x", math.inf),
        ("x", math.nan),
    ],
)
async def test_a_lock_needs_a_reason_and_a_sensible_time(tmp_path: Path, reason: str, seconds: float) -> None:
    async with rig(tmp_path) as shop:
        with pytest.raises(UsageError):
            await shop.call(LOCK, LockRequest(SHOP, reason, seconds))
        with pytest.raises(UsageError):
            await shop.call(FREEZE, FreezeRequest(reason, seconds))
        assert await shop.store.locks() == {}


async def test_what_runs_goes_on_and_is_named(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        shop.prober.answers[1] = 0
        running = await shop.deploy(shop.commit("first"))
        assert f"deploy {running.id} of shop/production goes on" in await lock(shop)
        shop.prober.answers.pop(1)
        assert (await shop.ended(running)).state is OperationState.SUCCEEDED


async def test_clients_are_told_at_once(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await lock(shop)
        await shop.call(FREEZE, FreezeRequest("sale"))
        events = [note for note in shop.notes if isinstance(note, Event)]
        assert any(event.placement and event.placement.lock for event in events)
        assert any(event.engine and event.engine.freeze for event in events)


async def test_a_lock_that_cannot_be_written_is_none(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        shop.disk.refuses = "disk I/O error"
        with pytest.raises(StoreError):
            await lock(shop)
        assert await in_force(shop) is None


async def test_a_lock_whose_end_a_full_disk_refuses_is_told_once_until_it_is_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig(tmp_path) as shop:
        await lock(shop, seconds=HOUR)
        refused, writes = asyncio.Event(), shop.disk.write

        async def write(work: Any, *, vital: bool = False) -> Any:
            if shop.disk.refuses:
                tries.append(1)
                if len(tries) > 20:
                    refused.set()
            return await writes(work, vital=vital)

        tries: list[int] = []
        shop.disk.write = write  # type: ignore[method-assign]  # counts
        shop.disk.refuses = "disk is full"
        shop.clock.ahead = HOUR + 1
        shop.clock.hurry()
        await refused.wait()
        told = [each.getMessage() for each in caplog.records if "expire" in each.getMessage()]
        assert told == ["Locking.expire: disk is full"]
        shop.disk.refuses = ""
        await shop.until(lambda: not shop.engine.world.locks.expired())
        assert await shop.store.locks() == {}


async def test_nothing_is_deployed_by_itself_through_a_lock_or_a_freeze(tmp_path: Path) -> None:
    async with rig(tmp_path, by_itself()) as shop:
        shop.clock.hurry()
        await pushed(shop, "first")
        await is_live(shop, 1)
        await lock(shop)
        await pushed(shop, "second")
        await shop.until(lambda: auto(shop) == f"locked by ana: {LEDGER}")
        await shop.call(FREEZE, FreezeRequest("sale"), TOM)
        await shop.until(lambda: auto(shop) == "frozen by tom: sale")
        assert shop.customers_on() == 1
        await shop.call(UNLOCK, UnlockRequest(SHOP, "moved"))
        await shop.call(UNFREEZE, UnfreezeRequest("over"))
        await is_live(shop, 2)
