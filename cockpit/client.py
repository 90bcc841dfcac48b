"""The clients' way to the engine: finds it, starts it, replaces it when it is old, and comes back when it was lost."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator, Sequence

from cockpit import __version__, channel, launch
from cockpit.channel import Channel
from cockpit.errors import CockpitError, EngineUnreachable, Refused
from cockpit.model import Role
from cockpit.paths import Paths
from cockpit.protocol import (
    PROTOCOL,
    STOP_ENGINE,
    Call,
    Change,
    Connected,
    Hello,
    Lost,
    Nothing,
    P,
    R,
    Welcome,
)

PAUSES = (0.1, 0.3, 1.0, 3.0, 5.0)  # seconds between attempts to reconnect; the last one repeats
ATTEMPTS = 5  # an engine that is being killed still takes connections, for a moment
COMES_BACK = 5.0  # seconds in which systemd has started a system engine again: RestartSec, and its start
START_SYSTEM = "systemctl status deploy-cockpit says why; as root: systemctl start deploy-cockpit"
PARTING = 10.0  # seconds for an engine that was told to stop


async def connect(
    paths: Paths,
    *,
    client: str,
    start: bool = True,
    command: Sequence[str] = launch.ENGINE,
    hello: Hello | None = None,
    read_only: bool = False,
) -> Client:
    """Raises EngineUnreachable, or the ConfigError that kept the engine from starting.

    `start`: start an engine when none runs, and replace an idle one of an older version; a system engine is left to the
    system. `client` is "tui" or "cli". `read_only`: the engine refuses this client whatever would change something."""
    hello = hello or Hello(__version__, PROTOCOL, client, claimed(), read_only)
    connected = Client(paths, hello, start, command)
    await connected.connect()
    return connected


def claimed() -> str:
    """What the environment says about who this is; the engine stores it as claimed and believes the kernel."""
    names = ("SUDO_USER", "SSH_CONNECTION")
    return " ".join(f"{name}={os.environ[name]}" for name in names if os.environ.get(name))


class Client:
    """A `protocol.Link` over the engine's socket."""

    def __init__(self, paths: Paths, hello: Hello, start: bool, command: Sequence[str]) -> None:
        self._paths = paths
        self._hello = hello
        self._start = start
        self._command = command
        self._channel: Channel | None = None
        self._connecting = asyncio.Lock()
        self._closing = asyncio.Event()

    @property
    def welcome(self) -> Welcome | None:
        """What the engine said of itself when it was reached last."""
        return self._channel.welcome if self._channel else None

    async def call(self, call: Call[P, R], params: P) -> R:
        """A call whose connection breaks is not repeated: nobody knows whether it was done."""
        return await (await self.connect()).call(call, params)

    async def subscribe_ahead(self) -> None:
        """The engine prepares the snapshot that `changes` begins with, while the caller does something else."""
        (await self.connect()).subscribe_ahead()

    async def changes(self) -> AsyncGenerator[Change, None]:
        """One reader at a time: it sees every change, a second one would take half of them."""
        pid: int | None = None
        failures = 0
        told = ""
        while not self._closing.is_set():
            try:
                current = await self.connect()
                snapshot = await current.subscribe()
            except CockpitError as error:
                if error.message != told and not self._closing.is_set():
                    told = error.message
                    yield Lost(told)
                await self._pause(failures)
                failures += 1
                continue
            failures, told = 0, ""
            yield Connected(current.welcome, snapshot, restarted=pid not in (None, current.welcome.pid))
            pid = current.welcome.pid
            async for note in current.notes():
                yield note
            if not self._closing.is_set():
                told = current.ended
                yield Lost(told)

    async def stop_engine(self) -> int:
        """Its pid, once it has hung up. Raises Refused while an operation runs."""
        current = await self.connect()
        await current.call(STOP_ENGINE, Nothing())
        await wait_for_end(current)
        return current.welcome.pid

    async def close(self) -> None:
        self._closing.set()
        if self._channel:
            self._channel.close()

    async def connect(self) -> Channel:
        """The connection there is, or a new one."""
        async with self._connecting:
            if self._closing.is_set():
                raise EngineUnreachable("This client is closed")
            if self._channel is None or self._channel.ended:
                self._channel = await self._reach()
            return self._channel

    async def _reach(self) -> Channel:
        found = await self._open()
        theirs, ours = found.welcome, self._hello
        if self._start and not self._paths.group and is_older(theirs.version, ours.version) and theirs.idle:
            found = await self._replace(found)
            theirs = found.welcome
        if ours.read_only and theirs.role is not Role.VIEWER:
            found.close()
            raise EngineUnreachable(
                f"The engine is cockpit {theirs.version} and knows no --read-only: it would let you change things"
            )
        if abs(theirs.protocol - ours.protocol) > 1:
            found.close()
            raise EngineUnreachable(
                f"The engine is cockpit {theirs.version} (protocol {theirs.protocol}), "
                f"this command is {ours.version} (protocol {ours.protocol})",
                "Use the command of the engine's version; or stop the engine when it is idle: cockpit engine stop",
            )
        return found

    async def _open(self) -> Channel:
        if self._paths.group:
            return await self._open_system()
        for _ in range(ATTEMPTS if self._start else 1):
            if found := await channel.connect(self._paths.socket, self._hello):
                return found
            if self._start:
                await launch.start(self._paths, self._command)
        raise EngineUnreachable(f"No engine runs for {self._paths.state}", "Start one: cockpit engine start")

    async def _open_system(self) -> Channel:
        """The system starts it again when it died: whoever would start an engine waits for that."""
        deadline = asyncio.get_running_loop().time() + (COMES_BACK if self._start else 0)
        while not (found := await channel.connect(self._paths.socket, self._hello, shared=True)):
            if asyncio.get_running_loop().time() >= deadline:
                raise EngineUnreachable(f"The system engine does not answer at {self._paths.socket}", START_SYSTEM)
            await asyncio.sleep(0.1)
        return found

    async def _replace(self, old: Channel) -> Channel:
        """An operation that began meanwhile keeps the old engine in its place."""
        try:
            await old.call(STOP_ENGINE, Nothing())
        except Refused:
            return old
        await wait_for_end(old)
        return await self._open()

    async def _pause(self, failures: int) -> None:
        try:
            async with asyncio.timeout(PAUSES[min(failures, len(PAUSES) - 1)]):
                await self._closing.wait()
        except TimeoutError:
            pass


async def wait_for_end(old: Channel) -> None:
    """Until the engine that was told to stop has hung up. Raises EngineUnreachable."""
    try:
        async with asyncio.timeout(PARTING):
            async for _ in old.notes():
                pass
    except TimeoutError:
        raise EngineUnreachable(
            f"The engine (pid {old.welcome.pid}) was told to stop and still runs after {PARTING:g} s", "See engine.log"
        ) from None


def is_older(one: str, other: str) -> bool:
    return _numbers(one) < _numbers(other)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)[:3]]
