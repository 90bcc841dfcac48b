"""What must hold between keys: each process has what is its own, an order, and a place on a listener."""

from __future__ import annotations

import pytest

from tests.config.reading import complaints, read, service

WEB = "services:\n  web:\n    repo: shop.git\n"  # keys of the service go on in line 4, column 5
FEW = "expected at most 8 containers with a port in one release"
NO_WEB = "it belongs to the process web, which there is not; say it below one of the processes"
UNCALLED = "expected networks beside it, for only containers there can call these names"
FROM_CI = "an image with {sha} or {short} comes from CI and is not built; keep image or build"

RULES = {
    "no processes": ("processes: {}", ["4:5: services.web.processes: expected at least one process, got none"]),
    "too many processes": (
        "processes: {" + ", ".join(f"p{n}: " for n in range(51)) + "}",
        ["4:5: services.web.processes: expected at most 50 processes, got 51"],
    ),
    "processes without a value": ("processes:", ["4:15: services.web.processes: expected a map, got nothing"]),
    "a process's name": (
        "processes: {Worker: {}}",
        [
            "4:17: services.web.processes.Worker: expected a name of at most 40 lower-case letters, digits and hyphens "
            'that starts with a letter, got Worker; did you mean "worker"?'
        ],
    ),
    "keys of web without web": (
        "processes: {worker: {}}\n    port: 80\n    depends_on: []\n"
        "    environments: {production: {hosts: [a.example.com]}}",
        [
            f"5:5: services.web.port: {NO_WEB}",
            f"6:5: services.web.depends_on: {NO_WEB}",
            f"7:33: services.web.environments.production.hosts: {NO_WEB}",
        ],
    ),
    "a process of an environment alone": (
        "processes: {worker: {}}\n    environments: {production: {processes: {workr: {}}}}",
        [
            "5:45: services.web.environments.production.processes.workr: "
            'no process is called "workr"; did you mean "worker"?'
        ],
    ),
    "a process of an environment beside the only one": (
        "environments: {production: {processes: {worker: {}}}}",
        ['4:45: services.web.environments.production.processes.worker: no process is called "worker"; known are web'],
    ),
    "recreate with a port": (
        "replace: recreate",
        [
            "4:14: services.web.replace: a process with a port is replaced without a gap; "
            "recreate is for those without one"
        ],
    ),
    "recreate for all": (
        "processes: {web: , worker: {}}\n    replace: recreate",
        [
            "5:14: services.web.replace: a process with a port is replaced without a gap; "
            "recreate is for those without one"
        ],
    ),
    "hosts and aliases without a port": (
        "processes: {web: , worker: {hosts: [a.example.com], aliases: [x]}}",
        [
            "4:40: services.web.processes.worker.hosts: a process without a port has no hosts",
            "4:66: services.web.processes.worker.aliases: a process without a port has no aliases",
        ],
    ),
    "names that nobody can call": (
        "aliases: [shop]\n    processes: {web: , admin: {port: 81, networks: [a], aliases: [admin]}}",
        [f"4:14: services.web.aliases: {UNCALLED}"],
    ),
    "names that nobody can call in one environment": (
        "networks: [a]\n    aliases: [shop]\n    environments: {production: {networks: []}}",
        [f"5:14: services.web.aliases: {UNCALLED}"],
    ),
    "an image from CI and a build": (
        "image: 'r.example.com/shop:{sha}'\n    build: .",
        [f"5:5: services.web.build: {FROM_CI}"],
    ),
    "an image from CI that an environment builds": (
        "image: 'r.example.com/shop:{short}'\n    environments: {production: {build: {target: x}}}",
        [f"5:33: services.web.environments.production.build: {FROM_CI}"],
    ),
    "a port that an environment takes away": (
        "hosts: [a.example.com]\n    environments: {production: {port: null}}",
        ["4:12: services.web.hosts: a process without a port has no hosts"],
    ),
    "too many of one process": ("replicas: 9", [f"4:15: services.web.replicas: {FEW}, got 9"]),
    "too many together": (
        "processes: {web: {replicas: 6}, admin: {port: 81, replicas: 4}, worker: {replicas: 20}}",
        [f"4:65: services.web.processes.admin.replicas: {FEW}, got 10 (web 6, admin 4)"],
    ),
    "a dependency that is no process": (
        "depends_on: [db]",
        ['4:18: services.web.depends_on.db: no process of this service is called "db"; known are web'],
    ),
    "a dependency, misspelt, in a map": (
        "processes: {web: {depends_on: {workr: {condition: service_started}}}, worker: {}}",
        [
            "4:43: services.web.processes.web.depends_on.workr: "
            'no process of this service is called "workr"; did you mean "worker"?'
        ],
    ),
    "a process that waits for itself": (
        "depends_on: [web]",
        ["4:17: services.web.depends_on: expected an order, but each waits for the next: web → web"],
    ),
    "processes that wait for each other": (
        "processes: {web: {depends_on: [b]}, b: {depends_on: [c]}, c: {depends_on: [b]}}",
        ["4:57: services.web.processes.b.depends_on: expected an order, but each waits for the next: b → c → b"],
    ),
    "two processes of one name": (
        "processes: {web: {hosts: [a.b]}, admin: {port: 81, hosts: [a.b]}}",
        ['4:56: web/production and web/production (admin) both answer to "a.b" on :80; give one of them other hosts'],
    ),
}


