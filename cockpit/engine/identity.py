"""Who is at the other end of a socket, from the kernel: SO_PEERCRED, groups, and the login uid that `sudo` keeps."""

from __future__ import annotations

import array
import grp
import os
import pwd
import socket
import struct
from asyncio.trsock import TransportSocket
from dataclasses import dataclass
from pathlib import Path

from cockpit.model import Actor
from cockpit.text import clean

UNSET = 2**32 - 1  # the login uid of a process that nobody's login started
PEER_GROUPS = 59  # SO_PEERGROUPS of Linux, which Python does not name
MOST_GROUPS = 256  # in the 1024 bytes that getsockopt hands out here
_CREDENTIALS = struct.Struct("iII")  # pid, uid, gid

Socket = socket.socket | TransportSocket


@dataclass(frozen=True, slots=True)
class Identity:
    """`groups` are names, and each number as text too: a group that the user database lacks has no name."""

    actor: Actor
    groups: frozenset[str]


def of(connection: Socket, proc: Path = Path("/proc")) -> Identity:
    """Blocks: the user database may be a network away."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, gid = _CREDENTIALS.unpack(raw)
    return Identity(actor_of(pid, uid, proc), group_names({gid, *peer_groups(connection, uid, gid)}))


def actor_of(pid: int, uid: int, proc: Path = Path("/proc")) -> Actor:
    """Whom the login behind a process names, and as whom it acts."""
    login = login_uid(pid, uid, proc)
    return Actor(user_name(uid), uid) if login is None else Actor(user_name(login), uid, user_name(login))


def login_uid(pid: int, uid: int, proc: Path = Path("/proc")) -> int | None:
    """None when unknown, or when the process is gone and its number may be another's by now."""
    try:
        found = int((proc / str(pid) / "loginuid").read_text())
        same = (proc / str(pid)).stat().st_uid == uid
    except (OSError, ValueError):
        return None
    return found if same and found != UNSET else None


def peer_groups(connection: Socket, uid: int, gid: int, option: int = PEER_GROUPS) -> tuple[int, ...]:
    """The process's own when it connected; the user database's when the kernel does not tell, or there are too many."""
    try:
        return tuple(array.array("I", connection.getsockopt(socket.SOL_SOCKET, option, 4 * MOST_GROUPS)))
    except OSError:
        return groups_of(uid, gid)


def groups_of(uid: int, gid: int) -> tuple[int, ...]:
    try:
        return tuple(os.getgrouplist(pwd.getpwuid(uid).pw_name, gid))
    except KeyError:
        return ()


def group_names(gids: set[int]) -> frozenset[str]:
    return frozenset({str(gid) for gid in gids} | {group_name(gid) for gid in gids})


def group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def user_name(uid: int) -> str:
    try:
        return clean(pwd.getpwuid(uid).pw_name, 64)
    except KeyError:
        return f"uid {uid}"
