"""The edge's container on a real Docker engine, and who has a port."""

from __future__ import annotations

import asyncio
import http.server
import os
import re
import shutil
import socket
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import docker
import pytest
import yaml

from cockpit.edge.base import Pointer, Route
from cockpit.edge.caddy import CaddyEdge
from cockpit.edge.files import LocalFiles
from cockpit.errors import TargetError
from cockpit.targets import labels
from cockpit.targets.base import Claim
from cockpit.targets.edge_container import edge_name
from cockpit.targets.edge_host import ensure_edge, remove_edge
from cockpit.targets.edge_image import architecture, binary_for, caddy_binary, ensure_image
from cockpit.targets.edge_spec import EdgeSpec, EdgeState
from cockpit.targets.ports import Listener, listeners
from cockpit.targets.records import claim, remove_records
from cockpit.targets.taken import Owner, hint
from tests.edge.world import SHOP, SUBNET, App, ask, free_port
from tests.waiting import until


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    made = docker.from_env(version="1.41")
    yield made
    made.close()


@pytest.fixture
def installation(client: docker.DockerClient) -> Iterator[str]:
    name = f"edgetest-{uuid.uuid4().hex[:8]}"
    yield name
    remove_edge(client, name)


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[CaddyEdge]:
    made = CaddyEdge(LocalFiles(tmp_path / "edge"), SUBNET)
    yield made
    await made.close()


@pytest.mark.docker
async def test_an_edge_serves_is_started_once_and_comes_back_after_a_kill(
    client: docker.DockerClient, installation: str, edge: CaddyEdge
) -> None:
    port, app = free_port(), await App("one").start()
    spec = EdgeSpec(Path(edge.files.where()), ports=(port,))
    assert not await edge.load((Route(SHOP, f"127.0.0.1:{port}"),))
    assert (await asyncio.to_thread(ensure_edge, client, installation, spec)).started
    await edge.point(SHOP, Pointer(5, (app.address,)))
    assert (await ask("127.0.0.1", port)).body == "one"
    assert [hit.release for hit in await edge.hits()] == [5]

    before = client.containers.get(edge_name(installation))
    assert await asyncio.to_thread(ensure_edge, client, installation, spec) == EdgeState()
    assert await edge.load((Route(SHOP, f"127.0.0.1:{port}", ("shop.test",)),))
    host = before.attrs["HostConfig"]
    assert (host["NetworkMode"], host["RestartPolicy"]["Name"], host["ReadonlyRootfs"]) == ("host", "always", True)
    assert host["CapDrop"] == ["ALL"]
    assert before.labels[labels.INSTALLATION] == installation

    os.kill(before.attrs["State"]["Pid"], 9)
    await until(lambda: _restarted(client, installation, before.attrs["State"]["Pid"]))
    await until(edge.answers)
    assert (await ask("127.0.0.1", port)).headers["x-cockpit-release"] == "r5"
    assert (await ask("127.0.0.1", port, host="other.test")).status == 404
    await app.die()


@pytest.mark.docker
async def test_removing_an_edge_leaves_nothing_of_it_and_is_idempotent(
    client: docker.DockerClient, installation: str, edge: CaddyEdge
) -> None:
    await edge.load((Route(SHOP, f"127.0.0.1:{free_port()}"),))
    await asyncio.to_thread(ensure_edge, client, installation, EdgeSpec(Path(edge.files.where())))
    for _ in range(2):
        await asyncio.to_thread(remove_edge, client, installation)
    assert client.containers.list(all=True, filters={"name": edge_name(installation)}) == []
    assert client.images.list(filters=labels.all_of(installation)) == []
    assert Path(edge.files.where()).exists()


@pytest.mark.docker
def test_a_port_taken_by_a_process_names_it_and_the_key_to_change(
    client: docker.DockerClient, installation: str, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TargetError, match=rf"port {port} is taken by .*\(pid {os.getpid()}\)") as caught:
            ensure_edge(client, installation, EdgeSpec(tmp_path, ports=(port,)))
    assert re.search(r"\nedge:\n  listen: 127\.0\.0\.1:81\d\d$", caught.value.hint)
    assert client.containers.list(all=True, filters={"name": edge_name(installation)}) == []


