"""Commits between two points, as git prints them and as the model has them.

Only the branch's own line is listed (`--first-parent`): each commit on it is a state that the branch really had and
that contains the ones before it, so each can be deployed. What came in by a merge is in the merge's numbers, which are
taken against its first parent; authors are counted over everything, merged commits included.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass

from cockpit.model import Commit
from cockpit.source.base import Range
from cockpit.source.command import Git
from cockpit.source.sensitive import flags
from cockpit.text import clean, decode

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git knows it without having it
_HEADER = "--format=tformat:%H%x00%P%x00%ct%x00%an%x00%s"
_STAT = ("--numstat", "-z", "--no-renames", "--no-ext-diff", "--no-textconv")
_FIELDS = 5


@dataclass(frozen=True, slots=True)
class Stat:
    paths: tuple[str, ...]
    added: int
    removed: int


async def between(git: Git, old: str | None, new: str, path: str, limit: int) -> Range:
    """`old..new`; with `old` None everything up to `new`, and lines are summed over the listed commits only."""
    span = (new,) if old is None else (f"{old}..{new}",)
    commits, times, authors, stat = await _together(
        _listed(git, span, path, limit),
        git.text(*_rev_list("%ct", "--first-parent"), *span, "--", *_spec(path)),
        git.text(*_rev_list("%ae"), *span, "--", *_spec(path)),
        _total(git, old, new, path),
    )
    committed = times.split()
    return Range(
        commits,
        count=len(committed),
        authors=len(set(authors.lower().split("\n")) - {""}),
        added=stat.added if stat else sum(commit.added for commit in commits),
        removed=stat.removed if stat else sum(commit.removed for commit in commits),
        oldest_at=min(map(float, committed), default=None),
    )


async def one(git: Git, sha: str) -> Commit:
    commits = parse(await git.output("log", "--no-walk", "--diff-merges=first-parent", *_STAT, _HEADER, sha, "--"))
    return commits[0]


async def _together(
    commits: Coroutine[None, None, tuple[Commit, ...]],
    times: Coroutine[None, None, str],
    authors: Coroutine[None, None, str],
    total: Coroutine[None, None, Stat | None],
) -> tuple[tuple[Commit, ...], str, str, Stat | None]:
    """The first error ends the other three, and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = (
                group.create_task(commits),
                group.create_task(times),
                group.create_task(authors),
                group.create_task(total),
            )
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return tasks[0].result(), tasks[1].result(), tasks[2].result(), tasks[3].result()


async def _listed(git: Git, span: tuple[str, ...], path: str, limit: int) -> tuple[Commit, ...]:
    first = ("log", "--first-parent", "--diff-merges=first-parent", f"--max-count={limit}")
    return parse(await git.output(*first, *_STAT, _HEADER, *span, "--", *_spec(path)))


async def _total(git: Git, old: str | None, new: str, path: str) -> Stat | None:
    if old is None:
        return None
    return _stat(_tokens(await git.output("diff-tree", "-r", *_STAT, old, new, "--", *_spec(path))))


def _rev_list(form: str, *more: str) -> tuple[str, ...]:
    return ("rev-list", "--no-commit-header", f"--format=tformat:{form}", *more)


def _spec(path: str) -> tuple[str, ...]:
    return (path,) if path else ()


# ---------------------------------------------------------------- what git prints


def parse(printed: bytes) -> tuple[Commit, ...]:
    """The output of `log` with our header and -z: five fields, then a token with two tabs for each file."""
    tokens = _tokens(printed)
    commits = []
    position = 0
    while position + _FIELDS <= len(tokens):
        header = tokens[position : position + _FIELDS]
        position += _FIELDS
        first_file = position
        while position < len(tokens) and tokens[position].count("\t") >= 2:
            position += 1
        commits.append(_commit(header, _stat(tokens[first_file:position])))
    return tuple(commits)


def _commit(header: list[str], stat: Stat) -> Commit:
    sha, parents, at, author, subject = header
    return Commit(
        sha=sha,
        subject=clean(subject) or "(no subject)",
        author=clean(author, 100) or "(no name)",
        at=float(at),
        files=len(stat.paths),
        added=stat.added,
        removed=stat.removed,
        merge=" " in parents,
        flags=flags(stat.paths),
    )


def _tokens(printed: bytes) -> list[str]:
    return [decode(token).removeprefix("\n") for token in printed.split(b"\0")[:-1]]


def _stat(tokens: list[str]) -> Stat:
    rows = [token.split("\t", 2) for token in tokens if token.count("\t") >= 2]
    return Stat(
        tuple(path for _, _, path in rows),
        sum(_number(added) for added, _, _ in rows),
        sum(_number(removed) for _, removed, _ in rows),
    )


def _number(text: str) -> int:
    """Binary files have a dash."""
    return int(text) if text.isdecimal() else 0
