"""The source room's port on real repositories: a mirror each, read by full shas only."""

from __future__ import annotations

import asyncio
import difflib
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from cockpit.clock import Clock
from cockpit.errors import SourceError
from cockpit.model import Commit
from cockpit.source import archive, history, objects
from cockpit.source.address import address
from cockpit.source.base import Archived, Fetched, Range, Repository
from cockpit.source.command import QUICK, Git
from cockpit.source.mirror import KEEP, Memory, Mirror
from cockpit.text import clean, decode

DIFF_LIMIT = 400_000  # bytes
REMEMBERED = 128  # ranges; one is asked for by each placement at each change of its branch

_SHA = re.compile(r"[0-9a-f]{40}")
_PREFIX = re.compile(r"[0-9a-fA-F]{4,40}")
_SHALLOW = "history is shallow: older commits are missing at the remote"

T = TypeVar("T")


class GitSource:
    """`mirrors` is a directory that no other process writes."""

    def __init__(self, mirrors: Path, clock: Clock) -> None:
        self._directory = mirrors
        self._clock = clock
        self._started = clock.now()
        self._mirrors: dict[str, Mirror] = {}
        self._ranges: dict[tuple[str, str | None, str, str, int], Range] = {}
        self._quick = ThreadPoolExecutor(1, "source-quick")  # one thread: GitPython's object maps are not for two
        self._files = ThreadPoolExecutor(2, "source-files")

    # ------------------------------------------------------------ the remote

    async def fetch(self, repository: Repository) -> Fetched:
        """Callers that wait for another's fetch of the same remote share its result."""
        mirror = self._mirror(repository)
        asked = mirror.begun
        async with mirror.lock:
            await mirror.prepare()
            memory = await mirror.recall() if mirror.ended > asked else None  # begun and ended while this one waited
            if memory is None or (repository.branch is None and not memory.default):
                memory = await self._fetch(mirror, repository)
            return await self._as_fetched(mirror, repository, memory, learn=True)

    async def known(self, repository: Repository) -> Fetched | None:
        mirror = self._mirror(repository)
        memory = await mirror.recall()
        return None if memory is None else await self._as_fetched(mirror, repository, memory)

    async def _fetch(self, mirror: Mirror, repository: Repository) -> Memory:
        before = await mirror.recall() or Memory(0.0)
        default = await mirror.default_branch() if repository.branch is None else before.default
        await mirror.fetch()
        mirror.ended = mirror.begun
        memory = Memory(self._clock.now(), default or before.default, before.seen)
        await mirror.remember(memory)
        await mirror.tidy()
        return memory

    async def _as_fetched(
        self, mirror: Mirror, repository: Repository, memory: Memory, *, learn: bool = False
    ) -> Fetched:
        branch, head = _choose(repository.branch, memory, await mirror.heads(), mirror.git.address.shown)
        notes = [_SHALLOW] if mirror.shallow else []
        last = memory.seen.get(branch)
        if learn and last != head:
            if last is not None and not await self._contains(mirror.git, head, last):
                notes.insert(0, f"history was rewritten: {clean(branch)} no longer contains {last[:7]}, its last head")
            await mirror.remember(Memory(memory.at, memory.default, {**memory.seen, branch: head}))
        return Fetched(memory.at, clean(branch), head, "; ".join(notes))

    # ------------------------------------------------------------ history

    async def pending(self, repository: Repository, live: str | None, path: str, limit: int = 200) -> Range:
        mirror = self._mirror(repository)
        now = await self._now(repository)
        notes = [now.note] if now.note else []
        if live is not None and not await self._has(mirror.git, live):
            notes.insert(0, f"the live commit {live[:7]} is not in this repository: the newest commits are shown")
            live = None
        elif live is not None and not await self._contains(mirror.git, now.head, live):
            gone = await mirror.git.text("rev-list", "--count", f"{now.head}..{live}", "--")
            notes.insert(0, _rewritten(live, now.branch, int(gone)))
        found = await self._range(mirror, live, now.head, path, limit)
        return _noted(found, "; ".join(notes))

    async def between(self, repository: Repository, old: str, new: str, path: str, limit: int = 200) -> Range:
        mirror = self._mirror(repository)
        await self._expect(mirror.git, old)
        await self._expect(mirror.git, new)
        return await self._range(mirror, old, new, path, limit)

    async def commit(self, repository: Repository, name: str) -> Commit:
        mirror = self._mirror(repository)
        now = await self._now(repository)
        candidates = await self._commits_named(mirror.git, name)
        if not candidates:
            raise SourceError(f"no commit {clean(name, 80)}", "give more of its sha, or fetch first")
        inside = [sha for sha in candidates if await self._contains(mirror.git, now.head, sha)]
        if len(inside) == 1:
            return await history.one(mirror.git, inside[0])
        if inside:
            names = ", ".join(sha[: len(name) + 4] for sha in inside[:4])
            raise SourceError(f"{name} is the beginning of {len(inside)} commits: {names}", "give more of the sha")
        raise SourceError(
            f"commit {candidates[0][:7]} is not on {now.branch}", f"merge it into {now.branch}, or choose another"
        )

    async def diff(self, repository: Repository, old: str | None, new: str, path: str) -> str:
        git = self._mirror(repository).git
        await self._expect(git, new)
        if old is None:
            first = await self._read(objects.parents, git.mirror, new)
            old = first[0] if first else history.EMPTY_TREE
        else:
            await self._expect(git, old)
        options = ("-r", "-p", "--find-renames", "--no-ext-diff", "--no-textconv", "--no-color")
        spec = (_below(path),) if _below(path) else ()
        return decode(await git.start_of("diff-tree", *options, old, new, "--", *spec, limit=DIFF_LIMIT))

    # ------------------------------------------------------------ trees

    async def tree(self, repository: Repository, commit: str, path: str) -> str:
        git = self._mirror(repository).git
        await self._expect(git, commit)
        return await self._read(objects.tree_id, git.mirror, commit, _below(path))

    async def keep(self, repository: Repository, commit: str) -> None:
        mirror = self._mirror(repository)
        await self._expect(mirror.git, commit)
        async with mirror.lock:
            await mirror.git.output("update-ref", "--no-deref", f"{KEEP}{commit}", commit)

    async def archive(self, repository: Repository, commit: str, path: str, into: Path) -> Archived:
        git = self._mirror(repository).git
        tree = await self.tree(repository, commit, path)
        return Archived(tree, await archive.unpack(git, tree, into, self._files))

    async def close(self) -> None:
        self._quick.shutdown(wait=False, cancel_futures=True)
        self._files.shutdown(wait=False, cancel_futures=True)

    # ------------------------------------------------------------ within

    def _mirror(self, repository: Repository) -> Mirror:
        place = address(repository.url)
        if place.digest not in self._mirrors:
            self._mirrors[place.digest] = Mirror(self._directory, place, self._quick, self._started)
        return self._mirrors[place.digest]

    async def _now(self, repository: Repository) -> Fetched:
        known = await self.known(repository)
        return known if known is not None else await self.fetch(repository)

    async def _range(self, mirror: Mirror, old: str | None, new: str, path: str, limit: int) -> Range:
        key = (mirror.git.address.digest, old, new, _below(path), limit)
        if key not in self._ranges:
            found = await history.between(mirror.git, old, new, _below(path), limit)
            self._ranges[key] = found
            while len(self._ranges) > REMEMBERED:
                del self._ranges[next(iter(self._ranges))]
        return self._ranges[key]

    async def _commits_named(self, git: Git, name: str) -> tuple[str, ...]:
        if not _PREFIX.fullmatch(name):
            raise SourceError(f"{clean(name, 80)!r} is not a commit's sha", "give at least 4 of its hexadecimal digits")
        objects_named = await git.text("rev-parse", f"--disambiguate={name.lower()}")
        return tuple([sha for sha in objects_named.split() if await self._has(git, sha)])

    async def _has(self, git: Git, sha: str) -> bool:
        return bool(_SHA.fullmatch(sha)) and await git.answers("cat-file", "-e", f"{sha}^{{commit}}")

    async def _expect(self, git: Git, sha: str) -> None:
        if not await self._has(git, sha):
            raise SourceError(f"no commit {clean(sha, 80)} in {git.address.shown}", "fetch first, or give a full sha")

    async def _contains(self, git: Git, head: str, sha: str) -> bool:
        return bool(_SHA.fullmatch(sha)) and await git.answers("merge-base", "--is-ancestor", sha, head)

    async def _read(self, work: Callable[..., T], *arguments: object) -> T:
        try:
            async with asyncio.timeout(QUICK):
                return await asyncio.get_running_loop().run_in_executor(self._quick, work, *arguments)
        except TimeoutError:
            raise SourceError(f"git's objects could not be read within {QUICK:g} s", "look at the disk") from None


