"""The load client: what counts as lost, and what does not."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from cockpit.demo import load as load_module
from cockpit.demo.customers import write_status
from cockpit.demo.load import Load
from cockpit.demo.tally import Answer, Outcome, Stats, Tally, percentile
from tests.demo.servers import abort, answer, good, read_request, serving
from tests.waiting import until


async def asked(url: str, count: int, rate: float = 200) -> Stats:
    """The stats after at least `count` requests were answered or lost."""
    async with Load((url,), rate) as load:
        await until(lambda: load.tally.requests >= count, 20, f"{count} requests")
    return load.stats()


async def test_a_server_that_answers_loses_nothing() -> None:
    async with serving(good) as url:
        stats = await asked(url, 60)
    assert (stats.lost, stats.errors, stats.non_2xx, stats.wrong, stats.reconnects) == (0, 0, 0, 0, 0)
    assert stats.releases["web r1"].answers == stats.requests
    assert 0 < stats.p50_ms <= stats.p99_ms <= stats.max_ms


async def test_the_mix_has_posts_and_both_kept_and_fresh_connections() -> None:
    methods: list[str] = []
    served: list[int] = []  # requests on each connection

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine = len(served)
        served.append(0)
        while request := await read_request(reader):
            served[mine] += 1
            methods.append(request[0])
            writer.write(answer(request[1]))

    async with serving(serve) as url:
        await asked(url, 60)
    assert {"GET", "POST"} == set(methods)
    assert 1 in served
    assert max(served) > 5


async def test_a_cut_in_the_middle_of_an_answer_is_lost() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in itertools.count():
            if not (request := await read_request(reader)):
                return
            whole = answer(request[1])
            writer.write(whole if number < 2 else whole[:-4])
            await writer.drain()
            if number >= 2:
                return

    async with serving(serve) as url:
        stats = await asked(url, 40)
    assert stats.lost > 0
    assert set(stats.lost_because) == {"closed before the answer was whole"}


async def test_a_kept_connection_that_closes_between_requests_is_no_loss() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if request := await read_request(reader):
            writer.write(answer(request[1]))
        # The next request is read and then the door is shut: not one byte comes back.
        if await read_request(reader):
            abort(writer)

    async with serving(serve) as url:
        stats = await asked(url, 60)
    assert stats.lost == 0
    assert stats.reconnects > 0


async def test_a_fresh_connection_that_closes_without_an_answer_is_lost() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)

    async with serving(serve) as url:
        stats = await asked(url, 20)
    assert stats.lost == stats.requests
    assert stats.reconnects == 0


async def test_a_reset_after_some_bytes_is_lost_also_on_a_kept_connection() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if request := await read_request(reader):
            writer.write(answer(request[1]))
        if await read_request(reader):
            writer.write(b"HTTP/1.1 200 OK\r\n")
            await writer.drain()
            abort(writer)

    async with serving(serve) as url:
        stats = await asked(url, 60)
    assert stats.lost > 0
    assert stats.reconnects == 0


async def test_nobody_listening_is_lost() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    stats = await asked(f"http://127.0.0.1:{port}/", 10)
    assert stats.lost == stats.requests
    assert "refused" in next(iter(stats.lost_because)).lower()


async def test_silence_is_lost_after_the_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_module, "TIMEOUT", 0.1)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(serve) as url:
        stats = await asked(url, 10)
    assert stats.lost_because == {"no answer within 0.1 s": stats.requests}


async def test_the_applications_own_500_is_an_error_and_not_lost() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await read_request(reader):
            writer.write(answer(request[1], status=500))

    async with serving(serve) as url:
        stats = await asked(url, 20)
    assert stats.errors == stats.non_2xx == stats.requests
    assert stats.lost == 0


async def test_a_502_that_the_edge_makes_up_is_lost() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await read_request(reader):
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

    async with serving(serve) as url:
        stats = await asked(url, 20)
    assert stats.lost_because == {"502 from the edge": stats.requests}
    assert stats.errors == 0
    assert stats.non_2xx == stats.requests


async def test_an_answer_to_another_request_is_seen() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await read_request(reader):
            writer.write(answer("someone-elses"))

    async with serving(serve) as url:
        stats = await asked(url, 10)
    assert stats.wrong == stats.requests


async def test_a_chunked_answer_is_whole() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await read_request(reader):
            body = f"web r1 abc {request[1]}\n".encode()
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Release: r1\r\n\r\n")
            writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))

    async with serving(serve) as url:
        stats = await asked(url, 20)
    assert (stats.lost, stats.wrong) == (0, 0)


async def test_a_server_that_stalls_is_asked_on_and_its_delay_is_counted() -> None:
    stall = asyncio.Event()
    arrived: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await read_request(reader):
            arrived.append(request[1])
            await stall.wait()
            writer.write(answer(request[1]))

    async with serving(serve) as url, Load((url,), 100) as load:
        await until(lambda: len(arrived) >= 30, 10, "thirty requests, though none was answered")
        assert load.tally.requests == 0
        stall.set()
    assert load.stats().lost == 0
    assert load.stats().max_ms > 200


async def test_a_late_request_is_still_sent_and_its_latency_counts_from_when_it_was_due() -> None:
    answers: list[Answer] = []
    async with serving(good) as url, Load((url,), 100, answers.append) as load:
        await until(lambda: load.tally.requests >= 3, 10, "some requests")
        time.sleep(0.3)  # noqa: ASYNC251  the loop is busy elsewhere, thirty requests long
        await until(lambda: load.tally.requests >= 40, 10, "all that were due meanwhile")
    assert max(each.late_ms for each in answers) > 200
    assert all(each.latency_ms >= each.late_ms for each in answers)
    assert len({each.id for each in answers}) == len(answers)


async def test_each_answer_names_its_release_so_that_a_switch_is_seen() -> None:
    release = "r1"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await read_request(reader):
            writer.write(answer(request[1], release))

    switched = asyncio.Event()

    def look(each: Answer) -> None:
        if each.release == "r2":
            switched.set()

    async with serving(serve) as url, Load((url,), 100, look) as load:
        await until(lambda: load.tally.requests >= 5, 10, "some requests")
        release = "r2"
        await asyncio.wait_for(switched.wait(), 5)
    seen = load.stats().releases
    assert seen["web r1"].first_at < seen["web r2"].first_at
    assert seen["web r1"].last_at <= seen["web r2"].last_at


def test_names_under_localhost_are_this_machine_whatever_the_resolver_says() -> None:
    site = load_module.Site("http://checkout.localhost:8100/echo")
    assert (site.host, site.port) == ("127.0.0.1", 8100)
    assert b"Host: checkout.localhost:8100\r\n" in site.request("1", post=False, close=False)


@pytest.mark.parametrize(("percent", "value"), [(50, 2.0), (99, 4.0), (0, 1.0), (100, 4.0)])
def test_a_percentile_is_one_of_the_measured_values(percent: float, value: float) -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], percent) == value
    assert percentile([], percent) == 0.0


def test_the_status_file_is_replaced_as_a_whole_and_its_end_ends_the_writer(tmp_path: Path) -> None:
    tally = Tally()
    tally.add(Answer("1", "u", 0, 0, 0.1, Outcome.LOST, why="cut"))
    assert write_status(tmp_path / "status.json", tally, 12.34)
    read = json.loads((tmp_path / "status.json").read_text())
    assert {name: read[name] for name in ("per_second", "requests", "lost", "errors")} == {
        "per_second": 12.3,
        "requests": 1,
        "lost": 1,
        "errors": 0,
    }
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]
    assert not write_status(tmp_path / "gone" / "status.json", tally, 0)


async def test_the_process_writes_its_counters_and_ends_on_sigterm(tmp_path: Path) -> None:
    status = tmp_path / "status.json"
    async with serving(good) as url:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cockpit.demo.load", "--url", url, "--rate", "50", "--status", str(status)
        )
        await until(lambda: status.exists() and json.loads(status.read_text())["requests"] > 20, 20, "counters")
        os.kill(process.pid, signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    last = json.loads(status.read_text())
    assert last["lost"] == 0


async def test_the_process_stops_by_itself(tmp_path: Path) -> None:
    async with serving(good) as url:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cockpit.demo.load", "--url", url, "--status", str(tmp_path / "s"), "--seconds", "0.3"
        )
        assert await asyncio.wait_for(process.wait(), 10) == 0
