"""Frozen options as Docker's arguments, names and labels: the pure part."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cockpit.json_form import decode, encode
from cockpit.model import PlacementKey
from cockpit.targets.host_info import architecture
from cockpit.targets.labels import INDEX, PROCESS, ROLE, SLOT, container_name, is_replica, one_off_name, slot_name
from cockpit.targets.options import LOGS, health_arguments, host_arguments
from cockpit.targets.orders import ContainerSpec, Healthcheck, HealthSpec, Logging, SecretSource
from cockpit.targets.replicas import replica_addresses
from cockpit.targets.streams import Terminal
from cockpit.targets.subnet import Subnet
from cockpit.targets.volumes import binds, mounts
from tests.targets.rigs import KEY, order

ALL = ContainerSpec(
    image="sha256:1",
    port=8000,
    replicas=3,
    command=("serve",),
    entrypoint=("/entry",),
    user="app",
    working_dir="/app",
    environment={"A": "1"},
    secrets={"KEY": SecretSource(file="/run/key", fingerprint="f")},
    volumes=("data:/data",),
    cpus=0.5,
    memory=2**26,
    labels={"team": "shop"},
    stop_signal="SIGQUIT",
    stop_grace=5.0,
    drain=6.0,
    health=HealthSpec("/ready"),
    hosts=("shop.example",),
    networks=("front", "back"),
    extra_hosts=("ledger:192.0.2.7",),
    tmpfs=("/run",),
    ulimits={"nofile": (1024, 2048), "memlock": (-1, -1)},
    read_only=True,
    init=False,
    shm_size=2**20,
    cap_add=("NET_BIND_SERVICE",),
    cap_drop=("ALL",),
    pids=100,
    logging=Logging("journald", {"tag": "shop"}),
    healthcheck=Healthcheck(("CMD", "true"), 1.5, 2.0, 3, 4.0),
    replace="recreate",
    env_files=("/etc/shop.env",),
)


def test_a_spec_with_all_options_is_the_same_after_it_was_written_and_read() -> None:
    assert decode(ContainerSpec, json.loads(json.dumps(encode(ALL)))) == ALL


def test_a_spec_that_was_written_before_there_were_such_options_is_read_with_none_of_them() -> None:
    plain = ContainerSpec("sha256:1", port=8000)
    assert decode(ContainerSpec, {"image": "sha256:1", "port": 8000}) == plain
    given = host_arguments(plain, "net", LOGS)
    assert {name for name, value in given.items() if value not in (None, False)} == {
        "network_mode",
        "restart_policy",
        "log_config",
    }


def test_each_option_becomes_dockers_argument() -> None:
    given = host_arguments(ALL, "net", Logging("journald", {"tag": "shop"}))
    assert given == {
        "network_mode": "net",
        "mounts": [{"Type": "volume", "Source": "data", "Target": "/data", "ReadOnly": False}],
        "binds": None,
        "tmpfs": ["/run"],
        "nano_cpus": 500_000_000,
        "mem_limit": 2**26,
        "pids_limit": 100,
        "shm_size": 2**20,
        "ulimits": [
            {"Name": "nofile", "Soft": 1024, "Hard": 2048},
            {"Name": "memlock", "Soft": -1, "Hard": -1},
        ],
        "extra_hosts": ["ledger:192.0.2.7"],
        "read_only": True,
        "init": False,
        "cap_add": ["NET_BIND_SERVICE"],
        "cap_drop": ["ALL"],
        "restart_policy": {"Name": "no"},
        "log_config": {"Type": "journald", "Config": {"tag": "shop"}},
    }


def test_a_check_is_told_in_nanoseconds_and_only_where_it_says_something() -> None:
    assert health_arguments(ALL.healthcheck) == {
        "Test": ["CMD", "true"],
        "Interval": 1_500_000_000,
        "Timeout": 2_000_000_000,
        "Retries": 3,
        "StartPeriod": 4_000_000_000,
    }
    assert health_arguments(Healthcheck(interval=1.0)) == {"Interval": 1_000_000_000}
    assert health_arguments(None) is None


def bind(**told: Any) -> dict[str, Any]:
    return {"Type": "bind", "Source": "/host", "Target": "/in", "ReadOnly": False} | told


@pytest.mark.parametrize(
    ("volume", "mount"),
    [
        ("data:/in", bind(Type="volume", Source="data")),
        ("data:/in:ro", bind(Type="volume", Source="data", ReadOnly=True)),
        ("data:/in:ro,nocopy", bind(Type="volume", Source="data", ReadOnly=True, VolumeOptions={"NoCopy": True})),
        ("/host:/in", bind()),
        ("/host:/in:rw", bind()),
        ("/host:/in:ro", bind(ReadOnly=True)),
        ("/host:/in:rslave", bind(BindOptions={"Propagation": "rslave"})),
        ("/host:/in:ro,cached", bind(ReadOnly=True)),
        ("/in", {"Type": "volume", "Target": "/in", "ReadOnly": False}),
    ],
)
def test_composes_short_form_is_a_mount_that_makes_no_directory(volume: str, mount: dict[str, Any]) -> None:
    assert mounts((volume,)) == [mount]
    assert binds((volume,)) == []


@pytest.mark.parametrize("volume", ["/host:/in:z", "/host:/in:ro,Z"])
def test_what_has_to_be_relabelled_can_only_be_bound(volume: str) -> None:
    assert (mounts((volume,)), binds((volume,))) == ([], [volume])


def test_a_process_has_the_addresses_from_its_first_on() -> None:
    subnet = Subnet("10.231.0.0/18")
    one = order(slot=3, replicas=2)
    assert replica_addresses(subnet, replace(one, first=6)) == subnet.addresses(3, 8)[6:]
    assert replica_addresses(subnet, replace(one, first=None)) == ("", "")
    with pytest.raises(ValueError, match="no slot 3 with 9 addresses"):
        replica_addresses(subnet, replace(one, first=7))


def test_names_of_replicas_processes_and_one_offs_never_run_together() -> None:
    processes = ["web", "1", "worker", "worker-1", "migrate", "migrate-o1", "a b", "a/b"]
    names = [container_name("main", KEY, 1, index, process) for process in processes for index in (1, 11)]
    names += [slot_name(name, slot) for name in names for slot in (1, 11)]
    names += [one_off_name("main", KEY, 1, operation) for operation in (1, 11)]
    assert len(set(names)) == len(names)
    assert container_name("main", PlacementKey("shop", "production"), 42, 1, "worker") == (
        "cockpit-main-shop-production-r42-worker-1"
    )


def test_a_container_that_an_older_engine_made_is_of_the_process_web() -> None:
    old = {SLOT: "3", INDEX: "1"}
    assert is_replica(old, "web", 3)
    assert not is_replica(old, "worker")
    assert not is_replica(old, "web", 30)
    assert is_replica(old | {PROCESS: "worker"}, "worker")
    assert not is_replica(old | {ROLE: "migrate"})
    assert not is_replica({})


@pytest.mark.parametrize(
    ("machine", "word"),
    [("x86_64", "amd64"), ("aarch64", "arm64"), ("armv7l", "arm"), ("riscv64", "riscv64"), ("", "")],
)
def test_an_architecture_is_told_in_gos_words(machine: str, word: str) -> None:
    assert architecture(machine) == word


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_terminals_lines_come_out_whole_wherever_the_stream_is_cut(size: int) -> None:
    data = b"T one\r\nT two\nT last"
    terminal = Terminal()
    got = [each for at in range(0, len(data), size) for each in terminal.feed(data[at : at + size])]
    got += terminal.end()
    assert got == [("out", b"T one\n"), ("out", b"T two\n"), ("out", b"T last")]
    assert list(terminal.end()) == []
