from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from cockpit import protocol as p
from cockpit import rpc
from cockpit.channel import Channel
from cockpit.client import Client, connect, is_older
from cockpit.engine.lock import Lock
from cockpit.engine.server import serve
from cockpit.errors import ConfigError, EngineUnreachable, Refused, UsageError
from cockpit.paths import Paths
from cockpit.protocol import Connected, Event, Hello, LogChunk, Lost
from tests.fakes import world
from tests.fakes.engine import FakeEngine
from tests.waiting import until
from tests.wire.conftest import FAKE, Served, engine_pid, kill_engine


async def reach(paths: Paths, *, start: bool = True, hello: Hello | None = None) -> Client:
    return await connect(paths, client="cli", start=start, command=FAKE, hello=hello)


async def next_of(changes: AsyncIterator[p.Change]) -> p.Change:
    async with asyncio.timeout(15):
        return await anext(changes)


async def test_a_call_brings_back_the_result_or_the_engines_error(served: Served) -> None:
    client = await reach(served.paths, start=False)
    assert (await client.call(p.PENDING, p.For(world.WEB))).commits == world.COMMITS
    with pytest.raises(UsageError, match="There is no operation 99"):
        await client.call(p.OPERATION, p.OperationRequest(99))
    await client.close()


async def test_a_caller_that_gives_up_takes_no_other_call_with_it() -> None:
    """The engine rejects a line without knowing whose it was, at the very moment that one of the callers leaves."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    channel = Channel(reader, writer)
    leaving, staying = (asyncio.create_task(channel.call(p.STATUS, p.Nothing())) for _ in range(2))
    await asyncio.sleep(0)
    reader.feed_data(rpc.failure(None, p.WireError("usage", "no request"), rpc.Code.REQUEST))
    leaving.cancel()
    with pytest.raises(UsageError, match="no request"):
        await asyncio.wait_for(staying, 5)
    assert leaving.cancelled()
    channel.close()
    theirs.close()


async def test_changes_start_with_everything_and_go_on_with_events(served: Served) -> None:
    client = await reach(served.paths, start=False)
    async with aclosing(client.changes()) as changes:
        first = await next_of(changes)
        assert isinstance(first, Connected)
        assert [each.key for each in first.snapshot.placements] == list(world.KEYS)
        served.engine.tell(Event(removed=world.WEB))
        assert await next_of(changes) == Event(removed=world.WEB)
    await client.close()


async def test_an_event_that_is_older_than_the_snapshot_is_not_seen(served: Served) -> None:
    client = await reach(served.paths, start=False)
    served.engine.peers[0].send(Event(removed=world.WEB))
    served.engine.peers[0].send(LogChunk(1, ()))
    async with aclosing(client.changes()) as changes:
        assert isinstance(await next_of(changes), Connected)
        assert await next_of(changes) == LogChunk(1, ())
    await client.close()


async def test_a_snapshot_that_was_asked_for_ahead_is_the_first_change_and_misses_nothing(served: Served) -> None:
    client = await reach(served.paths, start=False)
    await client.subscribe_ahead()
    await client.call(p.STATUS, p.Nothing())  # by now the engine has answered
    served.engine.tell(Event(removed=world.WEB))
    async with aclosing(client.changes()) as changes:
        assert isinstance(await next_of(changes), Connected)
        assert await next_of(changes) == Event(removed=world.WEB)
    await client.close()


async def test_a_call_goes_through_while_nobody_reads_the_changes(served: Served) -> None:
    client = await reach(served.paths, start=False)
    async with aclosing(client.changes()) as changes:
        await next_of(changes)
        for _ in range(2000):
            served.engine.tell(Event(removed=world.WEB))
        assert (await client.call(p.STATUS, p.Nothing())).placements
    await client.close()


async def test_closing_ends_the_changes(served: Served) -> None:
    client = await reach(served.paths, start=False)
    changes = client.changes()
    await next_of(changes)
    waiting = asyncio.ensure_future(anext(changes))
    await client.close()
    with pytest.raises(StopAsyncIteration):
        await waiting
    with pytest.raises(EngineUnreachable, match="closed"):
        await client.call(p.STATUS, p.Nothing())


async def test_without_an_engine_and_without_starting_one_the_error_says_how(paths: Paths) -> None:
    with pytest.raises(EngineUnreachable) as caught:
        await reach(paths, start=False)
    assert "cockpit engine start" in caught.value.hint


async def test_the_first_client_starts_the_engine_in_a_session_of_its_own(engines: Paths) -> None:
    client = await reach(engines)
    assert client.welcome is not None
    pid = client.welcome.pid
    assert pid == engine_pid(engines) != os.getpid()
    assert os.getsid(pid) == pid
    await client.close()


async def test_a_hang_up_does_not_end_the_engine(engines: Paths) -> None:
    client = await reach(engines)
    kill_engine(engines, signal.SIGHUP)
    assert (await client.call(p.STATUS, p.Nothing())).placements
    await client.close()


async def test_clients_that_race_to_start_it_get_one_engine(engines: Paths) -> None:
    clients = await asyncio.gather(*(reach(engines) for _ in range(4)))
    pids = {client.welcome.pid for client in clients if client.welcome}
    assert pids == {engine_pid(engines)}
    for client in clients:
        await client.close()


async def test_killing_the_engine_shows_lost_and_then_a_new_one(engines: Paths) -> None:
    client = await reach(engines)
    async with aclosing(client.changes()) as changes:
        first = await next_of(changes)
        assert isinstance(first, Connected)
        assert not first.restarted
        kill_engine(engines)
        assert isinstance(await next_of(changes), Lost)
        again = await next_of(changes)
        assert isinstance(again, Connected)
        assert again.restarted
        assert again.welcome.pid != first.welcome.pid
        assert (await client.call(p.STATUS, p.Nothing())).engine.pid == again.welcome.pid
    await client.close()


async def test_a_call_that_the_engine_dies_in_is_not_repeated(engines: Paths) -> None:
    client = await reach(engines)
    waiting = asyncio.ensure_future(client.call(p.DIFF, p.CommitRequest(world.WEB)))
    await client.call(p.STATUS, p.Nothing())
    kill_engine(engines)
    with pytest.raises(EngineUnreachable, match="went away") as caught:
        await waiting
    assert "may have been done" in caught.value.hint
    assert (await client.call(p.STATUS, p.Nothing())).placements
    await client.close()


async def test_a_connection_that_drops_without_the_engine_dying_is_not_a_restart(served: Served) -> None:
    client = await reach(served.paths)
    async with aclosing(client.changes()) as changes:
        await next_of(changes)
        served.engine.peers[0].close()
        assert isinstance(await next_of(changes), Lost)
        again = await next_of(changes)
        assert isinstance(again, Connected)
        assert not again.restarted
    await client.close()


async def test_a_broken_configuration_is_told_as_the_engine_told_it(engines: Paths) -> None:
    engines.config.write_text("broken")
    with pytest.raises(ConfigError) as caught:
        await reach(engines)
    assert caught.value.message.endswith("cockpit.yaml:3:1: unknown key 'servces'")
    assert caught.value.hint == "did you mean 'services'?"


async def test_an_engine_that_dies_of_a_bug_is_told_with_where_to_look(engines: Paths) -> None:
    engines.config.write_text("crash")
    with pytest.raises(EngineUnreachable, match="ZeroDivisionError: a bug in the engine") as caught:
        await reach(engines)
    assert str(engines.engine_log) in caught.value.hint
    assert "Traceback" in engines.engine_log.read_text()


async def test_a_command_that_is_no_engine_is_told(paths: Paths) -> None:
    with pytest.raises(EngineUnreachable, match="ended at once"):
        await connect(paths, client="cli", command=(sys.executable, "-c", "import sys; sys.exit(7)"))


async def test_an_engine_that_cannot_come_back_is_said_once_and_tried_again(engines: Paths) -> None:
    client = await reach(engines)
    async with aclosing(client.changes()) as changes:
        await next_of(changes)
        engines.config.write_text("broken")
        kill_engine(engines)
        assert isinstance(await next_of(changes), Lost)
        why = await next_of(changes)
        assert isinstance(why, Lost)
        assert "unknown key" in why.reason
        engines.config.write_text("")
        back = await next_of(changes)
        assert isinstance(back, Connected)
        assert back.restarted
    await client.close()


async def test_a_newer_client_replaces_an_idle_engine(engines: Paths) -> None:
    old = await reach(engines)
    assert old.welcome is not None
    new = await reach(engines, hello=Hello("99.0.0", 1, "cli"))
    assert new.welcome is not None
    assert new.welcome.pid != old.welcome.pid
    await old.close()
    await new.close()


async def test_a_newer_client_leaves_an_engine_that_works(engines: Paths) -> None:
    old = await reach(engines)
    await old.call(p.DEPLOY, p.DeployRequest(world.WEB, "slow", 42))
    new = await reach(engines, hello=Hello("99.0.0", 2, "cli"))
    assert old.welcome is not None
    assert new.welcome is not None
    assert new.welcome.pid == old.welcome.pid
    assert (await new.call(p.STATUS, p.Nothing())).operations
    with pytest.raises(EngineUnreachable, match="does not work between them"):
        await new.call(p.PENDING, p.For(world.WEB))
    await old.close()
    await new.close()


async def test_two_protocols_apart_the_client_says_both_versions(served: Served) -> None:
    with pytest.raises(EngineUnreachable, match=r"cockpit 0\.1\.0 \(protocol 1\).*0\.0\.1 \(protocol 4\)"):
        await reach(served.paths, hello=Hello("0.0.1", 4, "cli"))


async def test_a_directory_that_others_may_write_is_not_trusted(served: Served) -> None:
    served.paths.socket.parent.chmod(0o777)
    with pytest.raises(EngineUnreachable, match="changed by others"):
        await reach(served.paths)


async def test_what_is_no_engine_is_told(paths: Paths) -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")

    paths.socket.parent.mkdir(mode=0o700)
    server = await asyncio.start_unix_server(babble, str(paths.socket))
    with pytest.raises(EngineUnreachable, match="no message"):
        await reach(paths)
    server.close()


async def test_a_stopped_engine_is_told_and_not_waited_for(engines: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cockpit.channel.GREETING", 0.2)
    client = await reach(engines)
    kill_engine(engines, signal.SIGSTOP)
    with pytest.raises(EngineUnreachable, match="does not answer"):
        await reach(engines)
    kill_engine(engines, signal.SIGCONT)
    await client.close()


async def test_sigterm_ends_the_engine_cleanly_and_takes_the_socket_away(engines: Paths) -> None:
    client = await reach(engines)
    kill_engine(engines, signal.SIGTERM)
    await until(lambda: not engines.socket.exists())
    await until(lambda: (engines.state / "engine.log").read_text().endswith("stopped\n"))
    await client.close()


async def test_a_second_engine_of_a_state_directory_says_who_has_it(engines: Paths) -> None:
    client = await reach(engines)
    where = ["--config", str(engines.config), "--state", str(engines.state), "--socket", str(engines.socket)]
    second = await asyncio.to_thread(
        subprocess.run, [*FAKE, *where], capture_output=True, text=True, timeout=30, cwd=Path.cwd()
    )
    assert second.returncode == Refused.exit_status
    assert f"Another engine (pid {engine_pid(engines)}) has" in second.stderr
    await client.close()


def test_a_child_of_the_engine_does_not_keep_its_lock(tmp_path: Path) -> None:
    lock, other = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    assert lock.take()
    assert not other.take()
    child = subprocess.Popen(["sleep", "60"], close_fds=False)
    lock.release()
    assert other.take()
    other.release()
    child.kill()
    child.wait()


async def test_an_engine_that_hangs_in_its_start_ends_on_sigterm(engines: Paths) -> None:
    engines.config.write_text("hang")
    starting = asyncio.ensure_future(reach(engines))
    await until(lambda: engine_pid(engines) is not None)
    kill_engine(engines, signal.SIGTERM)
    with pytest.raises(EngineUnreachable, match="ended at once"):
        await starting


async def test_a_note_too_many_starts_the_client_afresh(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cockpit.channel.UNREAD_NOTES", 50)
    client = await reach(served.paths)
    async with aclosing(client.changes()) as changes:
        await next_of(changes)
        for _ in range(200):
            served.engine.tell(Event(removed=world.WEB))
        seen = [await next_of(changes) for _ in range(52)]
        assert seen[-1] == Lost("this client fell behind")
        assert isinstance(await next_of(changes), Connected)
    await client.close()


def test_versions_are_compared_as_numbers() -> None:
    assert is_older("0.9.0", "0.10.0")
    assert not is_older("1.0.0", "1.0.0")
    assert not is_older("2.0.0", "1.9.9")


async def test_an_engine_of_another_version_that_is_newer_is_kept(paths: Paths) -> None:
    server = await serve(FakeEngine(), paths, version="99.0.0")
    client = await reach(replace(paths))
    assert client.welcome is not None
    assert client.welcome.version == "99.0.0"
    await client.close()
    await server.close()
