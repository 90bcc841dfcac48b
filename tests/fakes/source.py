"""A source whose commits are written down by the test; it keeps the contract of `cockpit.source.base.Source`."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cockpit.clock import Clock
from cockpit.errors import SourceError
from cockpit.model import Commit
from cockpit.source.base import Archived, Fetched, Range, Repository


@dataclass(frozen=True, slots=True)
class FakeCommit:
    commit: Commit
    files: Mapping[str, str]  # the whole tree
    changed: frozenset[str]


@dataclass
class FakeSource:
    """`branches` are lines of commits, oldest first. Set `unreachable` to make the next fetches fail."""

    clock: Clock
    branches: dict[str, list[FakeCommit]] = field(default_factory=lambda: {"main": []})
    unreachable: str = ""
    kept: set[str] = field(default_factory=set)
    closed: bool = False
    _fetched: dict[str, list[FakeCommit]] = field(default_factory=dict)
    _fetched_at: float | None = None
    _last_heads: dict[str, str] = field(default_factory=dict)
    _known: dict[str, FakeCommit] = field(default_factory=dict)

    def add(
        self, subject: str, files: Mapping[str, str] | None = None, author: str = "Ada", branch: str = "main"
    ) -> str:
        """A new commit on the branch, and its sha; `files` are those that it changes."""
        line = self.branches.setdefault(branch, [])
        changed = files if files is not None else {f"file{len(line)}": "x\n"}
        parent = line[-1].commit.sha if line else ""
        sha = hashlib.sha1(f"{parent}{subject}{sorted(changed.items())}{author}{branch}".encode()).hexdigest()
        commit = Commit(
            sha,
            subject,
            author,
            self.clock.now(),
            files=len(changed),
            added=sum(text.count("\n") for text in changed.values()),
        )
        line.append(FakeCommit(commit, {**(line[-1].files if line else {}), **changed}, frozenset(changed)))
        return sha

    async def fetch(self, repository: Repository) -> Fetched:
        if self.unreachable:
            raise SourceError(f"{repository.url} cannot be reached: {self.unreachable}", "check the network")
        before = self._last_heads.get(repository.branch or "main")
        self._fetched = {name: list(line) for name, line in self.branches.items()}
        self._known |= {each.commit.sha: each for line in self._fetched.values() for each in line}
        self._fetched_at = self.clock.now()
        branch, line = self._line(repository)
        note = ""
        if before is not None and all(each.commit.sha != before for each in line):
            note = f"history was rewritten: {branch} no longer contains {before[:7]}, its last head"
        self._last_heads[branch] = line[-1].commit.sha
        return Fetched(self._fetched_at, branch, line[-1].commit.sha, note)

    async def known(self, repository: Repository) -> Fetched | None:
        if self._fetched_at is None:
            return None
        branch, line = self._line(repository)
        return Fetched(self._fetched_at, branch, line[-1].commit.sha)

    async def pending(self, repository: Repository, live: str | None, path: str, limit: int = 200) -> Range:
        branch, line = self._line(repository)
        shas = [each.commit.sha for each in line]
        note = ""
        if live is not None and live not in self._known:
            note = f"the live commit {live[:7]} is not in this repository: the newest commits are shown"
        elif live is not None and live not in shas:
            note = f"history was rewritten: the live commit {live[:7]} is no longer on {branch}"
        after = shas.index(live) + 1 if live in shas else 0
        return _range(line[after:], path, limit, note)

    async def between(self, repository: Repository, old: str, new: str, path: str, limit: int = 200) -> Range:
        self._find(old)
        self._find(new)
        _, line = self._line(repository)
        shas = [each.commit.sha for each in line]
        return _range(line[shas.index(old) + 1 : shas.index(new) + 1], path, limit, "")

    async def commit(self, repository: Repository, name: str) -> Commit:
        branch, line = self._line(repository)
        if len(name) < 4 or set(name.lower()) - set("0123456789abcdef"):
            raise SourceError(f"{name!r} is not a commit's sha", "give at least 4 of its hexadecimal digits")
        found = [each.commit for each in line if each.commit.sha.startswith(name.lower())]
        if len(found) == 1:
            return found[0]
        if found:
            raise SourceError(f"{name} is the beginning of {len(found)} commits", "give more of the sha")
        if any(sha.startswith(name.lower()) for sha in self._known):
            raise SourceError(f"commit {name[:7]} is not on {branch}", "merge it, or choose another")
        raise SourceError(f"no commit {name}", "give more of its sha, or fetch first")

    async def tree(self, repository: Repository, commit: str, path: str) -> str:
        files = _below(self._find(commit).files, path)
        if not files:
            raise SourceError(f"commit {commit[:7]} has no directory {path}", "check `path`")
        return hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()

    async def diff(self, repository: Repository, old: str | None, new: str, path: str) -> str:
        after = self._find(new)
        before = self._find(old).files if old is not None else {}
        names = (
            after.changed if old is None else {name for name in after.files if before.get(name) != after.files[name]}
        )
        shown = (name for name in sorted(names) if _is_below(name, path))
        return "".join(f"diff --git a/{name} b/{name}\n+{after.files[name]}" for name in shown)

    async def keep(self, repository: Repository, commit: str) -> None:
        self._find(commit)
        self.kept.add(commit)

    async def archive(self, repository: Repository, commit: str, path: str, into: Path) -> Archived:
        files = _below(self._find(commit).files, path)
        await asyncio.to_thread(_unpack, files, into)
        return Archived(await self.tree(repository, commit, path), len(files))

    async def close(self) -> None:
        self.closed = True

    def _line(self, repository: Repository) -> tuple[str, list[FakeCommit]]:
        branch = repository.branch or "main"
        if not any(self._fetched.values()):
            raise SourceError(f"{repository.url} has no commits yet", "push a first commit")
        if branch in self._fetched:
            return branch, self._fetched[branch]
        if branch in self._last_heads:
            raise SourceError(f"branch {branch} is gone from {repository.url}", "it was deleted or renamed")
        raise SourceError(f"{repository.url} has no branch {branch}", f"it has {', '.join(self._fetched)}")

    def _find(self, sha: str) -> FakeCommit:
        if sha not in self._known:
            raise SourceError(f"no commit {sha}", "fetch first, or give a full sha")
        return self._known[sha]


def _range(line: list[FakeCommit], path: str, limit: int, note: str) -> Range:
    commits = [each.commit for each in reversed(line) if any(_is_below(name, path) for name in each.changed)]
    return Range(
        tuple(commits[:limit]),
        len(commits),
        len({commit.author for commit in commits}),
        sum(commit.added for commit in commits),
        sum(commit.removed for commit in commits),
        min((commit.at for commit in commits), default=None),
        note,
    )


def _is_below(name: str, path: str) -> bool:
    return not path or name.startswith(f"{path.strip('/')}/")


def _unpack(files: Mapping[str, str], into: Path) -> None:
    for name, text in files.items():
        file = into / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _below(files: Mapping[str, str], path: str) -> dict[str, str]:
    prefix = f"{path.strip('/')}/" if path else ""
    return {name.removeprefix(prefix): text for name, text in files.items() if name.startswith(prefix)}
