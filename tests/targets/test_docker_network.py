"""The network on the real Docker host: races, overlaps, strangers."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Network

import pytest

from cockpit.clock import SystemClock
from cockpit.errors import TargetError
from cockpit.targets.docker import DockerTarget
from cockpit.targets.labels import network_name
from tests.targets.rigs import DockerRig
from tests.world import fresh_installation

pytestmark = pytest.mark.docker


async def test_two_engines_that_prepare_at_once_get_one_network(docker_rig: DockerRig) -> None:
    installation = docker_rig.target.installation
    twin = DockerTarget("local", installation, subnet=None, clock=SystemClock())
    subnets = await asyncio.gather(*(target.prepare() for target in (docker_rig.target, twin) for _ in range(3)))
    await twin.close()
    assert len(set(subnets)) == 1
    assert len(docker_rig.client.api.networks(names=[network_name(installation)])) == 1


async def test_two_installations_on_a_host_get_subnets_of_their_own(docker_rig: DockerRig) -> None:
    other = docker_rig.neighbour()
    mine, theirs = await asyncio.gather(docker_rig.target.prepare(), other.prepare())
    await other.close()
    assert not IPv4Network(mine.cidr).overlaps(IPv4Network(theirs.cidr))


async def test_a_subnet_that_overlaps_another_network_is_refused_by_its_name(docker_rig: DockerRig) -> None:
    mine = await docker_rig.target.prepare()
    other = DockerTarget("local", fresh_installation(), subnet=mine.cidr, clock=SystemClock())
    with pytest.raises(
        TargetError, match=f"overlaps the Docker network {network_name(docker_rig.target.installation)}"
    ):
        await other.prepare()
    await other.close()


async def test_a_network_of_somebody_else_with_our_name_is_left_alone(docker_rig: DockerRig) -> None:
    name = network_name(docker_rig.target.installation)
    theirs = docker_rig.client.networks.create(name)
    try:
        with pytest.raises(TargetError, match=f"the network {name} is not the cockpit's"):
            await docker_rig.target.prepare()
        assert docker_rig.client.networks.get(str(theirs.id)).name == name
    finally:
        theirs.remove()


async def test_a_network_that_vanished_is_made_again_at_the_next_start(docker_rig: DockerRig) -> None:
    await docker_rig.target.prepare()
    docker_rig.client.api.remove_network(network_name(docker_rig.target.installation))
    with pytest.raises(TargetError, match="the cockpit's network is gone"):
        await docker_rig.target.start(docker_rig.order())
    assert len(await docker_rig.target.start(docker_rig.order())) == 1
