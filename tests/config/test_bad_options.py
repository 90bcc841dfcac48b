"""Every bad container option, and exactly what is said about it."""

from __future__ import annotations

import pytest

from tests.config.reading import complaints

WEB = "services:\n  web:\n    repo: shop.git\n"  # keys of the service go on in line 4, column 5
MOUNT = "services.web.volumes[0]"
TEST = "services.web.healthcheck.test: expected a command as text, [CMD, …], [CMD-SHELL, text] or [NONE]"
HOSTS = "expected NAME:ADDRESS or NAME=ADDRESS, where host-gateway is an address too"
IMAGE = (
    "services.web.image: expected an image's name such as registry.example.com/shop, "
    "with the tag {sha} or {short} when CI makes it"
)
UNLIMITED = "expected a whole number, or -1 for no limit"

TWICE = {
    "env and environment": (
        "env: {A: b}\n    environment: {B: c}",
        "4:5: services.web.env: environment says the same; keep one of the two",
    ),
    "mem_limit and limits": (
        "mem_limit: 1g\n    limits: {memory: 2g}",
        "4:5: services.web.mem_limit: limits.memory says the same; keep one of the two",
    ),
    "deploy and replicas": (
        "deploy: {replicas: 2}\n    replicas: 3",
        "4:14: services.web.deploy.replicas: replicas says the same; keep one of the two",
    ),
    "deploy and cpus": (
        "cpus: 2\n    deploy: {resources: {limits: {cpus: 1}}}",
        "5:35: services.web.deploy.resources.limits.cpus: cpus says the same; keep one of the two",
    ),
    "pids_limit and limits, also when one is null": (
        "pids_limit: null\n    limits: {pids: 5}",
        "4:5: services.web.pids_limit: limits.pids says the same; keep one of the two",
    ),
    "a test that is disabled": (
        "healthcheck: {disable: true, test: x}",
        "4:19: services.web.healthcheck.disable: there is a test; keep one of the two",
    ),
    "aliases and those of networks": (
        "networks: {a: {aliases: [x]}}\n    aliases: [x]",
        "5:5: services.web.aliases: networks say aliases too; keep one of the two",
    ),
}

ELSEWHERE = {
    "ports": (
        'ports: ["8000:80"]',
        '4:5: services.web: unknown key "ports"; write port, the container\'s alone: the edge has the public ones',
    ),
    "container_name": (
        "container_name: x",
        '4:5: services.web: unknown key "container_name"; containers are named after service, environment and release',
    ),
    "a key that is like none": (
        "xyzzy: 1",
        '4:5: services.web: unknown key "xyzzy"; config.example.yaml has all that are known',
    ),
    "a key of the service in a process": (
        "processes: {worker: {repo: x}}",
        '4:26: services.web.processes.worker: unknown key "repo"; it is the service\'s, beside processes',
    ),
    "a restart policy of deploy": (
        "deploy: {restart_policy: {condition: any}}",
        '4:14: services.web.deploy: unknown key "restart_policy"; known are replicas, resources',
    ),
    "a reservation": (
        "deploy: {resources: {reservations: {}}}",
        '4:26: services.web.deploy.resources: unknown key "reservations"; known are limits',
    ),
}

