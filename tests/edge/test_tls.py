"""HTTPS at the edge: certificates by ACME, from files and by its own authority."""

from __future__ import annotations

import asyncio
import ssl
import stat
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from cockpit.edge.base import EdgePlan, Listener, Tls
from cockpit.errors import ConfigError
from cockpit.model import PlacementKey
from tests.edge.authority import Pair, acme, signed
from tests.edge.proxy import proxy
from tests.edge.world import SHOP, World, ask, free_port, world
from tests.waiting import until

BLOG = PlacementKey("blog", "production")


@dataclass(frozen=True)
class Seen:
    """An answer over TLS, and who certified the host to us."""

    status: int
    headers: dict[str, str]
    body: str
    issuer: str
    serial: str
    protocol: str


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, "shop.test") as made:
        yield made


async def over_tls(port: int, host: str = "shop.test", *protocols: str) -> Seen:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(list(protocols) or ["http/1.1"])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=host)
    line: ssl.SSLObject = writer.get_extra_info("ssl_object")
    issuer, serial = await asyncio.to_thread(_certificate, line.getpeercert(binary_form=True) or b"")
    protocol = line.selected_alpn_protocol() or ""
    writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode() if protocol != "h2" else b"")
    async with asyncio.timeout(15):
        head, _, body = (await reader.read(1 if protocol == "h2" else -1)).partition(b"\r\n\r\n")
    writer.close()
    if protocol == "h2":
        return Seen(0, {}, "", issuer, serial, protocol)
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
    return Seen(int(first.split()[1]), headers, body.decode(), issuer, serial, protocol)


def _certificate(content: bytes) -> tuple[str, str]:
    command = ["openssl", "x509", "-inform", "der", "-noout", "-issuer", "-serial"]
    said = subprocess.run(command, input=content, capture_output=True, check=True).stdout.decode()
    issuer, serial = said.strip().splitlines()
    return issuer, serial


async def certified(port: int, host: str = "shop.test") -> bool:
    try:
        return (await over_tls(port, host)).status == 200
    except (OSError, IndexError, ValueError):  # no certificate yet
        return False


def plan(edge: World, tls: Tls | None, *hosts: str, more: tuple[PlacementKey, str] | None = None) -> EdgePlan:
    routes = [edge.route(SHOP, *(hosts or ("shop.test",)))]
    if more is not None:
        routes.append(edge.route(*more))
    return EdgePlan(tuple(routes), (Listener(f"127.0.0.1:{edge.port}", tls=tls),))


@pytest.mark.parametrize("refuses", ["http", "https"])
async def test_an_acme_authority_certifies_the_hosts_by_either_challenge(
    edge: World, tmp_path: Path, refuses: str
) -> None:
    await edge.point(1, await edge.app("one"))
    async with acme(tmp_path, edge.port, free_port(), refuses=refuses) as authority:
        assert await edge.edge.load(plan(edge, authority.tls(email="ops@shop.test"), "shop.test", "www.shop.test"))
        for host in ("shop.test", "www.shop.test"):
            await until(partial(certified, authority.https, host), within=40)
        seen = await over_tls(authority.https)
        assert ("Pebble" in seen.issuer, seen.body) == (True, "one")
        assert (await edge.ask()).status == 308


async def test_certificates_survive_a_restart_of_the_edge(edge: World, tmp_path: Path) -> None:
    await edge.point(1, await edge.app("one"))
    async with acme(tmp_path, edge.port, free_port()) as authority:
        await edge.edge.load(plan(edge, authority.tls()))
        await until(lambda: certified(authority.https), within=40)
        before = await over_tls(authority.https)
    await edge.kill()
    await edge.up()
    after = await over_tls(authority.https)
    assert (after.status, after.serial) == (200, before.serial)


