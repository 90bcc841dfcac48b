"""A POSIX shell elsewhere that runs one line after another: a round trip each, and no new process on this side.

A `ssh HOST command` through a connection that stands takes 120 ms on the loopback interface, a line here 5.
"""

from __future__ import annotations

import re
import secrets
from asyncio.subprocess import Process

MOST = 16 * 1024 * 1024  # bytes that one line may print
CHUNK = 64 * 1024
END = 64  # bytes: more than the closing words have

# One line, so that the shell has read all of it before it runs any: what is sent next is for `read`. A script's own
# standard input is what follows it, so `head -c N` takes the bytes that were sent with it. What a script leaves of them
# must never be run as the next one: each begins with the token, and one that fails is the last.
_LOOP = (
    "LC_ALL=C; export LC_ALL; umask 077; {{ {first}; }} 2>&1; printf '\\n%s %d\\n' {token} $?;"
    ' while read -r t l && [ "$t" = {token} ]; do'
    " (eval \"$l\") 2>&1; r=$?; printf '\\n%s %d\\n' {token} $r; [ $r = 0 ] || exit; done\n"
)


class ShellEnded(Exception):
    """The shell is gone, or speaks nonsense: what was asked last may have happened, or not."""


class Shell:
    """`process` has pipes for standard input and output. One line at a time."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout
        self._token = secrets.token_hex(16)
        self._end = re.compile(rf"\n{self._token} (\d+)\n\Z".encode())

    async def begin(self, first: str) -> tuple[int, bytes]:
        """Once, before all else: what `first` sets (a directory, variables) holds for every line. Raises ShellEnded.

        What a login script prints comes before what `first` prints."""
        return await self._ask(_LOOP.format(token=self._token, first=first).encode())

    async def run(self, script: str, given: bytes = b"") -> tuple[int, bytes]:
        """Its status, and what it printed. Raises ShellEnded.

        After that, another status than 0, or a cancellation, the shell is of no use any more."""
        if "\n" in script:
            raise ValueError("a script is one line")
        return await self._ask(f"{self._token} {script}\n".encode() + given)

    async def _ask(self, said: bytes) -> tuple[int, bytes]:
        printed = bytearray()
        try:
            self._in.write(said)
            await self._in.drain()
            while not (end := self._end.search(printed, max(0, len(printed) - END))):
                chunk = await self._out.read(CHUNK)
                printed += chunk
                if not chunk or len(printed) > MOST:
                    raise ShellEnded("it printed without end" if chunk else "it ended")
        except OSError as error:
            raise ShellEnded(str(error)) from None
        return int(end[1]), bytes(printed[: end.start()])
