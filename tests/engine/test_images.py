"""Images that CI makes: pending says which are there, a deploy waits for its own and pulls it by digest."""

from __future__ import annotations

from pathlib import Path

from cockpit.config.settings import Registry, Secret
from cockpit.engine import images
from cockpit.model import OperationState
from cockpit.protocol import DEPLOY_SHEET, PENDING, REFRESH, CommitRequest, For
from tests.engine.rig import SHOP, Rig, rig, service, settings

NAME = "registry.example.com/shop"
FROM_CI = settings((SHOP, service(image=f"{NAME}:{{sha}}", image_timeout=2.0)))


def publish(shop: Rig, sha: str, digest: str = "sha256:" + "1" * 64) -> None:
    shop.builder.tags[f"{NAME}:{sha}"] = digest


async def test_a_deploy_pulls_the_commits_image_by_digest_and_builds_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path, FROM_CI) as shop:
        sha = shop.commit("first")
        publish(shop, sha)
        done = await shop.ended(await shop.deploy(sha))
        assert done.state is OperationState.SUCCEEDED
        assert [step.name for step in done.steps][:4] == ["preflight", "fetch", "pull", "start"]
        live = await shop.store.release(SHOP, 1)
        assert live is not None
        assert live.image == f"{NAME}@sha256:{'1' * 64}"
        assert shop.builder.built == []


async def test_a_deploy_waits_for_an_image_that_is_on_its_way(tmp_path: Path) -> None:
    async with rig(tmp_path, FROM_CI) as shop:
        shop.clock.hurry()
        sha = shop.commit("first")
        running = await shop.deploy(sha)
        await shop.until(lambda: len(shop.builder.asked) > 1)
        run = shop.engine.runs.run(running.id)
        assert run is not None
        assert run.operation.current is not None
        assert f"waiting for {NAME}:{sha}" in run.operation.current.detail
        publish(shop, sha)
        assert (await shop.ended(running)).state is OperationState.SUCCEEDED


async def test_an_image_that_never_comes_ends_the_deploy_with_what_to_look_at(tmp_path: Path) -> None:
    async with rig(tmp_path, settings((SHOP, service(image=f"{NAME}:{{sha}}", image_timeout=0.3)))) as shop:
        shop.clock.hurry()
        failed = await shop.shipped("first")
        assert failed.failure is not None
        assert "is not in its registry after" in failed.failure.summary
        assert "CI" in failed.failure.next


async def test_pending_commits_tell_which_of_them_have_an_image(tmp_path: Path) -> None:
    async with rig(tmp_path, FROM_CI) as shop:
        first = shop.commit("first")
        publish(shop, first)
        await shop.ended(await shop.deploy(first))
        second, third = shop.commit("second"), shop.commit("third")
        publish(shop, second)
        await shop.call(REFRESH, For(SHOP))
        pending = await shop.call(PENDING, For(SHOP))
        assert [(each.sha, each.image) for each in pending.commits] == [(third, False), (second, True)]


async def test_the_sheet_says_whether_a_deploy_would_wait_for_its_image(tmp_path: Path) -> None:
    async with rig(tmp_path, FROM_CI) as shop:
        first, second = shop.commit("first"), shop.commit("second")
        publish(shop, first)
        await shop.call(REFRESH, For(SHOP))
        there = await shop.call(DEPLOY_SHEET, CommitRequest(SHOP, first))
        missing = await shop.call(DEPLOY_SHEET, CommitRequest(SHOP, second))
        assert (there.image_exists, missing.image_exists) == (True, False)
        assert missing.commit is not None
        assert missing.commit.image is False


async def test_a_registry_that_does_not_answer_leaves_unknown_what_is_not_known(tmp_path: Path) -> None:
    async with rig(tmp_path, FROM_CI) as shop:
        first = shop.commit("first")
        publish(shop, first)
        await shop.ended(await shop.deploy(first))
        shop.builder.ask_fails = "the registry does not answer"
        shop.commit("second")
        await shop.call(REFRESH, For(SHOP))
        pending = await shop.call(PENDING, For(SHOP))
        assert [each.image for each in pending.commits] == [None]


async def test_the_configurations_login_is_used_and_without_one_dockers_own(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("t0ken\n")
    registry = Registry(server="registry.example.com", username="deploy", password=Secret(file=str(secret)))
    async with rig(tmp_path, FROM_CI.model_copy(update={"registry": (registry,)})) as shop:
        sha = shop.commit("first")
        publish(shop, sha)
        await shop.ended(await shop.deploy(sha))
        assert {(each.username, each.password) for each in shop.builder.logins if each} == {("deploy", "t0ken")}
    assert images.registry_of((registry,), "elsewhere.example.com/shop") is None
