"""Every bad input of the configuration, and exactly what is said about it."""

from __future__ import annotations

import pytest

from tests.config.reading import complaints

START = "services: {web: {repo: shop.git, port: 8000}}\n"
WEB = "services:\n  web:\n    repo: shop.git\n"  # keys of the service go on in line 4, column 5
TOP_KEYS = "environments, services, edge, registry, roles, network, fetch_every, theme, keys"
FLAG = "environments.production.protected: expected true or false"
PORT = "services.web.port: expected the container's port alone such as 8000"
COMMAND = "services.web.command: expected a command as text or as a list of words"
VARIABLE = "expected a variable's name of letters, digits and _ that is not one the cockpit sets"
FEW = "expected at most 8 containers with a port in one release"
VOLUME = "expected NAME:/path or /host/path:/path, with :ro at the end when it is only read"
SECRET = "expected a map with one of file, environment and command"
USE_SECRETS = "for a value from the engine's environment use secrets"
NAME = "expected a name of at most 40 lower-case letters, digits and hyphens that starts with a letter"

SYNTAX = {
    "an empty file": (
        "",
        "1:1: expected a configuration, got an empty file; the smallest is services: {web: {repo: URL, port: 8000}}",
    ),
    "only a comment": (
        "# nothing\n",
        "1:1: expected a configuration, got an empty file; the smallest is services: {web: {repo: URL, port: 8000}}",
    ),
    "a list": ("- web\n", "1:1: expected a map, got a list"),
    "a word": ("web\n", "1:1: expected a map, got web"),
    "a tab": ("services:\n\tweb: {}\n", "2:1: expected spaces, got a tab: YAML is indented with spaces"),
    "an open bracket": (
        "services: [1,\n",
        "2:1: expected YAML, but while parsing a flow node: expected the node content, but found '<stream end>'",
    ),
    "two colons": ("services: web: 1\n", "1:14: expected YAML, but mapping values are not allowed here"),
    "two documents": (START + "---\na: 1\n", "2:1: expected one document, got a second one"),
    "a tag": (
        "services: !!python/name:os.system x\n",
        '1:11: expected a value without a tag, got "tag:yaml.org,2002:python/name:os.system"',
    ),
    "an escape that is no character": (
        'theme: "\\UFFFFFFFF"\n',
        "1:1: expected YAML, got an escape or directive that is none",
    ),
    "a byte order mark": (
        b"\xef\xbb\xbfservices: {}\n",
        "1:1: expected text, got a byte order mark: save the file as UTF-8 without one",
    ),
    "UTF-16": ("services: {}".encode("utf-16"), "1:1: expected UTF-8, got the byte 0xff"),
    "invalid UTF-8": (b"theme: dark\nkeys: \xe9\n", "2:7: expected UTF-8, got the byte 0xe9"),
    "NUL": ("theme: da\0rk\n", "1:10: expected text, got the character U+0000"),
    "ESC": ("theme: dark\n# \x1b]0;owned\x07\n", "2:3: expected text, got the character U+001B"),
    "nesting": ("a: " + "[" * 3000, "1:53: expected at most 50 levels of nesting"),
    "an alias of itself": (
        "services: &a [*a]\n",
        '1:15: expected the name of an anchor that is complete here, got "a"',
    ),
    "a merge key": (START + "theme: dark\n<<: {}\n", "3:1: merge keys are not used here; write the keys out"),
    "a key that is a list": (START + "? [a]\n: b\n", "2:3: expected a key of one word, got a list or map"),
    "no key": (START + "keys:\n  ?\n  : b\n", "3:4: expected a key before the colon"),
    "a duplicate key": (START + "theme: a\ntheme: b\n", '3:1: duplicate key "theme": it is in line 2 already'),
    "a duplicate service": (
        "services:\n  web: {repo: a}\n  web: {repo: b}\n",
        '3:3: duplicate key "web": it is in line 2 already',
    ),
}

TOP = {
    "no services": ("theme: dark\n", '1:1: expected a key "services", which is missing'),
    "services that are empty": ("services: {}\n", "1:1: services: expected at least one of services, got none"),
    "no value": ("services:\n", "1:10: services: expected a map, got nothing"),
    "no environments": (
        START + "environments: {}\n",
        "2:1: environments: expected at least one of environments, got none",
    ),
    "an unknown key": (START + "enviroments: {}\n", '2:1: unknown key "enviroments"; did you mean "environments"?'),
    "an unknown key like none": (
        START + "xyzzy: 1\n",
        f'2:1: unknown key "xyzzy"; known are {TOP_KEYS}',
    ),
    "a key in capitals": (START + "Theme: dark\n", '2:1: unknown key "Theme"; did you mean "theme"?'),
    "no repository": ("services: {web: {port: 80}}\n", '1:12: services.web: expected a key "repo", which is missing'),
    "a service's name": (
        "services: {Web_Shop: {repo: a}}\n",
        f'1:12: services.Web_Shop: {NAME}, got Web_Shop; did you mean "web-shop"?',
    ),
    "a long name": (
        f"services: {{{'a' * 41}: {{repo: a}}}}\n",
        f"1:12: services.{'a' * 41}: {NAME}, got {'a' * 41}",
    ),
    "protected: yes": (
        START + "environments: {production: {protected: yes}}\n",
        f"2:40: {FLAG}, got yes, which YAML 1.1 reads as true: write true",
    ),
    "protected: off": (
        START + "environments: {production: {protected: off}}\n",
        f"2:40: {FLAG}, got off, which YAML 1.1 reads as false: write false",
    ),
    "protected: a number": (
        START + "environments: {production: {protected: 1}}\n",
        f"2:40: {FLAG}, got 1",
    ),
    "a host": (
        START + "environments: {production: {host: /run/docker.sock}}\n",
        "2:35: environments.production.host: expected local, unix:///path/of/docker.sock, ssh://user@host "
        "or context:NAME, "
        'got /run/docker.sock; did you mean "unix:///run/docker.sock"?',
    ),
    "a listener": (
        START + "environments: {production: {edge: {listen: 8080}}}\n",
        "2:44: environments.production.edge.listen: expected an address to listen on such as :80 or 127.0.0.1:8080, "
        'got 8080; did you mean ":8080"?',
    ),
    "a listener's port": (
        START + "environments: {production: {edge: {listen: ':65536'}}}\n",
        "2:44: environments.production.edge.listen: expected an address to listen on such as :80 or 127.0.0.1:8080, "
        'got ":65536"',
    ),
    "host bits": (
        START + "network: {subnet: 10.0.0.1/18}\n",
        "2:19: network.subnet: expected an IPv4 network such as 10.231.0.0/18, /22 or larger, "
        "got 10.0.0.1/18 (10.0.0.1/18 has host bits set)",
    ),
    "a small network": (
        START + "network: {subnet: 10.0.0.0/24}\n",
        "2:19: network.subnet: expected an IPv4 network such as 10.231.0.0/18, /22 or larger, got 10.0.0.0/24",
    ),
    "fetching all the time": (START + "fetch_every: 1s\n", "2:14: fetch_every: expected at least 5 s, got 1s"),
    "a registry without a name": (
        START + "registry: [{username: me}]\n",
        '2:12: registry[0]: expected a key "server", which is missing',
    ),
    "the old name of registry": (START + "registries: []\n", '2:1: unknown key "registries"; did you mean "registry"?'),
}

SERVICE = {
    "an unknown key": ("prot: 8000", '4:5: services.web: unknown key "prot"; did you mean "port"?'),
    "a key of which the start is right": (
        "stop: 3s",
        '4:5: services.web: unknown key "stop"; did you mean "stop_signal"?',
    ),
    "port: 22:22": (
        "port: 22:22",
        f"4:11: {PORT}, got 22:22, which YAML 1.1 reads as 1342",
    ),
    "port: 010": (
        "port: 010",
        f"4:11: {PORT}, got 010, which YAML 1.1 reads as 8: write 10",
    ),
    "port: 0x1F90": (
        "port: 0x1F90",
        f"4:11: {PORT}, got 0x1F90, which YAML 1.1 reads as 8080: write that",
    ),
    "a port in quotes": (
        'port: "8000"',
        f'4:11: {PORT}, got "8000"; write it without quotes',
    ),
    "a port of letters": (
        "port: http",
        f"4:11: {PORT}, got http",
    ),
    "a list of ports": (
        "port: [80]",
        f"4:11: {PORT}, got a list",
    ),
    "no port": ("port:", f"4:10: {PORT}, got nothing"),
    "a port too high": ("port: 65536", "4:11: services.web.port: expected at most 65535, got 65536"),
    "no replicas": ("replicas: 0", "4:15: services.web.replicas: expected at least 1, got 0"),
    "too many replicas": ("replicas: 9", f"4:15: services.web.replicas: {FEW}, got 9"),
    "half a replica": ("replicas: 1.5", "4:15: services.web.replicas: expected a whole number, got 1.5"),
    "a wait that is too long": (
        "deploy_timeout: 20m",
        "4:21: services.web.deploy_timeout: expected at most 900 s, got 20m",
    ),
    "a duration": (
        "bake: 10 minutes",
        "4:11: services.web.bake: expected a duration such as 30s, 2m or 1h30m, got 10 minutes",
    ),
    "a duration of sexagesimals": (
        "bake: 10:00",
        "4:11: services.web.bake: expected a duration such as 30s, 2m or 1h30m, got 10:00, which YAML 1.1 reads as 600",
    ),
    "a negative duration": (
        "bake: -1",
        "4:11: services.web.bake: expected a duration such as 30s, 2m or 1h30m, got -1",
    ),
    "memory": (
        "limits: {memory: 512mib}",
        "4:22: services.web.limits.memory: expected a size such as 512m or 2g, got 512mib",
    ),
    "memory that starts nothing": (
        "limits: {memory: 1m}",
        "4:22: services.web.limits.memory: expected at least 4194304 bytes, got 1m",
    ),
    "no CPU": ("limits: {cpus: 0}", "4:20: services.web.limits.cpus: expected more than 0, got 0"),
    "a host with a scheme": (
        "hosts: [https://shop.example.com/]",
        "4:13: services.web.hosts[0]: expected a host name such as shop.example.com, got https://shop.example.com/; "
        'did you mean "shop.example.com"?',
    ),
    "a host twice": (
        "hosts: [a.example.com, A.example.com]",
        '4:28: services.web.hosts[1]: "a.example.com" is in the list already',
    ),
    "a health path": (
        "healthcheck: {path: up}",
        '4:25: services.web.healthcheck.path: expected a path that starts with /, got up; did you mean "/up"?',
    ),
    "a path that leaves the repository": (
        "path: a/../../etc",
        "4:11: services.web.path: expected a path inside the repository, without .., got a/../../etc",
    ),
    "a context that leaves the repository": (
        "build: ..",
        "4:12: services.web.build.context: expected a path inside the repository, without .., got ..",
    ),
    "an image with a tag": (
        "image: registry.example.com/shop:latest",
        "4:12: services.web.image: expected an image's name such as registry.example.com/shop, "
        "with the tag {sha} or {short} when CI makes it, "
        'got registry.example.com/shop:latest; did you mean "registry.example.com/shop"?',
    ),
    "a command that does not end": (
        "command: sh -c 'run",
        f"4:14: {COMMAND}, got sh -c 'run: no closing quotation",
    ),
    "a command without a word": (
        "command: []",
        f"4:14: {COMMAND}, got a list without a word in it",
    ),
    "a variable without a value": (
        "environment: {A: }",
        f"4:21: services.web.environment.A: expected text (quote it when it is empty); {USE_SECRETS}, got nothing",
    ),
    "a listed variable without a value": (
        "environment: [A]",
        f"4:19: services.web.environment[0]: expected NAME=value, got A; {USE_SECRETS}",
    ),
    "a variable's name": (
        "environment: {A-B: x}",
        "4:19: services.web.environment.A-B: expected a variable's name of letters, digits and _ that is not one the "
        'cockpit sets, got A-B; did you mean "A_B"?',
    ),
    "a variable of ours": (
        "environment: {COCKPIT_RELEASE: x}",
        f"4:19: services.web.environment.COCKPIT_RELEASE: {VARIABLE}, got COCKPIT_RELEASE",
    ),
    "a secret in the file": (
        "secrets: {A: hunter2}",
        f"4:18: services.web.secrets.A: {SECRET}, got text that is not shown",
    ),
    "a secret from two places": (
        "secrets: {A: {file: /a, environment: A}}",
        "4:15: services.web.secrets.A: expected exactly one of file, environment and command",
    ),
    "a variable that is a secret too": (
        "environment: {A: x}\n    secrets: {A: {file: /a}}",
        '5:18: services.web.secrets.A: "A" is in environment and in secrets; keep one',
    ),
    "a volume": (
        "volumes: [./data:/data]",
        f"4:15: services.web.volumes[0]: {VOLUME}, got ./data:/data",
    ),
    "a signal": (
        "stop_signal: term",
        '4:18: services.web.stop_signal: expected a signal\'s name such as SIGTERM, got term; did you mean "SIGTERM"?',
    ),
    "an escape sequence in text": (
        'branch: "\\e[31mmain"',
        '4:13: services.web.branch: expected text, got "main", with the control character U+001B in it',
    ),
    "an environment that is none": (
        "environments: [prodution]",
        '4:20: services.web.environments.prodution: no environment is called "prodution"; did you mean "production"?',
    ),
    "a key in an override": (
        "environments: {production: {replica: 2}}",
        '4:33: services.web.environments.production: unknown key "replica"; did you mean "replicas"?',
    ),
    "a bound in an override": (
        "environments: {production: {replicas: 10}}",
        f"4:43: services.web.environments.production.replicas: {FEW}, got 10",
    ),
    "a bound in a process": (
        "replicas: 2\n    processes: {web: , worker: {replicas: 65}}",
        "5:43: services.web.processes.worker.replicas: expected at most 64, got 65",
    ),
    "a variable of a process that is a secret of all": (
        "processes: {web: {environment: {A: x}}}\n    secrets: {A: {file: /a}}",
        '5:18: services.web.secrets.A: "A" is in environment and in secrets; keep one',
    ),
    "deployed nowhere": (
        "environments: []",
        "4:5: services.web.environments: expected at least one environment, got none",
    ),
}


