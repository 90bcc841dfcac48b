"""What a host remembers for an engine that lost its own memory, the real one and the one in memory alike."""

from __future__ import annotations

from dataclasses import replace

import docker
import pytest

from cockpit.model import PlacementKey
from cockpit.targets.base import Claim, Remembered
from tests.targets.rigs import KEY, DockerRig, Rig

OTHER = PlacementKey("shop", "staging")
MINE = Claim("", "m1", "bastion-1", "ana", "/srv/cockpit")


async def test_a_release_is_remembered_until_it_is_forgotten_whatever_becomes_of_its_containers(rig: Rig) -> None:
    await rig.target.start(rig.order(2))
    for key, number in ((KEY, 2), (OTHER, 2), (KEY, 10)):
        await rig.target.remember(key, number, f'{{"of": "{key} r{number}", "who": "Åse 🛒"}}')
    await rig.target.stop(KEY, 2, grace=1, remove=True)
    found = await rig.target.remembered()
    assert [(each.key, each.release) for each in found] == [(KEY, 2), (KEY, 10), (OTHER, 2)]
    assert found[0].text == '{"of": "shop/production r2", "who": "Åse 🛒"}'
    for _ in range(2):
        await rig.target.forget(KEY, 2)
    assert [(each.key, each.release) for each in await rig.target.remembered()] == [(KEY, 10), (OTHER, 2)]


async def test_what_is_remembered_last_counts(rig: Rig) -> None:
    for text in ("one", "two", "two", "one"):
        await rig.target.remember(KEY, 1, text)
        assert await rig.target.remembered() == (Remembered(KEY, 1, text),)


async def test_an_installation_remembers_nothing_of_its_neighbours(rig: Rig) -> None:
    neighbour = rig.neighbour()
    await rig.target.remember(KEY, 1, "ours")
    assert await neighbour.remembered() == ()
    await neighbour.forget(KEY, 1)
    assert len(await rig.target.remembered()) == 1
    await neighbour.close()


async def test_a_host_says_whose_each_installation_is(rig: Rig) -> None:
    mine, neighbour = replace(MINE, installation=rig.target.installation), rig.neighbour()
    await rig.target.remember(OTHER, 1, "…")
    await rig.target.claim(mine)
    await neighbour.claim(replace(MINE, installation=neighbour.installation, bastion="bastion-2"))
    moved = replace(mine, machine="m2", user="tom")
    await rig.target.claim(moved)
    found = {each.installation: each for each in await rig.target.claims()}
    assert found[rig.target.installation] == replace(moved, placements=frozenset({OTHER}))
    assert found[neighbour.installation].bastion == "bastion-2"
    await neighbour.close()


@pytest.mark.docker
async def test_of_two_texts_that_a_crash_left_the_newer_counts_and_the_next_one_clears_both(
    docker_rig: DockerRig,
) -> None:
    api = docker.from_env().api
    await docker_rig.target.remember(KEY, 1, "old")
    (old,) = api.volumes(filters={"label": f"deploy-cockpit.installation={docker_rig.target.installation}"})["Volumes"]
    await docker_rig.target.remember(KEY, 1, "new")
    api.create_volume(old["Name"], labels=old["Labels"])
    assert [each.text for each in await docker_rig.target.remembered()] == ["new"]
    await docker_rig.target.remember(KEY, 1, "newest")
    await docker_rig.target.forget(KEY, 1)
    assert await docker_rig.target.remembered() == ()
    api.close()


@pytest.mark.docker
async def test_removing_an_installation_leaves_no_record_of_it(docker_rig: DockerRig) -> None:
    target = docker_rig.target
    await target.remember(KEY, 1, "…")
    await target.claim(replace(MINE, installation=target.installation))
    await target.remove_all()
    assert await target.remembered() == ()
    assert target.installation not in {each.installation for each in await target.claims()}