@pytest.mark.docker
def test_a_port_that_a_container_publishes_names_it(
    client: docker.DockerClient, installation: str, tmp_path: Path
) -> None:
    image, port, name = ensure_image(client, installation, caddy_binary()), free_port(), f"{installation}-shop"
    container = client.containers.run(
        image, ["respond", "--listen", ":80"], entrypoint=["/caddy"], name=name, ports={"80": port}, detach=True
    )
    try:
        with pytest.raises(TargetError, match=f"port {port} is taken by the container {name}"):
            ensure_edge(client, installation, EdgeSpec(tmp_path, ports=(port,)))
    finally:
        container.remove(force=True)


@pytest.mark.docker
def test_behind_a_traefik_the_lines_join_its_network(
    client: docker.DockerClient, installation: str, tmp_path: Path
) -> None:
    image, port, name = ensure_image(client, installation, caddy_binary()), free_port(), f"{installation}-traefik"
    network = client.networks.create(f"{installation}-proxy")
    container = client.containers.run(
        image, ["respond"], entrypoint=["/caddy"], name=name, ports={"80": port}, network=network.name, detach=True
    )
    try:
        with pytest.raises(TargetError, match=f"port {port} is taken by the container {name}") as caught:
            ensure_edge(client, installation, EdgeSpec(tmp_path, ports=(port,)))
    finally:
        container.remove(force=True)
        network.remove()
    lines = yaml.safe_load(caught.value.hint.partition("\n")[2])
    assert lines["edge"]["networks"] == [network.name]
    assert lines["edge"]["labels"]["traefik.docker.network"] == network.name
    assert lines["edge"]["labels"]["traefik.http.services.cockpit.loadbalancer.server.port"] == str(port)


def test_the_port_that_is_proposed_is_free() -> None:
    def who(ports: tuple[int, ...]) -> tuple[Listener, ...]:
        return tuple(Listener(port, "0") for port in ports if port < 8102)

    assert hint(80, Owner("nginx"), who).endswith("edge:\n  listen: 127.0.0.1:8102")


@pytest.mark.docker
def test_port_owners_of_another_host_are_whoever_is_told(
    client: docker.DockerClient, installation: str, tmp_path: Path
) -> None:
    def who(ports: tuple[int, ...]) -> tuple[Listener, ...]:
        return tuple(Listener(port, "0", 2**22 + 1, "nginx") for port in ports if port == 80)

    with pytest.raises(TargetError, match=r"port 80 is taken by nginx \(pid 4194305\)"):
        ensure_edge(client, installation, EdgeSpec(tmp_path, ports=(80,)), who)


def elf(path: Path, machine: int) -> Path:
    path.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(11) + machine.to_bytes(2, "little"))
    return path


def test_a_host_of_another_architecture_gets_the_binary_that_is_named_for_it(tmp_path: Path) -> None:
    arm = elf(tmp_path / "caddy-arm", 0xB7)
    assert binary_for("arm64", {"arm64": arm, "amd64": tmp_path / "other"}) == arm
    with pytest.raises(
        TargetError, match=r"the host is riscv64, and the Caddy that came with the cockpit is for"
    ) as no:
        binary_for("riscv64", {"arm64": arm})
    assert "edge.binaries.riscv64" in no.value.hint


def test_a_binary_of_the_wrong_architecture_is_explained(tmp_path: Path) -> None:
    arm = elf(tmp_path / "caddy-arm", 0xB7)
    with pytest.raises(TargetError, match=r"edge\.binaries\.amd64 is for arm64: .*caddy-arm"):
        binary_for("amd64", {"amd64": arm})
    (tmp_path / "script").write_text("#!/bin/sh")
    with pytest.raises(TargetError, match="is for no Linux at all"):
        binary_for("amd64", {"amd64": tmp_path / "script"})


@pytest.mark.docker
def test_the_caddy_that_came_along_is_for_this_machine(client: docker.DockerClient) -> None:
    assert binary_for(architecture(client), {}) == caddy_binary()


@pytest.mark.docker
async def test_a_port_taken_by_another_edge_names_its_container(
    client: docker.DockerClient, installation: str, edge: CaddyEdge, tmp_path: Path
) -> None:
    port = free_port()
    await edge.load((Route(SHOP, f"127.0.0.1:{port}"),))
    await asyncio.to_thread(ensure_edge, client, installation, EdgeSpec(Path(edge.files.where()), ports=(port,)))
    with pytest.raises(TargetError, match=f"port {port} is taken by the container {edge_name(installation)}"):
        await asyncio.to_thread(ensure_edge, client, installation + "-b", EdgeSpec(tmp_path, ports=(port,)))
    await asyncio.to_thread(claim, client, Claim(installation, "m1", "bastion-1", "ana", "/srv/cockpit"))
    with pytest.raises(TargetError, match="the edge of the cockpit of ana on bastion-1") as caught:
        await asyncio.to_thread(ensure_edge, client, installation + "-b", EdgeSpec(tmp_path, ports=(port,)))
    assert "ssh ana@bastion-1, then cockpit" in caught.value.hint
    await asyncio.to_thread(remove_records, client, installation)


