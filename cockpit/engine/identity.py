"""Who is at the other end of a socket, from the kernel: SO_PEERCRED and the login uid, which `sudo` does not change."""

from __future__ import annotations

import pwd
import socket
import struct
from asyncio.trsock import TransportSocket
from pathlib import Path

from cockpit.model import Actor
from cockpit.text import clean

UNSET = 2**32 - 1  # the login uid of a process that nobody's login started
_CREDENTIALS = struct.Struct("iII")  # pid, uid, gid


def of(connection: socket.socket | TransportSocket, proc: Path = Path("/proc")) -> Actor:
    """Blocks: the user database may be a network away."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(raw)
    login = login_uid(pid, uid, proc)
    if login is None:
        return Actor(user_name(uid), uid)
    return Actor(user_name(login), uid, user_name(login))


def login_uid(pid: int, uid: int, proc: Path = Path("/proc")) -> int | None:
    """None when unknown, or when the process is gone and its number may be another's by now."""
    try:
        found = int((proc / str(pid) / "loginuid").read_text())
        same = (proc / str(pid)).stat().st_uid == uid
    except (OSError, ValueError):
        return None
    return found if same and found != UNSET else None


def user_name(uid: int) -> str:
    try:
        return clean(pwd.getpwuid(uid).pw_name, 64)
    except KeyError:
        return f"uid {uid}"
