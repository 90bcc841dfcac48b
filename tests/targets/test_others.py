"""What else runs on the host: listed, and its logs, on both hosts; and the pure reading of Docker's list."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cockpit.targets.others import others, published
from tests.targets.rigs import DockerRig, Rig
from tests.waiting import until
from tests.world import fresh_installation


async def test_a_container_of_somebody_else_is_listed_and_ours_are_not(rig: Rig) -> None:
    name = f"{fresh_installation()}-postgres"
    rig.take_name(name)
    await rig.target.start(rig.order())
    await rig.target.run(rig.migration(), lambda line: None)
    found = {each.name: each for each in await rig.target.others()}
    assert (found[name].state, found[name].status.split()[0]) == ("running", "Up")
    assert not [each for each in found if rig.target.installation in each]


@pytest.mark.docker
async def test_another_installation_is_listed_and_its_log_can_be_read(docker_rig: DockerRig) -> None:
    neighbour = docker_rig.neighbour()
    order = docker_rig.order()
    order = replace(order, spec=replace(order.spec, command=("sh", "-c", "echo theirs; sleep 1000000")))
    (theirs,) = await neighbour.start(order)
    (seen,) = [each for each in await docker_rig.target.others() if each.id == theirs.id]
    assert seen.name == theirs.name
    assert seen.image == docker_rig.image

    async def says_so() -> bool:
        return [line.text async for line in docker_rig.target.logs(seen.id)] == ["theirs"]

    await until(says_so)
    await neighbour.close()


@pytest.mark.docker
async def test_a_container_of_compose_tells_its_project_and_its_published_ports(docker_rig: DockerRig) -> None:
    name = f"{fresh_installation()}-db"
    made = docker_rig.client.containers.run(
        docker_rig.image,
        name=name,
        detach=True,
        labels={"com.docker.compose.project": "old\x1b[31mshop", "com.docker.compose.service": "db"},
        ports={"5432/tcp": ("127.0.0.1", 0)},
    )
    try:
        (seen,) = [each for each in await docker_rig.target.others() if each.name == name]
        (mapping,) = docker_rig.client.api.port(str(made.id), 5432)
        assert (seen.project, seen.service) == ("oldshop", "db")
        assert seen.ports == (f"127.0.0.1:{mapping['HostPort']}->5432/tcp",)
        assert seen.created_at is not None
    finally:
        made.remove(force=True)


@pytest.mark.docker
async def test_the_log_of_a_container_with_a_terminal_has_its_lines(docker_rig: DockerRig) -> None:
    made = docker_rig.client.containers.run(
        docker_rig.image, ["sh", "-c", "echo one; echo two >&2; printf last"], tty=True, detach=True
    )
    try:
        made.wait()
        lines = [line async for line in docker_rig.target.logs(str(made.id))]
        assert [(line.stream, line.text) for line in lines] == [("out", "one"), ("out", "two"), ("out", "last")]
        assert all(line.at > 1_700_000_000 for line in lines)
    finally:
        made.remove(force=True)


def listed(name: str, **told: Any) -> dict[str, Any]:
    return {"Id": name, "Names": [f"/{name}"], "Image": "i", "State": "running", "Status": "Up 1 second", **told}


def test_a_project_stands_together_and_the_rest_comes_after_it() -> None:
    compose = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
    found = others([listed("a"), listed("z", Labels=compose), listed("b", Labels=None)], "main")
    assert [(each.project, each.name) for each in found] == [("shop", "z"), ("", "a"), ("", "b")]


def test_a_link_is_no_name() -> None:
    (seen,) = others([listed("x", Names=["/a/db", "/shop-db-1"])], "main")
    assert seen.name == "shop-db-1"


def test_a_container_without_a_name_or_anything_else_is_listed_too() -> None:
    (seen,) = others([{"Id": "1", "Names": None}], "main")
    assert (seen.id, seen.name, seen.ports, seen.created_at) == ("1", "", (), None)


def test_a_port_is_told_once_and_with_its_address_when_it_is_not_for_all() -> None:
    def port(address: str, outside: int | None, kind: str = "tcp") -> dict[str, Any]:
        return {"IP": address, "PublicPort": outside, "PrivatePort": 80, "Type": kind}

    ports = [port("0.0.0.0", 8080), port("::", 8080), port("127.0.0.1", 8100), port("::1", 8100), port("", None)]
    assert published(ports) == ("127.0.0.1:8100->80/tcp", "8080->80/tcp", "[::1]:8100->80/tcp")
    assert published([port("0.0.0.0", 53, "udp")]) == ("53->80/udp",)
