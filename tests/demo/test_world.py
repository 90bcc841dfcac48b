"""The demo's world on a real host: set up, found again, and removed without a trace."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import ImageNotFound

from cockpit.client import connect
from cockpit.config.load import load
from cockpit.demo import background, clean, crowd, play, repo, runtime
from cockpit.demo.card import card
from cockpit.demo.repo import Shop
from cockpit.demo.setup import AHEAD, FIRST, set_up
from cockpit.demo.world import HOSTS, PRODUCTION, STAGING, World
from cockpit.protocol import DEPLOY, DeployRequest


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "demo")


def test_the_configuration_is_valid_and_the_same_at_each_start(world: World) -> None:
    world.prepare()
    world.configure("runtime:1")
    first = world.paths.config.read_text()
    settings = load(world.paths.config)
    assert {each.key for each in settings.placements} == {*STAGING, *PRODUCTION}
    assert settings.environments["production"].protected
    assert not settings.environments["staging"].protected
    checkout = next(each for each in settings.placements if each.key == PRODUCTION[1])
    assert (checkout.service.main.replicas, checkout.service.bake, checkout.service.hot_seconds) == (2, 120, 900)
    assert checkout.service.main.hosts == (HOSTS["checkout"],)
    world.configure("runtime:1")
    assert world.paths.config.read_text() == first


def test_a_port_that_is_taken_is_not_chosen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr("cockpit.demo.world.PORTS", (taken.getsockname()[1], taken.getsockname()[1]))
        world.prepare()
        production, staging = world.ports()
        assert taken.getsockname()[1] not in (production, staging)
        assert production != staging
    assert world.ports() == (production, staging)


def test_the_same_directory_has_the_same_installation(tmp_path: Path) -> None:
    assert World(tmp_path / "a").installation == World(tmp_path / "a").installation
    assert World(tmp_path / "a").installation != World(tmp_path / "b").installation


def test_the_card_has_five_lines_that_fit_a_small_terminal(tmp_path: Path) -> None:
    names = ("declined", "data", "stock", "stripe", "tax")
    lines = card(Shop(tmp_path, {name: name.encode().hex().ljust(40, "0") for name in names}), 12345).splitlines()
    assert len(lines) == 5
    assert max(map(len, lines)) <= 76
    assert "kill -9 12345" in lines[4]


def test_a_pid_file_that_names_someone_else_stops_nobody(world: World) -> None:
    world.prepare()
    world.pid_file.write_text(f"{os.getpid()}\n")
    assert crowd.running(world) is None


@pytest.fixture
def bystander() -> Iterator[str]:
    """Something of somebody else's on the same host."""
    name = f"bystander-{uuid.uuid4().hex[:8]}"
    client = docker.from_env()
    image = runtime.build(name)
    container = client.containers.create(image, name=name)
    network = client.networks.create(name)
    yield name
    container.remove(force=True)
    network.remove()
    client.images.remove(image, force=True)
    client.close()


def left_of(world: World) -> list[str]:
    client = docker.from_env()
    try:
        label = f"{runtime.LABEL}={world.installation}"
        found = [str(each.name) for each in client.containers.list(all=True)]
        found += [str(each.name) for each in client.networks.list()]
        found += [tag for each in client.images.list() for tag in each.tags]
        named = [each for each in found if world.installation in each]
        named += [str(each.id) for each in client.containers.list(all=True, filters={"label": label})]
        return named + [str(each.id) for each in client.images.list(all=True, filters={"label": label})]
    finally:
        client.close()


def layers_of(world: World) -> set[str]:
    """Every image of it, with the untagged ones that it was built from."""
    client = docker.from_env()
    try:
        images = client.images.list(filters={"label": f"{runtime.LABEL}={world.installation}"})
        return {each["Id"] for image in images for each in image.history() if each["Id"].startswith("sha256:")}
    finally:
        client.close()


def exists(image: str) -> bool:
    client = docker.from_env()
    try:
        client.images.get(image)
    except ImageNotFound:
        return False
    finally:
        client.close()
    return True


@pytest.mark.docker
async def test_a_world_is_set_up_found_again_and_removed_with_nothing_else(
    world: World, bystander: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    try:
        client, shop = await set_up(world, said.append)
        assert [line[:4] for line in said] == [f"{number}/6 " for number in range(1, 7)]
        assert all("usually" in line for line in said)
        for key, named in [(key, AHEAD) for key in STAGING] + [(key, FIRST) for key in PRODUCTION]:
            live = await play.live(client, key)
            assert live is not None
            assert live.commit == shop[named[key.service]]
        await client.close()
        customers = await asyncio.to_thread(crowd.running, world)
        assert customers is not None

        started = time.monotonic()
        again, _ = await set_up(world, said.append)
        await again.close()
        assert time.monotonic() - started < 10
        assert await asyncio.to_thread(crowd.running, world) == customers
        layers = layers_of(world)
        assert len(layers) > 4
    finally:
        await clean.clean(world)
    assert left_of(world) == []
    assert [each for each in layers if exists(each)] == []
    assert not world.root.exists()
    assert dead(customers)
    assert not world.paths.socket.exists()
    client_ = docker.from_env()
    assert client_.containers.get(bystander).status == "created"
    assert [each.name for each in client_.networks.list(names=[bystander])] == [bystander]
    client_.close()


@pytest.mark.docker
async def test_cleaning_what_was_never_there_or_lost_its_directory_is_fine(world: World) -> None:
    await clean.clean(world)
    await asyncio.to_thread(runtime.build, world.installation)
    assert left_of(world) != []
    await clean.clean(world)
    assert left_of(world) == []


async def running_engine(world: World) -> int | None:
    return await asyncio.to_thread(background.pid_of, world.paths.lock, "cockpit.engine")


def dead(pid: int) -> bool:
    """Or at most a zombie, whose parent has not looked yet: it has no command line."""
    line = Path(f"/proc/{pid}/cmdline")
    return not line.exists() or not line.read_bytes()


@pytest.mark.docker
async def test_cleaning_in_the_middle_of_a_deploy_by_an_engine_that_hangs_leaves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clean, "PARTING", 1.0)
    await asyncio.to_thread(world.prepare)
    await asyncio.to_thread(world.configure, await asyncio.to_thread(runtime.build, world.installation))
    shop = await asyncio.to_thread(repo.make, world.shop, time.time())
    client = await connect(world.paths, client="cli")
    try:
        request = DeployRequest(PRODUCTION[0], shop["gift"])
        operation = await play.once_ready(lambda: client.call(DEPLOY, request))
        assert not operation.state.ended
        engine = await running_engine(world)
        assert engine is not None
        os.kill(engine, signal.SIGSTOP)
    finally:
        await client.close()
        await clean.clean(world)
    assert dead(engine)
    assert left_of(world) == []
    assert not world.root.exists()
    assert not world.paths.socket.exists()
