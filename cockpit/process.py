"""Child processes in their own group, without a terminal: however the wait ends, none of the group outlives it."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

GRACE = 0.7  # seconds between SIGTERM and SIGKILL: lets git and docker take their lock files and sessions with them
ERROR_LIMIT = 64 * 1024  # bytes kept of what a process says about its failure, the last ones
CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Finished:
    """`cut` means that `out` reached its limit and the process was ended for it; then `status` says nothing."""

    status: int
    out: bytes
    err: bytes
    cut: bool = False


async def run(
    argv: Sequence[str], *, env: Mapping[str, str], timeout: float, limit: int = 256 * 1024 * 1024, given: bytes = b""
) -> Finished:
    """Run to the end, `given` on its standard input. Raises TimeoutError, and OSError when it cannot be started."""
    async with asyncio.timeout(timeout), started(argv, env=env, stdin=PIPE if given else DEVNULL) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        if process.stdin is not None:
            process.stdin.write(given)  # short: it fits into the pipe
            process.stdin.close()
        errors = asyncio.create_task(_last(process.stderr, ERROR_LIMIT))
        try:
            out = await _first(process.stdout, limit)
            if len(out) > limit:
                return Finished(-1, out[:limit], b"", cut=True)
            return Finished(await process.wait(), out, await errors)
        finally:
            errors.cancel()


@asynccontextmanager
async def started(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    stdin: int = DEVNULL,
    stdout: int = PIPE,
    stderr: int = PIPE,
    cwd: Path | None = None,
) -> AsyncIterator[Process]:
    """A running process; leaving the block before it ended ends its whole group."""
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=stdin, stdout=stdout, stderr=stderr, env=dict(env), cwd=cwd, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            await _end(process)


async def _end(process: Process) -> None:
    """SIGTERM, then SIGKILL for what is left; a second cancellation only shortens the grace."""
    try:
        _signal_group(process.pid, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await process.wait()
    finally:
        _signal_group(process.pid, signal.SIGKILL)
        await process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


async def _first(stream: asyncio.StreamReader, limit: int) -> bytes:
    """Up to one chunk more than `limit`."""
    kept = bytearray()
    while len(kept) <= limit and (chunk := await stream.read(CHUNK)):
        kept += chunk
    return bytes(kept)


async def _last(stream: asyncio.StreamReader, limit: int) -> bytes:
    kept = bytearray()
    while chunk := await stream.read(CHUNK):
        kept += chunk
        del kept[:-limit]
    return bytes(kept)
