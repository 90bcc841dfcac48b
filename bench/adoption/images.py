"""Images made of Debian's packages, since no registry is asked: Python with aiohttp, PostgreSQL, nginx.

Each is made once a machine and kept: its tag is the digest of its recipe.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import IO

from bench.report import Say
from cockpit.errors import TargetError, UsageError

NAME = "cockpit-bench"
MERGED = ("bin", "sbin", "lib", "lib64")  # as Debian has them since 12: links into /usr
LEFT_OUT = ("./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/share/info", "./usr/share/lintian")
PASSWD = "root:x:0:0:root:/root:/bin/sh\npostgres:x:70:70::/var/lib/postgresql:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n"
GROUP = "root:x:0:\npostgres:x:70:\nwww-data:x:33:\n"
PROGRAMS = ("apt-get", "dpkg-deb", "tar", "docker")


@dataclass(frozen=True, slots=True)
class Recipe:
    """`without` are patterns of packages that something depends on and that are not needed to run it."""

    name: str
    packages: tuple[str, ...]
    without: tuple[str, ...]
    dockerfile: str  # what follows FROM
    files: tuple[tuple[str, str], ...] = ()  # path, content; all executable

    @property
    def tag(self) -> str:
        said = repr((self, MERGED, LEFT_OUT, PASSWD, GROUP))
        return f"{NAME}/{self.name}:{hashlib.sha256(said.encode()).hexdigest()[:12]}"


PYTHON = Recipe(
    "python",
    ("python3-minimal", "python3-aiohttp", "python3-psycopg-pool", "dash", "coreutils", "libc-bin"),
    ("dpkg", "tar", "debianutils", "debconf", "perl-base", "readline-common", "gcc-*-base"),
    'RUN ["ldconfig"]\n'  # psycopg asks it where libpq is
    # Compiled once, or each start would do it again.
    'RUN ["python3", "-m", "compileall", "-q", "-x", "lib2to3", "/usr/lib/python3", "/usr/lib/python3.11"]\n'
    'CMD ["python3"]\n',
)
_START_POSTGRES = """#!/bin/sh
# A database of its own at the first start.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  echo "$POSTGRES_PASSWORD" > /tmp/password
  initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256 \\
    --locale=C.UTF-8 > /dev/null
  rm /tmp/password
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  echo "create database $POSTGRES_DB" | postgres --single postgres > /dev/null
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/tmp -c jit=off
"""
POSTGRES = Recipe(
    "postgres",
    ("postgresql-15", "dash", "coreutils", "libc-bin"),
    (
        "libllvm*",
        "libz3-*",
        "*perl*",
        "postgresql-common",
        "postgresql-client-common",
        "locales",
        "debconf",
        "dpkg",
        "tar",
    ),
    "ENV PATH=/usr/lib/postgresql/15/bin:/bin PGDATA=/var/lib/postgresql/data\n"
    "RUN mkdir -p $PGDATA && chown -R postgres:postgres /var/lib/postgresql && chmod 1777 /tmp\n"
    "USER postgres\n"
    "STOPSIGNAL SIGINT\n"
    'CMD ["/bin/start-postgres"]\n',
    (("bin/start-postgres", _START_POSTGRES),),
)
NGINX = Recipe(
    "nginx",
    ("nginx-light", "dash", "coreutils"),
    ("*perl*", "iproute2", "debconf", "dpkg", "tar", "libbpf*", "libelf*"),
    'RUN mkdir -p /run /var/log/nginx\nSTOPSIGNAL SIGQUIT\nCMD ["nginx", "-g", "daemon off;"]\n',
)
RECIPES = (PYTHON, POSTGRES, NGINX)


def make(recipes: Sequence[Recipe] = RECIPES, say: Say = print) -> dict[str, str]:
    """Their tags by name. Blocks, for seconds each when they are not there yet. Raises UsageError, TargetError."""
    for recipe in recipes:
        if not _run("docker", "images", "--quiet", recipe.tag).strip():
            say(f"making {recipe.tag} of Debian's packages")
            _make(recipe)
    return {recipe.name: recipe.tag for recipe in recipes}


def _make(recipe: Recipe) -> None:
    lacking = [program for program in PROGRAMS if not shutil.which(program)]
    if lacking:
        raise UsageError(f"the image {recipe.name} is made of Debian's packages: {', '.join(lacking)} not found here")
    with tempfile.TemporaryDirectory(prefix="cockpit-bench-image-") as directory:
        packages, root, context = (Path(directory) / name for name in ("packages", "root", "context"))
        (packages / "partial").mkdir(parents=True)
        context.mkdir()
        _lay_out(root, recipe)
        for package in _download(recipe, packages):
            _unpack(package, root)
        raw = f"{recipe.tag}-raw"
        _import(root, raw)
        (context / "Dockerfile").write_text(f"FROM {raw}\n{recipe.dockerfile}")
        _run("docker", "build", "--quiet", "--tag", recipe.tag, str(context))
        _run("docker", "rmi", raw)


def _lay_out(root: Path, recipe: Recipe) -> None:
    for name in MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for name in ("etc", "tmp", "root"):
        (root / name).mkdir()
    (root / "etc" / "passwd").write_text(PASSWD)
    (root / "etc" / "group").write_text(GROUP)
    for path, content in recipe.files:
        (root / path).write_text(content)
        (root / path).chmod(0o755)


def _download(recipe: Recipe, into: Path) -> list[Path]:
    """With all they depend on, as if nothing were installed; apt checks the signatures."""
    _run(
        "apt-get", "install", "--download-only", "--no-install-recommends", "--yes", "-qq",
        "-o", "Dir::State::status=/dev/null", "-o", f"Dir::Cache::archives={into}", "-o", "Debug::NoLocking=true",
        *recipe.packages,
    )  # fmt: skip
    return sorted(each for each in into.glob("*.deb") if not left_out(each.name.partition("_")[0], recipe))


def left_out(package: str, recipe: Recipe) -> bool:
    return any(fnmatch(package, pattern) for pattern in recipe.without)


def _unpack(package: Path, root: Path) -> None:
    """Files alone: no script of a package is run."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as files:
        excluded = [f"--exclude={path}" for path in LEFT_OUT]
        _run("tar", "-x", "-C", str(root), "--keep-directory-symlink", *excluded, stdin=files.stdout)
    if files.returncode != 0:
        raise TargetError(f"{package.name} could not be unpacked")


def _import(root: Path, tag: str) -> None:
    owner = ("--owner=0", "--group=0", "--numeric-owner")
    with subprocess.Popen(["tar", "-c", "-C", root, *owner, "."], stdout=subprocess.PIPE) as files:
        _run("docker", "import", "-", tag, stdin=files.stdout)


def _run(*command: str, stdin: int | IO[bytes] | None = subprocess.DEVNULL) -> str:
    """Raises TargetError with the last line of what it said."""
    done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise TargetError(f"{command[0]} {command[1]}: {said[-1] if said else done.returncode}")
    return str(done.stdout)
