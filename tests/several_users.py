"""Programs of other users: what a test of permissions stands on. No accounts are needed, root gives numbers away."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

ROOT = Path(__file__).parents[1]
needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root, with setpriv, can be several users"
)


@dataclass(frozen=True, slots=True)
class User:
    """`login` is who logged in, when that is somebody else: as sudo leaves it."""

    uid: int
    groups: tuple[int, ...] = ()
    login: int | None = None

    def command(self, *words: str) -> list[str]:
        groups = ["--groups", ",".join(map(str, self.groups))] if self.groups else ["--clear-groups"]
        numbers = [f"--reuid={self.uid}", f"--regid={self.uid}", *groups]
        run = ["setpriv", *numbers, "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", *words]
        if self.login is None:
            return run
        return ["sh", "-c", f'echo {self.login} >/proc/self/loginuid && exec "$@"', "sh", *run]

    def python(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(python(), *words),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd="/",
            env=surroundings(environment),
        )

    def starts(self, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.command(python(), *words), cwd="/", env=surroundings(environment))


def surroundings(more: Mapping[str, str]) -> dict[str, str]:
    """The packages of this environment, whichever Python runs, and nothing of the test's own user."""
    site = next(path for path in sys.path if path.endswith("site-packages"))
    paths = os.pathsep.join((str(ROOT), site))
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": paths, **more}


@cache
def python() -> str:
    """One of this version that every user may run: the test's own may lie in a home."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    say = "import sys; print('%d.%d' % sys.version_info[:2])"
    for candidate in (sys.executable, f"/usr/bin/python{version}"):
        if not os.path.exists(candidate) or not _open_to_all(Path(candidate).resolve()):
            continue
        command: Sequence[str] = User(61999).command(candidate, "-c", say)
        found = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
        if found.stdout.strip() == version:
            return candidate
    pytest.skip(f"no Python {version} here that other users may run")


def _open_to_all(path: Path) -> bool:
    return all(each.stat().st_mode & 0o001 for each in (path, *path.parents))


@contextmanager
def common_ground() -> Iterator[Path]:
    """A directory that everybody may enter and only root may change; pytest's own are closed to others."""
    directory = Path(mkdtemp(prefix="cockpit-users-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)
