"""One ssh connection from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from cockpit import process
from cockpit.ssh import command, greeting
from cockpit.ssh.address import Address
from cockpit.ssh.greeting import Facts
from cockpit.text import decode

GREETING = 20.0  # seconds from nothing to the host's first words: keys and jumps included
CONTROL = 5.0  # seconds for a word with the master
PING = 3.0  # seconds that Docker gets to show whether its socket can be forwarded
SAID = 16 * 1024  # bytes kept of what ssh says, the last ones
NOISE = 200  # lines that a login script may print first


class Unanswered(Exception):
    """ssh ended, or the host said something else than a shell would."""

    def __init__(self, *, inside: bool) -> None:
        super().__init__()
        self.inside = inside  # it got in


class Session:
    """`facts` are there once `greet` returned."""

    facts: Facts

    def __init__(self, ssh: Process, control: Path, environment: Mapping[str, str]) -> None:
        assert ssh.stdin is not None
        assert ssh.stdout is not None
        assert ssh.stderr is not None
        self._ssh, self._in, self._out, self._err = ssh, ssh.stdin, ssh.stdout, ssh.stderr
        self._control, self._environment = control, environment
        self._said = bytearray()
        self._listening = asyncio.create_task(self._listen())
        self._hearing: asyncio.Task[None] | None = None
        self._pulses: dict[bytes, asyncio.Future[bool]] = {}

    @property
    def said(self) -> str:
        """What ssh wrote to standard error."""
        return decode(bytes(self._said))

    async def greet(self, installation: str, socket: str) -> None:
        """Raises Unanswered."""
        token = secrets.token_hex(16)
        with contextlib.suppress(OSError):
            self._in.write(greeting.script(installation, socket, token))
            await self._in.drain()
        try:
            async with asyncio.timeout(GREETING):
                await self._until(token.encode())
                lines = [await self._out.readline() for _ in range(greeting.LINES)]
            self.facts = greeting.facts(lines)
            self._hearing = asyncio.create_task(self._hear())
        except TimeoutError:
            raise Unanswered(inside=False) from None
        except ValueError:  # also an ending in the middle of it
            raise Unanswered(inside=True) from None

    async def _until(self, token: bytes) -> None:
        noise: list[bytes] = []
        while (line := await self._out.readline()).strip() != token:
            noise.append(line)
            if not line or len(noise) > NOISE:
                await self._over()
                inside = bool(line) or self._ssh.returncode != 255  # ssh's own errors end with 255
                if inside:
                    self._said += b"\n" + b"".join(noise)
                raise Unanswered(inside=inside)

    async def forward(self, *ways: tuple[Path, str]) -> bool:
        done = await self._tell(command.forward(self._control, *ways))
        return done is not None and done.status == 0

    async def opens(self, socket: Path) -> bool:
        """False when what is forwarded closes at once; a silent Docker is no reason to doubt."""
        try:
            async with asyncio.timeout(PING):
                reader, writer = await asyncio.open_unix_connection(socket)
                try:
                    writer.write(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
                    return bool(await reader.read(1))
                finally:
                    writer.close()
        except TimeoutError:
            return True
        except OSError:
            return False
        finally:
            await self.pulse(PING)  # what ssh has to say about it has arrived, too

    def lane(self) -> contextlib.AbstractAsyncContextManager[Process]:
        return process.started(command.lane(self._control), env=self._environment, stdin=PIPE)

    async def pulse(self, timeout: float) -> bool:
        """Whether the host answers."""
        token = secrets.token_hex(8).encode()
        heard: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._pulses[token] = heard
        try:
            async with asyncio.timeout(timeout):
                self._in.write(token + b"\n")
                await self._in.drain()
                return await heard
        except (TimeoutError, OSError):
            return False
        finally:
            del self._pulses[token]

    async def lasts(self) -> None:
        """Until it ends."""
        assert self._hearing is not None
        await asyncio.wait([self._hearing])
        await self._over()

    async def _hear(self) -> None:
        with contextlib.suppress(ValueError):  # a line without an end: it is no shell of ours any more
            while line := await self._out.readline():
                heard = self._pulses.get(line.strip())
                if heard is not None and not heard.done():
                    heard.set_result(True)

    async def _over(self) -> None:
        """ssh is closing: its last words are the reason."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONTROL):
                await self._ssh.wait()
                await self._listening

    async def _listen(self) -> None:
        while chunk := await self._err.read(4096):
            self._said += chunk
            del self._said[:-SAID]

    async def _tell(self, argv: tuple[str, ...]) -> process.Finished | None:
        try:
            return await process.run(argv, env=self._environment, timeout=CONTROL)
        except TimeoutError:
            return None

    def end(self) -> None:
        self._listening.cancel()
        if self._hearing is not None:
            self._hearing.cancel()
        for heard in self._pulses.values():
            if not heard.done():
                heard.set_result(False)


@asynccontextmanager
async def session(address: Address, control: Path, environment: Mapping[str, str]) -> AsyncIterator[Session]:
    """Its ssh ends with the block, and with this process. Raises FileNotFoundError without ssh."""
    argv = command.tied(command.master(address, control), os.getpid())
    async with process.started(argv, env=environment, stdin=PIPE) as ssh:
        made = Session(ssh, control, environment)
        try:
            yield made
        finally:
            made.end()


async def settings(address: Address, environment: Mapping[str, str]) -> dict[str, str]:
    """What the user's ssh configuration makes of this address; {} when it cannot be read. Raises FileNotFoundError."""
    try:
        told = await process.run(command.evaluated(address), env=environment, timeout=CONTROL)
    except TimeoutError:
        return {}
    pairs = (line.partition(" ") for line in decode(told.out).splitlines())
    return {name.lower(): value for name, _, value in pairs}


async def end_leftover(control: Path, environment: Mapping[str, str]) -> None:
    """A master that a killed engine left, if it did: it ends, and its socket goes."""
    if control.exists():
        with contextlib.suppress(TimeoutError, OSError):
            await process.run(command.end(control), env=environment, timeout=CONTROL)
        control.unlink(missing_ok=True)