@pytest.mark.docker
async def test_an_edge_whose_directory_was_removed_under_it_is_mounted_again(
    client: docker.DockerClient, installation: str, edge: CaddyEdge
) -> None:
    spec, routes = EdgeSpec(Path(edge.files.where())), (Route(SHOP, f"127.0.0.1:{free_port()}"),)
    await edge.load(routes)
    await asyncio.to_thread(ensure_edge, client, installation, spec)
    await asyncio.to_thread(shutil.rmtree, edge.files.where())
    assert not await edge.answers()
    await edge.load(routes)
    assert (await asyncio.to_thread(ensure_edge, client, installation, spec)).started
    assert await edge.answers()
    assert not (await asyncio.to_thread(ensure_edge, client, installation, spec)).started


@pytest.mark.docker
async def test_an_edge_that_cannot_start_says_why_and_does_not_stay(
    client: docker.DockerClient, installation: str, edge: CaddyEdge
) -> None:
    await edge.load((Route(SHOP, "192.0.2.1:80"),))
    with pytest.raises(TargetError, match="cannot assign requested address"):
        await asyncio.to_thread(ensure_edge, client, installation, EdgeSpec(Path(edge.files.where())))
    assert client.containers.list(all=True, filters={"name": edge_name(installation)}) == []


@pytest.mark.docker
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
async def test_an_edge_reads_the_directory_of_an_engine_that_is_not_root(
    client: docker.DockerClient, installation: str, edge: CaddyEdge
) -> None:
    port, app = free_port(), await App("one").start()
    await edge.load((Route(SHOP, f"127.0.0.1:{port}"),))
    await edge.point(SHOP, Pointer(5, (app.address,)))
    for path in (Path(edge.files.where()), *edge.files.sockets.rglob("*")):
        os.chown(path, 65534, 65534)
    await asyncio.to_thread(ensure_edge, client, installation, EdgeSpec(Path(edge.files.where())))
    assert (await ask("127.0.0.1", port)).body == "one"
    await app.die()


@pytest.mark.docker
async def test_another_directory_is_never_swapped_in(
    client: docker.DockerClient, installation: str, edge: CaddyEdge, tmp_path: Path
) -> None:
    await edge.load((Route(SHOP, f"127.0.0.1:{free_port()}"),))
    await asyncio.to_thread(ensure_edge, client, installation, EdgeSpec(Path(edge.files.where())))
    with pytest.raises(TargetError, match="uses the directory"):
        await asyncio.to_thread(ensure_edge, client, installation, EdgeSpec(tmp_path))
    assert await edge.answers()


def test_a_listener_is_found_with_its_process_on_either_family() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as four,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as six,
    ):
        ports = (four.getsockname()[1], six.getsockname()[1])
        found = {each.port: each.pid for each in listeners(ports)}
    assert found == dict.fromkeys(ports, os.getpid())


def test_a_connection_is_no_listener() -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with socket.create_connection(("127.0.0.1", server.server_port)) as line:
        own = line.getsockname()[1]
        assert listeners((own,)) == ()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_process_that_may_not_be_looked_into_is_guessed_by_name(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    row = "0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1"
    (tmp_path / "net" / "tcp").write_text(f"head\n{row}\n")
    for pid, name, group in (("1", "systemd", "/"), ("2", "nginx", "/system.slice"), ("3", "caddy", "/docker/c0ffee")):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "comm").write_text(f"{name}\n")
        (tmp_path / pid / "cgroup").write_text(f"0::{group}\n")
    assert listeners((80,), tmp_path) == (Listener(80, "4711", None, "nginx"),)
    (tmp_path / "1" / "comm").write_text("haproxy\n")
    assert listeners((80,), tmp_path) == (Listener(80, "4711", None, ""),)


def test_where_there_is_no_proc_nothing_is_known(tmp_path: Path) -> None:
    assert listeners((80,), tmp_path) == ()


async def _restarted(client: docker.DockerClient, installation: str, before: int) -> bool:
    return await asyncio.to_thread(_pid, client, installation) not in (0, before)


def _pid(client: docker.DockerClient, installation: str) -> int:
    return int(client.api.inspect_container(edge_name(installation))["State"]["Pid"])