MOUNTS = {
    "how a bind mount propagates": (
        "{type: bind, source: /a, target: /b, bind: {propagation: shared}}",
        f'4:59: {MOUNT}.bind: unknown key "propagation"; known are create_host_path',
    ),
    "a bind mount whose folder is not made": (
        "{type: bind, source: /a, target: /b, bind: {create_host_path: false}}",
        f"4:77: {MOUNT}.bind.create_host_path: expected true, the only way it is done here, got false",
    ),
    "a volume that starts empty": (
        "{type: volume, source: a, target: /b, volume: {nocopy: true}}",
        f"4:70: {MOUNT}.volume.nocopy: expected false, the only way it is done here, got true",
    ),
    "a part of a volume": (
        "{type: volume, source: a, target: /b, volume: {subpath: c}}",
        f'4:62: {MOUNT}.volume: unknown key "subpath"; known are nocopy',
    ),
    "another type": (
        "{type: cluster, source: a, target: /b}",
        f"4:22: {MOUNT}.type: expected volume, bind or tmpfs, got cluster",
    ),
    "no type": ("{source: a, target: /b}", f'4:15: {MOUNT}: expected a key "type", which is missing'),
    "no target": ("{type: volume, source: a}", f'4:15: {MOUNT}: expected a key "target", which is missing'),
    "a volume without a name": (
        "{type: volume, target: /b}",
        f'4:15: {MOUNT}: expected a key "source", which is missing',
    ),
    "a volume with a path": (
        "{type: volume, source: /a, target: /b}",
        f'4:30: {MOUNT}.source: expected a volume\'s name for type volume, got "/a"',
    ),
    "a bind mount with a name": (
        "{type: bind, source: a, target: /b}",
        f'4:28: {MOUNT}.source: expected an absolute path for type bind, got "a"',
    ),
    "a relative path": (
        "{type: bind, source: ./a, target: /b}",
        f"4:36: {MOUNT}.source: expected a volume's name or an absolute path, got ./a",
    ),
    "tmpfs with a source": (
        "{type: tmpfs, source: a, target: /b}",
        f"4:29: {MOUNT}.source: expected no source in a mount of type tmpfs",
    ),
    "options of another type": (
        "{type: volume, source: a, target: /b, tmpfs: {size: 1m}}",
        f"4:53: {MOUNT}.tmpfs: expected nothing of tmpfs in a mount of type volume",
    ),
    "a mode": (
        "{type: tmpfs, target: /b, tmpfs: {mode: 999}}",
        f"4:55: {MOUNT}.tmpfs.mode: expected an octal mode such as 1777, got 999",
    ),
}