async def test_the_edges_own_authority_certifies_without_asking_anybody(edge: World) -> None:
    await edge.point(1, await edge.app("one"))
    port = free_port()
    await edge.edge.load(plan(edge, Tls(f"127.0.0.1:{port}", issuer="internal")))
    await until(lambda: certified(port))
    assert "Caddy Local Authority" in (await over_tls(port)).issuer


async def test_the_edges_own_authority_certifies_wildcards(edge: World) -> None:
    await edge.point(1, await edge.app("one"))
    port = free_port()
    await edge.edge.load(plan(edge, Tls(f"127.0.0.1:{port}", issuer="internal"), "*.shop.test"))
    await until(lambda: certified(port, "a.shop.test"))


async def test_the_edges_own_authority_serves_any_name_when_the_route_does(edge: World) -> None:
    await edge.point(1, await edge.app("one"))
    port = free_port()
    routes = EdgePlan((edge.route(),), (Listener(f"127.0.0.1:{edge.port}", tls=Tls(f":{port}", issuer="internal")),))
    await edge.edge.load(routes)
    await until(lambda: certified(port, "whatever.test"))


async def test_own_certificates_are_used_and_a_renewed_file_is_noticed(edge: World, tmp_path: Path) -> None:
    await edge.point(1, await edge.app("one"))
    port, ca = free_port(), signed(tmp_path, "authority")
    pair = signed(tmp_path, "shop", "shop.test", by=ca)
    wanted = plan(edge, _files(port, pair))
    assert await edge.edge.load(wanted)
    assert not await edge.edge.load(wanted)
    first = await over_tls(port)
    assert (first.status, "authority" in first.issuer) == (200, True)
    copies = set((edge.directory / "tls").glob("*.pem"))
    assert {stat.S_IMODE(copy.stat().st_mode) for copy in copies} == {0o600}
    signed(tmp_path, "shop", "shop.test", by=ca)
    assert await edge.edge.load(wanted)
    assert (await over_tls(port)).serial != first.serial
    assert len(set((edge.directory / "tls").glob("*.pem")) - copies) == 2
    assert not copies & set((edge.directory / "tls").glob("*.pem"))


async def test_a_wildcard_is_served_from_its_files_beside_names_by_acme(edge: World, tmp_path: Path) -> None:
    await edge.point(1, await edge.app("one"))
    pair = signed(tmp_path, "wild", "*.shop.test", "shop.test")
    async with acme(tmp_path, edge.port, free_port()) as authority:
        tls = authority.tls(certificates=((pair.certificate, pair.key),))
        await edge.point(1, await edge.app("blog"), key=BLOG)
        await edge.edge.load(plan(edge, tls, "shop.test", "*.shop.test", more=(BLOG, "blog.test")))
        await until(lambda: certified(authority.https, "blog.test"), within=40)
        issuers = [(await over_tls(authority.https, host)).issuer for host in ("shop.test", "a.shop.test", "blog.test")]
    assert ["wild" in issuer for issuer in issuers] == [True, True, False]


async def test_plain_requests_are_sent_to_https_with_their_path(edge: World) -> None:
    port = free_port()
    await edge.edge.load(plan(edge, Tls(f"127.0.0.1:{port}", issuer="internal")))
    reply = await edge.ask("/a?b=c", method="POST")
    assert (reply.status, reply.headers["location"]) == (308, f"https://shop.test:{port}/a?b=c")
    assert (await edge.ask(host="other.test")).status == 404


async def test_plain_requests_are_served_when_there_is_no_redirect(edge: World) -> None:
    await edge.point(1, await edge.app("one"))
    await edge.edge.load(plan(edge, Tls(f"127.0.0.1:{free_port()}", issuer="internal", redirect=False)))
    assert (await edge.ask()).body == "one"


async def test_browsers_are_told_to_keep_to_https_over_tls_alone(edge: World) -> None:
    await edge.point(1, await edge.app("one"))
    port = free_port()
    await edge.edge.load(plan(edge, Tls(f"127.0.0.1:{port}", issuer="internal", redirect=False, hsts=3600)))
    await until(lambda: certified(port))
    assert (await over_tls(port)).headers["strict-transport-security"] == "max-age=3600"
    assert "strict-transport-security" not in (await edge.ask()).headers


