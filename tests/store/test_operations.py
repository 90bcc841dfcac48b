"""Operations: intent before the effect, outcome after, and what a crash between the two leaves."""

from __future__ import annotations

from typing import Any

import pytest

from cockpit.errors import StoreError
from cockpit.model import (
    Actor,
    Failure,
    Operation,
    OperationKind,
    OperationState,
    PlacementKey,
    Side,
    Step,
    StepState,
    Tier,
)
from cockpit.store.base import Intent, Minute
from cockpit.store.log import ReleaseLog

OTHER = PlacementKey("shop", "staging")


async def found(log: ReleaseLog, operation: int) -> Operation:
    read = await log.operation(operation)
    assert read
    return read


async def deploy(log: ReleaseLog, begin: Any, seconds: float, key: PlacementKey, state: OperationState) -> int:
    """One whole operation whose build took so long."""
    operation: int = await begin(key)
    await log.intent(operation, "build", "{}", 100.0)
    await log.outcome(operation, "build", StepState.DONE, "", 100.0 + seconds)
    await log.end_operation(operation, state, "", None, 200.0)
    return operation


async def test_an_operation_begins_with_all_its_steps_waiting(log: ReleaseLog, begin: Any, shop: PlacementKey) -> None:
    operation = await found(log, await begin(from_release=41, to_release=42, reason="hotfix"))
    assert operation.steps == (Step("fetch"), Step("build"), Step("switch"))
    assert operation.actor == Actor("ana", 1000, "ana", "SUDO_USER=ana")
    assert (operation.key, operation.kind, operation.state) == (shop, OperationKind.DEPLOY, OperationState.RUNNING)
    assert (operation.from_release, operation.to_release, operation.reason) == (41, 42, "hotfix")


async def test_a_step_goes_from_intent_to_outcome(log: ReleaseLog, begin: Any) -> None:
    operation = await begin()
    await log.intent(operation, "fetch", '{"key": "1"}', 101.0, log_offset=12)
    assert (await found(log, operation)).steps[0] == Step("fetch", StepState.RUNNING, 101.0, log_offset=12)
    assert await log.dangling(operation) == Intent(operation, "fetch", '{"key": "1"}', 101.0)
    await log.outcome(operation, "fetch", StepState.DONE, "3 commits", 104.0)
    assert (await found(log, operation)).steps[0].seconds == 3.0
    assert await log.dangling(operation) is None


async def test_a_step_that_is_tried_again_dangles_until_its_own_outcome(log: ReleaseLog, begin: Any) -> None:
    operation = await begin()
    await log.intent(operation, "switch", "a", 1.0)
    await log.outcome(operation, "switch", StepState.FAILED, "", 2.0)
    await log.intent(operation, "switch", "b", 3.0)
    dangling = await log.dangling(operation)
    assert dangling
    assert dangling.inputs == "b"


async def test_an_end_leaves_no_step_open_and_keeps_the_failure(log: ReleaseLog, begin: Any) -> None:
    operation = await begin()
    failure = Failure("build", Side.BUILD, "exit 1", "npm ERR!", "a package is missing", "add it")
    await log.intent(operation, "fetch", "{}", 101.0)
    await log.end_operation(operation, OperationState.FAILED, "r41 serves", failure, 110.0)
    ended = await found(log, operation)
    assert [step.state for step in ended.steps] == [StepState.FAILED, StepState.SKIPPED, StepState.SKIPPED]
    assert (ended.failure, ended.summary, ended.ended_at, ended.current) == (failure, "r41 serves", 110.0, None)


async def test_what_has_ended_does_not_end_differently(log: ReleaseLog, begin: Any) -> None:
    operation = await begin()
    await log.end_operation(operation, OperationState.SUCCEEDED, "", None, 110.0)
    with pytest.raises(StoreError, match="ended already"):
        await log.end_operation(operation, OperationState.FAILED, "", None, 120.0)
    assert (await found(log, operation)).state is OperationState.SUCCEEDED


async def test_a_stuck_one_is_settled_by_a_person_later(log: ReleaseLog, begin: Any) -> None:
    operation = await begin()
    await log.end_operation(operation, OperationState.STUCK, "", None, 110.0)
    await log.end_operation(operation, OperationState.INTERRUPTED, "", None, 120.0)
    assert (await found(log, operation)).state is OperationState.INTERRUPTED


async def test_unfinished_ones_are_found_after_a_crash_oldest_first(log: ReleaseLog, begin: Any) -> None:
    first, ended, last = await begin(), await begin(OTHER), await begin(OTHER)
    await log.end_operation(ended, OperationState.SUCCEEDED, "", None, 110.0)
    assert [operation.id for operation in await log.unfinished()] == [first, last]


async def test_operations_come_newest_first_each_with_its_own_steps(log: ReleaseLog, begin: Any) -> None:
    for steps in (("a",), ("b", "c"), ("d",)):
        await begin(steps=steps)
    await begin(OTHER, steps=("e",))
    steps_of = [[step.name for step in operation.steps] for operation in await log.operations(limit=3)]
    assert steps_of == [["e"], ["d"], ["b", "c"]]
    assert [operation.id for operation in await log.operations(OTHER)] == [4]


async def test_the_switch_is_remembered_as_of_its_first_time(log: ReleaseLog, begin: Any) -> None:
    operation = await begin()
    await log.switched(operation, 105.0)
    await log.switched(operation, 109.0)
    assert (await found(log, operation)).switched_at == 105.0


async def test_only_known_fields_of_a_known_operation_change(log: ReleaseLog, begin: Any) -> None:
    operation = await begin()
    await log.set_operation(operation, to_release=43, commit="d" * 40)
    changed = await found(log, operation)
    assert (changed.to_release, changed.commit) == (43, "d" * 40)
    wrong: Any = {"state": "succeeded"}
    with pytest.raises(TypeError, match="state"):
        await log.set_operation(operation, **wrong)
    with pytest.raises(StoreError):
        await log.set_operation(99, subject="none")
    with pytest.raises(StoreError, match="step paint"):
        await log.intent(operation, "paint", "{}", 1.0)


async def test_usual_seconds_are_the_median_of_the_last_five_good_ones(
    log: ReleaseLog, begin: Any, shop: PlacementKey
) -> None:
    for seconds in (90.0, 10.0, 11.0, 12.0, 13.0, 14.0):
        await deploy(log, begin, seconds, shop, OperationState.SUCCEEDED)
    await deploy(log, begin, 500.0, shop, OperationState.FAILED)
    assert await log.usual_seconds(shop, OperationKind.DEPLOY) == {"build": 12.0}
    assert await log.usual_seconds(shop, OperationKind.ROLLBACK) == {}


async def test_a_new_placement_borrows_what_is_usual_elsewhere(log: ReleaseLog, begin: Any, shop: PlacementKey) -> None:
    await deploy(log, begin, 30.0, OTHER, OperationState.SUCCEEDED)
    assert await log.usual_seconds(shop, OperationKind.DEPLOY) == {"build": 30.0}


async def test_a_rollbacks_usual_time_is_to_the_switch_and_by_its_tier(
    log: ReleaseLog, begin: Any, shop: PlacementKey
) -> None:
    for tier, seconds in ((Tier.HOT, 0.2), (Tier.HOT, 0.4), (Tier.HOT, 0.3), (Tier.RETAINED, 8.0)):
        operation = await begin(kind=OperationKind.ROLLBACK)
        await log.set_operation(operation, tier=tier)
        await log.switched(operation, 100.0 + seconds)
        await log.end_operation(operation, OperationState.SUCCEEDED, "", None, 150.0)
    assert await log.usual_rollback(shop, Tier.HOT) == pytest.approx(0.3)
    assert await log.usual_rollback(shop, Tier.RETAINED) == pytest.approx(8.0)
    assert await log.usual_rollback(shop, Tier.STOPPED) is None


async def test_minutes_replace_themselves_and_are_pruned(log: ReleaseLog, shop: PlacementKey) -> None:
    await log.add_minutes([Minute(shop, 60.0, 30), Minute(shop, 120.0, 31, 2, 9.0, 5, 1, 12.5)])
    await log.add_minutes([Minute(shop, 60.0, 32)])
    assert [minute.probes for minute in await log.minutes(0.0)] == [32, 31]
    await log.prune_minutes(120.0)
    assert await log.minutes(0.0) == (Minute(shop, 120.0, 31, 2, 9.0, 5, 1, 12.5),)
