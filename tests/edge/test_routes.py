"""What Caddy is told, as a pure function of the placements."""

from __future__ import annotations

import json
import re
from ipaddress import IPv4Address, IPv4Network
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.edge.base import Alias, EdgePlan, Listener, Route, Tls
from cockpit.edge.config import address_pattern
from cockpit.edge.config import document as document_of
from cockpit.edge.doors import door_document
from cockpit.edge.follow import WHOLE
from cockpit.edge.follow import follow as follow_pointer
from cockpit.edge.servers import normal
from cockpit.edge.servers import servers as servers_of
from cockpit.errors import ConfigError
from cockpit.model import PlacementKey

ROOT = PurePosixPath("/edge")
WEB, API, ANY = (PlacementKey(name, "production") for name in ("web", "api", "catch"))


def servers(routes: tuple[Route, ...], root: PurePosixPath) -> dict[str, Any]:
    return servers_of(EdgePlan(routes), root)


def document(routes: tuple[Route, ...], root: PurePosixPath, subnet: str) -> tuple[bytes, str]:
    return document_of(EdgePlan(routes), root, subnet)


def hosts_in_order(server: dict[str, Any]) -> list[list[str] | None]:
    return [route["match"][0]["host"] if "match" in route else None for route in server["routes"]]


def follow(server: dict[str, Any], index: int = 0) -> list[dict[str, Any]]:
    routes: list[dict[str, Any]] = server["routes"][index]["handle"][0]["routes"]
    return routes


def test_each_listen_address_is_one_server_without_automatic_https() -> None:
    made = servers((Route(WEB, ":80", ("a.test",)), Route(API, ":80", ("b.test",)), Route(ANY, "127.0.0.1:81")), ROOT)
    assert list(made) == ["127.0.0.1:81", ":80"]
    assert all(server["automatic_https"] == {"disable": True} for server in made.values())


def test_exact_hosts_come_first_then_wildcards_then_any_host_and_last_nobody() -> None:
    made = servers(
        (Route(ANY, ":80"), Route(API, ":80", ("*.test", "Api.Test.")), Route(WEB, ":80", ("web.test",))), ROOT
    )
    assert hosts_in_order(made[":80"]) == [["api.test"], ["web.test"], ["*.test"], None, None]
    assert made[":80"]["routes"][-1]["handle"][-1]["status_code"] == 404


def test_the_order_of_placements_changes_nothing() -> None:
    routes = (Route(WEB, ":80", ("a.test",)), Route(API, ":80", ("b.test", "c.test")), Route(ANY, ":80"))
    assert document(routes, ROOT, "10.231.0.0/18") == document(routes[::-1], ROOT, "10.231.0.0/18")


@pytest.mark.parametrize("listen", ["0.0.0.0:80", "[::]:80", "*:80", ":080"])
def test_all_ways_to_say_any_address_are_one_listener(listen: str) -> None:
    with pytest.raises(ConfigError, match="any host"):
        servers((Route(WEB, ":80"), Route(API, listen)), ROOT)


def test_two_placements_that_want_the_same_host_are_named() -> None:
    with pytest.raises(
        ConfigError, match=r"api/production and web/production both want requests for shop\.test on :80"
    ):
        servers((Route(WEB, ":80", ("shop.test",)), Route(API, ":80", ("SHOP.test",))), ROOT)


def test_the_same_host_on_two_listeners_is_no_clash() -> None:
    assert len(servers((Route(WEB, ":80", ("shop.test",)), Route(API, ":81", ("shop.test",))), ROOT)) == 2


@pytest.mark.parametrize("listen", ["", "80", ":", ":0", ":65536", ":http", "a b:80", "{env.X}:80", "unix//x:1", ":-1"])
def test_a_listen_address_that_is_none_is_refused(listen: str) -> None:
    with pytest.raises(ConfigError, match="cannot listen"):
        normal(listen)


def test_a_route_reads_the_pointer_once_then_its_second_copy_and_has_a_sub_route_for_each_count() -> None:
    routes = follow(servers((Route(WEB, ":80"),), ROOT)[":80"])
    text = json.dumps(routes)
    assert text.count("{file./edge/pointers/web@production}") == 1
    assert text.count("{file./edge/pointers/web@production~}") == 1
    proxies = [route["handle"][0] for route in routes if route["handle"][0]["handler"] == "reverse_proxy"]
    assert [len(proxy["dynamic_upstreams"]["sources"]) for proxy in proxies] == list(range(1, 9))
    assert proxies[7]["dynamic_upstreams"]["sources"][7]["port"] == "{http.regexp.live.17}"
    assert routes[-1]["handle"][0]["status_code"] == 503
    assert routes[-1]["handle"][0]["headers"]["Retry-After"] == ["2"]


