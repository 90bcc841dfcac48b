"""Environments where each new commit is deployed by itself: until one fails, and then until a person has deployed."""

from __future__ import annotations

import logging
import os

from cockpit import process
from cockpit.clock import Clock
from cockpit.config.settings import PlacementSettings
from cockpit.engine.operations import Operations
from cockpit.engine.world import Seen, World
from cockpit.errors import CockpitError
from cockpit.model import Actor, OperationKind, OperationState, PlacementKey
from cockpit.protocol import DeployRequest

log = logging.getLogger(__name__)

AUTO = Actor("auto")
ON = "on"
WAITS = "waits for the check of {}"
AGAIN = 30.0  # seconds after which a commit that was not let go is asked about again
OUTPUT = 64 * 1024  # bytes of a check's output, which nobody reads


class Auto:
    def __init__(self, world: World, operations: Operations, clock: Clock) -> None:
        self._world = world
        self._operations = operations
        self._clock = clock
        self._asked: dict[PlacementKey, tuple[str, float]] = {}  # the last commit that was not let go, and when

    async def tick(self) -> None:
        for placement in self._world.settings.placements:
            seen = self._world.placements.get(placement.key)
            if seen is not None:
                seen.auto = self._why_not(placement, seen) or ON if placement.environment.auto.enabled else ""
                if seen.auto == ON:
                    await self._deploy(placement, seen)

    async def _deploy(self, placement: PlacementSettings, seen: Seen) -> None:
        commit = wanted(placement, seen)
        if commit and not self._world.busy(placement.key) and await self._let_go(placement, seen, commit):
            if self._why_not(placement, seen) or wanted(placement, seen) != commit:
                return  # something happened while it was asked about
            request = DeployRequest(placement.key, commit, seen_live=seen.row.live, reason="a new commit")
            try:
                await self._operations.deploy(request, AUTO)
            except CockpitError as error:  # somebody was quicker, or the engine is still finding out: soon again
                log.info("%s is not deployed by itself now: %s", placement.key, error.message)

    def _why_not(self, placement: PlacementSettings, seen: Seen) -> str:
        if self._world.host(placement.key).owner is not None:
            return f"{placement.environment.host} belongs to another cockpit"
        locks = self._world.locks
        if (freeze := locks.freeze) is not None:
            return f"frozen by {freeze.by}: {freeze.reason}"
        if (lock := locks.of(placement.key)) is not None:
            return f"locked by {lock.by}: {lock.reason}"
        return why_not(seen)

    async def _let_go(self, placement: PlacementSettings, seen: Seen, commit: str) -> bool:
        """What the configuration wants asked of a commit has said yes; a no is asked again after a while."""
        auto, now = placement.environment.auto, self._clock.monotonic()
        asked, at = self._asked.get(placement.key, ("", 0.0))
        if auto.check is None:
            return True
        if asked == commit and now - at < AGAIN:
            seen.auto = WAITS.format(commit[:7])
            return False
        why = await _answer(auto.check, auto.timeout, placement.key, commit)
        if why:
            self._asked[placement.key] = (commit, self._clock.monotonic())
            seen.auto = f"{WAITS.format(commit[:7])} ({why})"
        return not why


async def _answer(command: tuple[str, ...], timeout: float, key: PlacementKey, commit: str) -> str:
    """ "" for yes, else in words why not."""
    about = {"COCKPIT_COMMIT": commit, "COCKPIT_SERVICE": key.service, "COCKPIT_ENVIRONMENT": key.environment}
    try:
        finished = await process.run(command, env={**os.environ, **about}, timeout=timeout, limit=OUTPUT)
    except TimeoutError:
        return f"no answer within {timeout:.0f} s"
    except OSError as error:
        return f"{command[0]} cannot be run: {error.strerror}"
    return "" if finished.status == 0 else f"exited with status {finished.status}"


def why_not(seen: Seen) -> str:
    """Why nothing is deployed by itself here; "" when it is. Pure.

    A commit that failed would fail again and again, and what somebody rolled back from is not brought back."""
    if seen.row.hold is not None:
        return f"held by {seen.row.hold.by}"
    last = seen.newest_move
    if last is None or (last.kind is OperationKind.DEPLOY and last.state in _WELL):
        return ""
    ended = "rolled back by hand" if last.kind is OperationKind.ROLLBACK else f"a deploy ended as {last.state.value}"
    return f"{ended}: the next deploy is a person's"


_WELL = (OperationState.RUNNING, OperationState.SUCCEEDED)


def wanted(placement: PlacementSettings, seen: Seen) -> str:
    """The newest pending commit that can be deployed: where images come from CI, one that has its own. Pure."""
    pending = seen.pending
    if pending is None or not pending.count:
        return ""
    ready = (each for each in pending.commits if each.image or not placement.service.from_ci)
    return next((each.sha for each in ready), "")
