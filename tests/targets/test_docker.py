"""Releases on the real Docker host: what they are given, how they die, what is removed with them."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

import pytest

from cockpit.clock import SystemClock
from cockpit.errors import TargetDown, TargetError
from cockpit.targets import docker as docker_target
from cockpit.targets.base import ContainerState, Standing
from cockpit.targets.daemon import QUICK_THREADS
from cockpit.targets.docker import DockerTarget
from cockpit.targets.labels import network_name
from cockpit.targets.replicas import Replica, Started, start_replica
from tests.fakes.target import Program
from tests.targets.rigs import KEY, WANTS_MEMORY, DockerRig, observed, started
from tests.world import fresh_installation

if TYPE_CHECKING:
    from docker import DockerClient

pytestmark = pytest.mark.docker


async def test_a_release_gets_its_frozen_configuration(docker_rig: DockerRig) -> None:
    identifier = await started(
        docker_rig,
        'echo "$COCKPIT_RELEASE $(id -u) $(pwd)"; sleep 1000000',
        user="app",
        working_dir="/tmp",
        cpus=0.5,
        memory=32 * 2**20,
        labels={"team": "shop", "deploy-cockpit.release": "99"},
        volumes=(f"{docker_rig.target.installation}:/data:ro",),
        stop_signal="SIGUSR1",
        stop_grace=2.5,
    )
    told = docker_rig.client.api.inspect_container(identifier)
    host, config = told["HostConfig"], told["Config"]
    docker_rig.client.api.remove_container(identifier, force=True)
    docker_rig.client.volumes.get(docker_rig.target.installation).remove()
    assert (host["NanoCpus"], host["Memory"], host["RestartPolicy"]["Name"]) == (500_000_000, 32 * 2**20, "no")
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "20m"}}
    assert (config["StopSignal"], config["StopTimeout"]) == ("SIGUSR1", 3)
    assert (config["Labels"]["team"], config["Labels"]["deploy-cockpit.release"]) == ("shop", "1")
    assert told["Mounts"][0]["Destination"] == "/data"
    assert not told["Mounts"][0]["RW"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"user": "nobody-here"}, "its user does not exist in the image"),
        ({"cpus": 10_000.0}, "the host cannot give it these limits"),
        ({"memory": 1_000_000}, "the host cannot give it these limits"),
        ({"volumes": ("bad name!:/data",)}, "a volume cannot be mounted"),
        ({"entrypoint": ("/nope",)}, "its command cannot be run"),
    ],
)
async def test_what_docker_refuses_is_said_in_words_with_a_hint(
    docker_rig: DockerRig, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(TargetError, match=f"start shop/production r1: {words}") as raised:
        await started(docker_rig, "sleep 1", **settings)
    assert raised.value.hint
    assert await docker_rig.target.observe() == ()


async def test_an_oom_kill_is_seen_as_one(docker_rig: DockerRig) -> None:
    """On a busy host Docker hears of the exit first and of its cause a moment later."""
    await started(docker_rig, WANTS_MEMORY, memory=16 * 2**20)
    (seen,) = await observed(docker_rig.target, lambda found: found[0].oom_killed)
    assert (seen.running, seen.exit_code) == (False, 137)


async def test_a_process_that_ignores_sigterm_is_killed_after_its_grace(docker_rig: DockerRig) -> None:
    await started(docker_rig, "trap '' TERM; while true; do sleep 0.1; done")
    before = time.monotonic()
    await docker_rig.target.stop(KEY, 1, grace=1, remove=False)
    assert 1 <= time.monotonic() - before < 5
    assert [each.exit_code for each in await docker_rig.target.observe()] == [137]


async def test_an_address_stays_with_its_container_over_a_crash_and_docker_gives_it_to_nobody(
    docker_rig: DockerRig,
) -> None:
    subnet = await docker_rig.target.prepare()
    (made,) = await docker_rig.target.start(docker_rig.order(program=Program(exits=1, after=1.0)))
    await docker_rig.target.activate(KEY, 1, Standing.LIVE)
    stranger = docker_rig.client.containers.run(
        docker_rig.image, detach=True, remove=True, network=network_name(docker_rig.target.installation)
    )
    try:
        (seen,) = await observed(docker_rig.target, lambda found: found[0].restarts >= 1 and found[0].running)
        assert _address(docker_rig, seen.id) == made.address == subnet.addresses(0, 1)[0]
        assert IPv4Address(_address(docker_rig, str(stranger.id))) in IPv4Network(subnet.docker_part)
    finally:
        stranger.remove(force=True)


def _address(rig: DockerRig, identifier: str) -> str:
    networks = rig.client.api.inspect_container(identifier)["NetworkSettings"]["Networks"]
    return str(networks[network_name(rig.target.installation)]["IPAddress"])


async def test_a_second_cancellation_does_not_keep_a_start_from_being_taken_back(
    docker_rig: DockerRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_runs, go_on = threading.Event(), threading.Event()

    def slow_for_the_second(client: DockerClient, replica: Replica) -> Started:
        started = start_replica(client, replica)
        first_runs.set() if replica.index == 1 else go_on.wait(10)
        return started

    monkeypatch.setattr(docker_target, "start_replica", slow_for_the_second)
    task = asyncio.ensure_future(docker_rig.target.start(docker_rig.order(replicas=2)))
    assert await asyncio.to_thread(first_runs.wait, 10)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0.05)
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    await observed(docker_rig.target, lambda found: found == ())


async def test_a_stopped_release_does_not_come_back_with_the_host(docker_rig: DockerRig) -> None:
    (container,) = await docker_rig.target.start(docker_rig.order())
    await docker_rig.target.activate(KEY, 1, Standing.LIVE)
    assert _restart_policy(docker_rig, container.id) == "always"
    await docker_rig.target.stop(KEY, 1, grace=2, remove=False)
    assert _restart_policy(docker_rig, container.id) == "no"


def _restart_policy(rig: DockerRig, identifier: str) -> str:
    return str(rig.client.api.inspect_container(identifier)["HostConfig"]["RestartPolicy"]["Name"])


async def test_a_container_left_by_a_dead_engine_is_taken_up_by_the_same_operation(docker_rig: DockerRig) -> None:
    (first,) = await docker_rig.target.start(docker_rig.order())
    docker_rig.client.api.kill(first.id)
    successor = DockerTarget("local", docker_rig.target.installation, subnet=None, clock=SystemClock())
    (again,) = await successor.start(docker_rig.order())
    await successor.close()
    assert (again.id, again.running) == (first.id, True)


async def test_what_runs_at_another_address_of_its_slot_is_refused_and_not_moved(docker_rig: DockerRig) -> None:
    (here,) = await docker_rig.target.start(docker_rig.order())
    with pytest.raises(TargetError, match="runs already, at"):
        await docker_rig.target.start(replace(docker_rig.order(), first=1))
    assert [(each.id, each.state) for each in await docker_rig.target.observe()] == [(here.id, ContainerState.RUNNING)]


async def test_a_container_is_found_by_its_labels_when_somebody_renamed_it(docker_rig: DockerRig) -> None:
    (first,) = await docker_rig.target.start(docker_rig.order())
    docker_rig.client.api.rename(first.id, f"{first.name}-old")
    (again,) = await docker_rig.target.start(docker_rig.order())
    assert (again.id, again.name) == (first.id, f"{first.name}-old")


async def test_a_line_that_is_lost_in_a_start_leaves_nothing_that_the_next_start_does_not_take_up(
    docker_rig: DockerRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with docker_rig.breakable() as (target, cut):

        def lost_after_the_first(client: DockerClient, replica: Replica) -> Started:
            if replica.index > 4:
                gone.wait(10)
            started = start_replica(client, replica)
            loop.call_soon_threadsafe(lose)
            return started

        def lose() -> None:
            cut()
            gone.set()

        loop, gone = asyncio.get_running_loop(), threading.Event()
        await target.prepare()
        monkeypatch.setattr(docker_target, "start_replica", lost_after_the_first)
        with pytest.raises(TargetDown, match="Docker does not answer"):
            await target.start(docker_rig.order(replicas=8))
    monkeypatch.undo()
    left = {each.id for each in await docker_rig.target.observe()}
    again = await docker_rig.target.start(docker_rig.order(replicas=8))
    assert left
    assert [each.running for each in again] == [True] * 8
    assert left <= {each.id for each in again}
    assert await docker_rig.target.observe() == again


async def test_removing_an_installation_removes_all_of_it_and_nothing_else(docker_rig: DockerRig) -> None:
    neighbour, stranger = docker_rig.neighbour(), f"{docker_rig.target.installation}-stranger"
    docker_rig.take_name(stranger)
    image, _ = docker_rig.images()
    await docker_rig.target.start(docker_rig.order(replicas=2))
    await neighbour.start(docker_rig.order())
    await docker_rig.target.remove_all()
    assert await docker_rig.target.observe() == ()
    assert not docker_rig.client.api.networks(names=[network_name(docker_rig.target.installation)])
    assert not await docker_rig.target.has_image(image)
    assert len(await neighbour.observe()) == 1
    assert docker_rig.has_foreign(stranger)
    await docker_rig.target.remove_all()
    await neighbour.close()


async def test_an_image_that_this_installation_did_not_build_is_left_alone(docker_rig: DockerRig) -> None:
    theirs = docker_rig.build("theirs", fresh_installation())
    await docker_rig.target.remove_image(theirs)
    assert await docker_rig.target.has_image(theirs)


async def test_an_image_in_use_keeps_all_its_names_and_an_unused_one_loses_all(docker_rig: DockerRig) -> None:
    first = docker_rig.build("first", docker_rig.target.installation)
    second = f"{docker_rig.target.installation}:second"
    docker_rig.client.images.get(first).tag(second)
    plain = docker_rig.order()
    await docker_rig.target.start(replace(plain, spec=replace(plain.spec, image=first)))
    await docker_rig.target.remove_image(first)
    assert [await docker_rig.target.has_image(name) for name in (first, second)] == [True, True]
    await docker_rig.target.stop(KEY, 1, grace=0, remove=True)
    await docker_rig.target.remove_image(first)
    assert [await docker_rig.target.has_image(name) for name in (first, second)] == [False, False]


async def test_however_much_is_asked_a_thread_keeps_one_connection_to_docker(docker_rig: DockerRig) -> None:
    await docker_rig.target.ping()
    before = _sockets()
    for number in range(200):
        await docker_rig.target.has_image(f"none:{number}")
    assert _sockets() - before <= QUICK_THREADS


def _sockets() -> int:
    """Open ones of this process; a descriptor that was closed meanwhile is none."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
    return found
