"""Migrations: once, before the switch, and never by themselves again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cockpit.config.settings import Migrate
from cockpit.model import Operation, OperationState, StepState
from cockpit.store.logs import OperationLog, path_of
from tests.engine.rig import SHOP, Rig, rig, service, settings
from tests.fakes.one_offs import Migration

MIGRATES = settings((SHOP, service(migrate=Migrate(command=("migrate",), timeout=60))))


def runs(shop: Rig) -> int:
    return sum(call.startswith("run ") for call in shop.target.calls)


async def killed(shop: Rig) -> None:
    """As by SIGKILL: what runs in Docker goes on, and a new engine finds it."""
    containers = dict(shop.target._one_offs._boxes)
    await shop.down()
    shop.target._one_offs._boxes.update(containers)
    await shop.up()


async def found(shop: Rig, operation: Operation) -> Operation:
    ended = await shop.store.operation(operation.id)
    assert ended is not None
    return ended


async def test_a_migration_runs_once_before_the_new_release_starts_and_its_words_are_in_the_log(tmp_path: Path) -> None:
    async with rig(tmp_path, MIGRATES) as shop:
        shop.target.migrations[1] = Migration(lines=(("out", "applied 0007_orders"),))
        done = await shop.shipped("first")
        assert done.state is OperationState.SUCCEEDED
        calls = [call.split()[0] for call in shop.target.calls]
        assert calls.index("run") < calls.index("start")
        assert runs(shop) == 1
        said = await asyncio.to_thread(OperationLog.tail_file, path_of(shop.paths.logs, done.id), 100)
        assert ("migrate", "applied 0007_orders") in [(line.source, line.text) for line in said]


async def test_a_rollback_runs_no_migration(tmp_path: Path) -> None:
    async with rig(tmp_path, MIGRATES) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        await shop.ended(await shop.rollback())
        assert runs(shop) == 2


async def test_a_migration_that_fails_leaves_the_old_release_serving_and_tells_its_last_word(tmp_path: Path) -> None:
    async with rig(tmp_path, MIGRATES) as shop:
        await shop.shipped("first")
        shop.target.migrations[2] = Migration(exits=1, lines=(("err", "relation orders already exists"),))
        failed = await shop.shipped("second")
        assert failed.failure is not None
        assert (failed.failure.step, failed.failure.line) == ("migrate", "relation orders already exists")
        assert (shop.customers_on(), shop.running()) == (1, {1})


async def test_a_migration_that_does_not_end_is_stopped_at_its_time_out(tmp_path: Path) -> None:
    short = settings((SHOP, service(migrate=Migrate(command=("migrate",), timeout=1))))
    async with rig(tmp_path, short) as shop:
        shop.target.migrations[1] = Migration(exits=None)
        failed = await shop.shipped("first")
        assert failed.failure is not None
        assert "did not end within 1" in failed.failure.summary
        assert await shop.target.one_offs(SHOP, 1) == ()


async def test_a_migration_can_be_cancelled(tmp_path: Path) -> None:
    async with rig(tmp_path, MIGRATES) as shop:
        shop.target.migrations[1] = Migration(exits=None)
        running = await shop.deploy(shop.commit("first"))
        await shop.until(lambda: runs(shop) == 1)
        run = shop.engine.runs.run(running.id)
        assert run is not None
        await run.cancel("ana")
        assert (await shop.ended(running)).state is OperationState.CANCELLED
        assert await shop.target.one_offs(SHOP, 1) == ()


async def test_an_engine_that_died_in_a_migration_tells_what_became_of_it_and_repeats_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path, MIGRATES) as shop:
        await shop.shipped("first")
        shop.target.migrations[2] = Migration(exits=0, after=0.3)
        running = await shop.deploy(shop.commit("second"))
        await shop.until(lambda: runs(shop) == 2)
        await killed(shop)
        ended = await found(shop, running)
        step = ended.step("migrate")
        assert step is not None
        assert ended.state is OperationState.INTERRUPTED
        assert "migration" in ended.summary
        assert (runs(shop), shop.customers_on()) == (2, 1)


async def test_a_deploy_waits_for_no_migration_that_still_runs_from_before(tmp_path: Path) -> None:
    async with rig(tmp_path, MIGRATES) as shop:
        await shop.shipped("first")
        shop.target.migrations[2] = Migration(exits=None)
        running = await shop.deploy(shop.commit("second"))
        await shop.until(lambda: runs(shop) == 2)
        await killed(shop)
        assert "still runs" in (await found(shop, running)).summary
        third = await shop.shipped("third")
        assert third.failure is not None
        assert "a migration of r2 still runs" in third.failure.summary
        step = third.step("start")
        assert step is not None
        assert step.state is StepState.SKIPPED
