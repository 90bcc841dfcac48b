"""An engine behind a real socket, and raw access to its wire."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cockpit import launch
from cockpit.engine.server import Server, serve
from cockpit.paths import Paths
from cockpit.protocol import MAX_MESSAGE
from tests.fakes.engine import FakeEngine

FAKE = (sys.executable, "-m", "tests.fakes.engine_main", "run")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "cockpit.yaml", tmp_path / "state", tmp_path / "run" / "engine.sock")


@dataclass
class Served:
    engine: FakeEngine
    server: Server
    paths: Paths


@pytest.fixture
async def served(paths: Paths) -> AsyncIterator[Served]:
    engine = FakeEngine()
    server = await serve(engine, paths)
    yield Served(engine, server, paths)
    await server.close()
    await engine.close()


@dataclass
class Wire:
    """Bytes in, JSON out: a client that may say anything."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    notes: list[Any] = field(default_factory=list)

    def say(self, data: bytes) -> None:
        self.writer.write(data + b"\n")

    def stop_reading(self) -> None:
        transport = self.writer.transport
        assert isinstance(transport, asyncio.Transport)  # a socket's, for both ways
        transport.pause_reading()

    async def hear(self) -> Any:
        """The next message; None at the end of the connection."""
        async with asyncio.timeout(10):
            line = await self.reader.readline()
        return json.loads(line) if line else None

    async def ask(self, method: str, params: Any = None, id: int = 1) -> Any:
        self.say(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}}).encode())
        while (message := await self.hear()).get("id") != id:
            self.notes.append(message)
        return message

    async def hello(self, **more: Any) -> Any:
        return await self.ask("hello", {"version": "0.1.0", "protocol": 1, "client": "cli", **more}, id=0)


Dial = Callable[[], Awaitable[Wire]]


@pytest.fixture
async def dial(served: Served) -> AsyncIterator[Dial]:
    open_wires: list[Wire] = []

    async def open_one() -> Wire:
        path = str(served.paths.socket)
        wire = Wire(*await asyncio.open_unix_connection(path, limit=MAX_MESSAGE * 2))
        open_wires.append(wire)
        return wire

    yield open_one
    for wire in open_wires:
        wire.writer.close()


@pytest.fixture
def engines(paths: Paths) -> Iterator[Paths]:
    """Ends, after the test, every engine that its clients started: also one that still waits for its turn."""
    yield paths
    for child in launch._children:
        child.kill()
        child.wait()
    kill_engine(paths)


def engine_pid(paths: Paths) -> int | None:
    try:
        return int(paths.lock.read_text())
    except (OSError, ValueError):
        return None


def kill_engine(paths: Paths, number: int = signal.SIGKILL) -> None:
    pid = engine_pid(paths)
    if pid and pid != os.getpid():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
