"""How an operation ended, in words: one sentence for the log and everyone who looks, and what failed. All pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from cockpit.errors import (
    BuildError,
    CockpitError,
    ConfigError,
    EdgeError,
    Failed,
    SourceError,
    StoreError,
    TargetError,
)
from cockpit.model import Failure, Operation, OperationKind, OperationState, Side
from cockpit.store.base import ReleaseRecord
from cockpit.text import clean_log, took

SIDES: dict[type[CockpitError], Side] = {
    ConfigError: Side.CONFIGURATION,
    SourceError: Side.SOURCE,
    BuildError: Side.BUILD,
    EdgeError: Side.INFRASTRUCTURE,
    TargetError: Side.INFRASTRUCTURE,
    StoreError: Side.INFRASTRUCTURE,
}


class Customers(Enum):
    WHERE_THEY_WERE = auto()
    UNKNOWN = auto()  # the switch was begun, and nobody could tell whether it was done
    MOVED = auto()


@dataclass(frozen=True, slots=True)
class Outcome:
    """`live` had the customers when it began, `cancelled_by` is who cut it short or ""; it ended `at`."""

    operation: Operation
    live: ReleaseRecord | None
    state: OperationState
    failure: Failure | None
    cancelled_by: str
    customers: Customers
    at: float

    @property
    def summary(self) -> str:
        if self.state is OperationState.SUCCEEDED:
            return self._succeeded
        if self.state is OperationState.CANCELLED:
            return f"{self._what} was cancelled by {self.cancelled_by} · {self._as_before}"
        where = f" at {self.failure.step}" if self.failure else ""
        match self.customers:
            case Customers.WHERE_THEY_WERE:
                return f"{self._what} failed{where} after {self._took} · {self._as_before}"
            case Customers.UNKNOWN:
                return f"{self._what} failed{where} after {self._took} · nobody could tell whether customers were moved"
            case Customers.MOVED:
                moved = f"{self._what} moved the customers and then failed{where} after {self._took}"
                return f"{moved} · {self._name} serves"

    @property
    def _succeeded(self) -> str:
        key = self.operation.key
        if self.cancelled_by:
            return f"{self._what} moved the customers and gave way to a rollback by {self.cancelled_by}"
        if self.operation.kind is OperationKind.RESTART:
            return f"{key.service} runs in new containers of {self._name}, after {self._took}"
        return f"{key.service} is on {self._name} in {key.environment}, after {self._took}"

    @property
    def _what(self) -> str:
        return f"{self.operation.kind.value.capitalize()} {self._name}"

    @property
    def _name(self) -> str:
        return f"r{self.operation.to_release}" if self.operation.to_release else self.operation.commit[:7]

    @property
    def _took(self) -> str:
        return took(self.at - self.operation.started_at)

    @property
    def _as_before(self) -> str:
        """A release that somebody goes back to has had customers before."""
        deploy = self.operation.kind is OperationKind.DEPLOY
        never = "customers were never on it" if deploy else "customers were not moved"
        return f"{never} · {f'r{self.live.number} serves' if self.live else 'nothing serves'}"


def as_failure(error: CockpitError, step: str) -> Failure:
    """Any of our errors as what a person is shown; the step that it happened in is told by the run."""
    if isinstance(error, Failed):
        return replace(error.failure, step=error.failure.step or step)
    side = next((side for kind, side in SIDES.items() if isinstance(error, kind)), Side.COCKPIT)
    line = error.log_tail[-1] if isinstance(error, BuildError) and error.log_tail else ""
    return Failure(step, side, error.message, line=line, next=error.hint)


def unexpected(error: BaseException, operation: Operation) -> Failure:
    step = operation.current.name if operation.current else ""
    return Failure(
        step,
        Side.COCKPIT,
        f"the cockpit itself failed: {type(error).__name__}",
        line=clean_log(str(error)),
        means="this is a defect of the cockpit, not of your service",
        next="`cockpit doctor` shows where its log is",
    )
