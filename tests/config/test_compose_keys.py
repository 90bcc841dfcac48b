"""Key by key: every key of a Compose service ends up in the configuration or in the list of what was left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cockpit.config.settings import EnvFile, Healthcheck, Logging, Ulimit
from tests.config.composing import Composing, web


@pytest.fixture
def compose(tmp_path: Path) -> Composing:
    return Composing(tmp_path)


# In Compose's short and long forms, and what a process has then. @ is the project's directory.
FORMS: dict[str, tuple[str, Any]] = {
    "command: run --fast 'a b'": ("command", ("run", "--fast", "a b")),
    "command: [run, --fast]": ("command", ("run", "--fast")),
    "entrypoint: /entry.sh": ("entrypoint", ("/entry.sh",)),
    "entrypoint: [/entry.sh, x]": ("entrypoint", ("/entry.sh", "x")),
    "user: 1000:1000": ("user", "1000:1000"),
    "user: 1000": ("user", "1000"),
    "working_dir: /app": ("working_dir", "/app"),
    "environment: {A: 1, B: true, C: '', D: 'a: b # c'}": (
        "environment",
        {"A": "1", "B": "true", "C": "", "D": "a: b # c"},
    ),
    "environment: [A=1, B=x=y]": ("environment", {"A": "1", "B": "x=y"}),
    "env_file: a.env": ("env_file", (EnvFile(path="@/a.env"),)),
    "env_file: [/b.env, {path: ../c.env, required: false}]": (
        "env_file",
        (EnvFile(path="/b.env"), EnvFile(path="@/../c.env", required=False)),
    ),
    "ports: [8000]": ("port", 8000),
    "ports: ['80:8000']": ("port", 8000),
    "ports: ['127.0.0.1:80:8000/tcp']": ("port", 8000),
    "ports: ['[::1]:80:8000']": ("port", 8000),
    "ports: ['127.0.0.1::8000']": ("port", 8000),
    "ports: [{target: 8000, published: '80', protocol: tcp, mode: ingress}]": ("port", 8000),
    "expose: ['9000']": ("port", 9000),
    "volumes: ['data:/data']": ("volumes", ("shop_data:/data",)),
    "volumes: ['/srv/a:/a:ro', './b:/b:rw', '../c:/c']": ("volumes", ("/srv/a:/a:ro", "@/b:/b", "@/../c:/c")),
    "volumes: [{type: volume, source: data, target: /data, read_only: true}]": ("volumes", ("shop_data:/data:ro",)),
    "volumes: [{type: bind, source: ./b, target: /b}]": ("volumes", ("@/b:/b",)),
    "volumes: [{type: tmpfs, target: /t, tmpfs: {size: 64m, mode: 1777}}]": ("tmpfs", ("/t:size=64m,mode=1777",)),
    "networks: [default, other]": ("networks", ("shop_default", "shop_other")),
    "networks: {default: , other: {priority: 1}}": ("networks", ("shop_default", "shop_other")),
    "mem_limit: 512m": ("limits.memory", 512 * 1024**2),
    "mem_limit: 1.5g": ("limits.memory", 1536 * 1024**2),
    "mem_limit: 536870912": ("limits.memory", 512 * 1024**2),
    "cpus: 0.5": ("limits.cpus", 0.5),
    "cpus: '2'": ("limits.cpus", 2.0),
    "pids_limit: 100": ("limits.pids", 100),
    "deploy: {resources: {limits: {cpus: '0.50', memory: 50M, pids: 9}}}": ("limits.memory", 50 * 1024**2),
    "deploy: {replicas: 3}": ("replicas", 3),
    "scale: 2": ("replicas", 2),
    "labels: {team: checkout, n: 1}": ("labels", {"team": "checkout", "n": "1"}),
    "labels: [team=checkout, bare]": ("labels", {"team": "checkout", "bare": ""}),
    "logging: {driver: local, options: {max-size: 10m}}": (
        "logging",
        Logging(driver="local", options={"max-size": "10m"}),
    ),
    "logging: {options: {max-file: 3}}": ("logging", Logging(options={"max-file": "3"})),
    "stop_signal: SIGINT": ("stop_signal", "SIGINT"),
    "stop_signal: quit": ("stop_signal", "SIGQUIT"),
    "stop_signal: 15": ("stop_signal", "SIGTERM"),
    "stop_grace_period: 1m30s": ("stop_grace_period", 90.0),
    "stop_grace_period: 1.5s": ("stop_grace_period", 1.5),
    "extra_hosts: ['a:10.0.0.1', 'b=10.0.0.2', 'host.docker.internal:host-gateway']": (
        "extra_hosts",
        ("a:10.0.0.1", "b:10.0.0.2", "host.docker.internal:host-gateway"),
    ),
    "extra_hosts: {a: 10.0.0.1}": ("extra_hosts", ("a:10.0.0.1",)),
    "extra_hosts: {a: [10.0.0.1, '[::1]']}": ("extra_hosts", ("a:10.0.0.1", "a:::1")),
    "extra_hosts: ['a:10.0.0.1', 'a=::1']": ("extra_hosts", ("a:10.0.0.1", "a:::1")),
    "environment: {PORT: 3000}": ("port", 3000),
    "command: serve --port 3000": ("port", 3000),
    "command: [gunicorn, -b, '0.0.0.0:3000']": ("port", 3000),
    "environment: {VIRTUAL_PORT: 3000}": ("port", 3000),
    "command: work --redis localhost:6379 -p 6379": ("port", None),
    "environment: {BROKER: 'redis://web:1234@redis:6379'}": ("port", None),
    "tmpfs: /run": ("tmpfs", ("/run",)),
    "tmpfs: [/run, '/tmp:size=1m']": ("tmpfs", ("/run", "/tmp:size=1m")),
    "ulimits: {nproc: 65535, nofile: {soft: 1, hard: 2}}": (
        "ulimits",
        {"nproc": Ulimit(soft=65535, hard=65535), "nofile": Ulimit(soft=1, hard=2)},
    ),
    "read_only: true": ("read_only", True),
    "init: true": ("init", True),
    "shm_size: 64m": ("shm_size", 64 * 1024**2),
    "cap_add: [NET_ADMIN]": ("cap_add", ("NET_ADMIN",)),
    "cap_drop: [ALL]": ("cap_drop", ("ALL",)),
    "healthcheck: {test: [NONE]}": ("healthcheck.test", ("NONE",)),
    "healthcheck: {disable: true}": ("healthcheck.test", ("NONE",)),
    "healthcheck: {test: 'true || false', interval: 1m, retries: 5, start_period: 10s}": (
        "healthcheck",
        Healthcheck(test=("CMD-SHELL", "true || false"), interval=60, timeout=30, retries=5, start_period=10),
    ),
    "ports: [80]\nhealthcheck: {test: 'wget -qO- http://127.0.0.1:80/live?x=1 | grep ok', timeout: 2s}": (
        "healthcheck",
        Healthcheck(path="/live?x=1", timeout=2),
    ),
    "ports: [80]\nhealthcheck: {test: [CMD, curl, 'http://localhost']}": ("healthcheck.path", "/"),
}


@pytest.mark.parametrize("keys", FORMS)
def test_each_form_of_a_key_is_carried_over(compose: Composing, keys: str) -> None:
    where, expected = FORMS[keys]
    found: Any = compose.process(keys)
    for part in where.split("."):
        found = getattr(found, part)
    assert _resolved(found, compose) == _resolved(expected, compose)


def _resolved(value: Any, compose: Composing) -> str:
    return repr(value).replace("@/..", str(compose.directory.parent)).replace("@", str(compose.directory))


# Keys of Compose that are named, and how they are named.
LEFT: dict[str, str] = {
    "restart: always": "restart",
    "container_name: shop": "container_name",
    "links: ['db:database']": "links",
    "volumes_from: [db]": "volumes_from",
    "network_mode: host": "network_mode",
    "privileged: true": "privileged",
    "hostname: a": "hostname",
    "devices: [/dev/a]": "devices",
    "dns: 1.1.1.1": "dns",
    "sysctls: {a: 1}": "sysctls",
    "security_opt: [a]": "security_opt",
    "platform: linux/amd64": "platform",
    "pull_policy: always": "pull_policy",
    "stdin_open: true": "stdin_open",
    "tty: true": "tty",
    "mem_reservation: 1g": "mem_reservation",
    "develop: {watch: []}": "develop",
    "made_up_key: 1": "made_up_key",
    "image: shop": "image",
    "secrets: [unknown]": "secrets[0]",
    "configs: [{source: unknown}]": "configs[0]",
    "ports: ['80', '81']": "ports[1]",
    "ports: ['80', '53:53/udp']": "ports[1]",
    "ports: ['3000-3005']": "ports[0]",
    "ports: [{target: 80, mode: host}]": "ports[0].mode",
    "ports: ['80']\nexpose: ['81']": "expose[0]",
    "volumes: [/anonymous]": "volumes[0]",
    "volumes: [{type: volume, target: /anonymous}]": "volumes[0]",
    "volumes: [{type: npipe, source: a, target: /a}]": "volumes[0]",
    "volumes: ['a:/a:z']": "volumes[0]:z",
    "volumes: [{type: bind, source: /a, target: /a, bind: {propagation: shared}}]": "volumes[0].bind.propagation",
    "volumes: [{type: volume, source: a, target: /a, volume: {nocopy: true}}]": "volumes[0].volume.nocopy",
    "volumes: ['.:/app']": "volumes[0]",
    "volumes: ['a:/a', 'b:/a']": "volumes: shop_a:/a",
    "networks: {default: {ipv4_address: 10.0.0.2}}": "networks.default.ipv4_address",
    "deploy: {mode: global}": "deploy.mode",
    "deploy: {resources: {reservations: {cpus: '1'}}}": "deploy.resources.reservations",
    "deploy: {resources: {limits: {devices: []}}}": "deploy.resources.limits.devices",
    "deploy: {update_config: {order: start-first}}": "deploy.update_config",
    "deploy: {replicas: 0}": "deploy",
    "logging: {driver: local, other: 1}": "logging.other",
    "env_file: [{path: a, format: raw}]": "env_file[0].format",
    "env_file: missing.env": "env_file[0]",
    "environment: [FROM_SHELL]": "environment.FROM_SHELL",
    "environment: {VIRTUAL_HOST: shop.example.com}": "environment.VIRTUAL_HOST",
    "environment: {COCKPIT_RELEASE: mine, A: 1}": "environment.COCKPIT_RELEASE",
    "labels: {caddy: shop.example.com}": "labels.caddy",
    "labels: {com.docker.compose.project: a}": "labels.com.docker.compose.project",
    "depends_on: [db]": "depends_on.db",
    "ports: [80]\nhealthcheck: {test: [CMD, pg_isready]}": "healthcheck.test",
    "ports: [80]\nhealthcheck: {disable: true}": "healthcheck.disable",
    "healthcheck: {other: 1}": "healthcheck.other",
    "entrypoint: []": "entrypoint",
    "mem_limit: lots": "mem_limit",
    "cpus: many": "cpus",
    "stop_grace_period: forever": "stop_grace_period",
    "stop_grace_period: 2h": "stop_grace_period",
    "init: perhaps": "init",
    "ulimits: {nofile: {soft: 1}}": "ulimits",
    "environment: 5": "environment",
    "command: {a: b}": "command",
    "user: ${WHO}": "${WHO}",
    "user: ${WHO:?say who}": "${WHO}",
    "command: run --password=${DB_PASSWORD}": "command",
    "command: celery -b redis://:pw@redis": "command",
    "healthcheck: {test: 'redis-cli -a ${DB_PASSWORD} ping'}": "healthcheck",
    "working_dir: /${API_TOKEN}": "working_dir",
    "extra_hosts: [alone]": "extra_hosts.alone",
}


@pytest.mark.parametrize("keys", LEFT)
def test_each_key_without_a_counterpart_is_named_with_its_line(compose: Composing, keys: str) -> None:
    compose.write(".env", "DB_PASSWORD=hunter22\nAPI_TOKEN=word\n")
    made = compose.convert(web(keys))
    line = {(each.service, each.key): each.line for each in made.left}
    key = LEFT[keys]
    assert line["web", key] == 4 + keys.count("\n")
    assert f"#   {key} (web line " in made.text
    assert "hunter22" not in made.text
    assert "redis://:pw@" not in made.text


@pytest.mark.parametrize(
    "build",
    ["cache_from: [a]", "dockerfile_inline: FROM a", "dockerfile: ../Dockerfile", "context: ..", "ssh: [default]"],
)
def test_what_a_build_cannot_be_told_is_named(compose: Composing, build: str) -> None:
    compose.convert(f"services: {{web: {{build: {{{build}}}}}}}")
    assert ("web", f"build.{build.partition(':')[0]}") in compose.left()


def test_a_build_argument_that_is_a_secret_is_never_shown(compose: Composing) -> None:
    made = compose.convert("services: {web: {build: {context: ., args: {NPM_TOKEN: hunter22, A: 1}}}}")
    assert "hunter22" not in made.text
    assert "readable in the image" in compose.left()["web", "build.args.NPM_TOKEN"]


def test_a_context_elsewhere_is_its_own_repository(compose: Composing) -> None:
    service = compose.service("services: {web: {build: 'https://git.example.com/acme/api.git#main:docker'}}")
    assert (service.repo, service.branch, service.path) == ("https://git.example.com/acme/api.git", "main", "docker")


def test_volumes_and_networks_keep_the_names_they_have_in_docker(compose: Composing) -> None:
    process = compose.service(
        """
        services:
          web:
            build: .
            volumes: [a:/a, b:/b, c:/c, d:/d]
            networks: [x, y]
        volumes:
          a: {name: own, driver: local}
          b: {external: true}
          c: {external: {name: old}}
          d:
        networks:
          x: {name: front}
          y: {external: true}
        """
    ).main
    assert process.volumes == ("own:/a", "b:/b", "old:/c", "shop_d:/d")
    assert process.networks == ("front", "y")
    assert compose.left() == {("", "volumes.a.driver"): "it is there already and is joined as it is"}


def test_secrets_and_configs_of_compose_are_files_that_are_mounted(compose: Composing) -> None:
    process = compose.service(
        """
        services:
          web:
            build: .
            secrets: [db, {source: db, target: other, mode: 0400}]
            configs: [{source: nginx, target: /etc/nginx.conf}]
        secrets: {db: {file: ./db.txt}}
        configs: {nginx: {file: /srv/nginx.conf}}
        """
    ).main
    db = compose.directory / "db.txt"
    assert process.volumes == (
        f"{db}:/run/secrets/db:ro",
        f"{db}:/run/secrets/other:ro",
        "/srv/nginx.conf:/etc/nginx.conf:ro",
    )
    assert set(compose.left()) == {("web", "secrets[1].mode")}


def test_a_directory_of_the_repository_is_mounted_and_pointed_out(compose: Composing) -> None:
    compose.process("volumes: ['./media:/media']")
    assert "media is a directory of the repository: right for data, wrong for code" in compose.text()


def test_what_an_env_file_says_otherwise_to_compose_is_named_and_not_shown(compose: Composing) -> None:
    compose.write("a.env", "A=1\nB='$literal'\nC=$hidden\nD\n")
    compose.convert(web("env_file: a.env"))
    assert compose.made is not None
    assert [each.why.partition(": ")[2][:6] for each in compose.made.left] == ["line 3", "line 4"]
    assert "hidden" not in compose.text()


# Keys that a service may have.
SPECIFICATION = (
    "annotations",
    "attach",
    "blkio_config",
    "build",
    "cap_add",
    "cap_drop",
    "cgroup",
    "cgroup_parent",
    "command",
    "configs",
    "container_name",
    "cpu_count",
    "cpu_percent",
    "cpu_period",
    "cpu_quota",
    "cpu_rt_period",
    "cpu_rt_runtime",
    "cpu_shares",
    "cpus",
    "cpuset",
    "credential_spec",
    "depends_on",
    "deploy",
    "develop",
    "device_cgroup_rules",
    "devices",
    "dns",
    "dns_opt",
    "dns_search",
    "domainname",
    "entrypoint",
    "env_file",
    "environment",
    "expose",
    "extends",
    "external_links",
    "extra_hosts",
    "gpus",
    "group_add",
    "healthcheck",
    "hostname",
    "image",
    "init",
    "ipc",
    "isolation",
    "label_file",
    "labels",
    "links",
    "logging",
    "mac_address",
    "mem_limit",
    "mem_reservation",
    "mem_swappiness",
    "memswap_limit",
    "models",
    "network_mode",
    "networks",
    "oom_kill_disable",
    "oom_score_adj",
    "pid",
    "pids_limit",
    "platform",
    "ports",
    "post_start",
    "pre_stop",
    "privileged",
    "profiles",
    "provider",
    "pull_policy",
    "read_only",
    "restart",
    "runtime",
    "scale",
    "secrets",
    "security_opt",
    "shm_size",
    "stdin_open",
    "stop_grace_period",
    "stop_signal",
    "storage_opt",
    "sysctls",
    "tmpfs",
    "tty",
    "ulimits",
    "use_api_socket",
    "user",
    "userns_mode",
    "uts",
    "volumes",
    "volumes_from",
    "working_dir",
)
LEAVES = st.sampled_from(
    ["MARK", "/MARK", "./MARK:/MARK", "MARK:/MARK", "A=MARK", "1", "true", "5m", "8000", "80:8000", "SIGTERM", "''"]
)
NAMES = st.sampled_from(["MARK", "a", "test", "cpus", "limits", "resources", "source", "target", "type", "path"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(NAMES, inner, max_size=3).map(lambda d: f"{{{', '.join(f'{k}: {v}' for k, v in d.items())}}}")
    ),
    max_leaves=4,
)


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(sorted(set(SPECIFICATION) - {"build", "profiles"})), VALUES, max_size=5))
def test_no_key_is_dropped_in_silence(tmp_path_factory: pytest.TempPathFactory, keys: dict[str, str]) -> None:
    """Whatever it says: with a different mark in it, another configuration comes out, or the key is named."""
    compose = Composing(tmp_path_factory.mktemp("compose"))
    for key, value in keys.items():
        if "MARK" not in value:
            continue
        first = compose.convert(_with(keys, key, value.replace("MARK", "first")))
        named = {each.key for each in first.left}
        second = compose.convert(_with(keys, key, value.replace("MARK", "other")))
        assert first.text != second.text or any(_is_about(each, key) for each in named), f"{key}: {value}"


def _with(keys: dict[str, str], key: str, value: str) -> str:
    lines = {name: each.replace("MARK", "same") for name, each in keys.items()} | {key: value}
    return web("\n".join(f"{name}: {each}" for name, each in lines.items()))


def _is_about(named: str, key: str) -> bool:
    return named == key or named.startswith((f"{key}.", f"{key}[", f"{key}:"))


@pytest.mark.parametrize("key", sorted(set(SPECIFICATION) - {"build", "profiles"}))
@pytest.mark.parametrize("value", ["[MARK]", "{MARK: MARK}", "MARK"])
def test_each_key_of_the_specification_is_carried_or_named(compose: Composing, key: str, value: str) -> None:
    made = compose.convert(web(f"{key}: {value}"))
    assert "MARK" in made.text.partition("# Not carried over")[0] or any(_is_about(each.key, key) for each in made.left)


# With A=one, E= and no U in `.env`; docker-compose makes the same of those that it knows.
FILLED_IN = {
    "$A ${A} $$A $${A}": "one one $A ${A}",
    "${E:-x} ${E-x} ${U:-x} ${U-x}": "x  x x",
    "${A:+x} ${E:+x} ${E+x} ${U+x}": "x  x ",
    "${U:-${A}-${E:-y}} ${U-$$}": "one-y $",
    "${A:?why} ${U:-}": "one ",
    "1$ ${ ${1} $-": "1$ ${ ${1} $-",
}


@pytest.mark.parametrize("text", FILLED_IN)
def test_variables_are_filled_in_as_compose_does(compose: Composing, text: str) -> None:
    compose.write(".env", "A=one\nE=\n")
    assert compose.process(f"environment: {{V: '{text}'}}").environment == {"V": FILLED_IN[text]}


def test_the_shell_s_own_variables_are_not_asked(compose: Composing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_SHELL", "value")
    compose.convert(web("environment: {A: '${FROM_SHELL}', FROM_SHELL: }"))
    assert set(compose.left()) == {("web", "${FROM_SHELL}"), ("web", "environment.FROM_SHELL")}


def test_a_value_that_says_null_is_text_when_it_was_filled_in(compose: Composing) -> None:
    compose.write(".env", "A=null\n")
    assert compose.process("user: $A").user == "null"
