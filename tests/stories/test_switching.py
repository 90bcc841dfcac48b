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
    answers: list[Answer] = []
    async with shop.load("shop", on_answer=answers.append) as load:
        await some_more(load)
        forward = await shop.ships("shop", commit)
        await some_more(load)
        came = len(answers)
        backward = await shop.goes_back("shop")
        await some_more(load)
    stats = load.stats()
    assert (stats.lost, stats.non_2xx, stats.errors, stats.wrong) == (0, 0, 0, 0), stats.lost_because
    assert stats.requests > came > 60
    assert crossing(answers[:came], forward) == ({"r1"}, {"r2"})
    assert crossing(answers[came - 5 :], backward) == ({"r2"}, {"r1"})  # it is so quick that none may fall in between
    assert (await shop.live("shop")).commit == first.commit
    assert shop.pointer("shop") == "r1"
    assert (await shop.get("shop")).headers["x-greeting"] == "one"
    assert shop.host.releases("shop", running=True) == {1: 2, 2: 3}
    assert (backward.ended_at or 0) - backward.started_at < 2


async def test_a_changed_setting_alone_is_pending_becomes_a_release_of_the_same_image_and_is_taken_back_whole(
    shop: World,
) -> None:
    before = await shop.live("shop")
    await shop.release_hold("shop")
    shop.configure("shop", replicas=1, port=8000, environment={"GREETING": "three"})
    await shop.reread("shop")
    assert (await shop.client.call(PENDING, For(key("shop")))).settings_changed
    sheet = await shop.client.call(DEPLOY_SHEET, CommitRequest(key("shop"), before.commit))
    assert (sheet.refused, sheet.count, sheet.image_exists) == ("", 0, True)
    async with shop.load("shop") as load:
        deployed = await shop.ships("shop", before.commit)
        changed = await shop.live("shop")
        assert (changed.number, changed.commit) == (deployed.to_release, before.commit)
        assert changed.image == before.image
        assert (await shop.get("shop")).headers["x-greeting"] == "three"
        assert not (await shop.client.call(PENDING, For(key("shop")))).settings_changed
        await shop.goes_back("shop")
    assert (await shop.get("shop")).headers["x-greeting"] == "one"
    assert (await shop.live("shop")).number == before.number
    assert (await shop.client.call(PENDING, For(key("shop")))).settings_changed
    assert (load.stats().lost, load.stats().non_2xx) == (0, 0), load.stats().lost_because


async def test_a_service_without_a_port_is_deployed_replaced_and_rolled_back(shop: World) -> None:
    host, mailer = shop.host, shop.commit("mailer", services.worker(shop.runtime), "Send mail")
    await shop.ships("mailer", mailer)
    assert host.releases("mailer", running=True) == {1: 1}
    assert "working as r1" in host.log(host.name("mailer", 1))
    await shop.ships("mailer", shop.commit("mailer", {"notes": "two"}, "Send more mail"))
    assert host.releases("mailer", running=True) == {2: 1}
    assert host.releases("mailer") == {1: 1, 2: 1}
    await shop.goes_back("mailer")
    await until(lambda: host.releases("mailer", running=True) == {1: 1})
    assert (await shop.live("mailer")).number == 1
    assert host.restart_policy(host.name("mailer", 1)) == "always"
