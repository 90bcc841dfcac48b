"""Migrations on the real Docker host: how they are stopped, what cannot be run, who else may interfere."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cockpit.errors import TargetError
from cockpit.targets.base import RawLine
from cockpit.targets.labels import network_name, one_off_name
from cockpit.targets.orders import Healthcheck, Logging, RunOrder
from tests.fakes.one_offs import Migration
from tests.targets.rigs import KEY, DockerRig, run_order
from tests.waiting import until

pytestmark = pytest.mark.docker


def running(rig: DockerRig, script: str, **settings: Any) -> RunOrder:
    order = run_order(image=rig.image, command=("sh", "-c", script))
    return replace(order, spec=replace(order.spec, **settings))


async def output(rig: DockerRig, order: RunOrder) -> list[str]:
    lines: list[RawLine] = []
    assert await rig.target.run(order, lines.append) == 0
    return [line.text for line in lines]


async def begun(rig: DockerRig, order: RunOrder) -> asyncio.Task[int]:
    lines: list[RawLine] = []
    task = asyncio.ensure_future(rig.target.run(order, lines.append))
    await until(lambda: bool(lines) or task.done())
    return task


async def cancelled(task: asyncio.Task[int]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_migration_has_the_settings_of_its_release_and_its_networks(
    docker_rig: DockerRig, tmp_path: Path
) -> None:
    network = docker_rig.network()
    neighbour = docker_rig.client.containers.run(
        docker_rig.image, ["sleep", "1000000"], name=f"{network}-db", network=network, detach=True
    )
    tmp_path.chmod(0o755)
    tmp_path.joinpath("schema").write_text("v2\n")
    order = running(
        docker_rig,
        f'echo "$COCKPIT_RELEASE $(id -u) $(pwd)"; cat /in/schema; nslookup {network}-db >/dev/null && echo found',
        user="app",
        working_dir="/tmp",
        networks=(network,),
        volumes=(f"{tmp_path}:/in:ro",),
    )
    try:
        assert await output(docker_rig, order) == ["r1 1000 /tmp", "v2", "found"]
    finally:
        neighbour.remove(force=True)


async def test_a_migration_has_nothing_that_is_meant_for_what_serves(docker_rig: DockerRig) -> None:
    order = running(
        docker_rig,
        "echo readable",
        labels={"traefik.enable": "true"},
        logging=Logging("none"),
        healthcheck=Healthcheck(("CMD", "true")),
        stop_signal="SIGUSR1",
    )
    assert await output(docker_rig, order) == ["readable"]
    (seen,) = await docker_rig.target.one_offs(KEY, 1)
    told = docker_rig.client.api.inspect_container(seen.id)
    assert "traefik.enable" not in told["Config"]["Labels"]
    assert told["Config"]["StopSignal"] == "SIGTERM"
    assert told["Config"]["Healthcheck"] == {"Test": ["NONE"]}
    assert told["HostConfig"]["RestartPolicy"]["Name"] == "no"


async def test_a_migration_that_is_cancelled_may_undo_what_it_has_begun(docker_rig: DockerRig, tmp_path: Path) -> None:
    script = "trap 'sleep 0.3; echo undone >/out/what; exit 1' TERM; echo begun; sleep 1000000 & wait"
    await cancelled(await begun(docker_rig, running(docker_rig, script, volumes=(f"{tmp_path}:/out",))))
    assert (tmp_path / "what").read_text() == "undone\n"
    assert await docker_rig.target.one_offs(KEY, 1) == ()


async def test_a_migration_that_does_not_listen_is_killed_after_its_grace(docker_rig: DockerRig) -> None:
    task = await begun(docker_rig, running(docker_rig, "trap '' TERM; echo begun; while true; do sleep 0.1; done"))
    before = time.monotonic()
    await cancelled(task)
    assert 5 <= time.monotonic() - before < 15
    assert await docker_rig.target.one_offs(KEY, 1) == ()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("\x7fELF\x02\x01\x01 another machine's", "it is no program for this host"),
        ("echo no first line", "it is no program for this host"),
        ("#!/bin/bash\necho hello", "the file, or what its first line names, is not in the image"),
    ],
)
async def test_a_file_that_cannot_be_run_is_told_from_a_migration_that_failed(
    docker_rig: DockerRig, tmp_path: Path, script: str, words: str
) -> None:
    file = tmp_path / "migrate"
    file.write_text(script)
    file.chmod(0o755)
    order = running(docker_rig, "")
    order = replace(order, spec=replace(order.spec, command=("/app/migrate",), volumes=(f"{tmp_path}:/app",)))
    with pytest.raises(TargetError, match=f"the migration of shop/production r1 cannot be run: {words}") as raised:
        await output(docker_rig, order)
    assert raised.value.hint


async def test_a_child_that_memory_killed_does_not_fail_a_migration_that_came_through(docker_rig: DockerRig) -> None:
    script = "for n in 1 2 3 4 5 6 7 8; do tail /dev/zero; done; echo went on"
    assert (await output(docker_rig, running(docker_rig, script, memory=16 * 2**20)))[-1] == "went on"
    (seen,) = await docker_rig.target.one_offs(KEY, 1)
    assert (seen.exit_code, seen.oom_killed) == (0, True)


async def test_a_migration_that_somebody_removes_is_told_as_that(docker_rig: DockerRig) -> None:
    task = await begun(docker_rig, docker_rig.migration(1, Migration(exits=None, lines=(("out", "begun"),))))
    (seen,) = await docker_rig.target.one_offs(KEY, 1)
    docker_rig.client.api.remove_container(seen.id, force=True)
    with pytest.raises(TargetError, match="its container was removed while it ran"):
        await task


async def test_the_name_of_a_migration_may_be_taken_by_a_stranger(docker_rig: DockerRig) -> None:
    name = one_off_name(docker_rig.target.installation, KEY, 1, 1)
    docker_rig.take_name(name)
    with pytest.raises(TargetError, match=f"the name {name} is taken by container .* no cockpit"):
        await output(docker_rig, docker_rig.migration())
    assert docker_rig.has_foreign(name)


async def test_a_migration_whose_cockpit_network_vanished_runs_at_the_next_attempt(docker_rig: DockerRig) -> None:
    await docker_rig.target.prepare()
    docker_rig.client.api.remove_network(network_name(docker_rig.target.installation))
    with pytest.raises(TargetError, match="the cockpit's network is gone"):
        await output(docker_rig, docker_rig.migration())
    assert await docker_rig.target.one_offs(KEY, 1) == ()
    assert await output(docker_rig, docker_rig.migration()) == []
