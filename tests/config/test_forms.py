"""What may be written, and what it becomes."""

from __future__ import annotations

import pytest

from cockpit.config.settings import BuildSettings, Healthcheck, Limits, Process, Registry, Secret
from cockpit.model import PlacementKey
from tests.config.reading import read, service


def test_the_smallest_configuration_deploys_to_a_protected_production() -> None:
    settings = read("services: {web: {repo: shop.git, port: 8000}}")
    (placement,) = settings.placements
    assert placement.key == PlacementKey("web", "production")
    assert placement.environment.protected
    assert (placement.service.repo, placement.service.main.port) == ("shop.git", 8000)
    assert settings.placement(PlacementKey("web", "production")) is placement


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("30", 30),
        ("0.5", 0.5),
        ("30s", 30),
        ("2m", 120),
        ("1h30m", 5400),
        ("'45s'", 45),
        ("1d", 86400),
        ("1500ms", 1.5),
    ],
)
def test_a_duration_is_seconds_or_has_units(written: str, seconds: float) -> None:
    assert service(f"bake: {written}").bake == seconds


@pytest.mark.parametrize(
    ("written", "size"),
    [("512m", 512 << 20), ("1g", 1 << 30), ("8388608", 8388608), ("64MB", 64 << 20), ("8192k", 8 << 20)],
)
def test_memory_is_written_as_in_compose(written: str, size: int) -> None:
    assert service(f"limits: {{memory: {written}, cpus: 0.5}}").main.limits == Limits(cpus=0.5, memory=size)


def test_a_command_of_text_is_split_as_a_shell_splits_it() -> None:
    assert service("command: sh -c 'echo  x'").main.command == ("sh", "-c", "echo  x")
    assert service("command: [sh, -c, 1]").main.command == ("sh", "-c", "1")


@pytest.mark.parametrize("written", ["{A: x=1, B: 010, C: no, D: ''}", '["A=x=1", B=010, C=no, D=]'])
def test_an_environment_is_a_map_or_a_list_and_its_values_are_the_text_that_was_written(written: str) -> None:
    assert service(f"environment: {written}").main.environment == {"A": "x=1", "B": "010", "C": "no", "D": ""}


def test_text_that_yaml_would_take_for_something_else_stays_text() -> None:
    web = service("branch: 1.10, user: 010, build: {target: no}")
    assert (web.branch, web.main.user, web.build.target) == ("1.10", "010", "no")


def test_the_short_form_of_a_build_is_its_context() -> None:
    assert service("build: docker").build == BuildSettings(context="docker")


def test_a_port_of_null_is_a_service_without_customers() -> None:
    assert service("port: null").main.port is None


def test_one_host_needs_no_list_and_hosts_are_lower_case() -> None:
    assert service("hosts: Shop.Example.com").main.hosts == ("shop.example.com",)


def test_a_section_without_a_value_has_its_defaults() -> None:
    assert service("healthcheck: {}").main.healthcheck == Healthcheck()
    assert read("services: {web: {repo: r}}\nedge:\nnetwork:\n").edge.image is None


def test_a_secret_comes_from_a_file_a_variable_or_a_command() -> None:
    found = service("secrets: {A: {file: /run/a}, B: {environment: B_}, C: {command: pass show c}}").main.secrets
    assert found == {
        "A": Secret(file="/run/a"),
        "B": Secret(environment="B_"),
        "C": Secret(command=("pass", "show", "c")),
    }


def test_a_registry_has_a_login() -> None:
    settings = read("services: {web: {repo: r}}\nregistry: [{server: 'r.example.com:5000', username: 1e3}]\n")
    assert settings.registry == (Registry(server="r.example.com:5000", username="1e3"),)


def test_an_alias_stands_for_what_it_names() -> None:
    settings = read("services:\n  a: {repo: r, port: 80, labels: &l {x: y}}\n  b: {repo: r, port: null, labels: *l}\n")
    assert settings.placements[1].service.main.labels == {"x": "y"}


