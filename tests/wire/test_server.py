from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import stat
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from cockpit.engine.connection import BACKLOG
from cockpit.engine.server import serve
from cockpit.errors import EngineUnreachable
from cockpit.model import LogLine
from cockpit.paths import Paths
from cockpit.protocol import ACROSS_ONE_VERSION, CALLS, MAX_MESSAGE, LogChunk
from tests.fakes import world
from tests.fakes.engine import FakeEngine
from tests.waiting import until
from tests.wire.conftest import Dial, Served

KEY = asdict(world.WEB)


def diff(commit: str = "head") -> dict[str, Any]:
    return {"key": KEY, "commit": commit}


async def test_only_this_user_may_enter_the_sockets_directory(served: Served) -> None:
    assert stat.S_IMODE(served.paths.socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(served.paths.socket.stat().st_mode) == 0o600


async def test_a_directory_of_ours_that_others_may_enter_is_closed_to_them(paths: Paths) -> None:
    paths.socket.parent.mkdir(mode=0o777)
    paths.socket.parent.chmod(0o777)
    server = await serve(FakeEngine(), paths)
    assert stat.S_IMODE(paths.socket.parent.stat().st_mode) == 0o700
    await server.close()


async def test_a_symlink_in_place_of_the_sockets_directory_is_refused(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    paths.socket.parent.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EngineUnreachable, match="not a directory of yours"):
        await serve(FakeEngine(), paths)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
async def test_a_directory_that_someone_else_made_is_refused(paths: Paths) -> None:
    paths.socket.parent.mkdir()
    os.chown(paths.socket.parent, 12345, 12345)
    with pytest.raises(EngineUnreachable, match="belongs to another user"):
        await serve(FakeEngine(), paths)


async def test_a_dead_engines_socket_is_replaced(paths: Paths) -> None:
    first = await serve(FakeEngine(), paths)
    second = await serve(FakeEngine(), paths)
    _, writer = await asyncio.open_unix_connection(str(paths.socket))
    writer.close()
    await second.close()
    await first.close()


async def test_every_call_is_answered_by_its_name(dial: Dial) -> None:
    wire = await dial()
    welcome = (await wire.hello())["result"]
    assert (welcome["pid"], welcome["protocol"], welcome["idle"]) == (os.getpid(), 1, True)
    assert len((await wire.ask("status"))["result"]["placements"]) == 3
    assert (await wire.ask("pending", {"key": KEY}))["result"]["count"] == 2


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{nonsense", -32700),
        (b'["batch"]', -32600),
        (b'{"id": 9}', -32600),
        (b'{"id": 9, "method": "sudo"}', -32601),
        (b'{"id": 9, "method": "deploy", "params": {"key": "web"}}', -32602),
        (b'{"id": 9, "method": "deploy", "params": {}}', -32602),
        (b'{"id": 9, "method": "cancel", "params": {"id": true}}', -32602),
        (b'{"id": 9, "method": "logs.open", "params": {"kind": "weather"}}', -32602),
    ],
)
async def test_a_bad_request_is_answered_and_the_next_one_served(dial: Dial, line: bytes, code: int) -> None:
    wire = await dial()
    await wire.hello()
    wire.say(line)
    assert (await wire.hear())["error"]["code"] == code
    assert "result" in await wire.ask("status")


async def test_a_line_that_is_too_long_is_answered_and_the_next_one_served(dial: Dial) -> None:
    wire = await dial()
    await wire.hello()
    wire.say(b'{"id": 1, "method": "' + b"x" * (2 * MAX_MESSAGE) + b'"}')
    assert "at most" in (await wire.hear())["error"]["message"]
    assert "result" in await wire.ask("status")


async def test_an_answer_that_is_too_long_is_an_error_and_not_a_broken_wire(dial: Dial) -> None:
    wire = await dial()
    await wire.hello()
    assert "too long" in (await wire.ask("diff", diff("huge")))["error"]["message"]
    assert "result" in await wire.ask("status")


async def test_nothing_but_hello_is_served_before_hello(dial: Dial) -> None:
    wire = await dial()
    assert (await wire.ask("status"))["error"]["data"]["code"] == "usage"


async def test_an_error_keeps_its_code_message_and_hint(dial: Dial) -> None:
    wire = await dial()
    await wire.hello()
    assert (await wire.ask("diff", diff("build")))["error"]["data"] == {
        "code": "build",
        "message": "RUN failed",
        "hint": "fix the Dockerfile",
        "details": {"log_tail": "one\ntwo"},
    }


async def test_a_bug_is_logged_with_its_traceback_and_told_without_it(
    dial: Dial, caplog: pytest.LogCaptureFixture
) -> None:
    wire = await dial()
    await wire.hello()
    with caplog.at_level(logging.ERROR):
        error = (await wire.ask("diff", diff("boom")))["error"]
    assert (error["code"], error["message"]) == (-32603, "Internal error")
    assert "ZeroDivisionError: a bug" in caplog.text
    assert "result" in await wire.ask("status")


