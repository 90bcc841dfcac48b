"""The reverse proxy: said once for all environments, and key by key in each."""

from __future__ import annotations

import pytest

from cockpit.config.settings import PRIVATE, Certificate, Edge, EdgeLimits, EdgeProgram, Tls
from tests.config.reading import complaints, read

NAMED = "services: {web: {repo: shop.git, hosts: [shop.example.com]}}\n"
HOST = "environments.production.host: expected local, unix:///path/of/docker.sock, ssh://user@host or context:NAME"
FILES = "expected certificates beside it, for they are the files"
UNREACHED = "with networks the edge is in those instead of the host's, and nobody there reaches one address"
RANGE = "expected addresses such as 10.0.0.0/8 or 192.0.2.7"


def edge(keys: str) -> Edge:
    return read(f"{NAMED}edge: {{{keys}}}\n").placements[0].environment.edge


BOTH = """
services: {web: {repo: r, hosts: [shop.example.com]}}
edge:
  listen: 127.0.0.1:8100
  labels: {a: all, b: all}
  limits: {body: 10m, idle_timeout: 1m}
  tls: {email: ops@example.com, redirect: false, hsts: 1d}
  binaries: {arm64: /opt/caddy-arm64}
environments:
  staging:
    edge: {listen: ":81", labels: {b: own}, limits: {body: null}, tls: {issuer: internal, listen: ":444", hsts: null}}
  plain:
    host: ssh://h
    edge: {listen: ":82", tls: null, networks: [traefik]}
  production:
"""


def test_what_an_environment_says_of_its_edge_wins_key_by_key() -> None:
    settings = read(BOTH)
    staging, plain, production = (each.environment.edge for each in settings.placements)
    tls = Tls(email="ops@example.com", redirect=False, hsts=86400)
    limits = EdgeLimits(body=10 << 20, idle_timeout=60)
    labels = {"a": "all", "b": "all"}
    assert production == Edge(listen="127.0.0.1:8100", labels=labels, limits=limits, tls=tls)
    assert plain == Edge(listen=":82", labels=labels, limits=limits, networks=("traefik",))
    assert staging == Edge(
        listen=":81",
        labels={"a": "all", "b": "own"},
        limits=EdgeLimits(idle_timeout=60),
        tls=Tls(issuer="internal", listen=":444", email="ops@example.com", redirect=False),
    )
    assert settings.edge == EdgeProgram(binaries={"arm64": "/opt/caddy-arm64"})


def test_the_one_implied_environment_has_the_edge_of_all() -> None:
    assert edge("listen: ':8080'") == Edge(listen=":8080")


def test_an_empty_tls_is_lets_encrypt_on_443_with_redirects() -> None:
    assert edge("tls: {}").tls == Tls(listen=":443", issuer="acme", redirect=True, hsts=None, directory=None)


def test_own_certificates_are_files_of_the_engines_machine() -> None:
    tls = edge("tls: {issuer: files, certificates: [{certificate: /a.pem, key: /a.key}]}").tls
    assert tls is not None
    assert tls.certificates == (Certificate(certificate="/a.pem", key="/a.key"),)


@pytest.mark.parametrize(
    ("keys", "public"),
    [
        ("listen: ':80'", True),
        ("listen: '0.0.0.0:80'", True),
        ("listen: '[::]:80'", True),
        ("listen: '203.0.113.9:80'", True),
        ("listen: 'www.example.com:80'", True),
        ("listen: '127.0.0.1:8100'", False),
        ("listen: 'localhost:8100'", False),
        ("listen: '[::1]:8100'", False),
        ("listen: '10.1.2.3:80'", False),
        ("listen: '192.168.1.2:80'", False),
        ("listen: ':80', networks: [traefik]", False),
    ],
)
def test_private_addresses_are_believed_when_nobody_outside_reaches_the_listener(keys: str, public: bool) -> None:
    found = edge(keys)
    assert found.public is public
    assert found.trusted == (() if public else PRIVATE)


@pytest.mark.parametrize(
    ("written", "trusted"),
    [
        ("none", ()),
        ("private", PRIVATE),
        ("[10.0.0.0/8, 192.0.2.7, '2001:db8::/32']", ("10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32")),
        ("10.0.0.0/8", ("10.0.0.0/8",)),
        ("[]", ()),
    ],
)
@pytest.mark.parametrize("listen", [":80", "127.0.0.1:8100"])
def test_who_is_believed_may_be_said_whatever_the_listener(listen: str, written: str, trusted: tuple[str, ...]) -> None:
    assert edge(f"listen: '{listen}', trusted_proxies: {written}").trusted == trusted