@pytest.mark.parametrize(("text", "said"), SYNTAX.values(), ids=SYNTAX)
def test_a_file_that_is_no_configuration_is_told_where_and_why(text: str | bytes, said: str) -> None:
    assert complaints(text)[0] == said


@pytest.mark.parametrize(("text", "said"), TOP.values(), ids=TOP)
def test_a_wrong_value_is_told_where_and_what_was_expected(text: str, said: str) -> None:
    assert complaints(text) == [said]


@pytest.mark.parametrize(("keys", "said"), SERVICE.values(), ids=SERVICE)
def test_a_wrong_key_of_a_service_is_told_where_and_what_was_expected(keys: str, said: str) -> None:
    assert complaints(f"{WEB}    {keys}\n") == [said]


def test_all_problems_are_said_at_once_in_the_order_of_the_file() -> None:
    text = "services:\n  web:\n    prot: 1\n    replicas: 99\n    bake: yes\n  web: {}\ntheme: [dark]\n"
    assert [line.split(": ")[0] for line in complaints(text)] == ["2:3", "3:5", "4:15", "5:11", "6:3", "7:8"]


def test_very_many_problems_are_counted_instead_of_listed() -> None:
    said = complaints(START + "".join(f"key{number}: 1\n" for number in range(200)))
    assert len(said) == 51
    assert said[-1] == "and 150 more"


def test_two_placements_of_one_name_on_one_listener_are_both_named() -> None:
    text = "services:\n  a: {repo: r, hosts: [x.example.com]}\n  b: {repo: r, hosts: [y.example.com, x.example.com]}\n"
    assert complaints(text) == [
        '3:16: a/production and b/production both answer to "x.example.com" on :80; '
        "give one of them other hosts, or its environment another edge.listen"
    ]


def test_two_placements_that_answer_to_any_name_on_one_listener_are_both_named() -> None:
    text = "services: {web: {repo: r}}\nenvironments: {staging: {}, production: {edge: {listen: '0.0.0.0:80'}}}\n"
    assert complaints(text) == [
        "1:12: web/staging and web/production both answer to any name on 0.0.0.0:80; "
        "give one of them hosts, or its environment another edge.listen"
    ]


def test_what_a_file_holds_cannot_draw_on_the_terminal() -> None:
    (said,) = complaints(START + '"\\e]0;owned\\a\\u202e": 1\n')
    assert said.startswith('2:1: unknown key "')
    assert not set("\x1b\x07\u202e") & set(said)
