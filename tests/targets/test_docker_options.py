"""Compose's options on the real Docker host: what a process gets of each, and what Docker refuses."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cockpit.errors import TargetError
from cockpit.targets.labels import network_name
from cockpit.targets.orders import Healthcheck, Logging
from tests.targets.rigs import DockerRig, observed, started
from tests.waiting import until

pytestmark = pytest.mark.docker


async def said(rig: DockerRig, script: str, **settings: Any) -> list[str]:
    """The lines of a container with these settings that runs this script to its end."""
    identifier = await started(rig, script, **settings)
    async with asyncio.timeout(20):
        return [line.text async for line in rig.target.logs(identifier, follow=True)]


def inspect(rig: DockerRig, identifier: str) -> dict[str, Any]:
    told: dict[str, Any] = rig.client.api.inspect_container(identifier)
    return told


async def test_extra_hosts_are_found_by_name(docker_rig: DockerRig) -> None:
    assert await said(
        docker_rig,
        "grep -E 'ledger|six|host' /etc/hosts | grep -v -E 'local|ip6'",
        extra_hosts=("ledger:192.0.2.7", "six:2001:db8::7"),
    ) == ["192.0.2.7\tledger", "2001:db8::7\tsix"]


async def test_a_tmpfs_has_the_size_that_was_asked_for(docker_rig: DockerRig) -> None:
    (line,) = await said(docker_rig, "grep ' /scratch ' /proc/mounts", tmpfs=("/scratch:size=3m,mode=1777",))
    assert line.startswith("tmpfs /scratch tmpfs rw")
    assert "size=3072k" in line


async def test_a_read_only_container_writes_only_where_it_may(docker_rig: DockerRig) -> None:
    script = "touch /here 2>/dev/null && echo wrote; touch /run/there && echo there"
    assert await said(docker_rig, script, read_only=True, tmpfs=("/run",)) == ["there"]


async def test_ulimits_are_set_soft_and_hard(docker_rig: DockerRig) -> None:
    script = "ulimit -Sn; ulimit -Hn"
    assert await said(docker_rig, script, ulimits={"nofile": (512, 1024)}) == ["512", "1024"]


@pytest.mark.parametrize(("init", "first"), [(True, "docker-init"), (False, "sh"), (None, "sh")])
async def test_an_init_is_the_first_process_when_it_is_asked_for(
    docker_rig: DockerRig, init: bool | None, first: str
) -> None:
    assert await said(docker_rig, "cat /proc/1/comm; true", init=init) == [first]


async def test_shared_memory_has_its_size(docker_rig: DockerRig) -> None:
    (line,) = await said(docker_rig, "df -m /dev/shm | tail -n 1", shm_size=8 * 2**20)
    assert line.split()[1] == "8"


async def test_capabilities_are_dropped_and_added(docker_rig: DockerRig) -> None:
    script = "grep CapEff /proc/self/status"
    (line,) = await said(docker_rig, script, cap_drop=("ALL",), cap_add=("NET_BIND_SERVICE",))
    assert int(line.split()[1], 16) == 1 << 10


async def test_a_limit_of_processes_holds(docker_rig: DockerRig) -> None:
    assert await said(docker_rig, "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null", pids=7) == [
        "7"
    ]


async def test_logs_go_where_they_are_told_to(docker_rig: DockerRig) -> None:
    logging = Logging("local", {"max-size": "1m"})
    identifier = await started(docker_rig, "echo hello; sleep 1000000", logging=logging)
    assert inspect(docker_rig, identifier)["HostConfig"]["LogConfig"] == {
        "Type": "local",
        "Config": {"max-size": "1m"},
    }

    async def readable() -> bool:
        return [line.text async for line in docker_rig.target.logs(identifier)] == ["hello"]

    await until(readable)


async def test_a_log_that_nobody_keeps_is_said_to_be_unreadable(docker_rig: DockerRig) -> None:
    identifier = await started(docker_rig, "echo hello; sleep 1000000", logging=Logging("none"))
    with pytest.raises(TargetError, match="its logging driver keeps no lines to be read") as raised:
        async for _ in docker_rig.target.logs(identifier):
            pass
    assert raised.value.hint


@pytest.mark.parametrize(("test", "health"), [("true", "healthy"), ("false", "unhealthy")])
async def test_dockers_own_check_is_made_and_seen(docker_rig: DockerRig, test: str, health: str) -> None:
    check = Healthcheck(("CMD-SHELL", test), interval=0.2, timeout=5, retries=1, start_period=0)
    await started(docker_rig, "sleep 1000000", healthcheck=check)
    await observed(docker_rig.target, lambda found: found[0].health == health)


async def test_what_a_check_does_not_say_is_the_images(docker_rig: DockerRig) -> None:
    identifier = await started(docker_rig, "sleep 1000000", healthcheck=Healthcheck(("NONE",)))
    assert inspect(docker_rig, identifier)["Config"]["Healthcheck"] == {"Test": ["NONE"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory of the host with a file in it."""
    (tmp_path / "greeting").write_text("hello\n")
    return tmp_path


async def test_a_directory_of_the_host_is_mounted_and_protected(docker_rig: DockerRig, folder: Path) -> None:
    script = "cat /in/greeting; touch /in/new 2>/dev/null || echo protected; touch /out/new"
    volumes = (f"{folder}:/in:ro", f"{folder}:/out")
    assert await said(docker_rig, script, volumes=volumes) == ["hello", "protected"]
    assert (folder / "new").exists()