@pytest.mark.parametrize(("keys", "said"), RULES.values(), ids=RULES)
def test_a_rule_that_is_broken_is_told_where(keys: str, said: list[str]) -> None:
    assert complaints(f"{WEB}    {keys}\n") == said


def test_eight_containers_with_a_port_and_more_without_one_are_fine() -> None:
    shop = service("processes: {web: {replicas: 5}, admin: {port: 81, replicas: 3}, worker: {replicas: 64}}")
    assert [process.replicas for process in shop.processes.values()] == [5, 3, 64]


def test_fifty_processes_may_start_one_after_the_other() -> None:
    chain = ", ".join(f"p{n}: {{depends_on: [p{n + 1}]}}" for n in range(49))
    assert len(service(f"processes: {{{chain}, p49: }}").processes) == 50


def test_only_the_main_process_answers_to_any_name() -> None:
    shop = service(
        "processes: {web: , api: {port: 81, networks: [a], aliases: [api]}, admin: {port: 82, hosts: [a.example.com]}}"
    )
    assert list(shop.routed) == ["web", "api", "admin"]
    assert shop.public == {"web": (), "admin": ("a.example.com",)}


def test_an_environment_may_take_from_ci_what_the_others_build() -> None:
    shop = service("build: ., environments: {production: {image: 'r.example.com/shop:{sha}'}}")
    assert shop.from_ci


def test_an_environment_may_build_what_the_others_take_from_ci() -> None:
    shop = service("image: 'r.example.com/shop:{sha}', environments: {production: {image: null, build: .}}")
    assert not shop.from_ci


def test_a_dependency_of_two_is_no_cycle() -> None:
    shop = service("processes: {web: {depends_on: [a, b]}, a: {depends_on: [c]}, b: {depends_on: [c]}, c: }")
    assert shop.processes["web"].depends_on == ("a", "b")


def test_a_variable_of_a_process_and_a_secret_of_another_are_two() -> None:
    shop = service("processes: {web: {environment: {A: x}}, worker: {secrets: {A: {file: /a}}}}")
    assert (shop.processes["web"].environment, shop.processes["web"].secrets) == ({"A": "x"}, {})


def test_environments_may_be_on_several_docker_hosts() -> None:
    settings = read(
        "services: {web: {repo: r}}\n"
        "environments: {a: , b: {host: 'unix:///b.sock'}, c: {host: 'ssh://ops@c.example.com:2222'}, "
        "d: {host: 'context:d'}}\n"
    )
    assert [each.environment.host for each in settings.placements] == [
        "local",
        "unix:///b.sock",
        "ssh://ops@c.example.com:2222",
        "context:d",
    ]