def _choose(wanted: str | None, memory: Memory, heads: dict[str, str], shown: str) -> tuple[str, str]:
    """The branch and its head. Raises SourceError with what there is instead."""
    if not heads:
        raise SourceError(f"{shown} has no commits yet", "push a first commit")
    branch = wanted or memory.default or (next(iter(heads)) if len(heads) == 1 else "")
    if not branch:
        raise SourceError(f"{shown} does not say which branch is its main one", "set `branch` in the configuration")
    if branch in heads:
        return branch, heads[branch]
    if branch in memory.seen:
        raise SourceError(
            f"branch {clean(branch)} is gone from {shown}; it was last seen at {memory.seen[branch][:7]}",
            f"it was deleted or renamed; there are {_some(heads)}",
        )
    close = difflib.get_close_matches(branch, heads, 3)
    raise SourceError(
        f"{shown} has no branch {clean(branch)}", f"did you mean {_some(close)}?" if close else f"it has {_some(heads)}"
    )


def _some(names: Iterable[str]) -> str:
    names = [clean(name, 60) for name in names]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _rewritten(live: str, branch: str, gone: int) -> str:
    commits = "1 commit" if gone == 1 else f"{gone} commits"
    return f"history was rewritten: the live commit {live[:7]} is no longer on {branch} ({commits} would be taken away)"


def _noted(found: Range, note: str) -> Range:
    return (
        found
        if not note
        else Range(found.commits, found.count, found.authors, found.added, found.removed, found.oldest_at, note)
    )


def _below(path: str) -> str:
    """A service's path as git wants it. Raises SourceError for one that leaves the repository."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in path:
        raise SourceError(f"the path {clean(path)} leaves the repository", "give a directory below its root")
    return "/".join(parts)
