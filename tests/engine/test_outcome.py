"""In which words an operation ended: what became of the customers is always among them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cockpit.engine.outcome import Customers, Outcome, as_failure
from cockpit.errors import BuildError, EdgeError
from cockpit.model import Actor, Failure, Operation, OperationKind, OperationState, PlacementKey, Side

SHOP = PlacementKey("shop", "production")
BEGAN = 100.0
DEPLOY = Operation(
    7, OperationKind.DEPLOY, SHOP, Actor("ana"), OperationState.RUNNING, BEGAN, commit="0123456789", steps=()
)
OF_RELEASE = replace(DEPLOY, to_release=3)
FAILED_AT_VERIFY = Failure("verify", Side.APPLICATION, "it does not answer")


def summary(
    operation: Operation,
    state: OperationState,
    customers: Customers = Customers.WHERE_THEY_WERE,
    *,
    failure: Failure | None = None,
    cancelled_by: str = "",
) -> str:
    return Outcome(operation, None, state, failure, cancelled_by, customers, BEGAN + 8).summary


@pytest.mark.parametrize(
    ("customers", "said"),
    [
        (
            Customers.WHERE_THEY_WERE,
            "Deploy r3 failed at verify after 8.0 s · customers were never on it · nothing serves",
        ),
        (Customers.UNKNOWN, "Deploy r3 failed at verify after 8.0 s · nobody could tell whether customers were moved"),
        (Customers.MOVED, "Deploy r3 moved the customers and then failed at verify after 8.0 s · r3 serves"),
    ],
)
def test_an_operation_that_failed_says_where_its_customers_are(customers: Customers, said: str) -> None:
    assert summary(OF_RELEASE, OperationState.FAILED, customers, failure=FAILED_AT_VERIFY) == said


def test_a_release_that_served_before_is_not_said_to_have_never_had_customers() -> None:
    rollback = replace(OF_RELEASE, kind=OperationKind.ROLLBACK)
    assert "customers were not moved" in summary(rollback, OperationState.FAILED)


def test_a_deploy_that_made_no_release_yet_is_named_by_its_commit() -> None:
    said = summary(DEPLOY, OperationState.CANCELLED, cancelled_by="bo")
    assert said == "Deploy 0123456 was cancelled by bo · customers were never on it · nothing serves"


def test_a_deploy_that_gave_way_after_its_switch_succeeded() -> None:
    said = summary(OF_RELEASE, OperationState.SUCCEEDED, Customers.MOVED, cancelled_by="bo")
    assert said == "Deploy r3 moved the customers and gave way to a rollback by bo"


def test_a_failure_says_whose_side_it_is_on_and_shows_the_last_line_of_a_build() -> None:
    assert as_failure(EdgeError("no pointer"), "switch").side is Side.INFRASTRUCTURE
    failed = as_failure(BuildError("it exited with 1", log_tail=("one", "two")), "build")
    assert (failed.step, failed.side, failed.line) == ("build", Side.BUILD, "two")