VALUES = {
    "memory under its other name": (
        "mem_limit: 1m",
        "4:16: services.web.mem_limit: expected at least 4194304 bytes, got 1m",
    ),
    "pids": ("limits: {pids: 0}", "4:20: services.web.limits.pids: expected at least 1, got 0"),
    "a relative env_file": (
        "env_file: .env",
        "4:15: services.web.env_file.path: expected an absolute path, got .env",
    ),
    "an env_file without a path": (
        "env_file: [{required: false}]",
        '4:16: services.web.env_file[0]: expected a key "path", which is missing',
    ),
    "another format of an env_file": (
        "env_file: [{path: /a, format: raw}]",
        '4:27: services.web.env_file[0]: unknown key "format"; known are path, required',
    ),
    "no env_file": ("env_file:", "4:14: services.web.env_file: expected a list, got nothing"),
    "a network's name": (
        "networks: [a b]",
        "4:16: services.web.networks[0]: expected the name of a Docker network, got a b",
    ),
    "networks that are one word": (
        "networks: web",
        "4:15: services.web.networks: expected a list of names, or a map of them, got web",
    ),
    "a network twice": ("networks: [a, a]", '4:19: services.web.networks[1]: "a" is in the list already'),
    "a fixed address": (
        "networks: {a: {ipv4_address: 10.0.0.1}}",
        '4:20: services.web.networks.a: unknown key "ipv4_address"; known are aliases',
    ),
    "other aliases in each network": (
        "networks: {a: {aliases: [x]}, b: {aliases: [y]}}",
        "4:5: services.web.networks: expected the same aliases in each network, for they are names in all of them",
    ),
    "an alias": (
        'aliases: "a b"',
        '4:14: services.web.aliases: expected a name in a network such as web, got "a b"',
    ),
    "a test without words": ("healthcheck: {test: []}", f"4:25: {TEST}, got a list without a word in it"),
    "a test without CMD": ("healthcheck: {test: [curl, x]}", f"4:25: {TEST}, got a list that starts with curl"),
    "CMD without a command": ("healthcheck: {test: [CMD]}", f"4:25: {TEST}, got a list that starts with CMD"),
    "a shell with words": (
        "healthcheck: {test: [CMD-SHELL, a, b]}",
        f"4:25: {TEST}, got a list that starts with CMD-SHELL",
    ),
    "NONE with words": ("healthcheck: {test: [NONE, x]}", f"4:25: {TEST}, got a list that starts with NONE"),
    "an interval": (
        "healthcheck: {interval: 10m}",
        "4:29: services.web.healthcheck.interval: expected at most 300 s, got 10m",
    ),
    "an option of a log": (
        "logging: {options: {a: }}",
        "4:27: services.web.logging.options.a: expected text (quote it when it is empty), got nothing",
    ),
    "a key of a log": (
        "logging: {drivr: x}",
        '4:15: services.web.logging: unknown key "drivr"; did you mean "driver"?',
    ),
    "a host without an address": ("extra_hosts: [db]", f"4:19: services.web.extra_hosts[0]: {HOSTS}, got db"),
    "a host's address": (
        'extra_hosts: ["db:10.0.0"]',
        f'4:19: services.web.extra_hosts[0]: {HOSTS}, got "db:10.0.0"',
    ),
    "an address in a map of hosts": (
        "extra_hosts: {db: 10.0.0.300}",
        "4:23: services.web.extra_hosts.db: expected an address, or host-gateway, got 10.0.0.300",
    ),
    "a name in a map of hosts": (
        'extra_hosts: {"a b": 10.0.0.3}',
        '4:19: services.web.extra_hosts.a b: expected a host name, got "a b"',
    ),
    "a folder in memory": (
        "tmpfs: [run]",
        "4:13: services.web.tmpfs[0]: expected /path, or /path:OPTIONS such as /run:size=64m, got run",
    ),
    "a limit that is no number": (
        "ulimits: {nofile: many}",
        f"4:23: services.web.ulimits.nofile.soft: {UNLIMITED}, got many",
    ),
    "a limit below none": ("ulimits: {nofile: -2}", f"4:23: services.web.ulimits.nofile.soft: {UNLIMITED}, got -2"),
    "half a limit": (
        "ulimits: {nofile: {soft: 1}}",
        '4:15: services.web.ulimits.nofile: expected a key "hard", which is missing',
    ),
    "a soft limit above the hard one": (
        "ulimits: {nofile: {soft: 5, hard: 4}}",
        "4:24: services.web.ulimits.nofile.soft: expected at most the hard limit, 4, got 5",
    ),
    "no soft limit below a hard one": (
        "ulimits: {nofile: {soft: -1, hard: 4}}",
        "4:24: services.web.ulimits.nofile.soft: expected at most the hard limit, 4, got -1",
    ),
    "a limit's name": (
        "ulimits: {NOFILE: 1}",
        "4:15: services.web.ulimits.NOFILE: expected a limit's name such as nofile, got NOFILE; "
        'did you mean "nofile"?',
    ),
    "read_only: yes": (
        "read_only: yes",
        "4:16: services.web.read_only: expected true or false, got yes, which YAML 1.1 reads as true: write true",
    ),
    "init: 1": ("init: 1", "4:11: services.web.init: expected true or false, got 1"),
    "a size": ("shm_size: 64mib", "4:15: services.web.shm_size: expected a size such as 512m or 2g, got 64mib"),
    "a capability": (
        "cap_add: [net_admin]",
        "4:15: services.web.cap_add[0]: expected a capability such as NET_ADMIN, got net_admin; "
        'did you mean "NET_ADMIN"?',
    ),
    "a capability without a list": ("cap_drop: ALL", "4:15: services.web.cap_drop: expected a list, got ALL"),
    "an image without a registry": ("image: shop", f"4:12: {IMAGE}, got shop"),
    "an image with another placeholder": (
        "image: r.example.com/shop:{tag}",
        f'4:12: {IMAGE}, got r.example.com/shop:{{tag}}; did you mean "r.example.com/shop"?',
    ),
    "an image by digest": (
        "image: r.example.com/shop@sha256:ab",
        f'4:12: {IMAGE}, got r.example.com/shop@sha256:ab; did you mean "r.example.com/shop"?',
    ),
    "a wait for an image": (
        "image_timeout: 2d",
        "4:20: services.web.image_timeout: expected at most 86400 s, got 2d",
    ),
    "an empty migration": (
        "migrate: []",
        "4:14: services.web.migrate.command: expected a command as text or as a list of words, "
        "got a list without a word in it",
    ),
    "a migration that is only a time": (
        "migrate: {timeout: 5m}",
        '4:5: services.web.migrate: expected a key "command", which is missing',
    ),
    "a migration without time": (
        "migrate: {command: x, timeout: 0}",
        "4:36: services.web.migrate.timeout: expected at least 1 s, got 0",
    ),
    "no migration": (
        "migrate:",
        "4:13: services.web.migrate: expected a command, or a map with command and timeout, got nothing",
    ),
    "another way to replace": (
        "replace: rolling",
        "4:14: services.web.replace: expected overlap or recreate, got rolling",
    ),
    "a way to replace, misspelt": (
        "replace: recrate",
        '4:14: services.web.replace: expected overlap or recreate, got recrate; did you mean "recreate"?',
    ),
    "an end that is waited for": (
        "processes: {web: , w: {depends_on: {web: {condition: service_completed_successfully}}}}",
        "4:58: services.web.processes.w.depends_on.web.condition: expected service_started or service_healthy, "
        "got service_completed_successfully",
    ),
    "a dependency that may be missing": (
        "processes: {web: , w: {depends_on: {web: {required: false}}}}",
        "4:57: services.web.processes.w.depends_on.web.required: "
        "expected true, the only way it is done here, got false",
    ),
    "a restart with another": (
        "processes: {web: , w: {depends_on: {web: {restart: true}}}}",
        "4:56: services.web.processes.w.depends_on.web.restart: expected false, the only way it is done here, got true",
    ),
    "limits that are no map, beside one of Compose's": (
        "limits: 3\n    cpus: 1",
        "4:13: services.web.limits: expected a map, got 3",
    ),
}


