"""Clients that misbehave, many at once, too few file descriptors, and an engine that is stopped for a while."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from cockpit import __version__, launch, rpc
from cockpit.client import Client, connect
from cockpit.errors import EngineUnreachable, Refused
from cockpit.model import OperationState
from cockpit.protocol import HELLO, PROTOCOL, STATUS, Event, Hello, Nothing
from tests.faults.world import in_step, next_deploy_works, nobody_noticed, open_shop
from tests.stories import services
from tests.stories.world import World, succeeded, world
from tests.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

MANY = 200
PROMPT = 1.0  # seconds for an answer to everybody else
MORE = 64 * 2**20  # bytes that one client may cost the engine


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[World]:
    async with world() as made:
        await open_shop(made)
        yield made


@asynccontextmanager
async def wire(shop: World) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Somebody who may say anything. Nobody reads more than a few lines ahead."""
    reader, writer = await asyncio.open_unix_connection(str(shop.paths.socket), limit=4096)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def resident(pid: int) -> int:
    """Bytes of memory that the process has had at most."""
    (line,) = (each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


async def prompt(shop: World) -> None:
    """The engine has time for others."""
    began = time.monotonic()
    await shop.snapshot()
    assert time.monotonic() - began < PROMPT


async def test_a_message_of_100_megabytes_is_refused_and_costs_neither_memory_nor_time(shop: World) -> None:
    before, part = resident(shop.engine_pid), b"x" * 2**20
    async with shop.load("shop", rate=40) as load, wire(shop) as (reader, writer):
        for _ in range(100):
            writer.write(part)
            await writer.drain()
            await prompt(shop)
        writer.write(b"\n")
        answer = json.loads(await asyncio.wait_for(reader.readline(), 10))
        assert "a message is at most" in answer["error"]["message"]
        await next_deploy_works(shop)
    nobody_noticed(load)
    assert resident(shop.engine_pid) - before < MORE


@pytest.mark.parametrize(
    "said",
    [b"{", b"[]", b'{"id": {}}', b'{"id": 1, "method": 7}', b"\xff\xfe\x00", b'{"id":1,"method":"deploy","params":[]}'],
)
async def test_what_is_no_message_is_answered_and_ends_nothing(shop: World, said: bytes) -> None:
    async with wire(shop) as (reader, writer):
        writer.write(said + b"\n")
        answer = json.loads(await asyncio.wait_for(reader.readline(), 10))
        assert answer["error"]["message"]
    await prompt(shop)


@pytest.mark.slow
async def test_a_client_that_never_reads_is_dropped_and_a_deploy_goes_on(shop: World) -> None:
    before = resident(shop.engine_pid)
    async with wire(shop) as (_, writer):
        operation = await shop.begin("shop", shop.commit("shop", {"notes": "nobody listens"}))
        writer.write(rpc.request(0, HELLO, Hello(__version__, PROTOCOL, "tui")))
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(ask_on_and_on(writer), 30)
        succeeded(await shop.ended(operation))
        await prompt(shop)
    assert resident(shop.engine_pid) - before < MORE


async def ask_on_and_on(writer: asyncio.StreamWriter) -> None:
    for number in itertools.count(1):
        writer.write(rpc.request(number, STATUS, Nothing()))
        await writer.drain()


@pytest.mark.slow
async def test_two_hundred_clients_see_the_same_end_and_leave_nothing(shop: World) -> None:
    open_before = descriptors(shop.engine_pid)
    clients = [await connect(shop.paths, client="tui", start=False) for _ in range(MANY)]
    try:
        watching = [asyncio.create_task(end_of_a_deploy(each)) for each in clients]
        operation = await shop.ships("shop", shop.commit("shop", {"notes": "for all to see"}))
        async with asyncio.timeout(20):  # all 200 of them are in this one process
            ends = await asyncio.gather(*watching)
        await prompt(shop)
    finally:
        await asyncio.gather(*(each.close() for each in clients))
    assert set(ends) == {(operation.id, OperationState.SUCCEEDED)}
    await until(lambda: descriptors(shop.engine_pid) <= open_before + 10, what="their connections are closed")


async def end_of_a_deploy(client: Client) -> tuple[int, OperationState]:
    async for change in client.changes():
        if isinstance(change, Event) and change.operation and change.operation.state.ended:
            return change.operation.id, change.operation.state
    raise AssertionError("the changes ended before the deploy did")


async def test_an_engine_that_is_stopped_for_a_while_goes_on_where_it_was(shop: World) -> None:
    """Nobody takes its place meanwhile: it holds the lock of its state. Who asks is told, and waits for nothing."""
    slow = services.web(shop.runtime, start=f"sleep 1\n{services.START}")
    async with shop.load("shop", rate=40) as load:
        operation = await shop.begin("shop", shop.commit("shop", slow, "Boot slowly"))
        await in_step(shop, operation, "verify")
        pid = shop.engine_pid
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(EngineUnreachable, match="does not answer"):
                await connect(shop.paths, client="cli")
        finally:
            os.kill(pid, signal.SIGCONT)
        ended = succeeded(await shop.ended(operation))
        assert shop.engine_pid == pid
        assert (await shop.get("shop")).headers["x-release"] == f"r{ended.to_release}"
        shop.commit("shop", services.web(shop.runtime))
        await next_deploy_works(shop)
    nobody_noticed(load)


async def test_with_64_file_descriptors_some_clients_are_turned_away_and_deploys_go_on(shop: World) -> None:
    await another_engine(shop, "prlimit", "--nofile=64:64")
    clients: list[Client] = []
    try:
        with pytest.raises(Refused, match="clients are connected") as refused:
            await crowd(shop, clients)
        assert "ulimit" in refused.value.hint
        async with shop.load("shop", rate=40) as load:
            await next_deploy_works(shop)
        nobody_noticed(load)
        await asyncio.gather(*(each.close() for each in clients))
        await until(lambda: connects(shop), what="there is room again")
    finally:
        await asyncio.gather(*(each.close() for each in clients))
        await another_engine(shop)


async def crowd(shop: World, clients: list[Client]) -> None:
    while len(clients) < MANY:
        clients.append(await connect(shop.paths, client="tui", start=False))


async def another_engine(shop: World, *within: str) -> None:
    await shop.client.close()
    await shop.end_engine()
    shop.command = (*within, *launch.ENGINE)
    await shop.up()


async def connects(shop: World) -> bool:
    try:
        client = await connect(shop.paths, client="cli", start=False)
    except Refused:
        return False
    await client.close()
    return True
