"""Who listens on a port of another host: what `ports.listeners` tells of this one, asked through a shell there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Protocol

from cockpit.errors import TargetDown
from cockpit.ssh.lane import ScriptFailed
from cockpit.targets.ports import Listener, PortOwners, rows
from cockpit.text import clean, decode

WAIT = 12.0  # seconds; the line's own deadline is shorter
_TABLE = "grep -hs ' 0A ' /proc/net/tcp /proc/net/tcp6; true"


class Line(Protocol):
    async def run(self, script: str) -> bytes: ...


def far_port_owners(line: Line) -> PortOwners:
    """Made on the line's event loop, called from threads. Raises LineDown, TargetDown."""
    loop = asyncio.get_running_loop()

    def ask(ports: tuple[int, ...]) -> tuple[Listener, ...]:
        try:
            return asyncio.run_coroutine_threadsafe(_listeners(line.run, ports), loop).result(WAIT)
        except (TimeoutError, ScriptFailed):
            raise TargetDown("the host does not say who has its ports", "Try again: it may be overloaded.") from None

    return ask


async def _listeners(run: Callable[[str], Awaitable[bytes]], ports: tuple[int, ...]) -> tuple[Listener, ...]:
    found = [each for each in rows(decode(await run(_TABLE))) if each.port in ports]
    if not found:
        return ()
    inodes = [each.inode for each in found if each.inode.isdigit()]
    holders = _holders(decode(await run(_owners(inodes))))
    names = _names(decode(await run(_comms(holders))))
    return tuple(
        replace(each, pid=holders.get(each.inode), name=names.get(holders.get(each.inode, 0), "")) for each in found
    )


def _owners(inodes: list[str]) -> str:
    """Directories of open files, and below each the sockets that are meant; those that this user may look into."""
    wanted = " ".join(f"-e 'socket:.{inode}.$'" for inode in inodes)
    return f"ls -l /proc/[0-9]*/fd 2>/dev/null | grep -e '^/proc/' {wanted}; true"


def _comms(holders: dict[str, int]) -> str:
    each = " ".join(str(pid) for pid in sorted(set(holders.values())))
    return f'for p in {each or "0"}; do echo "$p $(cat /proc/$p/comm 2>/dev/null)"; done'


def _holders(listed: str) -> dict[str, int]:
    holders: dict[str, int] = {}
    for pid, inode in _pairs(listed):
        holders.setdefault(inode, pid)
    return holders


def _pairs(listed: str) -> Iterator[tuple[int, str]]:
    pid = 0
    for line in listed.splitlines():
        if directory := re.fullmatch(r"/proc/(\d+)/fd:", line):
            pid = int(directory[1])
        elif pid and (socket := re.search(r"socket:\[(\d+)\]$", line)):
            yield pid, socket[1]


def _names(listed: str) -> dict[int, str]:
    lines = (line.partition(" ") for line in listed.splitlines())
    return {int(pid): clean(name) for pid, _, name in lines if pid.isdigit()}
