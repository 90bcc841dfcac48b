"""In a real pty: what a terminal really gets, and what it is left with."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyte
import pytest

ROOT = Path(__file__).parents[2]
ALT_SCREEN_OFF, CURSOR_ON = b"\x1b[?1049l", b"\x1b[?25h"


class Terminal:
    def __init__(self, columns: int, rows: int, *arguments: str) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.output = b""
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.tui_demo", *arguments],
            stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, env=environment, start_new_session=True,
        )  # fmt: skip

    def read(self, seconds: float) -> bytes:
        """All that comes until nothing came for `seconds`."""
        got = b""
        while select.select([self.master], [], [], seconds)[0]:
            try:
                new = os.read(self.master, 65536)
            except OSError:
                break
            got += new
        self.output += got
        with suppress(TypeError):  # pyte does not know private SGR
            self.stream.feed(got)
        return got

    def until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + 20
        while not true():
            self.read(0.05)
            assert time.monotonic() < end, "\n".join(self.screen.display)

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def ended(self) -> int:
        end = time.monotonic() + 20
        while self.process.poll() is None:
            self.read(0.02)
            assert time.monotonic() < end, "it did not end"
        self.read(0.1)
        return self.process.returncode


@contextmanager
def terminal(columns: int, rows: int, *arguments: str) -> Iterator[Terminal]:
    it = Terminal(columns, rows, *arguments)
    try:
        yield it
    finally:
        if it.process.poll() is None:
            it.process.kill()
            it.process.wait()
        for descriptor in (it.master, it.slave):
            with suppress(OSError):
                os.close(descriptor)


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_gives_the_terminal_back(with_signal: signal.Signals) -> None:
    with terminal(120, 40) as it:
        it.until(lambda: "▸ checkout" in it.text)
        it.process.send_signal(with_signal)
        it.ended()
        assert ALT_SCREEN_OFF in it.output
        assert CURSOR_ON in it.output
        assert termios.tcgetattr(it.slave)[3] == it.before[3]


def test_q_prints_what_goes_on_after_the_screen_is_gone() -> None:
    with terminal(120, 40) as it:
        it.until(lambda: "▸ checkout" in it.text)
        os.write(it.master, b"q")
        assert it.ended() == 0
        assert "goes on; `cockpit` comes back to it" in it.output.decode()[it.output.decode().rindex("1049l") :]


def test_it_ends_when_its_terminal_is_gone() -> None:
    with terminal(120, 40) as it:
        it.until(lambda: "▸ checkout" in it.text)
        os.close(it.slave)
        os.close(it.master)
        it.process.wait(timeout=20)


def test_an_idle_cockpit_sends_next_to_nothing() -> None:
    with terminal(120, 40) as it:
        it.until(lambda: "▸ checkout" in it.text)
        it.read(0.7)
        start = time.monotonic()
        sent = 0
        while time.monotonic() - start < 3:
            sent += len(it.read(0.2))
        assert sent / 3 <= 300


def test_over_ssh_the_mouse_is_left_alone() -> None:
    with terminal(120, 40, "--ssh") as it:
        it.until(lambda: "▸ checkout" in it.text)
        assert b"\x1b[?1000h" not in it.output
        assert b"\x1b[?1003h" not in it.output


def test_a_hostile_log_reaches_no_real_terminal() -> None:
    with terminal(120, 40, "--hostile") as it:
        it.until(lambda: "▸ checkout" in it.text)
        os.write(it.master, b"7")
        it.until(lambda: "hostile" in it.text)
        assert b"\x1b]52" not in it.output
        assert b"\x1b]0;" not in it.output
        assert b"\x1b[2J" not in it.output
        for forbidden in ("\u202e", "\u200b", "\x9b"):
            assert forbidden not in it.output.decode("utf-8", "replace")
        assert "▸ checkout" in it.text


def test_a_fault_gives_the_terminal_back_too() -> None:
    with terminal(120, 40, "--crash") as it:
        it.ended()
        assert ALT_SCREEN_OFF in it.output
        assert termios.tcgetattr(it.slave)[3] == it.before[3]


def test_a_shell_has_the_terminal_until_it_ends_and_its_end_is_told(tmp_path: Path) -> None:
    told = tmp_path / "told"
    with terminal(120, 40, "--shell", str(told)) as it:
        it.until(lambda: "▸ checkout" in it.text)
        os.write(it.master, b"x")
        it.until(lambda: "shell in a container" in it.text)
        os.write(it.master, b"\x1b[B\x1b[B\x1b[B\x1b[B\r")
        it.until(lambda: "Shell in checkout" in it.text)
        it.until(lambda: _pressed(it, b"y", lambda: b"hello from the shell" in it.output))
        assert termios.tcgetattr(it.slave)[3] == it.before[3]
        os.killpg(it.process.pid, signal.SIGINT)  # as ctrl+c does: it is the shell's, not ours
        it.until(lambda: b"caught" in it.output)
        os.write(it.master, b"\nword\n")
        it.until(lambda: "▸ checkout" in it.text and "the shell in checkout-r42-1" in it.text)
        assert b"got word" in it.output
        assert told.read_text() == "5 3"
        os.write(it.master, b"q")
        assert it.ended() == 0
        assert termios.tcgetattr(it.slave)[3] == it.before[3]


def _pressed(it: Terminal, key: bytes, true: Callable[[], bool]) -> bool:
    """A sheet drops what comes too early, so the key is pressed until it is heard."""
    if not true():
        os.write(it.master, key)
        it.read(0.4)
    return true()