@pytest.mark.parametrize(
    "host", ["local", "unix:///run/docker.sock", "ssh://h", "ssh://a_b@h-1.x:22", "context:my-ctx"]
)
def test_a_docker_host_is_local_a_socket_behind_ssh_or_a_context(host: str) -> None:
    text = f"{NAMED}environments: {{production: {{host: '{host}', auto: true}}}}\n"
    environment = read(text).placements[0].environment
    assert (environment.host, environment.auto.enabled) == (host, True)


BAD = {
    "one name on the HTTPS of two environments": (
        "edge: {tls: {}}\nenvironments: {a: {edge: {listen: ':81'}}, b: }",
        [
            '1:34: web/a and web/b both answer to "shop.example.com" on :443; '
            "give one of them other hosts, or its environment another edge.tls.listen"
        ],
    ),
    "files that are none": ("edge: {tls: {issuer: files}}", [f"2:22: edge.tls.issuer: {FILES}"]),
    "files that are none in one environment": (
        "environments: {production: {edge: {tls: {issuer: files}}}}",
        [f"2:50: environments.production.edge.tls.issuer: {FILES}"],
    ),
    "networks and a listener on loopback": (
        "edge: {networks: [traefik], listen: '127.0.0.1:8100'}",
        [f"2:37: edge.listen: expected :8100, got 127.0.0.1:8100; {UNREACHED}"],
    ),
    "networks of one environment and listeners of all": (
        "edge: {listen: 'localhost:80', tls: {listen: '10.0.0.1:443'}}\n"
        "environments: {production: {edge: {networks: [traefik]}}}",
        [
            f"2:16: edge.listen: expected :80, got localhost:80; {UNREACHED}",
            f"2:46: edge.tls.listen: expected :443, got 10.0.0.1:443; {UNREACHED}",
        ],
    ),
    "networks in one of two environments of a host": (
        "environments: {a: {edge: {listen: ':81', networks: [traefik]}}, b: }",
        [
            "2:52: environments.a.edge.networks: expected them in all environments on local or in none, "
            "for it has one edge; b has none"
        ],
    ),
    "an issuer": (
        "edge: {tls: {issuer: letsencrypt}}",
        ["2:22: edge.tls.issuer: expected acme, internal or files, got letsencrypt"],
    ),
    "TLS that is a flag": ("edge: {tls: true}", ["2:13: edge.tls: expected a map, got true"]),
    "TLS on the plain listener": (
        'edge: {listen: ":443", tls: {}}',
        ["2:29: edge.tls: expected an address of its own, got :443, where production takes plain HTTP"],
    ),
    "TLS on another environment's plain listener": (
        "edge: {tls: {listen: ':8443'}}\n"
        "environments: {a: {edge: {tls: {listen: '0.0.0.0:82'}}}, b: {edge: {listen: ':82'}}}",
        [
            "3:41: environments.a.edge.tls.listen: "
            "expected an address of its own, got 0.0.0.0:82, where b takes plain HTTP"
        ],
    ),
    "a certificate without a key": (
        "edge: {tls: {certificates: [{certificate: /a}]}}",
        ['2:29: edge.tls.certificates[0]: expected a key "key", which is missing'],
    ),
    "a directory": (
        "edge: {tls: {directory: ca.example.com}}",
        [
            "2:25: edge.tls.directory: expected a URL such as https://ca.example.com/directory, got ca.example.com; "
            'did you mean "https://ca.example.com"?'
        ],
    ),
    "an e-mail address": ("edge: {tls: {email: me}}", ["2:21: edge.tls.email: expected an e-mail address, got me"]),
    "a time for HSTS": (
        "edge: {tls: {hsts: 6 months}}",
        ["2:20: edge.tls.hsts: expected a duration such as 30s, 2m or 1h30m, got 6 months"],
    ),
    "whom to believe": (
        "edge: {trusted_proxies: all}",
        [
            "2:25: edge.trusted_proxies: expected none, private, or a list of addresses such as 10.0.0.0/8, got all",
        ],
    ),
    "addresses with host bits": (
        "edge: {trusted_proxies: [10.0.0.1/8]}",
        [f"2:26: edge.trusted_proxies[0]: {RANGE}, got 10.0.0.1/8 (10.0.0.1/8 has host bits set)"],
    ),
    "addresses that are a name": (
        "edge: {trusted_proxies: [proxy]}",
        [f"2:26: edge.trusted_proxies[0]: {RANGE}, got proxy"],
    ),
    "a network": (
        'edge: {networks: ["a b"]}',
        ['2:19: edge.networks[0]: expected the name of a Docker network, got "a b"'],
    ),
    "a label": ("edge: {labels: [a]}", ["2:17: edge.labels[0]: expected NAME=value, got a"]),
    "a body's size": (
        "edge: {limits: {body: 10 MB}}",
        ["2:23: edge.limits.body: expected a size such as 512m or 2g, got 10 MB"],
    ),
    "no time at all": (
        "edge: {limits: {idle_timeout: 0}}",
        ["2:31: edge.limits.idle_timeout: expected at least 1 s, got 0"],
    ),
    "an architecture": (
        "edge: {binaries: {x86_64: /a}}",
        [
            "2:19: edge.binaries.x86_64: expected amd64, arm64, arm, 386, ppc64le, riscv64 or s390x, got x86_64; "
            'did you mean "amd64"?'
        ],
    ),
    "a relative binary": (
        "edge: {binaries: {amd64: a}}",
        ["2:26: edge.binaries.amd64: expected an absolute path, got a"],
    ),
    "an unknown key": ("edge: {lisen: x}", ['2:8: edge: unknown key "lisen"; did you mean "listen"?']),
    "an image for one environment": (
        "environments: {production: {edge: {image: x}}}",
        [
            '2:36: environments.production.edge: unknown key "image"; '
            "known are listen, networks, labels, trusted_proxies, tls, limits"
        ],
    ),
    "a host without ssh": (
        "environments: {production: {host: deploy@host}}",
        [f'2:35: {HOST}, got deploy@host; did you mean "ssh://deploy@host"?'],
    ),
    "a host over TCP": (
        "environments: {production: {host: 'tcp://192.0.2.1:2375'}}",
        [f'2:35: {HOST}, got "tcp://192.0.2.1:2375"'],
    ),
    "a host that is an option of ssh": (
        "environments: {production: {host: 'ssh://-oProxyCommand=x'}}",
        [f'2:35: {HOST}, got "ssh://-oProxyCommand=x"'],
    ),
    "a user that is an option of ssh": (
        "environments: {production: {host: 'ssh://-x@host'}}",
        [f'2:35: {HOST}, got "ssh://-x@host"'],
    ),
    "a context that is an option": (
        "environments: {production: {host: 'context:--debug'}}",
        [f'2:35: {HOST}, got "context:--debug"'],
    ),
    "auto: yes": (
        "environments: {production: {auto: yes}}",
        [
            "2:35: environments.production.auto.enabled: expected true or false, got yes, "
            "which YAML 1.1 reads as true: write true"
        ],
    ),
    "a registry without a name": (
        "registry: {username: x}",
        ['2:1: registry: expected a key "server", which is missing'],
    ),
    "a registry that is a word": ("registry: x", ["2:11: registry: expected a map, got x"]),
    "a password": (
        "registry: {server: a, password: hunter2}",
        [
            "2:33: registry.password: expected a map with one of file, environment and command, "
            "got text that is not shown"
        ],
    ),
}