async def test_http2_is_offered_and_http3_is_told_of(edge: World) -> None:
    await edge.point(1, await edge.app("one"))
    port = free_port()
    await edge.edge.load(plan(edge, Tls(f"127.0.0.1:{port}", issuer="internal")))
    await until(lambda: certified(port))
    assert (await over_tls(port, "shop.test", "h2", "http/1.1")).protocol == "h2"
    assert f'h3=":{port}"' in (await over_tls(port)).headers["alt-svc"]


async def test_http3_is_spoken_and_survives_a_switch(edge: World, tmp_path: Path) -> None:
    """Another Caddy is the client, since neither Python's library nor Debian's curl speaks it."""
    one, two, port = await edge.app("one"), await edge.app("two"), free_port()
    await edge.point(1, one)
    await edge.edge.load(plan(edge, Tls(f"127.0.0.1:{port}", issuer="internal")))
    await until(lambda: certified(port))
    tls = {"insecure_skip_verify": True, "server_name": "shop.test"}
    async with proxy(tmp_path, f"127.0.0.1:{port}", {"protocol": "http", "versions": ["3"], "tls": tls}) as front:
        await until(lambda: _answers(front))
        assert "Via: 3.0 Caddy" in one.requests[-1]
        await edge.point(2, two)
        assert (await ask("127.0.0.1", front)).body == "two"
        assert "Via: 3.0 Caddy" in two.requests[-1]


async def _answers(port: int) -> bool:
    try:
        return (await ask("127.0.0.1", port)).status == 200
    except (OSError, EOFError):
        return False


async def test_an_application_behind_tls_knows_the_scheme(edge: World) -> None:
    app, port = await edge.app("one"), free_port()
    await edge.point(1, app)
    await edge.edge.load(plan(edge, Tls(f"127.0.0.1:{port}", issuer="internal")))
    await until(lambda: certified(port))
    assert "X-Forwarded-Proto: https\r\n" in app.requests[-1]


async def test_a_switch_moves_customers_of_both_listeners(edge: World) -> None:
    one, two, port = await edge.app("one"), await edge.app("two"), free_port()
    await edge.point(1, one)
    await edge.edge.load(plan(edge, Tls(f"127.0.0.1:{port}", issuer="internal", redirect=False)))
    await until(lambda: certified(port))
    await edge.point(2, two)
    assert [(await over_tls(port)).body, (await edge.ask()).body] == ["two", "two"]


async def test_files_that_are_no_pair_change_nothing(edge: World, tmp_path: Path) -> None:
    one, other = signed(tmp_path, "one", "shop.test"), signed(tmp_path, "other", "shop.test")
    before = (edge.directory / "config.json").read_bytes()
    with pytest.raises(ConfigError, match=r"one\.pem and .*other\.key cannot be used together: key values mismatch"):
        await edge.edge.load(plan(edge, _files(free_port(), replace(one, key=other.key))))
    with pytest.raises(ConfigError, match=r"gone\.pem cannot be read: No such file"):
        await edge.edge.load(plan(edge, _files(free_port(), Pair(tmp_path / "gone.pem", one.key))))
    assert (edge.directory / "config.json").read_bytes() == before
    assert list((edge.directory / "tls").glob("*")) == []


async def test_no_authority_of_the_edge_is_put_into_the_hosts_trust(edge: World) -> None:
    await edge.edge.load(plan(edge, Tls(f"127.0.0.1:{free_port()}", issuer="internal")))
    assert '"install_trust": false' in (edge.directory / "config.json").read_text()


def _files(port: int, pair: Pair) -> Tls:
    return Tls(f"127.0.0.1:{port}", issuer="files", certificates=((pair.certificate, pair.key),))
