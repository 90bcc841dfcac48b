"""What git knows about the directory that a person stands in: the remote, and where its work tree begins."""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass
from pathlib import Path

from cockpit import process
from cockpit.errors import SourceError, UsageError
from cockpit.text import clean

TIMEOUT = 10.0  # seconds
SAY_IT = "Say it yourself: --repo URL"
# Only the repository's own settings are read, and nothing in it is run: whose it is does not matter.
_GIT = ("git", "-c", "safe.directory=*", "-C")


@dataclass(frozen=True, slots=True)
class WorkTree:
    root: Path
    url: str


def root(directory: Path) -> Path | None:
    """Where its work tree begins; None when it is in none."""
    found = _git(directory, "rev-parse", "--show-toplevel")
    return Path(found) if found else None


def work_tree(directory: Path) -> WorkTree:
    """Raises UsageError when there is none, or no remote whose name speaks for itself."""
    top = root(directory)
    if top is None:
        raise UsageError(clean(f"{directory} is not in a git work tree"), SAY_IT)
    remotes = _git(directory, "remote").split()
    if not remotes:
        raise UsageError(clean(f"The work tree {top} has no remote"), SAY_IT)
    if len(remotes) > 1 and "origin" not in remotes:
        raise UsageError(clean(f"The work tree {top} has several remotes: {', '.join(remotes)}"), SAY_IT)
    name = "origin" if "origin" in remotes else remotes[0]
    url = _git(directory, "config", "--get", f"remote.{name}.url")
    if url.startswith((".", "~")):
        url = os.path.normpath(top / Path(url).expanduser())
    return WorkTree(top, url)


def without_password(url: str) -> str:
    """Over HTTP a user's name may be a token as well."""
    url = re.sub(r"(?i)(?<=^http://)[^/@]*@|(?<=^https://)[^/@]*@", "", url)
    return re.sub(r"(?<=://)([^/@:]*):[^/@]*@", r"\1@", url)


def _git(directory: Path, *arguments: str) -> str:
    """One line that it printed; "" when it says no."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        ended = asyncio.run(
            process.run((*_GIT, str(directory), *arguments), env={**kept, "LC_ALL": "C"}, timeout=TIMEOUT)
        )
    except TimeoutError:
        raise SourceError(f"git gave no answer within {TIMEOUT:.0f} s", SAY_IT) from None
    except OSError:
        raise SourceError("git is not installed on this machine", SAY_IT) from None
    return ended.out.decode("utf-8", "surrogateescape").strip() if ended.status == 0 else ""