@pytest.mark.parametrize(("text", "said"), BAD.values(), ids=BAD)
def test_what_is_wrong_with_an_edge_or_a_host_is_told_where(text: str, said: list[str]) -> None:
    assert complaints(f"{NAMED}{text}\n") == said


@pytest.mark.parametrize(
    ("hosts", "what"),
    [("", "any name"), (", hosts: ['*.example.com']", '"*.example.com"')],
)
def test_acme_certifies_names_one_by_one(hosts: str, what: str) -> None:
    said = complaints(f"services: {{web: {{repo: r{hosts}}}}}\nedge: {{tls: {{}}}}\n")
    column = 27 if hosts else 12
    assert said == [
        f"1:{column}: web/production: no ACME certificate can be had for {what}; "
        "name the hosts, or give edge.tls certificates"
    ]


@pytest.mark.parametrize("tls", ["{issuer: internal}", "{certificates: [{certificate: /a, key: /b}]}"])
def test_any_name_may_be_served_with_own_certificates_or_the_edges_own_authority(tls: str) -> None:
    assert read(f"services: {{web: {{repo: r}}}}\nedge: {{tls: {tls}}}\n").placements


def test_one_registry_needs_no_list() -> None:
    one = read(f"{NAMED}registry: {{server: r.example.com, username: me, password: {{file: /p}}}}\n").registry
    assert read(f"{NAMED}registry: [{{server: r.example.com, username: me, password: {{file: /p}}}}]\n").registry == one
    assert [each.server for each in one] == ["r.example.com"]


def test_what_is_asked_before_a_commit_is_deployed_by_itself_is_a_command() -> None:
    text = f"{NAMED}environments: {{staging: {{auto: {{check: ci-is-green --quiet, timeout: 5s}}}}}}\n"
    auto = read(text).placements[0].environment.auto
    assert (auto.enabled, auto.check, auto.timeout) == (True, ("ci-is-green", "--quiet"), 5.0)
