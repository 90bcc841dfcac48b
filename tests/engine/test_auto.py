"""Automatic deploys: each new commit, until one fails or somebody goes back."""

from __future__ import annotations

from pathlib import Path

from cockpit.config.settings import Auto, Environment, Settings
from cockpit.model import OperationState
from cockpit.protocol import REFRESH, RESTART, For, RestartRequest
from tests.engine.rig import SHOP, Rig, rig, service, settings
from tests.fakes.target import Program


def by_itself(check: tuple[str, ...] | None = None, **more: object) -> Settings:
    usual = settings((SHOP, service(**more)))
    (placement,) = usual.placements
    placement = placement.model_copy(update={"environment": Environment(auto=Auto(check=check))})
    return usual.model_copy(update={"placements": (placement,), "environments": {"production": placement.environment}})


async def pushed(shop: Rig, subject: str) -> str:
    sha = shop.commit(subject)
    await shop.call(REFRESH, For(SHOP))
    return sha


def auto(shop: Rig) -> str:
    return shop.engine.world.placements[SHOP].auto


async def is_live(shop: Rig, number: int) -> None:
    await shop.until(lambda: shop.customers_on() == number and SHOP not in shop.engine.world.runs)


async def stopped(shop: Rig) -> None:
    """Its second deploy failed."""
    await pushed(shop, "first")
    await is_live(shop, 1)
    shop.target.programs[2] = Program(exits=1)
    await pushed(shop, "broken")
    await shop.until(lambda: "a deploy ended as failed" in auto(shop))


async def test_each_new_commit_is_deployed_by_itself(tmp_path: Path) -> None:
    async with rig(tmp_path, by_itself()) as shop:
        shop.clock.hurry()
        await pushed(shop, "first")
        await is_live(shop, 1)
        await pushed(shop, "second")
        await is_live(shop, 2)
        (newest, _) = await shop.store.operations(SHOP)
        assert newest.actor.name == "auto"
        assert auto(shop) == "on"


async def test_it_stops_after_a_failure_until_a_person_has_deployed(tmp_path: Path) -> None:
    async with rig(tmp_path, by_itself()) as shop:
        shop.clock.hurry()
        await stopped(shop)
        await pushed(shop, "another")
        await shop.call(REFRESH, For(SHOP))
        assert len(await shop.store.operations(SHOP)) == 2
        assert (await shop.ended(await shop.deploy())).state is OperationState.SUCCEEDED
        await pushed(shop, "again")
        await is_live(shop, 4)


async def test_it_stops_after_a_rollback(tmp_path: Path) -> None:
    async with rig(tmp_path, by_itself()) as shop:
        shop.clock.hurry()
        for number, subject in ((1, "first"), (2, "second")):
            await pushed(shop, subject)
            await is_live(shop, number)
        await shop.ended(await shop.rollback())
        await shop.until(lambda: auto(shop).startswith("held by ana"))
        assert shop.customers_on() == 1


async def test_a_restart_neither_stops_it_nor_starts_it_again(tmp_path: Path) -> None:
    async with rig(tmp_path, by_itself()) as shop:
        shop.clock.hurry()
        await pushed(shop, "first")
        await is_live(shop, 1)
        await shop.ended(await shop.call(RESTART, RestartRequest(SHOP)))
        await shop.until(lambda: auto(shop) == "on")
        shop.target.programs[2] = Program(exits=1)
        await pushed(shop, "broken")
        await shop.until(lambda: "failed" in auto(shop))
        await shop.ended(await shop.call(RESTART, RestartRequest(SHOP)))
        assert "failed" in auto(shop)


async def test_it_takes_the_newest_commit_that_has_its_image(tmp_path: Path) -> None:
    async with rig(tmp_path, by_itself(image="registry.example.com/shop:{sha}")) as shop:
        shop.clock.hurry()
        first = shop.commit("first")
        await shop.call(REFRESH, For(SHOP))
        assert shop.customers_on() is None
        shop.builder.tags[f"registry.example.com/shop:{first}"] = "sha256:" + "1" * 64
        await shop.call(REFRESH, For(SHOP))
        await is_live(shop, 1)


async def test_nothing_is_deployed_by_itself_where_a_person_deploys(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        shop.clock.hurry()
        await pushed(shop, "first")
        await shop.call(REFRESH, For(SHOP))
        assert auto(shop) == ""
        assert await shop.store.operations(SHOP) == ()


async def test_a_commit_waits_for_what_the_configuration_wants_asked(tmp_path: Path) -> None:
    green = tmp_path / "green"
    script = f'test "$COCKPIT_SERVICE/$COCKPIT_ENVIRONMENT" = {SHOP} && grep -q "$COCKPIT_COMMIT" {green}'
    async with rig(tmp_path, by_itself(("sh", "-c", script))) as shop:
        shop.clock.hurry()
        first = await pushed(shop, "first")
        await shop.until(lambda: auto(shop) == f"waits for the check of {first[:7]} (exited with status 2)")
        assert shop.customers_on() is None
        green.write_text(first)
        shop.clock.ahead = 60.0
        await is_live(shop, 1)
        assert auto(shop) == "on"


async def test_many_restarts_do_not_make_it_forget_a_failure(tmp_path: Path) -> None:
    async with rig(tmp_path, by_itself()) as shop:
        shop.clock.hurry()
        await stopped(shop)
        for _ in range(6):
            await shop.ended(await shop.call(RESTART, RestartRequest(SHOP)))
        await pushed(shop, "another")
        assert "failed" in auto(shop)
        assert shop.customers_on() == 1
