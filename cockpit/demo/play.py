"""The moves that set-up and script make, through the same client as everyone else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from cockpit.errors import CockpitError, Refused
from cockpit.model import Operation, PlacementKey, Release
from cockpit.protocol import (
    DEPLOY,
    OPERATION,
    ROLLBACK,
    STATUS,
    DeployRequest,
    Link,
    Nothing,
    OperationRequest,
    RollbackRequest,
)

LONGEST = 120.0  # seconds for one operation of the demo
NOT_READY = 15.0  # seconds that a new engine may refuse
LOOK_EVERY = 0.05  # seconds


async def deploy(link: Link, key: PlacementKey, commit: str) -> Operation:
    """The operation as it ended."""
    return await ended(link, await link.call(DEPLOY, DeployRequest(key, commit, reason="demo")))


async def roll_back(link: Link, key: PlacementKey, to: int) -> Operation:
    return await ended(link, await link.call(ROLLBACK, RollbackRequest(key, to, reason="demo")))


async def once_ready(move: Callable[[], Awaitable[Operation]]) -> Operation:
    """An engine that has just started refuses moves until it knows what the last one left behind."""
    deadline = time.monotonic() + NOT_READY
    while True:
        try:
            return await move()
        except Refused:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(LOOK_EVERY)


async def ended(link: Link, operation: Operation) -> Operation:
    deadline = time.monotonic() + LONGEST
    while not operation.state.ended:
        if time.monotonic() > deadline:
            raise CockpitError(f"{operation.kind} of {operation.key} has not ended within {LONGEST:g} s")
        await asyncio.sleep(LOOK_EVERY)
        operation = await link.call(OPERATION, OperationRequest(operation.id))
    return operation


async def live(link: Link, key: PlacementKey) -> Release | None:
    snapshot = await link.call(STATUS, Nothing())
    return next((placement.live for placement in snapshot.placements if placement.key == key), None)


async def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true in that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(LOOK_EVERY)
    return True
