from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from cockpit.model import Actor, Operation, OperationKind, OperationState, PlacementKey, Step
from cockpit.store.base import ReleaseRecord
from cockpit.store.log import ReleaseLog

SHOP = PlacementKey("shop", "production")


class HandClock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.time = 1_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def shop() -> PlacementKey:
    return SHOP


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def log(tmp_path: Path, clock: HandClock) -> AsyncIterator[ReleaseLog]:
    opened = await ReleaseLog.open(tmp_path / "releases.db", clock)
    yield opened
    await opened.close()


Add = Callable[..., Awaitable[ReleaseRecord]]
Begin = Callable[..., Awaitable[int]]


@pytest.fixture
def add(log: ReleaseLog) -> Add:
    """One more release, with an image of its own unless it is told another."""

    async def adding(key: PlacementKey = SHOP, **fields: Any) -> ReleaseRecord:
        known: dict[str, Any] = {"operation": 1, "commit": "c" * 40, "tree": "t", "subject": "s", "author": "a"}
        record = await log.add_release(ReleaseRecord(key, 0, by="b", created_at=1.0, **{**known, **fields}))
        if "image" not in fields:
            await log.update_release(key, record.number, image=f"sha256:{key}{record.number}")
        found = await log.release(key, record.number)
        assert found
        return found

    return adding


def operation(steps: Sequence[str] = ("fetch", "build", "switch"), **fields: Any) -> Operation:
    """One that is to begin."""
    known: dict[str, Any] = {
        "id": 0,
        "kind": OperationKind.DEPLOY,
        "key": SHOP,
        "actor": Actor("ana", 1000, "ana", "SUDO_USER=ana"),
        "state": OperationState.RUNNING,
        "started_at": 100.0,
        "commit": "c" * 40,
        "subject": "Add a coupon field",
        "steps": tuple(map(Step, steps)),
    }
    return Operation(**{**known, **fields})


@pytest.fixture
def begin(log: ReleaseLog) -> Begin:
    async def beginning(key: PlacementKey = SHOP, at: float = 100.0, cli: str = "", **fields: Any) -> int:
        return await log.begin_operation(operation(key=key, started_at=at, **fields), cli)

    return beginning
