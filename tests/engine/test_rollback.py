"""What a rollback promises: at once, to what was well, and never in the way of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.config.settings import Secret
from cockpit.errors import Refused
from cockpit.model import OperationState, StepState, Tier
from cockpit.protocol import ROLLBACK_SHEET, UNHOLD, For, UnholdRequest
from tests.engine.rig import SHOP, TOM, Rig, rig, service, settings


async def test_a_hot_rollback_starts_nothing_and_moves_the_customers_back(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        starts = [call for call in shop.target.calls if call.startswith("start")]
        done = await shop.ended(await shop.rollback())
        assert done.state is OperationState.SUCCEEDED
        assert (done.from_release, done.to_release) == (2, 1)
        assert done.steps[0].state is StepState.SKIPPED
        assert [call for call in shop.target.calls if call.startswith("start")] == starts
        assert shop.customers_on() == await shop.live() == 1


async def test_after_a_rollback_the_placement_is_held_until_someone_gives_a_reason(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        await shop.ended(await shop.rollback(reason="5xx"))
        with pytest.raises(Refused, match=r"held by ana .*: 5xx"):
            await shop.deploy(shop.commit("third"), TOM)
        await shop.call(UNHOLD, UnholdRequest(SHOP, "fixed the query"), TOM)
        third = await shop.shipped("fourth")
        assert third.state is OperationState.SUCCEEDED


async def test_a_release_that_was_rolled_back_from_is_never_where_b_goes(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        await shop.ended(await shop.rollback())
        sheet = await shop.call(ROLLBACK_SHEET, For(SHOP))
        assert sheet.selected is None
        assert [option.release.name for option in sheet.options] == ["r2"]
        assert not sheet.armed
        assert "rolled back" in sheet.unarmed_because


async def test_a_rollback_cancels_a_deploy_that_has_not_switched(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        shop.prober.answers[3] = 0
        deploying = await shop.deploy(shop.commit("third"))
        await shop.until(lambda: 3 in shop.running())
        back = await shop.ended(await shop.rollback(TOM))
        assert back.state is OperationState.SUCCEEDED
        assert (await shop.ended(deploying)).state is OperationState.CANCELLED
        assert shop.customers_on() == 1
        assert 3 not in shop.running()


async def test_a_release_that_is_sick_too_gets_no_customers(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        shop.prober.answers[1] = shop.prober.answers[2] = 503
        failed = await shop.ended(await shop.rollback())
        assert failed.state is OperationState.FAILED
        assert failed.failure is not None
        assert failed.failure.summary == "r1 answers 503 as well"
        assert shop.customers_on() == 2
        assert shop.running() == {1, 2}


async def test_a_hot_rollback_needs_no_docker(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        shop.target.down = "connection refused"
        done = await shop.ended(await shop.rollback())
        assert done.state is OperationState.SUCCEEDED
        assert shop.customers_on() == 1
        assert "Docker is down" in done.steps[-1].detail


async def test_a_hot_rollback_does_not_wait_for_a_log_that_refuses_and_is_entered_later(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        shop.disk.refuses = "disk I/O error"
        done = await shop.ended(await shop.rollback())
        assert done.state is OperationState.SUCCEEDED
        assert shop.customers_on() == 1
        assert shop.engine.window.status().log_note
        shop.disk.refuses = ""
        await shop.until(lambda: not shop.engine.backlog)
        assert await shop.live() == 1


async def test_a_stopped_release_comes_back_with_its_own_configuration(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.reconfigured(settings((SHOP, service(replicas=2, keep_hot=0.0, environment={"PRICES": "old"}))))
        await shop.shipped("first")
        await shop.reconfigured(settings((SHOP, service(replicas=1, keep_hot=0.0, environment={"PRICES": "new"}))))
        await shop.shipped("second")
        await shop.make_good(2)
        await shop.until(lambda: shop.engine.rows.seen(SHOP).records[1].stopped, within=20)
        sheet = await shop.call(ROLLBACK_SHEET, For(SHOP))
        assert sheet.options[0].tier is Tier.STOPPED
        done = await shop.ended(await shop.rollback())
        assert done.state is OperationState.SUCCEEDED
        assert sum(each.release == 1 and each.running for each in shop.target.containers) == 2


async def test_a_worker_that_was_rolled_back_from_does_not_run_beside_the_old_one(tmp_path: Path) -> None:
    worker = service(port=None, deploy_timeout=1.0)
    async with rig(tmp_path, settings((SHOP, worker))) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        assert shop.running() == {2}
        await shop.ended(await shop.rollback())
        assert shop.running() == {1}


async def test_two_people_who_press_at_once_roll_back_once(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        running = await shop.rollback(seen_live=2)
        with pytest.raises(Refused):
            await shop.rollback(TOM, seen_live=2)
        await shop.ended(running)
        with pytest.raises(Refused, match="r1 is live now, not r2"):
            await shop.rollback(TOM, seen_live=2)


async def test_the_first_release_has_nowhere_to_go_back_to(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        with pytest.raises(Refused, match="no release is known good"):
            await shop.rollback()
        sheet = await shop.call(ROLLBACK_SHEET, For(SHOP))
        assert "r1 is the first release" in sheet.refused


async def _back_to_a_cold_one(shop: Rig) -> str:
    """A rollback to r1, whose containers are gone; what its log says of the secrets."""
    await shop.target.stop(SHOP, 1, grace=0, remove=True)
    await shop.engine.watch.look(SHOP)
    back = await shop.ended(await shop.rollback())
    assert (back.state, shop.customers_on()) == (OperationState.SUCCEEDED, 1)
    (log,) = shop.paths.logs.rglob(f"operation-{back.id:06d}.log")
    lines = log.read_text()
    return "\n".join(line for line in lines.splitlines() if "TOKEN" in line or "fingerprint" in line)


@pytest.mark.parametrize("lost", [False, True])
async def test_a_rollback_names_changed_secrets_and_with_the_key_lost_says_once_that_nobody_can_tell(
    tmp_path: Path, lost: bool
) -> None:
    sources = {name: tmp_path / name for name in ("TOKEN", "TOKEN_2")}
    for path in sources.values():
        path.write_text("before")
    secrets = {name: Secret(file=str(path)) for name, path in sources.items()}
    async with rig(tmp_path, settings((SHOP, service(secrets=secrets)))) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        await shop.down()
        if lost:
            (shop.paths.state / "secret.key").unlink()
        sources["TOKEN"].write_text("after")
        await shop.up()
        said = await _back_to_a_cold_one(shop)
        if lost:
            assert said.count("the key that fingerprints secrets was lost; comparisons start anew") == 1
            assert "TOKEN" not in said
        else:
            assert "not as it was with r1: TOKEN changed since" in said
