"""What a deploy promises: customers move once, only to a release that is well, and a failure leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.errors import Refused
from cockpit.model import Failure, OperationState, Side, StepState
from cockpit.protocol import CANCEL, DEPLOY_SHEET, CommitRequest, OperationRequest
from tests.engine.rig import SHOP, TOM, rig
from tests.fakes.target import Program


async def test_a_good_deploy_moves_the_customers_and_keeps_the_old_release_hot(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        first = await shop.shipped("first")
        second = await shop.shipped("second")
        assert first.state is second.state is OperationState.SUCCEEDED
        assert shop.edge.moves == ["shop/production r1", "shop/production r2"]
        assert shop.running() == {1, 2}
        assert await shop.live() == 2
        old = await shop.store.release(SHOP, 1)
        assert old is not None
        assert old.hot_until is not None
        assert shop.target.always(shop.target.containers[-1].name)


async def test_every_step_has_its_intent_before_its_outcome(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        done = await shop.shipped("first")
        assert [step.name for step in done.steps] == [
            "preflight",
            "fetch",
            "build",
            "start",
            "verify",
            "switch",
            "confirm",
            "settle",
        ]
        assert all(step.state is StepState.DONE and step.seconds is not None for step in done.steps)
        stored = await shop.store.operation(done.id)
        assert stored is not None
        assert [step.state for step in stored.steps] == [StepState.DONE] * 8


async def test_a_container_that_exits_ends_the_deploy_with_its_telling_line(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.target.programs[2] = Program(exits=1, lines=(("err", "Traceback:"), ("err", "KeyError: 'STRIPE_KEY'")))
        failed = await shop.shipped("second")
        assert failed.state is OperationState.FAILED
        assert failed.failure is not None
        assert (failed.failure.step, failed.failure.side) == ("verify", Side.CONFIGURATION)
        assert failed.failure.line == "KeyError: 'STRIPE_KEY'"
        assert "customers were never on it · r1 serves" in failed.summary
        assert shop.running() == {1}
        assert shop.edge.moves == ["shop/production r1"]


async def test_a_process_whose_end_docker_notes_before_its_start_ran_for_no_time(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        shop.target.programs[1] = Program(exits=1, after=-0.001)
        failed = await shop.shipped("first")
        assert _failure(failed.failure).summary == "exited with status 1 after 0.0 s"


async def test_a_release_that_never_becomes_healthy_is_taken_away(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.prober.answers[2] = 503
        failed = await shop.shipped("second")
        assert failed.state is OperationState.FAILED
        assert "503" in _failure(failed.failure).summary
        assert {each.release for each in shop.target.containers} == {1}
        lost = await shop.store.release(SHOP, 2)
        assert lost is not None
        assert (lost.failed, lost.slot) == (True, None)


async def test_a_build_that_fails_is_explained_and_starts_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        shop.builder.fails = "COPY prices.csv: not found"
        failed = await shop.shipped("first")
        assert _failure(failed.failure).step == "build"
        assert _failure(failed.failure).side is Side.BUILD
        assert shop.target.containers == ()


async def test_a_cancel_before_the_switch_takes_everything_back(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.prober.answers[2] = 0
        running = await shop.deploy(shop.commit("second"))
        await shop.until(lambda: 2 in shop.running())
        await shop.call(CANCEL, OperationRequest(running.id), TOM)
        ended = await shop.ended(running)
        assert ended.state is OperationState.CANCELLED
        assert "cancelled by tom" in ended.summary
        assert {each.release for each in shop.target.containers} == {1}
        assert shop.customers_on() == 1


async def test_a_cancel_after_the_switch_is_refused_with_the_reason(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        running = await shop.deploy(shop.commit("second"))
        await shop.until(lambda: shop.customers_on() == 2)
        with pytest.raises(Refused, match=r"too late|not running"):
            await shop.call(CANCEL, OperationRequest(running.id))
        assert (await shop.ended(running)).state is OperationState.SUCCEEDED


async def test_a_second_deploy_of_the_same_placement_is_refused_and_names_the_first(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        running = await shop.deploy(shop.commit("first"))
        with pytest.raises(Refused, match="ana started deploy"):
            await shop.deploy(shop.commit("second"), TOM)
        await shop.ended(running)


async def test_a_sheet_that_showed_another_live_release_is_refused(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        with pytest.raises(Refused, match=r"r2 is live now, not r1: ana did this \ds ago"):
            await shop.deploy(shop.commit("third"), TOM, seen_live=1)


async def test_a_sheet_knows_a_commit_that_was_pushed_a_moment_ago(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        commit = shop.commit("second")
        sheet = await shop.call(DEPLOY_SHEET, CommitRequest(SHOP, commit))
        assert (sheet.refused, [each.sha for each in sheet.commits]) == ("", [commit])


async def test_the_commit_that_is_live_is_not_deployed_again(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        commit = shop.commit("first")
        await shop.ended(await shop.deploy(commit))
        with pytest.raises(Refused, match="nothing to deploy: r1 is that commit"):
            await shop.deploy(commit[:8])
        again = await shop.ended(await shop.deploy(commit, force=True))
        assert again.to_release == 2
        assert len(shop.builder.built) == 1


async def test_a_reply_that_the_edge_lost_is_not_taken_for_a_failure(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.edge.loses_reply = "the connection was cut"
        done = await shop.shipped("second")
        assert done.state is OperationState.SUCCEEDED
        assert shop.customers_on() == await shop.live() == 2


async def test_a_switch_that_did_not_happen_fails_the_deploy_and_takes_it_back(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        running = await shop.deploy(shop.commit("second"))
        shop.edge.refuses = "read-only file system"
        failed = await shop.ended(running)
        assert failed.state is OperationState.FAILED
        assert _failure(failed.failure).step == "switch"
        assert shop.customers_on() == await shop.live() == 1
        assert shop.running() == {1}


async def test_hostile_text_is_clean_in_the_log_of_an_operation(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        line = "\x1b]52;c;aGk=\x07\x1b[2J[/x] [@click=app.exit]boom"
        shop.target.programs[1] = Program(exits=1, lines=(("out", line),))
        failed = await shop.shipped("first")
        assert _failure(failed.failure).line == "[/x] [@click=app.exit]boom"
        text = next(shop.paths.logs.glob("*.log")).read_text()
        assert "\x1b]" not in text
        assert "\x1b[2J" not in text


def _failure(failure: Failure | None) -> Failure:
    assert failure is not None
    return failure


async def test_a_kill_whose_reason_docker_tells_late_is_still_told_as_out_of_memory(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        shop.prober.answers[1] = 0
        running = await shop.deploy(shop.commit("first"))
        await shop.until(lambda: 1 in shop.running())
        name = shop.target.containers[0].name
        shop.target.die(name, 137)
        await shop.until(lambda: shop.target.looked_since_death(name))
        shop.target.tell_out_of_memory(name)
        failed = await shop.ended(running)
        assert "out of memory" in _failure(failed.failure).summary
