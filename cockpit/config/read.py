"""The file itself: who may write it, how large it is, and whether it is text at all."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from cockpit.config.problems import HINT, Mark
from cockpit.config.tree import Unreadable
from cockpit.errors import ConfigError
from cockpit.text import clean

LIMIT = 256 * 1024  # bytes
BOM = "\ufeff"
# What PyYAML would refuse without saying where; DEL and the C1 controls (but for NEL) are among it.
UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read(path: Path) -> str:
    """The file's text. Raises ConfigError, and Unreadable for what has a place in it."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            refuse(path, trusted(os.fstat(file.fileno()), os.geteuid(), os.getegid()))
            data = file.read(LIMIT + 1)
    except (OSError, ValueError) as error:
        refuse(path, _words(error))
    refuse(path, f"expected at most {LIMIT // 1024} kB" if len(data) > LIMIT else "")
    return text_of(data)


def refuse(path: Path, why: str) -> None:
    if why:
        raise ConfigError(clean(f"{path}: {why}"), HINT)


def trusted(status: os.stat_result, user: int, group: int) -> str:
    """Why this file may not decide what the engine runs; "" when it may.

    It has to belong to the engine's user or to root, and nobody else may write it: not others, and no group but root's
    or the user's own, which is private on the distributions that make files group-writable by default."""
    if not stat.S_ISREG(status.st_mode):
        return "expected a file, got a device or pipe"
    if status.st_uid not in {0, user}:
        return f"it belongs to user {status.st_uid}, who could change what the engine runs; make it yours (chown)"
    if status.st_mode & stat.S_IWOTH:
        return "others can write it and so change what the engine runs; chmod o-w"
    if status.st_mode & stat.S_IWGRP and status.st_gid not in {0, group}:
        return f"group {status.st_gid} can write it and so change what the engine runs; chmod g-w"
    return ""


def text_of(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        raise Unreadable(_end(before), f"expected UTF-8, got the byte 0x{data[error.start]:02x}") from None
    if text.startswith(BOM):
        raise Unreadable(Mark(1, 1), "expected text, got a byte order mark: save the file as UTF-8 without one")
    if match := UNPRINTABLE.search(text):
        raise Unreadable(_end(text[: match.start()]), f"expected text, got the character U+{ord(match[0]):04X}")
    return text


def _without_waiting(path: str, flags: int) -> int:
    """A FIFO would be waited for, for ever."""
    return os.open(path, flags | os.O_NONBLOCK)


def _end(before: str) -> Mark:
    return Mark(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


def _words(error: OSError | ValueError) -> str:
    match error:
        case FileNotFoundError():
            return "there is no such file; start with config.example.yaml"
        case IsADirectoryError():
            return "expected a file, got a directory"
        case PermissionError():
            return "it is not readable for you"
        case OSError():
            return error.strerror or "it cannot be read"
        case _:
            return "that is no file name"