def test_each_count_of_addresses_is_taken_by_exactly_one_sub_route() -> None:
    routes = follow(servers((Route(WEB, ":80"),), ROOT)[":80"])
    patterns = [r["match"][0]["vars_regexp"]["pointer"]["pattern"] for r in routes[2:-1]]
    for count in range(10):
        line = f"r42{''.join(f' 10.231.0.{n}:80{n}' for n in range(count))} ."
        assert [bool(re.match(pattern, line)) for pattern in patterns] == [n == count for n in range(1, 9)]


def test_no_retry_cap_and_more_patience_than_an_address_is_left_out() -> None:
    proxy = follow(servers((Route(WEB, ":80"),), ROOT)[":80"])[2]["handle"][0]
    assert "retries" not in proxy["load_balancing"]
    assert proxy["load_balancing"]["try_duration"] == "5s"
    assert proxy["health_checks"]["passive"]["fail_duration"] == "2s"
    assert proxy["transport"]["dial_timeout"] == "250ms"


@pytest.mark.parametrize(
    "line",
    [
        "r1 10.0.0.1:80 .",
        "r1 10.0.0.1:80 10.0.0.2:81 .",
        "r1 / a 10.0.0.1:80 .",
        "hold",
        "hold .",
        "r1 1.1.1.1:1 / a 1.1.1.2:1 .",
    ],
)
def test_a_whole_line_is_seen_as_whole(line: str) -> None:
    assert re.match(WHOLE, line)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "r1 10.0.0.1:80",
        "r1 .",
        "r1 10.0.0.1:80 ",
        "r 10.0.0.1:80 .",
        "holding",
        f"r1{' 1.1.1.1:1' * 9} .",
        "r1 1.1.1.1:1 / a .",
        "r1 / a 1.1.1.1:1",
    ],
)
def test_a_cut_or_foreign_line_is_not_whole(line: str) -> None:
    assert not re.match(WHOLE, line)


def test_a_process_is_found_by_its_name_and_by_nothing_else() -> None:
    def release_and_count(line: str, process: str) -> list[tuple[str, int]]:
        patterns = [
            entry["match"][0]["vars_regexp"]["pointer"]["pattern"] for entry in follow_pointer(WEB, process, ROOT)[2:-1]
        ]
        return [(match[1], count) for count, pattern in enumerate(patterns, 1) if (match := re.match(pattern, line))]

    line = "r42 10.0.0.1:80 10.0.0.2:80 / admin 10.0.0.3:81 / a.p-i 10.0.0.4:82 10.0.0.5:82 10.0.0.6:82 ."
    assert release_and_count(line, "") == [("r42", 2)]
    assert release_and_count(line, "admin") == [("r42", 1)]
    assert release_and_count(line, "a.p-i") == [("r42", 3)]
    assert [release_and_count(line, other) for other in ("a", "adm", "min", "axp-i", "10.0.0.3:81")] == [[]] * 5


def test_two_processes_of_one_placement_that_want_the_same_host_are_named() -> None:
    with pytest.raises(ConfigError, match=r"web/production and web/production \(admin\) both want"):
        servers((Route(WEB, ":80", ("a.test",)), Route(WEB, ":80", ("a.test",), "admin")), ROOT)


def test_no_socket_of_the_edge_but_the_customers_is_tcp() -> None:
    config = json.loads(document((Route(WEB, ":80"),), ROOT, "10.231.0.0/18")[0])
    assert config["admin"]["listen"] == "unix//edge/{env.EDGE_RUN}/admin.sock|0600"
    assert config["apps"]["http"]["servers"]["private"]["listen"] == ["unix//edge/{env.EDGE_RUN}/probe.sock|0600"]


def test_the_digest_changes_with_the_routes_and_is_what_the_private_server_tells() -> None:
    one, digest = document((Route(WEB, ":80"),), ROOT, "10.231.0.0/18")
    _, other = document((Route(WEB, ":81"),), ROOT, "10.231.0.0/18")
    assert digest != other
    assert json.loads(one)["apps"]["http"]["servers"]["private"]["routes"][0]["handle"][0]["body"] == digest


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(8, 30))
def test_the_pattern_of_a_subnet_takes_its_addresses_and_no_other(start: int, other: int, prefix: int) -> None:
    network = IPv4Network((start, prefix), strict=False)
    pattern = re.compile(address_pattern(str(network)))
    edges = [int(network.network_address), int(network.broadcast_address)]
    for number in [other, start, *edges, max(0, edges[0] - 1), min(2**32 - 1, edges[1] + 1)]:
        address = IPv4Address(number)
        assert bool(pattern.fullmatch(str(address))) == (address in network)


