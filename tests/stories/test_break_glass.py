"""docs/break-glass.md, done as it says: customers are moved by one shell line while no cockpit is there."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from cockpit.demo.exchange import Cut
from cockpit.model import Health
from tests.stories import services
from tests.stories.test_switching import some_more
from tests.stories.world import World, world
from tests.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

PAGE = (Path(__file__).parents[2] / "docs/break-glass.md").read_text()
PROCESSES = {
    "web": {"port": 8000, "replicas": 2, "hosts": ["shop.localhost"]},
    "admin": {"port": 3000, "hosts": ["admin.localhost"], "environment": {"PORT": "3000"}},
    "worker": {"command": "sh /app/worker", "healthcheck": {"test": "true", "interval": "1s"}},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[World]:
    """r2 has the customers, r1 is hot."""
    async with world() as made:
        made.configure("shop", hosts=..., processes=PROCESSES)
        made.commit("shop", {**services.web(made.runtime), "worker": services.WORKER}, "Open the shop")
        await made.up()
        await made.ships("shop", made.remote.head)
        await made.ships("shop", made.commit("shop", {"notes": "two"}))
        yield made


def sh(line: str) -> str:
    return subprocess.run(["sh", "-c", line], check=True, capture_output=True, text=True).stdout


def on_the_page(start: str) -> str:
    """A command of it, up to its last line."""
    (found,) = re.findall(rf"^ *{start}(?:.*\\\n)*.*$", PAGE, re.MULTILINE)
    return str(found)


def ours(shop: World, command: str) -> str:
    """On a Docker host that this test shares with others."""
    mine = f" --filter label=deploy-cockpit.installation={shop.host.installation}"
    return re.sub(r"(docker ps( --quiet)?)", rf"\1{mine}", command.replace("=checkout", "=shop"))


def name(shop: World, release: int, process: str) -> str:
    return f"{shop.host.name('shop', release).removesuffix('-1')}-{process}-1"


async def answers(shop: World) -> set[str]:
    """Which releases the customers of both processes meet."""
    return {(await shop.get(host)).headers["x-release"] for host in ("shop", "admin")}


async def test_the_line_that_doctor_prints_moves_the_customers_of_all_processes_and_is_believed_afterwards(
    shop: World,
) -> None:
    (found,) = (each for each in (await shop.says("doctor")).splitlines() if "break glass" in each)
    await shop.end_engine_at_once()
    async with shop.load("shop") as load, shop.load("admin") as other:
        await some_more(load)
        await asyncio.to_thread(sh, found.partition(" cockpit: ")[2])
        assert await answers(shop) == {"r1"}
        await some_more(load)
        await some_more(other)
    assert [(each.stats().lost, each.stats().non_2xx) for each in (load, other)] == [(0, 0), (0, 0)]
    await shop.client.close()
    await shop.up()

    async def believed() -> bool:
        return (await shop.live("shop")).name == "r1"

    await until(believed, within=10)


async def test_processes_without_a_port_follow_by_themselves_when_the_cockpit_is_back(shop: World) -> None:
    async def followed() -> bool:
        running = "{{.State.Running}}"
        asked = f"docker inspect --format '{running}' {name(shop, 1, 'worker')} {name(shop, 2, 'worker')}"
        return (await asyncio.to_thread(sh, asked)).split() == ["true", "false"]

    async def well() -> bool:
        return (await shop.placement("shop")).health is Health.HEALTHY

    await until(followed, within=30)
    await until(well, within=20)


async def test_the_page_shows_what_runs_where_and_its_own_line_moves_the_customers(shop: World) -> None:
    shown = (await asyncio.to_thread(sh, ours(shop, on_the_page("docker ps")))).splitlines()
    own = sorted(each for each in shown if each.startswith("r2 "))
    ((admin,), web) = ([each.split()[2] for each in own if f" {process} " in each] for process in ("admin", "web"))
    line = f"r2 {' '.join(web)} / admin {admin} ."
    command = re.sub("r41 .* \\.(?=\\\\n)", line, on_the_page("printf 'r41")).replace("checkout@", "shop@")
    await asyncio.to_thread(sh, f"cd {shop.paths.edge} && cd pointers && {command}")
    assert await answers(shop) == {"r2"}


async def test_hold_answers_503_until_there_is_a_line_again(shop: World) -> None:
    pointer = shop.paths.edge / "pointers" / "shop@production"
    line = pointer.read_text()
    await asyncio.to_thread(sh, f"cd {pointer.parent} && echo hold > .new && mv -T .new {pointer.name}")
    held = await shop.get("shop")
    assert (held.status, "retry-after" in held.headers) == (503, True)
    pointer.write_text(line)
    assert await answers(shop) == {"r2"}


async def test_without_the_state_directory_the_shell_alone_serves_and_a_cockpit_takes_it_back(shop: World) -> None:
    policies = {"r2": "always", "r1": "unless-stopped"}
    await until(lambda: all(policies[f"r{n}"] == shop.host.restart_policy(name(shop, n, "admin")) for n in (1, 2)))
    await shop.end_engine_at_once()
    await asyncio.to_thread(shutil.rmtree, shop.paths.state)
    assert (await shop.get("shop")).status == 503
    shown = await asyncio.to_thread(sh, ours(shop, on_the_page(r"docker inspect \$")))
    serving = sorted(each.split()[2] for each in shown.splitlines() if each.startswith("always r2 "))
    web = [each for each in serving if each.endswith(":8000")]
    assert len(web) == 2
    glass = f"{shop.host.installation}-glass"
    (block,) = (each for each in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if "docker stop" in each)
    block = re.sub(r"reverse_proxy [0-9.: ]+", f"reverse_proxy {' '.join(web)}", ours(shop, block))
    block = block.replace("checkout.example.com", f"shop.localhost:{shop.port}").replace("break-glass", glass)
    try:
        await asyncio.to_thread(sh, f"cd {shop.root} && {block}")
        await until(lambda: serves(shop, "r2"), within=20)
    finally:
        await asyncio.to_thread(sh, f"docker rm --force {glass}")
    await shop.client.close()
    await shop.up()
    await until(lambda: serves(shop, "r2"), within=20)
    assert (await shop.live("shop")).name == "r2"


async def serves(shop: World, release: str) -> bool:
    try:
        found = await shop.get("shop")
    except (OSError, Cut):
        return False
    return (found.status, found.headers.get("x-release")) == (200, release)
