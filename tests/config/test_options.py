"""Container options in each of the Compose Specification's forms, and what they become."""

from __future__ import annotations

from typing import Any

import pytest

from cockpit.config.settings import EnvFile, Limits, Logging, Migrate, Process, Ulimit
from tests.config.reading import service


def web(keys: str) -> Process:
    return service(keys).processes["web"]


FORMS: dict[str, tuple[str, Any]] = {
    "env: {A: b}": ("environment", {"A": "b"}),
    "env: [A=b]": ("environment", {"A": "b"}),
    "environment: {A: '$HOME ${X:-y} $$'}": ("environment", {"A": "$HOME ${X:-y} $$"}),
    "env_file: /a": ("env_file", (EnvFile(path="/a"),)),
    "env_file: [/a, {path: /b, required: false}]": (
        "env_file",
        (EnvFile(path="/a"), EnvFile(path="/b", required=False)),
    ),
    "env_file: {path: /a}": ("env_file", (EnvFile(path="/a"),)),
    "volumes: [{type: volume, source: data, target: /data}]": ("volumes", ("data:/data",)),
    "volumes: [{type: bind, source: /srv, target: /d, read_only: true}]": ("volumes", ("/srv:/d:ro",)),
    "volumes: [{type: bind, source: /srv, target: /d, bind: {create_host_path: true}}]": ("volumes", ("/srv:/d",)),
    "volumes: [{type: volume, source: a, target: /d, volume: {nocopy: false}}]": ("volumes", ("a:/d",)),
    "volumes: [{type: tmpfs, target: /run}]": ("tmpfs", ("/run",)),
    "volumes: [{type: tmpfs, target: /run, tmpfs: {size: 64m, mode: 01777}}], tmpfs: /tmp": (
        "tmpfs",
        ("/tmp", "/run:size=67108864,mode=1777"),
    ),
    "volumes: [{type: tmpfs, target: /run, read_only: true, tmpfs: {mode: 0o700}}]": ("tmpfs", ("/run:mode=700,ro",)),
    "networks: [back, front]": ("networks", ("back", "front")),
    "networks: {back: , front: {}}": ("networks", ("back", "front")),
    "networks: {back: {aliases: [shop]}}": ("aliases", ("shop",)),
    "networks: [back], aliases: shop": ("aliases", ("shop",)),
    "healthcheck: {test: curl -f localhost}": ("test", ("CMD-SHELL", "curl -f localhost")),
    "healthcheck: {test: [CMD, check, 1]}": ("test", ("CMD", "check", "1")),
    "healthcheck: {test: [CMD-SHELL, a b]}": ("test", ("CMD-SHELL", "a b")),
    "healthcheck: {test: [NONE]}": ("test", ("NONE",)),
    "healthcheck: {disable: true}": ("test", ("NONE",)),
    "healthcheck: {disable: false}": ("test", None),
    "healthcheck: {start_period: 1m30s}": ("start_period", 90),
    "limits: {cpus: 2, memory: 1g, pids: 9}": ("limits", Limits(cpus=2, memory=1 << 30, pids=9)),
    "cpus: '0.5', mem_limit: 1g, pids_limit: 9": ("limits", Limits(cpus=0.5, memory=1 << 30, pids=9)),
    "pids_limit: -1": ("limits", Limits()),
    "deploy: {resources: {limits: {cpus: '0.5', memory: 1g, pids: 9}}}": (
        "limits",
        Limits(cpus=0.5, memory=1 << 30, pids=9),
    ),
    "deploy: {resources: {limits: {cpus: 1}}}, mem_limit: 1g": ("limits", Limits(cpus=1, memory=1 << 30)),
    "deploy: {replicas: 3}": ("replicas", 3),
    "labels: [a=b=c]": ("labels", {"a": "b=c"}),
    "logging: {driver: journald}": ("logging", Logging(driver="journald")),
    "logging: {options: {max-size: 10m, max-file: 3}}": (
        "logging",
        Logging(options={"max-size": "10m", "max-file": "3"}),
    ),
    "logging: null": ("logging", None),
    "extra_hosts: ['db:10.0.0.5', 'db=::1', 'me:host-gateway', 'six:[fe80::1]']": (
        "extra_hosts",
        ("db:10.0.0.5", "db:::1", "me:host-gateway", "six:fe80::1"),
    ),
    "extra_hosts: {db: 10.0.0.5, six: '::1', two: [10.0.0.6, 10.0.0.7]}": (
        "extra_hosts",
        ("db:10.0.0.5", "six:::1", "two:10.0.0.6", "two:10.0.0.7"),
    ),
    "tmpfs: /run": ("tmpfs", ("/run",)),
    "tmpfs: ['/run:size=64m,mode=1777']": ("tmpfs", ("/run:size=64m,mode=1777",)),
    "ulimits: {nofile: 1024, core: -1}": (
        "ulimits",
        {"nofile": Ulimit(soft=1024, hard=1024), "core": Ulimit(soft=-1, hard=-1)},
    ),
    "ulimits: {nofile: {soft: 5, hard: -1}}": ("ulimits", {"nofile": Ulimit(soft=5, hard=-1)}),
    "read_only: true": ("read_only", True),
    "init: false": ("init", False),
    "init: null": ("init", None),
    "shm_size: 64m": ("shm_size", 64 << 20),
    "cap_add: [NET_ADMIN], cap_drop: [ALL]": ("cap_drop", ("ALL",)),
    "entrypoint: /run me": ("entrypoint", ("/run", "me")),
    "stop_signal: SIGQUIT": ("stop_signal", "SIGQUIT"),
    "stop_grace_period: 1m": ("stop_grace_period", 60),
}


