"""The shop's git repository, made from its history in one go."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cockpit.demo.history import CHANGES, Change
from cockpit.errors import SourceError

BRANCH = "main"


@dataclass(frozen=True, slots=True)
class Shop:
    """Where the repository is, and the sha of each change by its name."""

    path: Path
    commits: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.commits[name]


def make(path: Path, now: float, changes: tuple[Change, ...] = CHANGES) -> Shop:
    """Blocks for a moment. A repository that is there is kept, with what someone may have added to it."""
    if not (path / ".git").exists():
        half = path.with_name(f"{path.name}.half")  # a crash must not leave a repository without commits
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        _git(half, "init", "--quiet", f"--initial-branch={BRANCH}")
        _git(half, "fast-import", "--quiet", stdin=b"".join(_stream(changes, now)))
        _git(half, "reset", "--quiet", "--hard", BRANCH)
        half.rename(path)
    return find(path, changes)


def find(path: Path, changes: tuple[Change, ...] = CHANGES) -> Shop:
    """The newest commit with a change's subject is that change. Raises SourceError when one is not there."""
    lines = _git(path, "log", "--reverse", "--format=%H %s", BRANCH).splitlines()
    by_subject = {subject: sha for sha, _, subject in (line.partition(" ") for line in lines)}
    missing = [change.subject for change in changes if change.subject not in by_subject]
    if missing:
        raise SourceError(f"{path} has no commit “{missing[0]}”", "cockpit demo --clean, then start again")
    return Shop(path, {change.name: by_subject[change.subject] for change in changes})


def _stream(changes: Iterable[Change], now: float) -> Iterator[bytes]:
    """What `git fast-import` reads: exact authors and dates, no work tree."""
    for change in changes:
        name, mail = change.author
        at = f"{name} <{mail}> {int(now - change.before_now)} +0000"
        yield f"commit refs/heads/{BRANCH}\nauthor {at}\ncommitter {at}\n".encode() + _data(change.subject)
        for path, content in change.files.items():
            if content is None:
                yield f"D {path}\n".encode()
            else:
                yield f"M 100644 inline {path}\n".encode() + _data(content)
        yield b"\n"


def _data(text: str) -> bytes:
    encoded = text.encode()
    return b"data %d\n%s\n" % (len(encoded), encoded)


def _git(path: Path, *arguments: str, stdin: bytes = b"") -> str:
    """Runs with nobody's configuration. Raises SourceError."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(path), "GIT_CONFIG_NOSYSTEM": "1"}
    try:
        done = subprocess.run(
            ["git", "-C", str(path), *arguments], input=stdin, capture_output=True, check=True, env=environment
        )
    except FileNotFoundError:
        raise SourceError("there is no git on this machine", "apt-get install git") from None
    except subprocess.CalledProcessError as error:
        raise SourceError(f"git {arguments[0]} failed: {error.stderr.decode('utf-8', 'replace').strip()}") from None
    return done.stdout.decode("utf-8", "replace")