async def test_a_slow_request_holds_up_no_other(dial: Dial, served: Served) -> None:
    wire = await dial()
    await wire.hello()
    wire.say(json.dumps({"id": 50, "method": "diff", "params": diff()}).encode())
    assert "result" in await wire.ask("status", id=51)
    served.engine.release_held.set()
    assert (await wire.hear())["id"] == 50


async def test_a_request_goes_on_when_its_client_hangs_up(dial: Dial, served: Served) -> None:
    wire = await dial()
    await wire.hello()
    wire.say(json.dumps({"id": 50, "method": "diff", "params": diff()}).encode())
    await wire.ask("status")
    wire.writer.close()
    await until(lambda: not served.engine.peers)
    served.engine.release_held.set()
    await until(lambda: served.engine.handler_ended == 1)


async def test_who_left_is_told_to_the_engine_once(dial: Dial, served: Served) -> None:
    wire = await dial()
    await wire.hello()
    await wire.hello()
    assert len(served.engine.peers) == 1
    wire.writer.transport.abort()
    await until(lambda: served.engine.peers == [])


async def test_a_client_that_does_not_read_is_dropped_and_the_others_go_on(dial: Dial, served: Served) -> None:
    deaf, awake = await dial(), await dial()
    for wire in (deaf, awake):
        await wire.hello()
        await wire.ask("subscribe")
    deaf.stop_reading()
    chunk = LogChunk(1, tuple(LogLine(n, 0.0, "x" * 1000) for n in range(100)))
    sent = 0
    async with asyncio.timeout(20):
        while len(served.engine.peers) == 2:
            served.engine.tell(chunk)
            sent += 1
            assert (await awake.hear())["method"] == "log"
    assert sent * 100_000 < BACKLOG + 2 * 1024 * 1024
    assert "result" in await awake.ask("status")


async def test_a_client_that_asks_without_reading_is_dropped(dial: Dial, served: Served) -> None:
    wire = await dial()
    await wire.hello()
    wire.stop_reading()
    async with asyncio.timeout(20):
        while served.engine.peers:
            wire.say(b'{"id": 1, "method": "status"}')
            await asyncio.sleep(0)


async def test_who_asks_is_what_the_kernel_says(dial: Dial, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    wire, forger = await dial(), await dial()
    honest = (await wire.hello())["result"]["actor"]
    for name in ("USER", "LOGNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "mallory")
    forged = (await forger.hello(claimed="SUDO_USER=mallory\x1b[2J", actor={"name": "mallory"}))["result"]["actor"]
    assert forged["name"] == honest["name"] != "mallory"
    assert forged["claimed"] == "SUDO_USER=mallory"
    assert served.engine.peers[1].actor.uid == os.geteuid()


@pytest.mark.parametrize("theirs", [0, 2])
async def test_across_one_version_only_what_an_incident_needs_works(dial: Dial, theirs: int) -> None:
    wire = await dial()
    await wire.hello(protocol=theirs)
    for name in sorted(set(CALLS) - {"hello", "engine.stop"}):
        message = await wire.ask(name, {"key": KEY, "id": 1, "subscription": 1, "reason": "r", "kind": "service"})
        refused = message.get("error", {}).get("data", {}).get("code") == "engine"
        assert refused == (name not in ACROSS_ONE_VERSION), name


async def test_across_two_versions_only_stopping_works(dial: Dial, served: Served) -> None:
    wire = await dial()
    assert (await wire.hello(protocol=3))["result"]["protocol"] == 1
    error = (await wire.ask("status"))["error"]
    assert "protocol 1, you speak 3" in error["message"]
    assert "result" in await wire.ask("engine.stop")
    await until(served.server.stop_requested.is_set)


async def test_an_engine_with_a_running_operation_is_not_stopped(dial: Dial, served: Served) -> None:
    wire = await dial()
    await wire.hello()
    await wire.ask("deploy", {"key": KEY, "commit": "slow", "seen_live": 42})
    assert (await wire.ask("engine.stop"))["error"]["data"]["code"] == "refused"
    assert not served.server.stop_requested.is_set()


async def test_random_bytes_never_end_the_engine(dial: Dial, caplog: pytest.LogCaptureFixture) -> None:
    dice = random.Random(7)
    good = b'{"jsonrpc":"2.0","id":1,"method":"pending","params":{"key":{"service":"web","environment":"production"}}}'
    for _ in range(20):
        wire = await dial()
        for _ in range(20):
            noise = bytearray(good if dice.random() < 0.7 else dice.randbytes(dice.randrange(300)))
            for _ in range(dice.randrange(4)):
                if noise:
                    noise[dice.randrange(len(noise))] = dice.randrange(256)
            wire.say(bytes(noise))
        wire.writer.transport.abort()
    wire = await dial()
    assert "result" in await wire.hello()
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []
