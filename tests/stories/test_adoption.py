"""A service as people have it: a worker beside the web process, a migration, an env file, neighbours who call it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from cockpit.demo.load import Load
from cockpit.demo.tally import Answer
from cockpit.model import Operation, OperationState
from cockpit.protocol import OPEN, OTHERS, RESTART, Nothing, OpenRequest, RestartRequest
from tests.stories import services
from tests.stories.test_switching import some_more
from tests.stories.world import World, key, succeeded, world
from tests.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

WORKER = """trap 'exit 0' TERM
echo "working as $COCKPIT_RELEASE with $TOKEN"
while :; do sleep 1 & wait $!; done
"""
MIGRATE = 'echo "migrating to $COCKPIT_RELEASE"; [ "$BREAK" != migration ] || { echo "column exists" >&2; exit 3; }\n'


def processes(**worker: Any) -> dict[str, Any]:
    return {
        "web": {"port": 8000, "hosts": ["shop.localhost"], "aliases": ["shop"]},
        "worker": {
            "command": "sh /app/worker",
            "healthcheck": {"test": "true", "interval": "1s"},  # at once, or it would have to run for ten seconds
            **worker,
        },
    }


class Neighbour:
    """A container of somebody else's, on a network of theirs."""

    def __init__(self, shop: World) -> None:
        self._client = shop.host.client
        self.network = f"theirs-{shop.host.installation}"
        self.name = f"neighbour-{shop.host.installation}"

    def move_in(self, runtime: str) -> None:
        """It hands on what it is asked to http://shop:8000."""
        self._client.networks.create(self.network)
        passes_on = ["caddy", "reverse-proxy", "--from", "http://:9000", "--to", "http://shop:8000"]
        self._client.containers.run(runtime, passes_on, name=self.name, network=self.network, detach=True)

    def move_out(self) -> None:
        self._client.api.remove_container(self.name, force=True)
        for each in self._client.networks.get(self.network).containers:
            self._client.networks.get(self.network).disconnect(each, force=True)
        self._client.networks.get(self.network).remove()

    @property
    def url(self) -> str:
        networks = self._client.containers.get(self.name).attrs["NetworkSettings"]["Networks"]
        return f"http://{networks[self.network]['IPAddress']}:9000/"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[tuple[World, Neighbour]]:
    async with world() as made:
        neighbour = Neighbour(made)
        await asyncio.to_thread(neighbour.move_in, made.runtime)
        try:
            secrets = Path(made.root / "shop.env")
            secrets.write_text("TOKEN='first token'\n")
            files = {**services.web(made.runtime), "worker": WORKER, "migrate": MIGRATE}
            made.configure(
                "shop",
                hosts=...,
                processes=processes(),
                migrate="sh /app/migrate",
                env_file=str(secrets),
                networks=[neighbour.network],
            )
            made.commit("shop", files, "Open the shop")
            await made.up()
            await made.ships("shop", made.remote.head)
            yield made, neighbour
            await made.end_engine()
        finally:
            await asyncio.to_thread(neighbour.move_out)


def workers(made: World) -> list[str]:
    """The running ones, as they are named."""
    return [name for name in made.host.containers("shop", running=True) if "-worker-" in name]


async def test_one_deploy_migrates_brings_web_and_worker_and_the_env_file_reaches_them(
    shop: tuple[World, Neighbour],
) -> None:
    made, _ = shop
    live = await made.live("shop")
    (worker,) = workers(made)
    assert f"working as {live.name} with first token" in made.host.log(worker)
    deploys = [each for each in await made.releases("shop") if each.number == live.number]
    assert len(deploys) == 1
    operation = next(each for each in (await made.snapshot()).operations if each.to_release == live.number)
    assert f"migrate: migrating to {live.name}" in await made.log_of(operation)


async def test_web_and_worker_go_forward_back_and_again_without_a_request_lost(shop: tuple[World, Neighbour]) -> None:
    made, neighbour = shop
    first = await made.live("shop")
    answers: list[Answer] = []
    called = Load((neighbour.url,), 30, on_answer=answers.append)
    async with made.load("shop") as load, called:
        second = await made.ships("shop", made.commit("shop", {"notes": "two"}))
        assert workers(made) == [made.host.name("shop", second.to_release or 0).replace("-1", "-worker-1")]
        await until(lambda: bool(answers) and answers[-1].release == f"r{second.to_release}")
        await made.goes_back("shop", first.number)
        await until(lambda: answers[-1].release == first.name)
        await made.release_hold("shop")
        await some_more(load)
    assert (load.stats().lost, load.stats().non_2xx) == (0, 0)
    assert (called.stats().lost, called.stats().non_2xx) == (0, 0)
    assert [name for name in workers(made) if f"-{first.name}-" in name] == workers(made)


