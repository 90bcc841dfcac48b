"""One client of the engine: its lines come in, each is answered in a task of its own, notes go out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from cockpit import rpc
from cockpit.engine.api import Note, Peer
from cockpit.engine.identity import Identity
from cockpit.engine.known import Known
from cockpit.errors import CockpitError
from cockpit.protocol import MAX_MESSAGE, Hello, WireError
from cockpit.text import clean

BACKLOG = 4 * 1024 * 1024  # unread bytes at which a client counts as one that stopped reading
CONCURRENT = 64  # requests of one client at once; the next ones wait in its socket

log = logging.getLogger(__name__)

Answerer = Callable[["Connection", rpc.Request], Awaitable[Any]]


class Connection:
    """`peer` is None until the client said hello; `protocol` is what it speaks."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        identity: Identity,
        answer: Answerer,
        encode: Callable[[Note], bytes],
        tasks: set[asyncio.Task[None]],
        known: Known,
    ) -> None:
        self.identity = identity
        self.peer: Peer | None = None
        self.protocol = 0
        self._reader, self._writer = reader, writer
        self._answer = answer
        self._encode = encode
        self._tasks = tasks
        self._known = known
        self._slots = asyncio.Semaphore(CONCURRENT)

    async def run(self) -> None:
        """Until the client hangs up, or is closed."""
        while (line := await self._line()) is not None:
            await self._slots.acquire()
            task = asyncio.create_task(self._respond(line))
            self._tasks.add(task)
            task.add_done_callback(self._done)

    def stranger(self, hello: Hello) -> Peer:
        """Who it says and is; let in by `admit`."""
        return Peer(
            replace(self.identity.actor, claimed=clean(hello.claimed, 200)),
            clean(hello.client, 40),
            lambda note: self._write(self._encode(note)),
            groups=self.identity.groups,
            read_only=hello.read_only,
        )

    def admit(self, peer: Peer, protocol: int) -> None:
        self.peer, self.protocol = peer, protocol
        peer.on_close.append(self.abort)

    def abort(self) -> None:
        """At once: what was not read yet is lost."""
        self._writer.transport.abort()

    def hang_up(self) -> None:
        """After what is written has been sent."""
        self._writer.close()

    async def _line(self) -> bytes | None:
        """None at the end. A line that is too long is answered, and skipped as it comes in."""
        too_long = False
        try:
            while True:
                try:
                    line = await self._reader.readuntil(b"\n")
                except asyncio.LimitOverrunError as overrun:
                    too_long = True
                    await self._reader.readexactly(overrun.consumed)
                    continue
                if not too_long:
                    return line
                too_long = False
                self._reject(rpc.Code.REQUEST, f"a message is at most {MAX_MESSAGE} bytes", None)
        except (asyncio.IncompleteReadError, OSError):
            return None

    async def _respond(self, line: bytes) -> None:
        try:
            message = rpc.parse(line)
        except rpc.Malformed as error:
            self._reject(error.code, error.message, error.id)
            return
        if isinstance(message, rpc.Request) and message.id is not None:
            self._write(await self._outcome(message, message.id))

    async def _outcome(self, request: rpc.Request, id: rpc.Id) -> bytes:
        try:
            data = rpc.result(id, await self._answer(self, request))
        except rpc.Malformed as error:
            return rpc.failure(id, WireError("usage", error.message), error.code)
        except CockpitError as error:
            return rpc.failure(id, self._known.error(rpc.to_wire(error)))
        except Exception:  # a process edge: one client's bug must not end the engine
            log.exception("request %r of %s failed", request.method[:80], self.identity.actor.name)
            return rpc.failure(id, WireError("error", "Internal error", "See engine.log"), rpc.Code.INTERNAL)
        if len(data) > MAX_MESSAGE:
            log.error("the answer to %r has %d bytes", request.method, len(data))
            return rpc.failure(id, WireError("error", "The answer is too long to send", "Ask for less of it"))
        return data

    def _reject(self, code: rpc.Code, message: str, id: rpc.Id | None) -> None:
        self._write(rpc.failure(id, WireError("usage", message), code))

    def _write(self, data: bytes) -> None:
        """Never waits. One message may be larger than the backlog; it is what came before that counts."""
        transport = self._writer.transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() > BACKLOG:
            log.warning("dropped a client of %s: it does not read", self.identity.actor.name)
            self.abort()
            if self.peer:
                self.peer.close()
            return
        transport.write(data)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.release()
