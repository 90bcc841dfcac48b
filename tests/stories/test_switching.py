"""Deploys and rollbacks as customers meet them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from cockpit.demo.load import Load
from cockpit.demo.tally import Answer
from cockpit.model import Operation
from cockpit.protocol import DEPLOY_SHEET, PENDING, CommitRequest, For
from tests.stories import services
from tests.stories.world import World, key, world
from tests.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[World]:
    async with world() as made:
        made.configure("shop", replicas=2, environment={"GREETING": "one"})
        made.commit("shop", services.web(made.runtime), "Open the shop")
        made.configure("mailer", port=None, hosts=..., deploy_timeout="2s")
        made.commit("mailer", services.worker(made.runtime), "Send mail")
        await made.up()
        await made.ships("shop", made.remote.head)
        yield made


async def some_more(load: Load, requests: int = 30) -> None:
    reached = load.tally.requests + requests
    await until(lambda: load.tally.requests >= reached)


def crossing(answers: list[Answer], operation: Operation) -> tuple[set[str], set[str]]:
    """Releases that answered what ended before the traffic was moved, and what was asked after it had been."""
    switch = operation.step("switch")
    assert switch is not None
    assert switch.started_at is not None
    assert operation.switched_at is not None
    ahead = time.time() - time.monotonic()
    before = {each.release for each in answers if each.ended_at + ahead < switch.started_at}
    after = {each.release for each in answers if each.sent_at + ahead > operation.switched_at}
    return before, after


async def test_a_deploy_and_a_hot_rollback_lose_nothing_and_change_the_answers_exactly_at_the_switch(
    shop: World,
) -> None:
    first = await shop.live("shop")
    shop.configure("shop", replicas=3, port=9000, environment={"PORT": "9000", "GREETING": "two"})
    commit = shop.commit("shop", {"notes": "two"})
    there: list[Answer] = []
    async with shop.load("shop", on_answer=there.append) as load:
        await some_more(load)
        forward = await shop.ships("shop", commit)
        await some_more(load)
        came, back = load.tally.requests, []
        load._on_answer = back.append
        backward = await shop.goes_back("shop")
        await some_more(load)
    stats = load.stats()
    assert (stats.lost, stats.non_2xx, stats.errors, stats.wrong) == (0, 0, 0, 0), stats.lost_because
    assert stats.requests > came > 60
    assert crossing(there, forward) == ({"r1"}, {"r2"})
    assert crossing(back, backward) == ({"r2"}, {"r1"})
    assert (await shop.live("shop")).commit == first.commit
    assert shop.pointer("shop") == "r1"
    assert (await shop.get("shop")).headers["x-greeting"] == "one"
    assert shop.host.releases("shop", running=True) == {1: 2, 2: 3}
    assert (backward.ended_at or 0) - backward.started_at < 2
