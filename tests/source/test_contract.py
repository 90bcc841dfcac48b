"""What every source does, on a real repository and on the fake that other rooms' tests use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

import pytest

from cockpit.clock import SystemClock
from cockpit.errors import SourceError
from cockpit.source.base import Repository, Source
from cockpit.source.git import GitSource
from tests.fakes.source import FakeSource
from tests.source.remotes import remote


class Write(Protocol):
    def __call__(self, subject: str, files: dict[str, str] | None = None, author: str = "Ada") -> str: ...


class World:
    """A source, its repository, and how to write to it."""

    def __init__(self, source: Source, url: str, write: Write, rewind: Callable[[str], None]) -> None:
        self.source = source
        self.repository = Repository(url, "main")
        self.write = write
        self.rewind = rewind


@pytest.fixture(params=["real", "fake"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    made = _fake() if request.param == "fake" else _real(tmp_path)
    yield made
    await made.source.close()


def _real(tmp_path: Path) -> World:
    origin = remote(tmp_path / "origin")
    source = GitSource(tmp_path / "mirrors", SystemClock())
    return World(source, origin.url, origin.commit, lambda sha: void(origin.git("reset", "--quiet", "--hard", sha)))


def _fake() -> World:
    source = FakeSource(SystemClock())

    def rewind(sha: str) -> None:
        line = source.branches["main"]
        del line[[each.commit.sha for each in line].index(sha) + 1 :]

    return World(source, "fake", source.add, rewind)


def void(_: str) -> None: ...


async def test_nothing_is_known_before_the_first_fetch(world: World) -> None:
    assert await world.source.known(world.repository) is None


async def test_a_fetch_finds_the_head_and_remembers_it(world: World) -> None:
    head = world.write("one")
    fetched = await world.source.fetch(world.repository)
    known = await world.source.known(world.repository)
    assert (fetched.head, fetched.branch, fetched.note) == (head, "main", "")
    assert known is not None
    assert (known.head, known.at) == (head, fetched.at)


async def test_pending_is_what_came_after_the_live_commit_newest_first(world: World) -> None:
    live = world.write("one")
    world.write("two", {"a": "1\n2\n"}, author="Bob")
    world.write("three", {"b": "1\n"}, author="Cai")
    await world.source.fetch(world.repository)
    found = await world.source.pending(world.repository, live, "")
    assert [commit.subject for commit in found.commits] == ["three", "two"]
    assert [commit.author for commit in found.commits] == ["Cai", "Bob"]
    assert (found.count, found.authors, found.added, found.removed) == (2, 2, 3, 0)
    assert found.oldest_at == found.commits[-1].at
    assert found.note == ""


async def test_the_list_is_cut_at_the_limit_and_the_count_is_not(world: World) -> None:
    live = world.write("base")
    for number in range(5):
        world.write(f"change {number}")
    await world.source.fetch(world.repository)
    found = await world.source.pending(world.repository, live, "", limit=2)
    assert [commit.subject for commit in found.commits] == ["change 4", "change 3"]
    assert (found.count, found.added) == (5, 5)


async def test_without_a_live_commit_the_newest_are_listed(world: World) -> None:
    world.write("one")
    world.write("two")
    await world.source.fetch(world.repository)
    found = await world.source.pending(world.repository, None, "", limit=1)
    assert ([commit.subject for commit in found.commits], found.count) == (["two"], 2)


async def test_other_services_of_a_monorepo_are_left_out(world: World) -> None:
    live = world.write("base", {"web/a": "1\n", "pay/a": "1\n"})
    mine = world.write("web only", {"web/a": "2\n"})
    world.write("pay only", {"pay/a": "2\n"})
    await world.source.fetch(world.repository)
    found = await world.source.pending(world.repository, live, "web")
    assert [commit.sha for commit in found.commits] == [mine]
    assert found.count == 1


async def test_between_two_commits_is_what_the_newer_one_adds(world: World) -> None:
    old = world.write("one")
    middle = world.write("two")
    world.write("three")
    await world.source.fetch(world.repository)
    found = await world.source.between(world.repository, old, middle, "")
    assert [commit.subject for commit in found.commits] == ["two"]


async def test_a_commit_is_found_by_the_beginning_of_its_sha(world: World) -> None:
    sha = world.write("one")
    world.write("two")
    await world.source.fetch(world.repository)
    assert (await world.source.commit(world.repository, sha[:10])).sha == sha
    assert (await world.source.commit(world.repository, sha.upper())).subject == "one"


@pytest.mark.parametrize("name", ["0123456789", "HEAD", "main", "--all", "", "abc"])
async def test_what_is_no_commit_here_is_refused(world: World, name: str) -> None:
    world.write("one")
    await world.source.fetch(world.repository)
    with pytest.raises(SourceError):
        await world.source.commit(world.repository, name)


async def test_an_unknown_branch_is_named_with_those_that_there_are(world: World) -> None:
    world.write("one")
    with pytest.raises(SourceError) as caught:
        await world.source.fetch(Repository(world.repository.url, "nope"))
    assert "nope" in caught.value.message
    assert "main" in caught.value.hint


async def test_a_repository_without_commits_is_said(world: World) -> None:
    with pytest.raises(SourceError, match="no commits yet"):
        await world.source.fetch(world.repository)


async def test_a_live_commit_that_was_rewritten_away_is_said(world: World) -> None:
    base = world.write("base")
    live = world.write("gone soon")
    await world.source.fetch(world.repository)
    world.rewind(base)
    world.write("instead")
    fetched = await world.source.fetch(world.repository)
    assert "history was rewritten" in fetched.note
    found = await world.source.pending(world.repository, live, "")
    assert "history was rewritten" in found.note
    assert live[:7] in found.note
    assert found.commits[0].subject == "instead"


async def test_a_commit_of_the_past_is_not_on_the_branch_but_can_be_kept(world: World) -> None:
    base = world.write("base")
    lost = world.write("lost")
    await world.source.fetch(world.repository)
    await world.source.keep(world.repository, lost)
    world.rewind(base)
    world.write("instead")
    await world.source.fetch(world.repository)
    with pytest.raises(SourceError, match="is not on main"):
        await world.source.commit(world.repository, lost)
    assert await world.source.tree(world.repository, lost, "")


async def test_a_live_commit_that_nobody_knows_is_said(world: World) -> None:
    world.write("one")
    await world.source.fetch(world.repository)
    found = await world.source.pending(world.repository, "f" * 40, "")
    assert "fffffff is not in this repository" in found.note
    assert found.count == 1


async def test_a_tree_is_the_same_when_its_files_are(world: World) -> None:
    one = world.write("one", {"web/a": "1\n", "pay/a": "1\n"})
    two = world.write("two", {"pay/a": "2\n"})
    await world.source.fetch(world.repository)
    tree = world.source.tree
    assert await tree(world.repository, one, "web") == await tree(world.repository, two, "web")
    assert await tree(world.repository, one, "pay") != await tree(world.repository, two, "pay")
    with pytest.raises(SourceError, match="no directory wab"):
        await tree(world.repository, one, "wab")


async def test_an_archive_has_the_files_of_that_commit_and_path(world: World, tmp_path: Path) -> None:
    old = world.write("one", {"web/a": "old\n", "pay/a": "1\n"})
    world.write("two", {"web/a": "new\n"})
    await world.source.fetch(world.repository)
    into = tmp_path / "context"
    into.mkdir()
    archived = await world.source.archive(world.repository, old, "web", into)
    assert {file.name: file.read_text() for file in into.iterdir()} == {"a": "old\n"}
    assert archived.files == 1
    assert archived.tree == await world.source.tree(world.repository, old, "web")


async def test_a_diff_shows_what_a_commit_changed(world: World) -> None:
    world.write("one", {"a": "1\n", "web/b": "1\n"})
    two = world.write("two", {"a": "2\n", "web/b": "2\n"})
    await world.source.fetch(world.repository)
    whole = await world.source.diff(world.repository, None, two, "")
    part = await world.source.diff(world.repository, None, two, "web")
    assert "+2" in whole
    assert "diff --git a/a b/a" in whole
    assert "a/web/b" in part
    assert "a/a" not in part