async def test_a_restart_gives_the_same_release_new_containers_without_a_request_lost(
    shop: tuple[World, Neighbour],
) -> None:
    made, _ = shop
    live = await made.live("shop")
    before = ids(made, live.name)
    async with made.load("shop") as load:
        done = await made.client.call(RESTART, RestartRequest(key("shop"), seen_live=live.number))
        assert succeeded(await made.ended(done)).to_release == live.number
        await some_more(load)

        await until(lambda: not before & ids(made, live.name), within=40)
        await some_more(load)
    assert (load.stats().lost, load.stats().non_2xx) == (0, 0)
    assert len(workers(made)) == 1
    assert (await made.live("shop")).number == live.number


async def test_a_migration_that_fails_leaves_everything_serving_and_tells_why(shop: tuple[World, Neighbour]) -> None:
    made, _ = shop
    live = await made.live("shop")
    running = made.host.containers("shop", running=True)
    made.configure("shop", environment={"BREAK": "migration"})
    failed = await made.deploy("shop", made.commit("shop", {"notes": "broken"}))
    made.configure("shop", environment=...)
    assert failed.state is OperationState.FAILED
    assert failed.failure is not None
    assert (failed.failure.step, failed.failure.line) == ("migrate", "column exists")
    assert (await made.live("shop")).number == live.number
    assert made.host.containers("shop", running=True) == running


async def test_a_worker_that_does_not_run_leaves_its_predecessor_and_a_rollback_brings_all_of_it_back(
    shop: tuple[World, Neighbour],
) -> None:
    made, _ = shop
    live = await made.live("shop")
    failed = await made.deploy("shop", made.commit("shop", {"worker": "echo broken; exit 4\n"}))
    assert failed.failure is not None
    assert (failed.failure.step, failed.failure.line) == ("processes", "broken")
    assert [name for name in workers(made) if f"-{live.name}-" in name]
    placement = await made.placement("shop")
    assert [(each.name, each.running) for each in placement.processes] == [("web", 1), ("worker", 0)]
    await made.goes_back("shop", live.number)
    assert [(each.name, each.running) for each in (await made.placement("shop")).processes] == [
        ("web", 1),
        ("worker", 1),
    ]
    await made.release_hold("shop")


async def test_a_changed_env_file_is_pending_and_ships_with_the_same_image(shop: tuple[World, Neighbour]) -> None:
    made, _ = shop
    made.commit("shop", {"worker": WORKER}, "Mend the worker")
    await made.ships("shop", made.remote.head)
    live = await made.live("shop")
    (made.root / "shop.env").write_text("TOKEN='second token'\n")
    await made.reread("shop")
    done = await made.ships("shop", live.commit)
    new = await made.live("shop")
    assert (new.number, new.image, new.commit) == (done.to_release, live.image, live.commit)
    (worker,) = workers(made)
    assert f"working as {new.name} with second token" in made.host.log(worker)


async def test_a_release_and_what_else_runs_on_the_host_can_be_looked_at(shop: tuple[World, Neighbour]) -> None:
    made, neighbour = shop
    address = await made.client.call(OPEN, OpenRequest(key("shop")))
    assert address.release.number == (await made.live("shop")).number
    others = await made.client.call(OTHERS, Nothing())
    assert neighbour.name in [each.name for each in others.containers]
    assert not [each for each in others.containers if made.host.installation in each.name and "theirs" in each.name]


async def test_a_service_that_left_the_configuration_goes_on_serving_and_says_so(shop: tuple[World, Neighbour]) -> None:
    made, _ = shop
    kept = made.services.pop("shop")
    made.configure("other", repo=str(made.remote.path))
    async with made.load("shop") as load:

        async def unconfigured() -> bool:
            return not (await made.placement("shop")).configured

        await until(unconfigured)
        await some_more(load)
    assert (load.stats().lost, load.stats().non_2xx) == (0, 0)
    made.services = {"shop": kept}
    made.configure("shop")

    async def configured() -> bool:
        return (await made.placement("shop")).configured

    await until(configured)


async def test_an_engine_killed_in_a_migration_never_repeats_it_and_says_what_became_of_it(
    shop: tuple[World, Neighbour],
) -> None:
    made, _ = shop
    slow = "echo begun; echo x >> /app/runs; sleep 3; echo ended\n"
    running = await made.begin("shop", made.commit("shop", {"migrate": slow}))

    async def migrating() -> bool:
        current: Operation = await made.operation(running)
        return current.current is not None and current.current.name == "migrate" and bool(_one_offs(made))

    await until(migrating)
    await made.end_engine_at_once()
    ended = await made.ended(running)
    assert ended.state is OperationState.INTERRUPTED
    assert "migration" in ended.summary
    assert len(_one_offs(made)) <= 1


def ids(made: World, release: str) -> set[str]:
    """Of a release's containers, running or not."""
    wanted = [f"deploy-cockpit.installation={made.host.installation}", f"deploy-cockpit.release={release[1:]}"]
    return {str(each["Id"]) for each in made.host.client.api.containers(all=True, filters={"label": wanted})}


def _one_offs(made: World) -> list[str]:
    wanted = [f"deploy-cockpit.installation={made.host.installation}", "deploy-cockpit.role=migrate"]
    return [each["Names"][0] for each in made.host.client.api.containers(all=True, filters={"label": wanted})]