async def test_a_relabelled_directory_and_an_anonymous_volume_are_mounted(docker_rig: DockerRig, folder: Path) -> None:
    identifier = await started(docker_rig, "sleep 1000000", volumes=(f"{folder}:/in:ro,z", "/scratch"))
    mounted = {each["Destination"]: each for each in inspect(docker_rig, identifier)["Mounts"]}
    assert (mounted["/in"]["Source"], mounted["/in"]["RW"]) == (str(folder), False)
    assert mounted["/scratch"]["Type"] == "volume"


async def test_a_relabelled_path_that_is_not_there_is_refused_and_not_made(docker_rig: DockerRig, folder: Path) -> None:
    with pytest.raises(TargetError, match="a path of `volumes` is not on the host"):
        await started(docker_rig, "sleep 1", volumes=(f"{folder}/nothing:/in:z",))
    assert not (folder / "nothing").exists()
    assert await docker_rig.target.observe() == ()


async def test_names_of_all_joined_networks_are_found(docker_rig: DockerRig) -> None:
    """The cockpit's network, where a container has its fixed address, must not hide the others' names."""
    networks = (docker_rig.network(), docker_rig.network())
    names = [f"{network}-db" for network in networks]
    neighbours = [
        docker_rig.client.containers.run(
            docker_rig.image, ["sleep", "1000000"], name=name, network=network, detach=True
        )
        for name, network in zip(names, networks, strict=True)
    ]
    try:
        asks = "; ".join(f"ping -c 1 -W 5 {name} >/dev/null && echo {name}" for name in names)
        assert await said(docker_rig, asks, networks=networks) == names
    finally:
        for each in neighbours:
            each.remove(force=True)


async def test_a_replica_keeps_its_fixed_address_beside_the_networks_it_joins(docker_rig: DockerRig) -> None:
    subnet = await docker_rig.target.prepare()
    network = docker_rig.network()
    identifier = await started(docker_rig, "sleep 1000000", networks=(network,))
    joined = inspect(docker_rig, identifier)["NetworkSettings"]["Networks"]
    own = network_name(docker_rig.target.installation)
    assert set(joined) == {own, network}
    assert joined[own]["IPAddress"] == subnet.addresses(0, 1)[0]


async def test_a_stopped_release_comes_back_although_its_network_was_made_anew(docker_rig: DockerRig) -> None:
    """`docker compose down` and `up` do that."""
    network = docker_rig.network()
    order = docker_rig.order()
    order = replace(order, spec=replace(order.spec, networks=(network,)))
    (first,) = await docker_rig.target.start(order)
    await docker_rig.target.stop(order.key, 1, grace=1, remove=False)
    docker_rig.client.networks.get(network).remove()
    docker_rig.client.networks.create(network)
    (again,) = await docker_rig.target.start(order)
    assert (again.name, again.address, again.running) == (first.name, first.address, True)


async def test_a_stopped_release_whose_networks_are_the_same_is_the_same_container_again(docker_rig: DockerRig) -> None:
    order = docker_rig.order()
    order = replace(order, spec=replace(order.spec, networks=(docker_rig.network(),)))
    (first,) = await docker_rig.target.start(order)
    await docker_rig.target.stop(order.key, 1, grace=1, remove=False)
    assert [each.id for each in await docker_rig.target.start(order)] == [first.id]


async def test_two_networks_of_one_name_are_told_instead_of_guessed_at(docker_rig: DockerRig) -> None:
    network = docker_rig.network()
    twin = docker_rig.client.networks.create(network, check_duplicate=False)
    try:
        with pytest.raises(TargetError, match=f"2 networks of the host are called {network}"):
            await started(docker_rig, "sleep 1", networks=(network,))
    finally:
        twin.remove()


async def test_the_host_tells_its_architecture_in_gos_words(docker_rig: DockerRig) -> None:
    told = docker_rig.client.version()
    info = await docker_rig.target.ping()
    assert (info.architecture, info.os) == (told["Arch"], told["Os"])


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown log option": ({"logging": Logging("json-file", {"nope": "1"})}, "it cannot log as `logging` says"),
    "a soft limit above the hard one": ({"ulimits": {"nofile": (9, 8)}}, "the host refuses one of its ulimits"),
    "an unknown ulimit": ({"ulimits": {"nope": (1, 1)}}, "the host refuses one of its ulimits"),
    "an unlimited ulimit": ({"ulimits": {"nofile": (2**31, 2**31)}}, "the host refuses one of its ulimits"),
    "an unknown capability": ({"cap_add": ("NOPE",)}, "a capability is none"),
    "a bad extra host": ({"extra_hosts": ("ledger",)}, "an extra host is none"),
    "a bad tmpfs": ({"tmpfs": ("/x:nope=1",)}, "a tmpfs cannot be mounted"),
    "a relative tmpfs": ({"tmpfs": ("x",)}, "cannot be mounted"),
    "a bad signal": ({"stop_signal": "NOPE"}, "its stop signal is none"),
    "the host's network": ({"networks": ("host",)}, "a network cannot be joined"),
    "a path that is a file": ({"volumes": ("/etc/hostname:/etc",)}, "a volume cannot be mounted"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_a_refused_option_is_said_in_words_and_leaves_nothing(docker_rig: DockerRig, what: str) -> None:
    await is_refused(docker_rig, *REFUSED[what])


@pytest.mark.slow  # Docker looks for a plug-in of that name for 15 s
async def test_an_unknown_log_driver_is_said_in_words_and_leaves_nothing(docker_rig: DockerRig) -> None:
    await is_refused(docker_rig, {"logging": Logging("nope")}, "it cannot log as `logging` says")


async def is_refused(docker_rig: DockerRig, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(TargetError, match=f"Docker refused to start shop/production r1: .*{words}") as raised:
        await started(docker_rig, "sleep 1", **settings)
    assert raised.value.hint
    assert await docker_rig.target.observe() == ()
