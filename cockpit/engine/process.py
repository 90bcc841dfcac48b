"""The engine as a process: single, private, deaf to hang-ups, and gone cleanly on SIGTERM.

Exit statuses: 0 stopped, 2 the configuration cannot be used, 3 another engine has the state directory, 1 anything else.
What kept it from starting stands on stderr, for the client that started it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from logging.handlers import RotatingFileHandler
from types import TracebackType
from typing import Any, TextIO, cast

from cockpit import __version__, private
from cockpit.engine.api import Engine
from cockpit.engine.known import Known, Quiet
from cockpit.engine.lock import Lock, holder
from cockpit.engine.server import Server, serve
from cockpit.errors import CockpitError, Refused, StoreError
from cockpit.paths import Paths

LOG_BYTES = 4 * 1024 * 1024  # of engine.log; one older file is kept beside it
FORM = "%(asctime)s %(levelname)s %(name)s: %(message)s"
DESCRIPTORS = 4096  # files and sockets that the engine may have open, when that is allowed
LOOK = 1.0  # seconds between looks whether the state directory is still ours
LOCK_WAIT = 5.0  # seconds that an engine which is just ending gets to let go

log = logging.getLogger(__name__)

Build = Callable[[Paths], Awaitable[Engine]]


def run(paths: Paths, build: Build, *, background: bool = False) -> int:
    """Until SIGTERM, SIGINT or a client's engine.stop. Blocks; returns the exit status."""
    os.umask(0o077)
    try:
        private.make(paths.state.resolve())
        _log_to(paths, background)
        _take_descriptors()
        sys.excepthook = _last_words
        if asyncio.run(_live(paths, build, background)):
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    except CockpitError as error:
        print(error, file=sys.stderr)
        return error.exit_status if isinstance(error, Refused) or error.exit_status == 2 else 1
    return 0


async def _live(paths: Paths, build: Build, background: bool) -> bool:
    """True when it should begin anew: its state directory was taken away, and what hosts remember is all there is."""
    stopping = _stop_on_signals()
    lock = Lock(paths.lock)
    await _take(lock, paths)
    try:
        engine = await build(paths)
        _keep_quiet_about(engine.known)
        if not await _unless(stopping, engine.start()):
            await engine.close()
            return False
        await _serve_until(stopping, engine, paths, background, lock)
        if lost := lock.lost and not stopping.is_set():
            log.critical("%s was removed: beginning anew with what the hosts remember", paths.state)
        return lost
    finally:
        lock.release()


async def _serve_until(stopping: asyncio.Event, engine: Engine, paths: Paths, background: bool, lock: Lock) -> None:
    try:
        server = await serve(engine, paths)
        try:
            if background:
                _stderr_into_log(paths)
            log.info("cockpit %s serves %s, pid %d", __version__, paths.state, os.getpid())
            await _first(stopping, server, lock, engine)
        finally:
            await server.close()
    finally:
        await engine.close()
    log.info("stopped")


async def _first(stopping: asyncio.Event, server: Server, lock: Lock, engine: Engine) -> None:
    """Raises what broke the engine: the next client, or the service manager, starts one that works."""
    ends = (stopping.wait(), server.stop_requested.wait(), _loss(lock), engine.lasts())
    waits: list[asyncio.Task[Any]] = [asyncio.create_task(wait) for wait in ends]
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()
    finally:
        for wait in waits:
            wait.cancel()


async def _loss(lock: Lock) -> bool:
    while not await asyncio.to_thread(lambda: lock.lost):  # noqa: ASYNC110 the kernel tells nobody
        await asyncio.sleep(LOOK)
    return True


async def _unless(stopping: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Runs `work` to its end; False when the signal came first."""
    task, wait = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    await asyncio.wait([task, wait], return_when=asyncio.FIRST_COMPLETED)
    wait.cancel()
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
        return False
    task.result()
    return True


def _stop_on_signals() -> asyncio.Event:
    """SIGHUP is the terminal of whoever started us going away: no reason to stop a deploy."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


async def _take(lock: Lock, paths: Paths) -> None:
    """An engine that answers keeps its place; one that is ending gets LOCK_WAIT seconds for it. Raises Refused."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LOCK_WAIT
    while not await asyncio.to_thread(lock.take):
        if loop.time() > deadline or await _answers(paths):
            pid = await asyncio.to_thread(holder, paths.lock)
            raise Refused(f"Another engine (pid {pid or 'unknown'}) has {paths.state}", "cockpit engine status")
        await asyncio.sleep(0.05)


async def _answers(paths: Paths) -> bool:
    try:
        _, writer = await asyncio.open_unix_connection(str(paths.socket))
    except OSError:
        return False
    writer.close()
    return True


def _take_descriptors() -> None:
    """Shells give 1024 and allow more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < DESCRIPTORS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, hard), hard))


def _log_to(paths: Paths, background: bool) -> None:
    try:
        handlers: list[logging.Handler] = [RotatingFileHandler(paths.engine_log, maxBytes=LOG_BYTES, backupCount=1)]
    except OSError as error:
        raise StoreError(
            f"the state directory {paths.state} cannot be written: {error.strerror}",
            "look at its disk: `mount`, `df`; customers are served without the engine, see docs/break-glass.md",
        ) from error
    if not background:
        handlers.append(logging.StreamHandler())
    logging.basicConfig(level=logging.INFO, format=FORM, handlers=handlers, force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each probe is no news


class _Hiding(logging.Formatter):
    """Tracebacks too: an exception says what it tripped over."""

    def __init__(self, form: str, known: Known) -> None:
        super().__init__(form)
        self._known = known

    def format(self, record: logging.LogRecord) -> str:
        return self._known.hide(super().format(record))


def _keep_quiet_about(known: Known) -> None:
    """Before anything becomes known."""
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_Hiding(FORM, known))
    sys.stderr = cast(TextIO, Quiet(known, sys.stderr))


def _last_words(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A bug ends the process; engine.log keeps it, and whoever started us reads it on stderr."""
    log.critical("the engine ended", exc_info=(kind, error, trace))
    sys.__excepthook__(kind, error, trace)


def _stderr_into_log(paths: Paths) -> None:
    """From here on nobody reads our stderr: what the interpreter itself still has to say goes to the log."""
    handle = os.open(paths.engine_log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.dup2(handle, 2)
    os.close(handle)
