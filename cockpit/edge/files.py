"""The edge's directory, on this machine's disk or on another's: what an engine needs of it, and no more."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from cockpit import points
from cockpit.edge.base import RUN

SPARE = 4096  # bytes: a pointer can be written although the disk is full, because a rollback must be possible then
_SPARE_NAME, _SPARE_FOLDER = ".spare", ".spare-folder"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_GONE = ".gone-"


@dataclass(frozen=True, slots=True)
class Piece:
    """What was written to a log since the last piece. `end`: there is no more now."""

    data: bytes = b""
    fresh: bool = False  # a file's beginning: the line that was begun before it never ends
    skipped: bool = False  # something before it was left out, so it begins within a line
    end: bool = True


class Tail(Protocol):
    """Blocking, one at a time. Follows a log over rolls and cuts; the first piece is near its end."""

    def more(self, most: int) -> Piece | None:
        """None while there is no such file; no piece is further than `most` bytes from its end. Raises OSError."""

    def close(self) -> None: ...


class Files(Protocol):
    """Blocking: call it from a thread, from one at a time. Names are relative to the directory: "pointers/web@a".

    Raises OSError, and LineDown for a host that cannot be reached. A call that raised TimeoutError may still come
    true, but never after a later call returned."""

    sockets: Path  # where this process reaches the edge's sockets
    far: bool  # they lead to another host: one where nobody listens is connected to, and closed at once

    def where(self, name: str = "") -> str:
        """For people: the path on the host."""

    def owner(self) -> int:
        """The user there whose directory it is; they alone enter it."""

    def read(self, *names: str) -> tuple[bytes | None, ...]:
        """None for each that is not there."""

    def replace(self, name: str, content: bytes, stage: str = "") -> None:
        """All or nothing, and durable: a reader sees the old content or the new, also after a power cut.

        With `stage` it is moved there from that directory, and cannot be once the directory is gone."""

    def stage(self, folder: str, name: str) -> None:
        """The directory `name` in `folder`, and no other in it; "" is none."""

    def staged(self, stage: str) -> bool:
        """It is still there."""

    def remove(self, name: str) -> None: ...

    def ensure(self, *names: str) -> None:
        """Directories that only the owner enters, the edge's own among them."""

    def tail(self, name: str) -> Tail: ...


class LocalFiles:
    def __init__(self, directory: Path) -> None:
        self.sockets, self.far = directory / RUN, False
        self._directory = directory

    def where(self, name: str = "") -> str:
        return str(self._directory / name)

    def owner(self) -> int:
        return os.geteuid()

    def read(self, *names: str) -> tuple[bytes | None, ...]:
        return tuple(_content(self._directory / name) for name in names)

    def replace(self, name: str, content: bytes, stage: str = "") -> None:
        path = self._directory / name
        new = self._directory / stage / "new" if stage else path.with_name(f".{path.name}.new")
        self._write(new, content)
        points.passed(f"file {name} written")
        os.rename(new, path)
        points.passed(f"file {name} moved")
        _sync_directory(path.parent)
        self._keep_spare()

    def stage(self, folder: str, name: str) -> None:
        """An old one is renamed first: from then on nothing can be moved from it."""
        where = self._directory / folder
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        for each in [each for each in where.iterdir() if each.name != name]:
            gone = each if each.name.startswith(_GONE) else each.rename(where / f"{_GONE}{each.name}")
            shutil.rmtree(gone, ignore_errors=True)
        if name:
            self._make(where / name)

    def staged(self, stage: str) -> bool:
        return (self._directory / stage).is_dir()

    def remove(self, name: str) -> None:
        (self._directory / name).unlink(missing_ok=True)

    def ensure(self, *names: str) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory.chmod(0o700)
        for name in names:
            (self._directory / name).mkdir(mode=0o700, exist_ok=True)
        self._keep_spare()

    def tail(self, name: str) -> Tail:
        return LocalTail(self._directory / name)

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            spare = self._directory / _SPARE_FOLDER
            if error.errno not in _FULL or not spare.exists():
                raise
            os.rename(spare, folder)
        self._keep_spare()

    def _write(self, new: Path, content: bytes) -> None:
        """On a full disk the spare file becomes the new one: nobody can take its space."""
        try:
            _write(new, content)
        except OSError as error:
            spare = self._directory / _SPARE_NAME
            if error.errno == errno.ENOENT and self._directory.exists() and not os.access(self._directory, os.W_OK):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(new)) from None
            if error.errno not in _FULL or len(content) > SPARE or not spare.exists():
                raise
            os.rename(spare, new)
            _write(new, content)

    def _keep_spare(self) -> None:
        """Best effort: what was replaced just now has left its own space."""
        with contextlib.suppress(OSError):
            (self._directory / _SPARE_FOLDER).mkdir(mode=0o700, exist_ok=True)
            if not (spare := self._directory / _SPARE_NAME).exists():
                _write(spare, bytes(SPARE))


class LocalTail:
    """Keeps the file open: what was written before it was rolled is read to its end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def more(self, most: int) -> Piece | None:
        if self._file is None:
            try:
                self._file = open(self._path, "rb")  # noqa: SIM115  kept between two looks
            except FileNotFoundError:
                return None
        at, size = self._file.tell(), os.fstat(self._file.fileno()).st_size
        skipped = size - at > most
        if skipped:
            self._file.seek(size - most)
        data = self._file.read(most)
        return Piece(data, at == 0 and not skipped, skipped, end=not self._moved_on())

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def _moved_on(self) -> bool:
        """True when the log was rolled or cut under us, and what there was of it has been read."""
        assert self._file is not None
        here = os.fstat(self._file.fileno())
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return False
        same = (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
        if self._file.tell() < here.st_size or (same and self._file.tell() <= there.st_size):
            return not same
        self.close()
        return True


def _content(path: Path) -> bytes | None:
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    return None


def _write(path: Path, content: bytes) -> None:
    """Over what is there, so that its space is used again."""
    with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
