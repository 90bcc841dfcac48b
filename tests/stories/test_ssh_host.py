"""A Docker host elsewhere: its engine, its edge and its customers, with nothing but ssh between us and it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
import pytest_asyncio

from cockpit.clock import SystemClock
from cockpit.edge.base import EdgePlan, Pointer, Route
from cockpit.edge.caddy import CaddyEdge
from cockpit.edge.far_files import FarFiles
from cockpit.errors import EdgeError, TargetDown, TargetError
from cockpit.health.probe import EDGE_SILENT, Prober
from cockpit.model import PlacementKey
from cockpit.ssh.line import Line
from cockpit.ssh.state import Condition
from cockpit.targets.docker import DockerTarget
from cockpit.targets.edge_spec import EdgeSpec
from cockpit.targets.far_ports import far_port_owners
from cockpit.targets.orders import ContainerSpec, StartOrder
from cockpit.targets.ports import PortOwners
from tests.edge.world import Reply, ask
from tests.ssh.engine import UID, FarHost, far_host, missing
from tests.waiting import until
from tests.world import runtime_image

pytestmark = [
    pytest.mark.docker,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(bool(missing()), reason=f"a Docker engine of one's own needs {', '.join(missing())}"),
]

SHOP = PlacementKey("shop", "production")
PORT = 8080  # of the edge on its host
INSTALLATION = "far"
_SERVE = "mkdir -p /tmp/w && echo $COCKPIT_RELEASE >/tmp/w/up && exec httpd -f -p 8000 -h /tmp/w"


@dataclass
class Shop:
    """Two releases that run, r1 live; all of it reached through `line`."""

    host: FarHost
    line: Line
    target: DockerTarget
    edge: CaddyEdge
    prober: Prober
    addresses: dict[int, str]

    def spec(self) -> EdgeSpec:
        place = self.line.known_edge()
        return EdgeSpec(place, ports=(PORT,), admin=self.line.admin_socket, owner=self.line.known_owner())

    async def switch(self, release: int) -> None:
        await self.edge.point(SHOP, Pointer(release, (self.addresses[release],)))

    async def customer(self) -> Reply:
        return await ask(self.host.address, PORT, "/up", host="shop.test")

    async def up(self) -> None:
        await until(lambda: self.line.state.up, 30, f"up: {self.line.state}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[Shop]:
    with tempfile.TemporaryDirectory(prefix="line-", dir="/tmp") as here, far_host() as host:
        own_path, os.environ["PATH"] = os.environ["PATH"], f"{host.elsewhere.bin}:{os.environ['PATH']}"
        clock = SystemClock()
        line = Line(host.elsewhere.url, INSTALLATION, Path(here) / "l", clock)
        line.start()
        try:
            assert (await line.settled(30)).up, line.state
            async with opened(host, line, clock) as made:
                yield made
        finally:
            await line.close()
            os.environ["PATH"] = own_path


@contextlib.asynccontextmanager
async def opened(host: FarHost, line: Line, clock: SystemClock) -> AsyncIterator[Shop]:
    target = DockerTarget(
        line.docker_url,
        INSTALLATION,
        subnet="10.232.0.0/18",
        clock=clock,
        port_owners=far_port_owners(line),
        excuse=line.excuse,
    )
    subnet = await target.prepare()
    edge = CaddyEdge(FarFiles(line), subnet.cidr)
    made = Shop(host, line, target, edge, Prober(edge.probe_socket, clock, line), {})
    image = await asyncio.to_thread(image_there, line)
    try:
        for release in (1, 2):
            spec = ContainerSpec(image, port=8000, command=("sh", "-c", _SERVE), stop_grace=0.0)
            environment = {"COCKPIT_RELEASE": f"r{release}"}
            (container,) = await target.start(StartOrder(SHOP, release, release, release, spec, environment))
            made.addresses[release] = f"{container.address}:8000"
        await edge.load(EdgePlan((Route(SHOP, f":{PORT}", ("shop.test",)),)))
        assert (await target.ensure_edge(made.spec())).started
        await made.switch(1)
        yield made
    finally:
        await target.close()
        await edge.close()
        await made.prober.close()


def image_there(line: Line) -> str:
    with contextlib.closing(docker.DockerClient(line.docker_url, version="1.41", timeout=120)) as client:
        return runtime_image(client)


async def test_customers_get_the_release_of_the_pointer_and_are_counted(shop: Shop) -> None:
    for release in (2, 1):
        await shop.switch(release)
        assert await shop.edge.pointer(SHOP) == Pointer(release, (shop.addresses[release],))
        answer = await shop.customer()
        assert (answer.body.strip(), answer.headers["x-cockpit-release"]) == (f"r{release}", f"r{release}")
    seen: list[int] = []

    async def counted() -> bool:
        seen.extend(hit.release for hit in await shop.edge.hits())
        return seen[-2:] == [2, 1]

    await until(counted)


async def test_the_pointer_is_one_whole_line_in_a_directory_of_the_login_user(shop: Shop) -> None:
    directory = Path(shop.line.known_edge()) / "pointers"
    await shop.switch(1)
    before = (directory / "shop@production").stat().st_ino
    await shop.switch(1)
    after = (directory / "shop@production").stat()
    assert after.st_ino != before
    assert sorted(each.name for each in directory.iterdir()) == ["shop@production", "shop@production~"]
    assert (directory / "shop@production").read_text() == f"r1 {shop.addresses[1]} .\n"
    assert not list(directory.parents[1].glob(".stage.*/*"))


async def test_probes_and_the_public_question_are_asked_on_the_host(shop: Shop) -> None:
    await shop.switch(1)
    found = await shop.prober.probe(shop.addresses[2], "/up", "shop.test", 5.0)
    assert (found.status, found.reached) == (200, True)
    public = await shop.prober.public(f":{PORT}", "/up", "shop.test", 5.0)
    assert (public.status, public.release) == (200, "r1")


async def test_the_hosts_architecture_is_told_by_its_engine(shop: Shop) -> None:
    assert (await shop.target.ping()).architecture == {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine)


async def test_a_rollback_needs_no_docker_there(shop: Shop) -> None:
    await shop.switch(2)
    with shop.host.hung_engine():
        await shop.switch(1)
        assert (await shop.customer()).body.strip() == "r1"


async def test_a_replica_that_hangs_is_not_taken_for_a_lost_line(shop: Shop) -> None:
    found = await shop.prober.probe("10.232.63.9:1", "/up", None, 0.5)
    assert (found.status, found.reached) == (0, True)


async def test_a_port_that_something_there_has_is_named(shop: Shop) -> None:
    as_user = ("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups")
    listener = await asyncio.create_subprocess_exec(*(*shop.host.inside, *as_user, "busybox", "nc", "-l", "-p", "8099"))
    owners = far_port_owners(shop.line)
    try:
        await until(lambda: listens(owners, 8099))
        (found,) = await asyncio.to_thread(owners, (8099, 1))
        assert (found.port, found.pid, found.name) == (8099, listener.pid, "busybox")
        spec = EdgeSpec(shop.spec().directory, ports=(8099,), admin=shop.line.admin_socket, owner=UID)
        with pytest.raises(TargetError, match=rf"port 8099 is taken by .*pid {listener.pid}"):
            await shop.target.ensure_edge(spec)
    finally:
        listener.kill()
        await listener.wait()


async def listens(owners: PortOwners, port: int) -> bool:
    return bool(await asyncio.to_thread(owners, (port,)))


async def test_what_another_user_has_is_taken_too(shop: Shop) -> None:
    (sshd,) = await asyncio.to_thread(far_port_owners(shop.line), (shop.host.elsewhere.port,))
    assert (sshd.pid, sshd.name) == (None, "")


async def test_nobody_but_the_login_user_enters_the_edges_directory(shop: Shop) -> None:
    seen = Path(shop.line.known_edge()).stat()
    assert (seen.st_uid, seen.st_mode & 0o777) == (UID, 0o700) == (shop.line.known_owner(), 0o700)


async def test_a_cable_that_is_pulled_is_docker_down_and_an_edge_that_is_silent_and_no_failing_service(
    shop: Shop,
) -> None:
    await shop.switch(1)
    containers = await shop.target.observe()
    shop.host.unplug()
    try:
        found = await shop.prober.probe(shop.addresses[1], "/up", "shop.test", 1.0)
        assert (found.error, found.reached) == (EDGE_SILENT, False)
        await until(lambda: shop.line.state.condition is Condition.LOST, 5.0)
        found = await shop.prober.probe(shop.addresses[1], "/up", "shop.test", 1.0)
        assert not found.reached
        assert not (await shop.prober.public(f":{PORT}", "/up", "shop.test", 1.0)).reached
        with pytest.raises(TargetDown, match=r"the line to .* is down"):
            await shop.target.observe()
        with pytest.raises(EdgeError, match=r"the line to .* is down"):
            await shop.switch(2)
        assert not await shop.edge.answers()
    finally:
        shop.host.plug()
    await shop.up()
    assert [each.id for each in await shop.target.observe()] == [each.id for each in containers]
    assert await shop.edge.pointer(SHOP) == Pointer(1, (shop.addresses[1],))
    assert (await shop.prober.probe(shop.addresses[1], "/up", "shop.test", 5.0)).good
    await shop.switch(2)
    assert (await shop.customer()).body.strip() == "r2"


async def test_an_engine_that_dies_there_is_docker_down_and_the_line_stays(shop: Shop) -> None:
    with shop.host.hung_engine(), pytest.raises(TargetDown, match="Docker does not answer"):
        await shop.target.ping()
    assert shop.line.state.up
    await until(lambda: answers(shop))


async def answers(shop: Shop) -> bool:
    with contextlib.suppress(TargetError):
        return bool(await shop.target.ping())
    return False
