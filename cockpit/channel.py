"""One connection to an engine, seen from the client: calls and their answers, notes as they come, and its end."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

from cockpit import private, rpc
from cockpit.errors import EngineUnreachable
from cockpit.json_form import decode
from cockpit.protocol import (
    HELLO,
    MAX_MESSAGE,
    SUBSCRIBE,
    Call,
    Event,
    Hello,
    LogChunk,
    Nothing,
    P,
    R,
    Snapshot,
    Welcome,
)

GREETING = 5.0  # seconds for the answer to hello; an engine that is alive needs milliseconds
WENT_AWAY = "the engine went away"
UNREAD_NOTES = 20_000  # more than this, and the client starts again from a fresh snapshot


async def connect(path: Path, hello: Hello, *, shared: bool = False) -> Channel | None:
    """None when nobody listens there, or hangs up before a word, as a dying engine does.

    Raises EngineUnreachable when someone does listen and is no engine of ours."""
    await asyncio.to_thread(partial(private.check, path.parent, shared=shared))
    try:
        reader, writer = await asyncio.open_unix_connection(str(path), limit=MAX_MESSAGE)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        return None
    except OSError as error:
        raise EngineUnreachable(f"{path}: {error.strerror or error}") from None
    channel = Channel(reader, writer)
    try:
        async with asyncio.timeout(GREETING):
            channel.welcome = await channel.call(HELLO, hello)
    except TimeoutError:
        channel.close()
        raise EngineUnreachable(
            f"The engine does not answer within {GREETING:g} s", "It may be stopped or overloaded: see engine.log"
        ) from None
    except EngineUnreachable:
        if channel.ended != WENT_AWAY:
            channel.close()
            raise
        return None
    except BaseException:  # also a cancellation: nobody else knows of the connection yet
        channel.close()
        raise
    return channel


class Channel:
    """`ended` says why it is over, "" while it is not."""

    welcome: Welcome

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.ended = ""
        self._reader, self._writer = reader, writer
        self._ids = itertools.count(1)
        self._waiting: dict[rpc.Id, asyncio.Future[rpc.Response]] = {}
        self._notes: asyncio.Queue[Event | LogChunk | None] = asyncio.Queue()
        self._subscribing: rpc.Id | None = None
        self._subscribed = False
        self._ahead: asyncio.Task[Snapshot] | None = None
        self._reading = asyncio.create_task(self._read())

    async def call(self, call: Call[P, R], params: P) -> R:
        return await self._ask(next(self._ids), call, params)

    def subscribe_ahead(self) -> None:
        """Asks for the snapshot now; `subscribe` takes it."""
        self._ahead = asyncio.create_task(self._subscribe())
        self._ahead.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may come for it

    async def subscribe(self) -> Snapshot:
        """Events that were sent before the snapshot are older than it, and are not seen."""
        ahead, self._ahead = self._ahead, None
        return await (ahead or self._subscribe())

    async def _subscribe(self) -> Snapshot:
        self._subscribing = next(self._ids)
        return await self._ask(self._subscribing, SUBSCRIBE, Nothing())

    async def notes(self) -> AsyncIterator[Event | LogChunk]:
        """Until the connection ends."""
        while (note := await self._notes.get()) is not None:
            yield note

    def close(self, reason: str = "closed") -> None:
        self._reading.cancel()
        self._end(reason)

    async def _ask(self, id: rpc.Id, call: Call[P, R], params: P) -> R:
        if self.ended:
            raise _gone(self.ended)
        answer = asyncio.get_running_loop().create_future()
        self._waiting[id] = answer
        self._writer.write(rpc.request(id, call, params))
        try:
            response = await answer
        finally:
            self._waiting.pop(id, None)
        if response.error is not None:
            raise rpc.from_wire(response.error)
        return _result(call, response.result)

    async def _read(self) -> None:
        reason = WENT_AWAY
        try:
            while True:
                self._take(rpc.parse(await self._reader.readuntil(b"\n")))
        except (asyncio.IncompleteReadError, OSError):
            pass
        except asyncio.LimitOverrunError:
            reason = "the engine sent a message that is too long"
        except rpc.Malformed as error:
            reason = f"the engine sent what is no message: {error.message}"
        self._end(reason)

    def _take(self, message: rpc.Request | rpc.Response) -> None:
        if isinstance(message, rpc.Response):
            self._answered(message)
            return
        note = rpc.note(message)
        if note is None or (isinstance(note, Event) and not self._subscribed):
            return
        self._notes.put_nowait(note)
        if self._notes.qsize() > UNREAD_NOTES:
            self._end("this client fell behind")

    def _answered(self, response: rpc.Response) -> None:
        if response.id is not None:
            self._subscribed |= response.id == self._subscribing
            self._settle(response.id, response)
        elif response.error is not None:  # it could not even read the request
            for id in list(self._waiting):
                self._settle(id, response)

    def _settle(self, id: rpc.Id, response: rpc.Response) -> None:
        waiter = self._waiting.pop(id, None)
        if waiter is not None and not waiter.done():  # whoever asked may have been cancelled at this very moment
            waiter.set_result(response)

    def _end(self, reason: str) -> None:
        if self.ended:
            return
        self.ended = reason
        self._writer.close()
        self._notes.put_nowait(None)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(_gone(reason))
        self._waiting.clear()


def _result(call: Call[Any, R], data: Any) -> R:
    try:
        return decode(call.result, data)
    except ValueError as error:
        raise EngineUnreachable(
            f"The engine's answer to {call.name} is not understood: {error}",
            "Engine and command may be of different versions: cockpit engine status",
        ) from None


def _gone(reason: str) -> EngineUnreachable:
    return EngineUnreachable(
        f"No answer: {reason}", "What was asked may have been done all the same. Look before asking again."
    )