@pytest.mark.parametrize("text", ["10.231.0.999", "10.231.0.01", "10.231.0", "10x231.0.1", "10.231.0.1.1", "localhost"])
def test_the_pattern_of_a_subnet_takes_nothing_but_addresses(text: str) -> None:
    assert not re.fullmatch(address_pattern("10.231.0.0/18"), text)


def refused(*listeners: Listener, hosts: tuple[str, ...] = ("shop.test",)) -> ConfigError:
    routes = tuple(Route(PlacementKey(f"s{index}", "p"), each.listen, hosts) for index, each in enumerate(listeners))
    with pytest.raises(ConfigError) as caught:
        document_of(EdgePlan(routes, listeners), ROOT, "10.231.0.0/18")
    return caught.value


def test_acme_needs_names() -> None:
    error = refused(Listener(":80", tls=Tls()), hosts=())
    assert error.message == "s0/p answers to any name on :443, and a certificate needs names"
    assert "hosts" in error.hint


def test_a_wildcard_needs_certificate_files() -> None:
    error = refused(Listener(":80", tls=Tls()), hosts=("*.shop.test",))
    assert "*.shop.test" in error.message
    assert "edge.tls.certificates" in error.hint


def test_http_and_https_cannot_share_an_address() -> None:
    assert "both HTTP and HTTPS on :80" in refused(Listener(":80", tls=Tls(":80"))).message


def test_listeners_that_share_a_tls_address_say_the_same_of_it() -> None:
    error = refused(Listener(":80", tls=Tls()), Listener(":81", tls=Tls(hsts=5)))
    assert error.message == ":80 and :81 want different things of :443"


def test_two_placements_that_meet_only_on_the_tls_listener_clash_there() -> None:
    error = refused(Listener(":80", tls=Tls(redirect=False)), Listener(":81", tls=Tls(redirect=False)))
    assert error.message == "s0/p and s1/p both want requests for shop.test on :443"


def test_automatic_https_is_on_for_tls_listeners_alone() -> None:
    plan = EdgePlan((Route(WEB, ":80", ("a.test",)), Route(API, ":81")), (Listener(":80", tls=Tls()),))
    made = servers_of(plan, ROOT)
    assert [name for name, server in made.items() if not server["automatic_https"].get("disable")] == [":443"]
    assert made[":443"]["automatic_https"]["disable_redirects"]


def test_challenges_are_answered_on_the_ports_that_the_edge_has() -> None:
    plan = EdgePlan((Route(WEB, ":8080", ("a.test",)),), (Listener(":8080", tls=Tls(":8443", email="a@b.test")),))
    policy = json.loads(document_of(plan, ROOT, "10.231.0.0/18")[0])["apps"]["tls"]["automation"]["policies"][0]
    assert policy["subjects"] == ["a.test"]
    assert policy["issuers"] == [
        {
            "module": "acme",
            "email": "a@b.test",
            "challenges": {"http": {"alternate_port": 8080}, "tls-alpn": {"alternate_port": 8443}},
        }
    ]


def test_without_tls_nothing_of_it_is_configured() -> None:
    apps = json.loads(document((Route(WEB, ":80"),), ROOT, "10.231.0.0/18")[0])["apps"]
    assert list(apps) == ["http"]


def test_the_doors_of_two_processes_have_sockets_of_their_own() -> None:
    aliases = tuple(Alias(WEB, process, ("net",), ("web",), 8000) for process in ("", "admin"))
    made = json.loads(document_of(EdgePlan(aliases=aliases), ROOT, "10.231.0.0/18")[0])["apps"]["http"]["servers"]
    sockets = {server["listen"][0] for name, server in made.items() if name.startswith("door ")}
    doors = [json.loads(door_document(alias, ROOT))["apps"]["http"]["servers"]["door"] for alias in aliases]
    dials = {door["routes"][0]["handle"][0]["upstreams"][0]["dial"] for door in doors}
    assert sockets == {f"{dial.replace('/run/', '/{env.EDGE_RUN}/')}|0600" for dial in dials}
    assert len(sockets) == 2
