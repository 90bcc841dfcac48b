"""What the engine asks of a repository. Commits are full shas; a `Repository` is a remote and a branch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cockpit.model import Commit


@dataclass(frozen=True, slots=True)
class Repository:
    url: str
    branch: str | None = None  # None: the remote's default


@dataclass(frozen=True, slots=True)
class Fetched:
    at: float
    branch: str  # as resolved
    head: str  # full sha
    note: str = ""  # "the branch was force-pushed", "history is shallow", …


@dataclass(frozen=True, slots=True)
class Range:
    """Commits of `old..new` that touch `path`, newest first; `commits` is cut at the limit, `count` is not."""

    commits: tuple[Commit, ...]
    count: int
    authors: int
    added: int
    removed: int
    oldest_at: float | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Archived:
    tree: str  # id of the path's tree
    files: int


class Source(Protocol):
    """Raises SourceError. Nothing here ever prompts; each call has a time-out."""

    async def fetch(self, repository: Repository) -> Fetched: ...

    async def known(self, repository: Repository) -> Fetched | None:
        """As at the last fetch, without the network; None before the first."""

    async def pending(self, repository: Repository, live: str | None, path: str, limit: int = 200) -> Range:
        """What the branch has and `live` has not; with `live` None, the newest `limit` commits of the branch."""

    async def between(self, repository: Repository, old: str, new: str, path: str, limit: int = 200) -> Range: ...

    async def commit(self, repository: Repository, name: str) -> Commit:
        """`name` is a sha or an unambiguous prefix of one that the branch contains."""

    async def tree(self, repository: Repository, commit: str, path: str) -> str:
        """The id of the path's tree in that commit."""

    async def diff(self, repository: Repository, old: str | None, new: str, path: str) -> str:
        """A unified diff as git gives it (not cleaned), cut at 400 kB; `old` None means new's first parent."""

    async def keep(self, repository: Repository, commit: str) -> None:
        """A force-push or garbage collection can no longer take this commit from the mirror."""

    async def archive(self, repository: Repository, commit: str, path: str, into: Path) -> Archived:
        """The files of `path` at exactly that commit, unpacked into the empty directory `into`."""

    async def close(self) -> None: ...
