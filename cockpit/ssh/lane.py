"""A shell on the host that is opened when it is needed, and again after it was lost."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from cockpit.errors import LineDown
from cockpit.ssh.shell import Shell, ShellEnded
from cockpit.text import clean, decode

Open = Callable[[], AbstractAsyncContextManager[Process]]  # raises LineDown


class ScriptFailed(Exception):
    """Its status wasn't 0. `said` is what it printed, cleaned."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


class Lane:
    """One line of shell at a time, in the order in which they were asked for. `first` begins each new shell.

    After a deadline the shell is given up: what hangs there may still happen, unless `first` prevents it."""

    def __init__(self, open: Open, first: str) -> None:
        self._open, self._first = open, first
        self._lock = asyncio.Lock()
        self._shell: Shell | None = None
        self._stack = AsyncExitStack()

    async def run(self, script: str, *, given: bytes = b"", timeout: float) -> bytes:
        """What it printed. Raises LineDown, TimeoutError, ScriptFailed."""
        async with asyncio.timeout(timeout), self._lock:
            try:
                return await self._run(script, given)
            except BaseException:  # also a cancellation: what a shell says next may belong to this script
                await self.end()
                raise

    async def end(self) -> None:
        """The next line opens a new shell."""
        stack, self._stack, self._shell = self._stack, AsyncExitStack(), None
        await stack.aclose()

    async def _run(self, script: str, given: bytes) -> bytes:
        try:
            if self._shell is None:
                shell = Shell(await self._stack.enter_async_context(self._open()))
                _passed(*await shell.begin(self._first))
                self._shell = shell
            return _passed(*await self._shell.run(script, given))
        except ShellEnded:
            raise LineDown("the line was cut meanwhile", "It reconnects by itself; what runs there runs on.") from None


def _passed(status: int, printed: bytes) -> bytes:
    if status != 0:
        raise ScriptFailed(clean(decode(printed[-2000:]), 300) or f"status {status}")
    return printed
