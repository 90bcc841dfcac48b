"""The whole engine, with its Docker host elsewhere: deployed, rolled back and watched through one ssh."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from cockpit.demo.exchange import Connection, Response
from cockpit.model import Health
from tests.ssh.engine import UID, FarHost, far_host, missing
from tests.stories import services
from tests.stories.host import Host, processes
from tests.stories.world import PRODUCTION, World
from tests.waiting import until
from tests.world import fresh_installation, runtime_image

pytestmark = [
    pytest.mark.docker,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(bool(missing()), reason=f"a Docker engine of one's own needs {', '.join(missing())}"),
]


class FarWorld(World):
    """Its customers come to the address of the host, not to this machine's."""

    far: FarHost

    def _write(self) -> None:
        environment = {"edge": {"listen": f"{self.far.address}:{self.port}"}, "host": self.far.elsewhere.url}
        document = {"environments": {PRODUCTION: environment}, "services": self.services, "fetch_every": "3600s"}
        self.paths.config.write_text(json.dumps(document))

    async def get(self, service: str, path: str = "/") -> Response:
        connection = await Connection.open(self.far.address, self.port)
        try:
            head = f"GET {path} HTTP/1.1\r\nHost: {service}.localhost\r\nConnection: close\r\n\r\n"
            return await connection.exchange(head.encode())
        finally:
            connection.close()

    async def answers(self, release: int) -> bool:
        return (await self.get("shop")).headers["x-release"] == f"r{release}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[FarWorld]:
    root, own_path = Path(tempfile.mkdtemp(prefix="story-")), os.environ["PATH"]
    with far_host() as far:
        os.environ["PATH"] = f"{far.elsewhere.bin}:{own_path}"
        client = far.client()
        made = FarWorld(root, Host(client, fresh_installation()), await asyncio.to_thread(runtime_image, client))
        made.far = far
        try:
            await asyncio.to_thread(made.prepare)
            made.configure("shop")
            await made.up()
            await made.ships("shop", made.commit("shop", services.web(made.runtime), "Open the shop"))
            yield made
            assert " ERROR cockpit" not in made.engine_log(), made.engine_log()
        finally:
            if hasattr(made, "client"):
                await made.client.close()
            await made.end_engine()
            made.paths.socket.unlink(missing_ok=True)
            os.environ["PATH"] = own_path
            client.close()
            shutil.rmtree(root, ignore_errors=True)


async def test_a_commit_is_built_started_and_served_there(shop: FarWorld) -> None:
    assert await shop.answers((await shop.live("shop")).number)
    assert shop.host.containers("shop", running=True)


async def test_a_hot_rollback_there_needs_no_docker(shop: FarWorld) -> None:
    first = (await shop.live("shop")).number
    await shop.ships("shop", shop.commit("shop", {"notes": "second"}))
    assert await shop.answers(first + 1)
    with shop.far.hung_engine():
        going_back = asyncio.create_task(shop.goes_back("shop", first))
        await until(lambda: shop.answers(first))
    await going_back
    await shop.release_hold("shop")


async def test_the_line_that_doctor_prints_moves_the_customers_there(shop: FarWorld) -> None:
    await shop.ships("shop", shop.commit("shop", {"notes": "third"}))
    (found,) = (each for each in (await shop.says("doctor")).splitlines() if "break glass" in each)
    told = re.search(r" to r(\d+) without the cockpit, on (\S+): (.*)", found)
    assert told is not None
    assert told[2] == shop.far.elsewhere.url
    as_user = ("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups")
    await asyncio.to_thread(subprocess.run, [*shop.far.inside, *as_user, "sh", "-c", told[3]], check=True)
    assert await shop.answers(int(told[1]))

    async def believed() -> bool:
        return (await shop.live("shop")).number == int(told[1])

    await until(believed, within=10)


async def test_a_pulled_cable_is_never_a_failing_service(shop: FarWorld) -> None:
    seen: set[Health] = set()

    async def host_is(ok: bool) -> bool:
        snapshot = await shop.snapshot()
        seen.update(each.health for each in snapshot.placements)
        return all(each.docker_ok == each.edge_ok == ok for each in snapshot.engine.hosts)

    await until(lambda: host_is(True), 30)
    live = (await shop.live("shop")).number
    shop.far.unplug()
    try:
        await until(lambda: host_is(False), 20)
        (host,) = (await shop.snapshot()).engine.hosts
        assert "the line to deploy@" in host.docker
    finally:
        shop.far.plug()
    await until(lambda: host_is(True), 30)
    assert Health.FAILING not in seen
    assert await shop.answers(live)
    await shop.ships("shop", shop.commit("shop", {"notes": "after the cable"}))


async def test_a_killed_engine_leaves_no_ssh_and_the_next_one_goes_on(shop: FarWorld) -> None:
    sockets = str(shop.paths.socket.with_suffix(".ssh"))
    assert processes(sockets)
    await shop.client.close()
    await shop.end_engine_at_once()
    await until(lambda: not processes(sockets))
    await shop.up()
    await shop.ships("shop", shop.commit("shop", {"notes": "after the kill"}))


async def test_without_its_state_directory_the_next_engine_knows_itself_by_what_is_there(shop: FarWorld) -> None:
    """The pointers are on the host: customers notice nothing."""
    live = (await shop.live("shop")).number
    await lose_state(shop)
    assert await shop.answers(live)
    await shop.up()
    await until(lambda: found_again(shop, live), within=30)
    assert await name_of(shop) == shop.host.installation
    back = await shop.goes_back("shop")
    assert await shop.answers(back.to_release or 0)


async def test_a_new_bastion_adopts_what_is_there(shop: FarWorld) -> None:
    live = (await shop.live("shop")).number
    await lose_state(shop)
    shop.paths.state.mkdir(mode=0o700)
    await asyncio.to_thread((shop.paths.state / "installation").write_text, "f0f0f0f0\n")
    said = await shop.says("engine", "adopt", shop.host.installation, "--yes")
    assert f"shop/production on {shop.far.elsewhere.url}" in said
    assert f"is the installation {shop.host.installation} now" in said
    await shop.up()
    await until(lambda: found_again(shop, live), within=30)
    await shop.release_hold("shop")  # the host remembers what was rolled back from
    await shop.ships("shop", shop.commit("shop", {"notes": "after the adoption"}))


async def lose_state(shop: FarWorld) -> None:
    await shop.client.close()
    await shop.end_engine_at_once()
    await asyncio.to_thread(shutil.rmtree, shop.paths.state)


async def found_again(shop: FarWorld, live: int) -> bool:
    found = (await shop.placement("shop")).live
    return found is not None and found.number == live and await shop.answers(live)


async def name_of(shop: FarWorld) -> str:
    return (await asyncio.to_thread((shop.paths.state / "installation").read_text)).strip()
