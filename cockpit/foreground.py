"""A program on our own terminal, as a shell runs one: it gets the keys, and we wait for its end."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

NOT_RUN, NOT_FOUND = 126, 127  # exit statuses, as shells give them
FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)  # the terminal sends these to the program as well
PASSED_ON = (signal.SIGTERM, signal.SIGHUP)


def run(argv: Sequence[str], environment: Mapping[str, str]) -> int:
    """Its exit status, 128 + n when signal n ended it. `environment` is added to ours. Only from the main thread."""
    running = Running()
    with _terminal_as_it_was(), _signals_for(running):
        try:
            program = subprocess.Popen(argv, env={**os.environ, **environment})
        except FileNotFoundError:
            return NOT_FOUND
        except OSError:
            return NOT_RUN
        running.begun(program)
        status = program.wait()
    return status if status >= 0 else 128 - status


class Running:
    """Passes signals on, also one that comes while the program is being started."""

    def __init__(self) -> None:
        self._program: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []

    def begun(self, program: subprocess.Popen[bytes]) -> None:
        self._program = program
        for number in self._early:
            program.send_signal(number)

    def send(self, number: int) -> None:
        if self._program is None:
            self._early.append(number)
        else:
            self._program.send_signal(number)


def wait_for_enter(said: str) -> None:
    """ctrl+c does not end us here either."""
    with _signals_for(Running()), suppress(EOFError):
        input(said)


def out_of_reach(environment: Mapping[str, str]) -> str:
    """Why this user may not use Docker's socket; "" when there is nothing against it."""
    path = environment.get("DOCKER_HOST", "").removeprefix("unix://")
    if not path.startswith("/"):
        return ""
    try:
        found = os.stat(path)
    except PermissionError:
        return f"{path} lies where only the engine's user goes"
    except OSError:
        return ""
    return "" if os.access(path, os.R_OK | os.W_OK) else f"{path} is for {_owners(found)} alone"


def _owners(found: os.stat_result) -> str:
    """Whom a file is for: "root and group docker"."""
    user, group = str(found.st_uid), str(found.st_gid)
    with suppress(KeyError):
        user = pwd.getpwuid(found.st_uid).pw_name
    with suppress(KeyError):
        group = grp.getgrgid(found.st_gid).gr_name
    opens = found.st_mode & (stat.S_IRGRP | stat.S_IWGRP) == stat.S_IRGRP | stat.S_IWGRP
    return f"{user} and group {group}" if opens else user


def is_there(program: str) -> bool:
    return shutil.which(program) is not None


@contextmanager
def _signals_for(running: Running) -> Iterator[None]:
    """ctrl+c is the program's: we outlive it, to tell how it ended."""

    def leave_it(_number: int, _frame: FrameType | None) -> None:
        """A handler and not SIG_IGN: that one the program would inherit."""

    def pass_on(number: int, _frame: FrameType | None) -> None:
        running.send(number)

    before = {each: signal.signal(each, leave_it) for each in FROM_TERMINAL}
    before |= {each: signal.signal(each, pass_on) for each in PASSED_ON}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def _terminal_as_it_was() -> Iterator[None]:
    """A program that is killed leaves the terminal in the mode that it chose."""
    try:
        ours = os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()  # whoever runs in the background may not set it
        before = termios.tcgetattr(sys.stdin.fileno()) if ours else None
    except (termios.error, OSError, ValueError):  # no terminal
        before = None
    try:
        yield
    finally:
        if before is not None:
            with suppress(termios.error, OSError):
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)
