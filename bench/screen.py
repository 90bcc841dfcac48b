"""A pseudo-terminal in front of a program, to see when something is on its screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence

from cockpit.errors import CockpitError

SIZE = (40, 120)  # rows, columns
LONGEST = 30.0  # seconds
_ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[P_^X][^\x1b]*\x1b\\|[ -/]*[0-~])")


def first_seen(command: Sequence[str], sign: str, environment: Mapping[str, str]) -> float:
    """Seconds from the start of the program until it has written `sign`. The program is ended then.

    Raises CockpitError with the last that it wrote when it never does."""
    started = time.monotonic()
    pid, terminal = pty.fork()
    if pid == 0:
        try:
            os.execvpe(command[0], list(command), dict(environment))
        finally:
            os._exit(127)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
    try:
        return _read_until(terminal, sign.encode(), started)
    finally:
        _end(pid, terminal)


def _read_until(terminal: int, sign: bytes, started: float) -> float:
    written = b""
    while time.monotonic() - started < LONGEST:
        if not select.select([terminal], [], [], 0.5)[0]:
            continue
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # the program has closed its side
            break
        written += chunk
        if sign in _ESCAPES.sub(b"", written):
            return time.monotonic() - started
    last = _ESCAPES.sub(b" ", written)[-300:].decode("utf-8", "replace")
    raise CockpitError(f"{sign.decode()!r} did not appear within {LONGEST:g} s; last was: {last.strip()}")


def _end(pid: int, terminal: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(terminal)