@pytest.mark.parametrize(("keys", "said"), FORMS.items(), ids=FORMS)
def test_an_option_is_read_in_each_of_its_forms(keys: str, said: tuple[str, Any]) -> None:
    name, value = said
    process = web(keys)
    assert getattr(process.healthcheck if name in {"test", "start_period"} else process, name) == value


def test_a_mount_of_type_tmpfs_is_no_volume() -> None:
    process = web("volumes: [a:/a, {type: tmpfs, target: /run}, {type: volume, source: b, target: /b}]")
    assert process.volumes == ("a:/a", "b:/b")


@pytest.mark.parametrize(
    "written", ["depends_on: [web]", "depends_on: {web: {condition: service_healthy}}", "depends_on: {web: }"]
)
def test_what_starts_first_is_a_list_of_processes_or_composes_map(written: str) -> None:
    assert service(f"processes: {{web: , worker: {{{written}}}}}").processes["worker"].depends_on == ("web",)


def test_composes_own_keys_may_stand_in_a_process_and_in_an_environment() -> None:
    shop = service(
        "mem_limit: 1g, processes: {web: , worker: {deploy: {replicas: 12}, cpus: 2}}, "
        "environments: {production: {env: {A: b}, pids_limit: 5, processes: {worker: {mem_limit: 2g}}}}"
    )
    assert shop.processes["web"] == Process(port=8000, environment={"A": "b"}, limits=Limits(memory=1 << 30, pids=5))
    assert shop.processes["worker"] == Process(
        environment={"A": "b"}, replicas=12, limits=Limits(cpus=2, memory=2 << 30, pids=5)
    )


def test_a_process_without_a_port_may_be_replaced_after_its_predecessor_ended() -> None:
    shop = service("processes: {web: , worker: {replace: recreate}}")
    assert [each.replace for each in shop.processes.values()] == ["overlap", "recreate"]


@pytest.mark.parametrize(
    ("written", "migrate"),
    [
        ("rake 'db migrate'", Migrate(command=("rake", "db migrate"), timeout=300)),
        ("[rake, db]", Migrate(command=("rake", "db"))),
        ("{command: rake db, timeout: 1h}", Migrate(command=("rake", "db"), timeout=3600)),
        ("null", None),
    ],
)
def test_a_migration_is_a_command_or_has_a_time_limit_too(written: str, migrate: Migrate | None) -> None:
    assert service(f"migrate: {written}").migrate == migrate


@pytest.mark.parametrize(
    ("image", "from_ci"),
    [
        ("r.example.com/shop", False),
        ("r.example.com:5000/acme/shop", False),
        ("r.example.com:5000/acme/shop:{sha}", True),
        ("r.example.com/shop:main-{short}", True),
        ("null", False),
    ],
)
def test_an_image_with_a_commits_tag_comes_from_ci(image: str, from_ci: bool) -> None:
    written = image if image == "null" else f'"{image}"'
    assert service(f"image: {written}, image_timeout: 5m").from_ci is from_ci
    assert service(f"image: {written}").image == (None if image == "null" else image)
