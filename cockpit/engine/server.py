"""The engine's Unix socket: who may connect, who they are, which protocol they speak, and where requests go."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
from typing import Any

from cockpit import __version__, private, rpc
from cockpit.engine import identity
from cockpit.engine.api import Engine, Note
from cockpit.engine.connection import Connection
from cockpit.errors import EngineUnreachable, Refused, UsageError
from cockpit.json_form import decode
from cockpit.paths import Paths
from cockpit.protocol import (
    ACROSS_ONE_VERSION,
    CALLS,
    HELLO,
    MAX_MESSAGE,
    PROTOCOL,
    STOP_ENGINE,
    Call,
    Done,
    Hello,
    Welcome,
)

log = logging.getLogger(__name__)

PARTING = 1.0  # seconds that clients get to take what was written to them, when the engine ends
SHARE, FEWEST = 0.25, 4  # of the file descriptors that the engine may have: what clients get
ALWAYS = frozenset({HELLO.name, STOP_ENGINE.name})  # so that any client can see an engine's version, and replace it


async def serve(engine: Engine, paths: Paths, *, version: str = __version__, protocol: int = PROTOCOL) -> Server:
    """Opens the socket for an engine that has started. The caller holds the lock of the state directory, so that a
    socket file found there is a dead engine's. Raises EngineUnreachable when the socket's directory is not safe."""
    server = Server(engine, paths, version, protocol)
    await server.open()
    return server


class Server:
    """`stop_requested` is set when a client asked an idle engine to stop."""

    def __init__(self, engine: Engine, paths: Paths, version: str, protocol: int) -> None:
        self.stop_requested = asyncio.Event()
        self._engine = engine
        self._handlers = engine.handlers()
        self._paths = paths
        self._version, self._protocol = version, protocol
        self._connections: dict[Connection, asyncio.Task[None] | None] = {}
        self._most, self._clients = most_clients(), 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: asyncio.Server | None = None
        self._encoded: tuple[Note | None, bytes] = (None, b"")

    async def open(self) -> None:
        listener = await asyncio.to_thread(_bind, self._paths)
        self._listening = await asyncio.start_unix_server(self._accept, sock=listener, limit=MAX_MESSAGE)

    async def close(self) -> None:
        """No new clients; the requests that run are cancelled; the ones connected are let go."""
        if self._listening:
            self._listening.close()
        await asyncio.to_thread(self._paths.socket.unlink, missing_ok=True)
        running = list(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        serving = [task for task in self._connections.values() if task]
        for connection in list(self._connections):
            connection.hang_up()
        if serving:
            await asyncio.wait(serving, timeout=PARTING)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._clients >= self._most:
            writer.write(rpc.failure(None, rpc.to_wire(_crowded(self._most))))
            writer.close()
            return
        self._clients += 1
        try:
            await self._serve(reader, writer)
        finally:
            self._clients -= 1

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        who = await asyncio.to_thread(identity.of, writer.get_extra_info("socket"))
        connection = Connection(reader, writer, who, self._answer, self._encode, self._tasks, self._engine.known)
        serving = asyncio.current_task()
        self._connections[connection] = serving
        try:
            await connection.run()
        finally:
            del self._connections[connection]
            connection.hang_up()
            self._part(connection)

    def _part(self, connection: Connection) -> None:
        if connection.peer is None:
            return
        try:
            connection.peer.close()
        finally:
            self._engine.left(connection.peer)

    async def _answer(self, connection: Connection, request: rpc.Request) -> Any:
        call = CALLS.get(request.method)
        if call is None:
            raise rpc.Malformed(rpc.Code.METHOD, f"no such call: {request.method[:80]!r}")
        self._require_common_protocol(call, connection)
        try:
            params = decode(call.params, request.params)
        except ValueError as error:
            raise rpc.Malformed(rpc.Code.PARAMS, f"{call.name}: {error}") from None
        if call is HELLO:
            return self._welcome(connection, params)
        if connection.peer is None:
            raise UsageError(f"{call.name} before hello")
        await self._engine.permit(connection.peer, call, params)
        if call is STOP_ENGINE:
            return self._stop()
        return await self._handlers[call.name](connection.peer, params)

    def _require_common_protocol(self, call: Call[Any, Any], connection: Connection) -> None:
        apart = abs(self._protocol - connection.protocol) if connection.peer else 0
        if apart == 0 or call.name in ALWAYS or (apart == 1 and call.name in ACROSS_ONE_VERSION):
            return
        raise EngineUnreachable(
            f"This engine is cockpit {self._version} and speaks protocol {self._protocol}, you speak "
            f"{connection.protocol}: {call.name} does not work between them",
            "Use the cockpit command of the engine's version, or stop the engine: cockpit engine stop",
        )

    def _welcome(self, connection: Connection, hello: Hello) -> Welcome:
        """A second hello replaces nothing: the first stands."""
        peer = connection.peer or connection.stranger(hello)
        standing = self._engine.standing(peer)
        if connection.peer is None:
            connection.admit(peer, hello.protocol)
            self._engine.joined(peer)
        idle = self._engine.idle()
        return Welcome(
            self._version, self._protocol, os.getpid(), peer.actor, idle, role=standing.role, only=standing.only
        )

    def _stop(self) -> Done:
        if not self._engine.idle():
            raise Refused("An operation runs in this engine", "Wait for its end, or cancel it first")
        asyncio.get_running_loop().call_soon(self.stop_requested.set)
        return Done("The engine stops")

    def _encode(self, note: Note) -> bytes:
        """One note mostly goes to all clients, one after the other: it is written out once."""
        if self._encoded[0] is not note:
            self._encoded = (note, rpc.notification(note))
        return self._encoded[1]


def most_clients() -> int:
    """So many that what the engine does itself never lacks file descriptors because of them."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(FEWEST, int(soft * SHARE))


def _crowded(most: int) -> Refused:
    return Refused(
        f"{most} clients are connected to this engine already",
        "Close some cockpits, or give the engine more file descriptors: `ulimit -n`, or LimitNOFILE of its unit",
    )


def _bind(paths: Paths) -> socket.socket:
    group = private.share(paths.socket.parent, paths.group) if paths.group else -1
    if not paths.group:
        private.make(paths.socket.parent)
    paths.socket.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(paths.socket))
        os.chown(paths.socket, -1, group)
        paths.socket.chmod(0o660 if paths.group else 0o600)
    except OSError as error:
        listener.close()
        raise EngineUnreachable(f"{paths.socket} cannot be opened: {error.strerror or error}") from None
    return listener
