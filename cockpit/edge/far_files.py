"""The edge's directory on another host, through a shell there: sh and coreutils (or busybox) are all it needs."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import socket
from pathlib import Path, PurePosixPath
from shlex import quote
from typing import Protocol

from cockpit.edge.files import Piece, Tail
from cockpit.errors import LineDown
from cockpit.ssh.address import Address
from cockpit.ssh.lane import Lane, ScriptFailed

SCRIPT = 8.0  # seconds; less than what the callers of the threads allow
_EDGE = "edge"  # in the installation's directory, where every shell begins
_AT_ONCE = 512 * 1024  # bytes of a log in one answer

# A shell that was given up, or a line that was lost, may still have a write under way. It puts its file into the stage
# of its own shell and moves it from there: once this engine's next shell has removed its old stages, it is too late.
_STAGE = 'rm -rf .stage.{engine}.* && s=$(mktemp -d .stage.{engine}.XXXXXX) && [ -d "$s" ]'


class Shells(Protocol):
    """Of `cockpit.ssh.line.Line`."""

    address: Address
    sockets: Path

    def lane(self, first: str = ":") -> Lane: ...
    def known_edge(self) -> PurePosixPath: ...
    def known_owner(self) -> int: ...


class FarFiles:
    """Implements `Files`. Made on the event loop of the line, called from threads."""

    def __init__(self, line: Shells) -> None:
        self._line, self._loop = line, asyncio.get_running_loop()
        engine = hashlib.sha256(f"{socket.gethostname()} {line.sockets}".encode()).hexdigest()[:8]
        self._lane, self._log_lane = line.lane(_STAGE.format(engine=engine)), line.lane()
        self.sockets, self.far = line.sockets, True

    def where(self, name: str = "") -> str:
        with contextlib.suppress(LineDown):
            return f"{self._line.address.host}:{self._line.known_edge() / name}"
        return f"{self._line.address.host}:{name}"

    def owner(self) -> int:
        return self._line.known_owner()

    def read(self, *names: str) -> tuple[bytes | None, ...]:
        return tuple(self._read(name) for name in names)

    def _read(self, name: str) -> bytes | None:
        file = _quoted(name)
        said = self._run(f"if [ -e {file} ]; then echo y && cat {file}; else echo n; fi", name)
        return said[2:] if said.startswith(b"y") else None

    def replace(self, name: str, content: bytes, stage: str = "") -> None:
        size, folder = len(content), _quoted(str(PurePosixPath(name).parent))
        whole = f"head -c {size} >$s/new && [ $(wc -c <$s/new) -eq {size} ] && sync $s/new"
        new = f"{_quoted(stage)}/new" if stage else ""
        moved = f"mv -fT $s/new {new} && mv -fT {new}" if stage else "mv -fT $s/new"
        self._run(f"{whole} && {moved} {_quoted(name)} && sync {folder}", name, content)

    def stage(self, folder: str, name: str) -> None:
        """An old one is renamed first: from then on nothing can be moved from it."""
        where, kept = _quoted(folder), _quoted(f"{folder}/{name}" if name else folder)
        away = f'[ "$d" = {kept} ] || [ ! -d "$d" ] || mv -T "$d" "$g/${{d##*/}}"'
        old = f"g=$(mktemp -d $s/gone.XXXXXX) && for d in {where}/*; do {away}; done; rm -rf $g"
        self._run(f"mkdir -p {where} && {old} && mkdir -p {kept}", folder)

    def staged(self, stage: str) -> bool:
        return self._run(f"if [ -d {_quoted(stage)} ]; then echo y; else echo n; fi", stage).startswith(b"y")

    def remove(self, name: str) -> None:
        self._run(f"rm -f {_quoted(name)}", name)

    def ensure(self, *names: str) -> None:
        self._run(f"mkdir -p {' '.join(_quoted(name) for name in names)} && chmod 700 {_EDGE}", "")

    def tail(self, name: str) -> Tail:
        return FarTail(self, name)

    def log(self, script: str, name: str) -> bytes:
        """In a shell of its own: a long piece of a log must not be what a switch waits for."""
        return self._wait(self._log_lane, script, name, b"")

    def _run(self, script: str, name: str, given: bytes = b"") -> bytes:
        return self._wait(self._lane, script, name, given)

    def _wait(self, lane: Lane, script: str, name: str, given: bytes) -> bytes:
        future = asyncio.run_coroutine_threadsafe(lane.run(script, given=given, timeout=SCRIPT), self._loop)
        try:
            return future.result(SCRIPT + 2)
        except ScriptFailed as error:
            raise OSError(errno.EIO, error.said, self.where(name)) from None


class FarTail:
    """Knows its place by the file's number; what was rolled away is read to its end if it can still be found."""

    def __init__(self, files: FarFiles, name: str) -> None:
        self._files, self._name = files, name
        self._inode, self._at = 0, 0

    def more(self, most: int) -> Piece | None:
        head, _, data = self._files.log(self._script(), self._name).partition(b"\n")
        if not head:
            return None
        inode, size = map(int, head.split())
        if self._inode != inode:
            return self._moved_on(inode, size, most)
        if size < self._at:
            self._at = 0
            return Piece(end=False)
        if size - self._at > most:
            self._at = size - most
            return Piece(skipped=True, end=False)
        fresh = self._at == 0
        self._at += len(data)
        return Piece(data, fresh, end=self._at >= size)

    def close(self) -> None:
        """Nothing is kept open there."""

    def _moved_on(self, inode: int, size: int, most: int) -> Piece:
        if not self._inode:
            self._inode, self._at = inode, max(0, size - most)
            return Piece(skipped=self._at > 0, end=False)
        data = self._files.log(self._rest(), self._name)
        self._at += len(data)
        if len(data) < _AT_ONCE:
            self._inode, self._at = inode, 0
        return Piece(data, end=False)

    def _script(self) -> str:
        """Number and size of the file there now, and if it is ours what comes next: of one and the same open file."""
        file = _quoted(self._name)
        return (
            f"[ -e {file} ] || exit 0; exec 3<{file}; set -- $(stat -L -c '%i %s' /proc/self/fd/3); echo $1 $2;"
            f' [ "$1" != {self._inode} ] || tail -c +{self._at + 1} <&3 | head -c {_AT_ONCE}'
        )

    def _rest(self) -> str:
        folder = _quoted(str(PurePosixPath(self._name).parent))
        part = f'tail -c +{self._at + 1} "$f" | head -c {_AT_ONCE}'
        return f'for f in {folder}/*; do [ "$(stat -c %i "$f")" != {self._inode} ] || {part}; done'


def _quoted(name: str) -> str:
    return quote(f"{_EDGE}/{name}" if name else _EDGE)