@pytest.mark.parametrize(("keys", "said"), TWICE.values(), ids=TWICE)
def test_what_is_said_twice_is_told_to_be_said_once(keys: str, said: str) -> None:
    assert complaints(f"{WEB}    {keys}\n") == [said]


@pytest.mark.parametrize(("keys", "said"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_key_that_is_not_read_is_told_with_what_to_do_instead(keys: str, said: str) -> None:
    assert complaints(f"{WEB}    {keys}\n") == [said]


@pytest.mark.parametrize(("mount", "said"), MOUNTS.values(), ids=MOUNTS)
def test_what_cannot_be_carried_of_a_mount_is_named(mount: str, said: str) -> None:
    assert complaints(f"{WEB}    volumes: [{mount}]\n") == [said]


@pytest.mark.parametrize(("keys", "said"), VALUES.values(), ids=VALUES)
def test_a_wrong_option_is_told_where_and_what_was_expected(keys: str, said: str) -> None:
    assert complaints(f"{WEB}    {keys}\n") == [said]


def test_a_value_that_may_be_a_secret_is_not_shown() -> None:
    text = f"{WEB}    env: {{A: hunter2}}\n    secrets: {{A: {{file: /a}}, B: hunter2}}\n"
    assert complaints(text) == [
        '5:18: services.web.secrets.A: "A" is in environment and in secrets; keep one',
        "5:33: services.web.secrets.B: expected a map with one of file, environment and command, "
        "got text that is not shown",
    ]
