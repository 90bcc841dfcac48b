"""The real Caddy under real requests."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cockpit.edge.base import RUN, Pointer, Route
from cockpit.edge.caddy import CaddyEdge
from cockpit.edge.config import ADMIN_SOCKET
from cockpit.edge.files import LocalFiles
from cockpit.errors import EdgeError
from cockpit.http import Http
from cockpit.model import PlacementKey
from tests.edge.world import SHOP, SUBNET, World, ask, free_port, fresh_address, load, world
from tests.waiting import until

BLOG = PlacementKey("blog", "production")


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


async def test_before_the_first_deploy_customers_are_told_to_come_back(edge: World) -> None:
    reply = await edge.ask()
    assert (reply.status, reply.headers["retry-after"]) == (503, "2")
    assert await edge.edge.pointer(SHOP) is None


async def test_a_pointer_sends_customers_to_its_release(edge: World) -> None:
    app = await edge.app("one")
    await edge.point(7, app)
    reply = await edge.ask("/a%2Fb?c=d")
    assert (reply.status, reply.body, reply.headers["x-cockpit-release"]) == (200, "one", "r7")
    assert app.requests[-1].startswith("GET /a%2Fb?c=d HTTP/1.1\r\nHost: shop.test\r\n")
    assert await edge.edge.pointer(SHOP) == Pointer(7, (app.address,))


async def test_twenty_switches_under_load_lose_nothing(edge: World) -> None:
    one, two, more = await edge.app("r1"), await edge.app("r2"), await edge.app("r2")
    await edge.point(1, one)
    async with load(edge) as customers:
        for number in range(20):
            await edge.point(2, *((two, more) if number % 2 == 0 else (one,)))
            await customers.hears(8)
    assert customers.lost == []
    assert set(customers.statuses) == {200}
    assert set(customers.bodies) == {"r1", "r2"}
    assert len(customers.bodies) > 100


async def test_the_first_request_after_a_switch_goes_to_the_new_release(edge: World) -> None:
    one, two = await edge.app("r1"), await edge.app("r2")
    for number in range(10):
        await edge.point(number, one if number % 2 else two)
        assert (await edge.ask()).body == ("r1" if number % 2 else "r2")


async def test_rolling_back_off_a_dead_release_is_quick_and_needs_no_pardon(edge: World) -> None:
    good, bad = await edge.app("good"), await edge.app("bad")
    await edge.point(1, good)
    await edge.point(2, bad)
    await bad.die()
    waiting = [asyncio.create_task(edge.ask()) for _ in range(10)]
    await edge.holds_against(bad)
    started = time.monotonic()
    await edge.point(1, good)
    assert (await edge.ask()).body == "good"
    assert time.monotonic() - started < 0.5
    for task in waiting:
        task.cancel()


async def test_one_dead_replica_of_two_loses_nothing(edge: World) -> None:
    one, two = await edge.app("one"), await edge.app("two")
    await edge.point(1, one, two)
    async with load(edge) as customers:
        await until(lambda: len(set(customers.bodies)) == 2)
        await two.die_between_requests()
        await customers.hears(200)
    assert customers.lost == []
    assert set(customers.statuses) == {200}
    assert customers.slowest < 2.0


async def test_a_post_waits_for_a_single_replica_that_restarts(edge: World) -> None:
    app = await edge.app("back")
    await edge.point(1, app)
    await app.die()
    waiting = asyncio.create_task(edge.ask(method="POST", body=b"x" * 10_000))
    await edge.holds_against(app)
    await app.start()
    assert (await waiting).body == "back"


async def test_one_request_that_kills_a_worker_does_not_stop_a_single_replica(edge: World) -> None:
    app = await edge.app("one")
    await edge.point(1, app)
    assert (await edge.ask("/die", method="POST")).status == 502
    reply = await edge.ask()
    assert (reply.status, reply.body) == (200, "one")
    assert reply.seconds < 1.0


@pytest.mark.parametrize("torn", [None, "", "r2 127.0.0.1:1", "r2 127.0.0.1:1 ", "nonsense ."])
async def test_the_second_copy_is_used_when_the_first_is_missing_or_torn(edge: World, torn: str | None) -> None:
    await edge.point(1, await edge.app("one"))
    path = edge.directory / "pointers" / "shop@production"
    path.unlink()
    if torn is not None:
        path.write_text(torn)
    assert (await edge.ask()).body == "one"


async def test_two_torn_copies_are_a_503_and_said(edge: World) -> None:
    for name in ("shop@production", "shop@production~"):
        (edge.directory / "pointers" / name).write_text("r2 127.0.0.1:80")
    assert (await edge.ask()).status == 503
    with pytest.raises(EdgeError, match="damaged"):
        await edge.edge.pointer(SHOP)


@pytest.mark.parametrize("line", ["hold", "hold .\n"])
async def test_hold_stops_customers_although_the_second_copy_has_a_release(edge: World, line: str) -> None:
    await edge.point(1, await edge.app("one"))
    (edge.directory / "pointers" / "shop@production").write_text(line)
    reply = await edge.ask()
    assert (reply.status, reply.headers["retry-after"]) == (503, "2")
    with pytest.raises(EdgeError, match="on hold"):
        await edge.edge.pointer(SHOP)


async def test_an_upgraded_and_a_slow_connection_stay_with_their_release(edge: World) -> None:
    one, two = await edge.app("one"), await edge.app("two")
    await edge.point(1, one)
    slow = asyncio.create_task(edge.ask("/slow"))
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(b"GET /ws HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    await until(lambda: _in_flight(edge, one.address, 2))
    await edge.point(2, two)
    assert (await edge.ask()).body == "two"
    assert await edge.edge.load((edge.route(), edge.route(BLOG, "blog.test")))
    writer.write(b"still there?\n")
    async with asyncio.timeout(5):
        assert await reader.readline() == b"one:still there?\n"
    writer.close()
    one.release.set()
    assert (await slow).body == "one"
    await until(lambda: _in_flight(edge, one.address, 0))


async def test_hosts_lead_to_their_placements_and_an_unknown_one_to_a_404(edge: World) -> None:
    await edge.edge.load((edge.route(SHOP, "shop.test"), edge.route(BLOG, "blog.test", "*.blog.test")))
    await edge.point(1, await edge.app("shop"))
    await edge.point(1, await edge.app("blog"), key=BLOG)
    assert [(await edge.ask(host=host)).body for host in ("SHOP.test", "blog.test", "a.blog.test")] == [
        "shop",
        "blog",
        "blog",
    ]
    assert (await edge.ask(host="other.test")).status == 404


async def test_one_switch_moves_all_processes_and_a_release_without_one_answers_503_there(edge: World) -> None:
    await edge.edge.load((edge.route(SHOP, "shop.test"), edge.route(SHOP, "admin.test", process="admin")))
    web, admin, new = await edge.app("web"), await edge.app("admin"), await edge.app("new")
    both = Pointer(1, (web.address,), (("admin", (admin.address,)),))
    await edge.edge.point(SHOP, both)
    assert await edge.edge.pointer(SHOP) == both
    replies = [await edge.ask(host=host) for host in ("shop.test", "admin.test")]
    assert [(reply.body, reply.headers["x-cockpit-release"]) for reply in replies] == [("web", "r1"), ("admin", "r1")]
    await edge.point(2, new)
    assert [(await edge.ask(host=host)).status for host in ("shop.test", "admin.test")] == [200, 503]


async def test_the_private_listener_keeps_the_probers_headers_and_path(edge: World) -> None:
    app = await edge.app("one")
    probe = Http(edge.edge.probe_socket)
    headers = {"Host": "shop.test", "X-Forwarded-Proto": "https"}
    answer = await probe.ask("GET", f"http://edge/to/{app.address}/up%2F?x=1", timeout=3, headers=headers)
    await probe.close()
    assert (answer.status, answer.body) == (200, b"one")
    head = app.requests[-1]
    assert head.startswith("GET /up%2F?x=1 HTTP/1.1\r\nHost: shop.test\r\n")
    assert "X-Forwarded-Proto: https" in head


@pytest.mark.parametrize("target", ["10.0.0.1:80", "128.0.0.1:80", "localhost:80", "127.0.0.999:80", "[::1]:80"])
async def test_the_private_listener_reaches_only_the_subnet(edge: World, target: str) -> None:
    probe = Http(edge.edge.probe_socket)
    answer = await probe.ask("GET", f"http://shop.test/to/{target}/up", timeout=3)
    await probe.close()
    assert answer.status == 403


async def test_a_probe_of_a_dead_address_says_why(edge: World) -> None:
    probe = Http(edge.edge.probe_socket)
    answer = await probe.ask("GET", f"http://shop.test/to/{fresh_address()}:8080/up", timeout=3)
    await probe.close()
    assert answer.status == 502
    assert b"connection refused" in answer.body


async def test_the_edge_listens_on_no_tcp_port_but_the_customers(edge: World) -> None:
    assert edge.process is not None
    sockets = {
        link.removeprefix("socket:[").removesuffix("]")
        for link in (os.readlink(path) for path in Path(f"/proc/{edge.process.pid}/fd").iterdir())
        if link.startswith("socket:")
    }
    rows = [line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()]
    ports = {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A" and row[9] in sockets}
    assert ports == {edge.port}


async def test_the_edges_directory_and_sockets_are_for_one_user(edge: World) -> None:
    assert stat.S_IMODE(edge.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((edge.directory / RUN / ADMIN_SOCKET).stat().st_mode) == (0o600 if os.geteuid() == 0 else 0o666)


async def test_hits_name_placement_and_release_and_leave_probes_out(edge: World) -> None:
    await edge.ask()
    app = await edge.app("one")
    await edge.point(42, app)
    await edge.ask()
    await edge.ask("/500")
    await edge.edge.load((edge.route(SHOP, "shop.test"),))
    assert (await edge.ask(host="nobody.test")).status == 404
    probe = Http(edge.edge.probe_socket)
    await probe.ask("GET", f"http://shop.test/to/{app.address}/up", timeout=3)
    await probe.close()
    hits = await edge.edge.hits()
    assert [(hit.key, hit.release, hit.status) for hit in hits] == [(SHOP, 0, 503), (SHOP, 42, 200), (SHOP, 42, 500)]
    assert '"status":404' not in (edge.directory / "log" / "access.log").read_text()
    assert all(0 < hit.ms < 5000 and abs(hit.at - time.time()) < 60 for hit in hits)


async def test_hits_survive_a_rotation_of_the_log(edge: World) -> None:
    await edge.point(1, await edge.app("one"))
    await edge.ask()
    assert len(await edge.edge.hits()) == 1
    await edge.ask()
    path = edge.directory / "log" / "access.log"
    path.rename(path.with_name("access-old.log"))
    path.write_text("garbage\n")
    assert len(await edge.edge.hits()) == 1
    path.open("a").write(path.with_name("access-old.log").read_text().splitlines()[0] + "\n")
    assert len(await edge.edge.hits()) == 1


async def test_a_killed_edge_comes_back_with_its_routes_and_pointers(edge: World) -> None:
    await edge.edge.load((edge.route(SHOP, "shop.test"), edge.route(BLOG, "blog.test")))
    await edge.point(1, await edge.app("blog"), key=BLOG)
    await edge.kill()
    assert not await edge.edge.answers()
    await edge.up()
    assert (await edge.ask(host="blog.test")).body == "blog"


async def test_only_changed_routes_need_a_reload(edge: World) -> None:
    assert not await edge.edge.load((edge.route(),))
    assert await edge.edge.load((edge.route(SHOP, "a.test", "b.test"),))
    assert not await edge.edge.load((edge.route(SHOP, "b.test", "a.test"),))
    again = CaddyEdge(LocalFiles(edge.directory), SUBNET, inside=edge.directory)
    assert not await again.load((edge.route(SHOP, "a.test", "b.test"),))
    await again.close()


async def test_an_engine_that_writes_another_configuration_for_the_same_routes_does_not_reload(
    edge: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cockpit.edge.follow.PATIENCE", "7s")
    assert not await edge.edge.load((edge.route(),))
    assert '"7s"' in (edge.directory / "config.json").read_text()


async def test_a_lost_file_is_written_again_without_a_reload(edge: World) -> None:
    path = edge.directory / "config.json"
    before = path.read_bytes()
    path.unlink()
    assert not await edge.edge.load((edge.route(),))
    assert path.read_bytes() == before


async def test_routes_that_the_edge_refuses_change_neither_it_nor_its_file(edge: World) -> None:
    await edge.point(1, await edge.app("one"))
    before = (edge.directory / "config.json").read_bytes()
    taken = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", free_port())
    port = taken.sockets[0].getsockname()[1]
    with pytest.raises(EdgeError, match="refused its routes") as caught:
        await edge.edge.load((edge.route(), Route(BLOG, f"127.0.0.1:{port}")))
    taken.close()
    assert "edge.listen" in caught.value.hint
    assert (edge.directory / "config.json").read_bytes() == before
    assert (await edge.ask()).body == "one"


async def test_many_placements_fit_into_one_configuration(edge: World) -> None:
    keys = [PlacementKey(f"service-{number}", "production") for number in range(200)]
    assert await edge.edge.load(tuple(edge.route(key, f"{key.service}.test") for key in keys))
    await edge.point(9, await edge.app("last"), key=keys[-1])
    assert (await edge.ask(host="service-199.test")).body == "last"


async def test_a_dead_edge_is_told_at_once_and_can_still_be_switched(tmp_path: Path) -> None:
    edge = CaddyEdge(LocalFiles(tmp_path / "edge"), SUBNET)
    assert not await edge.load((Route(SHOP, ":80"),))
    started = time.monotonic()
    with pytest.raises(EdgeError, match="does not answer"):
        await edge.in_flight()
    assert not await edge.answers()
    assert await edge.hits() == ()
    assert time.monotonic() - started < 1.0
    await edge.point(SHOP, Pointer(3, ("127.0.0.1:80",)))
    assert await edge.pointer(SHOP) == Pointer(3, ("127.0.0.1:80",))
    await edge.close()


async def test_a_hung_edge_is_an_error_within_its_deadline(edge: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cockpit.edge.caddy.ASK", 0.3)
    assert edge.process is not None
    edge.process.send_signal(signal.SIGSTOP)
    before = (edge.directory / "config.json").read_bytes()
    with pytest.raises(EdgeError, match="no answer within"):
        await edge.edge.load((edge.route(SHOP, "other.test"),))
    with pytest.raises(EdgeError, match="no answer within"):
        await edge.edge.in_flight()
    assert (edge.directory / "config.json").read_bytes() == before
    await edge.point(1, await edge.app("one"))
    edge.process.send_signal(signal.SIGCONT)
    assert (await edge.ask()).body == "one"


async def test_a_cancelled_switch_is_over_when_the_caller_hears_of_it(edge: World) -> None:
    for number in range(20):
        task = asyncio.create_task(edge.edge.point(SHOP, Pointer(number, ("127.0.0.1:80",))))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        first = (edge.directory / "pointers" / "shop@production").read_text()
        assert first == (edge.directory / "pointers" / "shop@production~").read_text() == f"r{number} 127.0.0.1:80 .\n"


async def test_a_pointer_that_cannot_be_written_is_an_edge_error(edge: World) -> None:
    await edge.point(1, await edge.app("one"))
    with pytest.raises(EdgeError, match="not a pointer"):
        await edge.edge.point(SHOP, Pointer(2, ()))
    with pytest.raises(EdgeError, match="File name too long"):
        await edge.edge.point(PlacementKey("x" * 300, "production"), Pointer(2, ("127.0.0.1:1",)))
    assert (await edge.ask()).body == "one"


async def test_a_missing_pointer_does_not_flood_the_edges_log(edge: World) -> None:
    for _ in range(50):
        assert (await ask("127.0.0.1", edge.port)).status == 503
    told = (edge.directory / "caddy.err").read_text()
    assert 0 < len(re.findall("failed to read file", told)) <= 10


def test_a_directory_too_deep_for_a_socket_is_refused() -> None:
    with pytest.raises(EdgeError, match="too long"):
        CaddyEdge(LocalFiles(Path("/" + "x" * 120)), SUBNET)


async def test_nothing_of_the_request_but_its_result_is_in_the_log(edge: World) -> None:
    await edge.point(1, await edge.app("one"))
    await edge.ask("/secret?token=hunter2")
    await until((edge.directory / "log" / "access.log").exists)
    text = (edge.directory / "log" / "access.log").read_text()
    assert set(json.loads(text)) == {"ts", "duration", "size", "status", "placement", "release"}


async def _in_flight(edge: World, address: str, count: int) -> bool:
    return (await edge.edge.in_flight()).get(address, 0) == count