BOTH = """
environments: {staging: {edge: {listen: ":81"}}, production: {}}
services:
  web:
    repo: r
    replicas: 2
    environment: {A: base, B: base}
    labels: {x: base}
    healthcheck: {path: /base, retries: 5}
    hosts: [base.example.com]
    environments:
      production:
      staging:
        replicas: 1
        environment: {B: over, C: over}
        healthcheck: {path: /over}
        hosts: []
  worker: {repo: r, port: null, environments: [production]}
  everywhere: {repo: r, port: null}
"""


def test_placements_are_in_the_order_of_the_services_and_then_of_the_environments() -> None:
    assert [str(each.key) for each in read(BOTH).placements] == [
        "web/staging",
        "web/production",
        "worker/production",
        "everywhere/staging",
        "everywhere/production",
    ]


def test_an_override_adds_to_variables_secrets_and_labels_and_replaces_everything_else() -> None:
    staging, production = (each.service for each in read(BOTH).placements[:2])
    assert staging.main.environment == {"A": "base", "B": "over", "C": "over"}
    assert staging.main.labels == {"x": "base"}
    assert staging.main.healthcheck == Healthcheck(path="/over")
    assert (staging.main.replicas, staging.main.hosts) == (1, ())
    assert (production.main.replicas, production.main.hosts) == (2, ("base.example.com",))
    assert production.main.environment == {"A": "base", "B": "base"}


def test_one_name_may_be_served_on_two_listeners() -> None:
    text = "services: {web: {repo: r}}\nenvironments: {staging: {edge: {listen: ':81'}}, production: {}}"
    assert len(read(text).placements) == 2


PROCESSES = """
environments: {staging: {}, production: {}}
services:
  shop:
    repo: r
    port: 3000
    hosts: [shop.example.com]
    command: serve
    user: app
    environment: {A: all, B: all}
    limits: {memory: 1g}
    processes:
      web:
      worker: {command: work, environment: {B: worker}, limits: {cpus: 2}}
    environments:
      production:
      staging:
        hosts: [staging.example.com]
        environment: {A: staging}
        processes: {worker: {replicas: 2}}
"""


def test_a_service_that_names_no_process_has_one_called_web() -> None:
    web = read("services: {shop: {repo: r, command: serve}}").placements[0].service
    assert web.processes == {"web": Process(port=8000, command=("serve",))}
    assert (web.routed, web.main) == (web.processes, web.processes["web"])


def test_what_a_service_says_holds_for_each_process_except_for_what_is_webs() -> None:
    production = next(each.service for each in read(PROCESSES).placements if each.key.environment == "production")
    assert list(production.processes) == ["web", "worker"]
    assert production.processes["web"] == Process(
        port=3000,
        hosts=("shop.example.com",),
        command=("serve",),
        user="app",
        environment={"A": "all", "B": "all"},
        limits=Limits(memory=1 << 30),
    )
    assert production.processes["worker"] == Process(
        command=("work",),
        user="app",
        environment={"A": "all", "B": "worker"},
        limits=Limits(cpus=2, memory=1 << 30),
    )
    assert list(production.routed) == ["web"]


def test_an_environments_word_wins_over_what_the_service_says_of_a_process() -> None:
    staging = next(each.service for each in read(PROCESSES).placements if each.key.environment == "staging")
    assert staging.processes["web"].hosts == ("staging.example.com",)
    assert staging.processes["web"].replicas == 1
    assert staging.processes["worker"].replicas == 2
    assert staging.processes["worker"].environment == {"A": "staging", "B": "worker"}


def test_the_main_process_is_the_first_with_a_port() -> None:
    shop = service("processes: {worker: {command: work}, admin: {port: 81}, api: {port: 82}}")
    assert shop.main is shop.processes["admin"]
    assert service("processes: {worker: {command: work}}").main.command == ("work",)
