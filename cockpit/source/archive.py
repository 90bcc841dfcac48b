"""The files of one tree, out of git and into an empty directory, without ever writing outside it."""

from __future__ import annotations

import asyncio
import errno
import os
import posixpath
import shutil
import tarfile
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path

from cockpit.errors import SourceError
from cockpit.source import words
from cockpit.source.command import QUICK, Git
from cockpit.text import clean

FILE_TIME = 1.0  # the same for all files of all commits: a build's cache looks at contents only


async def unpack(git: Git, tree: str, into: Path, pool: Executor) -> int:
    """The number of files. `git archive` and the untar run side by side, joined by a pipe."""
    reading, writing = os.pipe()
    loop = asyncio.get_running_loop()
    untar = loop.run_in_executor(pool, _untar, reading, into)
    try:
        async with asyncio.timeout(QUICK * 4), git.piped("archive", "--format=tar", tree, stdout=writing) as archiver:
            os.close(writing)
            writing = -1
            assert archiver.stderr is not None
            said = await archiver.stderr.read()
            status = await archiver.wait()
    except TimeoutError:
        raise words.too_slow("archive", QUICK * 4, git.address) from None
    finally:
        if writing >= 0:
            os.close(writing)
        files = await _outcome(untar)
    if isinstance(files, SourceError):
        raise files
    if status != 0:
        raise words.failure(said, git.address, status)
    if isinstance(files, tarfile.TarError):
        raise SourceError(f"the archive of {git.address.shown} broke off", "try again")
    return files


async def _outcome(untar: asyncio.Future[int]) -> int | SourceError | tarfile.TarError:
    """Its end is always awaited: a thread that still writes into a directory that the caller removes does harm."""
    try:
        return await asyncio.shield(untar)
    except asyncio.CancelledError:
        with suppress(SourceError, tarfile.TarError):
            await untar
        raise
    except (SourceError, tarfile.TarError) as error:
        return error


def _untar(reading: int, into: Path) -> int:
    with os.fdopen(reading, "rb") as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                files = _extract(tar, into)
            while stream.read(1 << 16):
                pass  # git pads the archive after its end: not reading that would kill git with SIGPIPE
            return files
        except tarfile.ReadError as error:
            if "empty file" in str(error):
                return 0
            raise
        except OSError as error:
            raise _no_room(error, into) from None


def _extract(tar: tarfile.TarFile, into: Path) -> int:
    """By hand, because tarfile's own filters came with Python 3.11.4 and Debian 12 has 3.11.2."""
    files, root = 0, into.resolve()
    for member in tar:
        path = root / member.name
        if not path.parent.resolve().is_relative_to(root) or ".." in path.parts:
            raise SourceError(f"the repository has a file that cannot be unpacked: {clean(member.name)}")
        if member.isdir():
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(tar, member, path)
        files += 1
    return files


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    content = tar.extractfile(member) if member.isreg() else None
    if member.issym() and _stays(member):
        path.symlink_to(member.linkname)
    elif content is not None:
        with path.open("xb") as file:
            shutil.copyfileobj(content, file)
        path.chmod(0o755 if member.mode & 0o100 else 0o644)
    else:
        raise SourceError(f"the repository has a file that cannot be unpacked: {clean(member.name)}")
    os.utime(path, (FILE_TIME, FILE_TIME), follow_symlinks=False)


def _stays(member: tarfile.TarInfo) -> bool:
    """Raises SourceError for a link that leaves the tree."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(member.name), member.linkname))
    if posixpath.isabs(member.linkname) or target == ".." or target.startswith("../"):
        raise SourceError(
            f"the repository has a link that leaves it: {clean(member.name)} → {clean(member.linkname)}",
            "a build must not depend on files of this machine: remove the link from the commit",
        )
    return True


def _no_room(error: OSError, into: Path) -> SourceError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SourceError(f"no space left for the files to build, in {into}", "free space there and try again")
    return SourceError(f"the files to build cannot be written to {into}: {error.strerror}", "check the directory")
