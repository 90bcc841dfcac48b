"""`cockpit backup` and `cockpit restore`: what a state directory knows and nothing else does, in one private file.

Pointers are not in it: what they say now is truer than what they said then. At the next start they, the containers and
what the hosts remember correct the log, as after a crash.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cockpit import private
from cockpit.engine.lock import Lock
from cockpit.errors import CockpitError, Refused, StoreError, UsageError
from cockpit.store.copying import check, copy

NAME, DATABASE = "installation", "releases.db"
SINGLE = (NAME, "secret.key", "subnet")
LOGS = "logs"
_SIDECARS = ("-journal", "-wal", "-shm")
_MEMBERS_LIMIT = 200_000


def backup(state: Path, into: Path) -> int:
    """Bytes written. The file is whole or not there, and readable by its owner alone. An engine may run meanwhile."""
    if not (state / NAME).is_file() or not (state / DATABASE).is_file():
        raise UsageError(f"{state} is no cockpit's state directory", "cockpit --state DIRECTORY backup FILE")
    with _beside(into) as folder:
        copy(state / DATABASE, folder / DATABASE)
        new = folder / "backup"
        with open(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            with tarfile.open(fileobj=file, mode="w") as archive:
                archive.add(folder / DATABASE, DATABASE)
                for path in _kept(state):
                    with contextlib.suppress(FileNotFoundError):  # a log that was tidied away meanwhile
                        archive.add(path, str(path.relative_to(state)), recursive=False)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        os.rename(new, into)
        _sync(into.parent)
    return size


def restore(state: Path, source: Path) -> str:
    """The installation's name. The log that is there is kept beside. Raises Refused while an engine runs."""
    private.make(state)
    lock = Lock(state / "engine.lock")
    if not lock.take():
        raise Refused(f"an engine runs on {state}", "cockpit engine stop, and close open cockpits: they start it again")
    try:
        with _beside(state / NAME) as folder:
            _unpack(source, folder)
            name = (folder / NAME).read_text(encoding="ascii").strip()
            _same(state, name)
            check(folder / DATABASE)
            set_aside(state / DATABASE)
            for path in sorted(each for each in folder.rglob("*") if each.is_file()):
                _move(path, state / path.relative_to(folder))
        return name
    finally:
        lock.release()


def _kept(state: Path) -> Iterator[Path]:
    yield from (path for path in (state / each for each in SINGLE) if path.is_file())
    yield from sorted((state / "hosts").glob("*/subnet"))
    yield from sorted(path for path in (state / LOGS).rglob("*") if path.is_file())


def _may(name: str) -> bool:
    """What a backup has: nothing in it may reach out of the state directory."""
    parts = name.split("/")
    host = len(parts) == 3 and parts[0] == "hosts" and parts[2] == "subnet"
    plain = all(part not in ("", ".", "..") for part in parts)
    return plain and (name in (*SINGLE, DATABASE) or host or parts[0] == LOGS)


def _unpack(source: Path, folder: Path) -> None:
    try:
        with tarfile.open(source) as archive:
            for count, member in enumerate(archive):
                content = archive.extractfile(member) if member.isreg() else None
                if content is None or not _may(member.name) or count > _MEMBERS_LIMIT:
                    raise StoreError(f"{source} is no backup of a cockpit: it has {member.name}", "take another file")
                path = folder / member.name
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                    shutil.copyfileobj(content, file)
                    file.flush()
                    os.fsync(file.fileno())
    except (tarfile.TarError, EOFError, OSError) as error:
        raise StoreError(f"{source} cannot be read as a backup: {error}", "nothing was changed") from error
    for each in (NAME, DATABASE):
        if not (folder / each).is_file():
            raise StoreError(f"{source} is no whole backup: it has no {each}", "nothing was changed")


def _same(state: Path, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        here = (state / NAME).read_text(encoding="ascii").strip()
        if here != name:
            raise Refused(
                f"{state} is the installation {here}, the backup is of {name}",
                "restore it into an empty state directory: cockpit --state DIRECTORY restore FILE",
            )


def set_aside(database: Path) -> Path | None:
    """Where a log is kept from now on, None when there is none. SQLite finds its sidecars by its name, so they are
    moved with it."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    kept = database.with_name(f"{database.name}.before-{stamp}")
    moved = False
    for suffix in ("", *_SIDECARS):
        with contextlib.suppress(FileNotFoundError):
            database.with_name(database.name + suffix).rename(kept.with_name(kept.name + suffix))
            moved = True
    return kept if moved else None


def _move(path: Path, to: Path) -> None:
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.rename(path, to)
    _sync(to.parent)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A private directory on the same disk, gone afterwards."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.absolute().parent))
    except OSError as error:
        raise UsageError(f"nothing can be written beside {path}: {error.strerror}", "choose another place") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m cockpit.engine.backup")
    parser.add_argument("verb", choices=["backup", "restore"])
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--file", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    os.umask(0o077)
    try:
        if chosen.verb == "backup":
            size = backup(chosen.state, chosen.file)
            print(f"{chosen.file} has all that {chosen.state} alone knows, {size / 1e6:.1f} MB. Keep it as a secret")
        else:
            name = restore(chosen.state, chosen.file)
            print(f"{chosen.state} is the installation {name} again. The next start compares it with the hosts")
    except CockpitError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except OSError as error:
        print(f"{error.strerror}: {error.filename}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
