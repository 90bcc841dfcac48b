"""What may be in a commit, and what of it reaches the disk."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from cockpit.errors import SourceError
from cockpit.source.base import Repository
from cockpit.source.git import GitSource
from tests.source.remotes import Remote
from tests.waiting import until


async def test_links_and_modes_inside_are_honoured(origin: Remote, source: GitSource, tmp_path: Path) -> None:
    origin.path.joinpath("run").write_text("#!/bin/sh\n")
    origin.path.joinpath("run").chmod(0o755)
    origin.path.joinpath("link").symlink_to("deep/file")
    head = origin.commit("one", {"deep/file": "x", "-rf": "x", "ünï": "x"})
    into = await _archive(origin, source, head, tmp_path)
    assert os.access(into / "run", os.X_OK)
    assert (into / "link").read_text() == "x"
    assert (into / "-rf").exists()
    assert (into / "ünï").exists()


@pytest.mark.parametrize("where", ["/etc/passwd", "../../outside"])
async def test_a_link_out_of_the_repository_is_refused_by_name(
    origin: Remote, source: GitSource, tmp_path: Path, where: str
) -> None:
    origin.path.joinpath("sneaky").symlink_to(where)
    head = origin.commit("one")
    with pytest.raises(SourceError, match="a link that leaves it: sneaky"):
        await _archive(origin, source, head, tmp_path)


async def test_the_same_commit_always_gives_the_same_files(origin: Remote, source: GitSource, tmp_path: Path) -> None:
    head = origin.commit("one", {"a": "1\r\n", "b/c": "2\n", ".gitattributes": "* text=auto\n"})
    one = await _archive(origin, source, head, tmp_path / "1")
    two = await _archive(origin, source, head, tmp_path / "2")
    assert _shape(one) == _shape(two) != {}
    assert (one / "b/c").read_bytes() == b"2\n"


async def test_an_empty_tree_has_no_files(origin: Remote, source: GitSource, tmp_path: Path) -> None:
    head = origin.commit("nothing", {})
    assert list((await _archive(origin, source, head, tmp_path)).iterdir()) == []


async def test_a_full_disk_is_said(origin: Remote, source: GitSource, small_disk: Path) -> None:
    head = origin.commit("one", {f"f{number}": "x" * 100_000 for number in range(10)})
    await source.fetch(Repository(origin.url))
    with pytest.raises(SourceError, match="no space left for the files to build"):
        await source.archive(Repository(origin.url), head, "", small_disk)


async def test_a_cancelled_archive_writes_no_more(origin: Remote, source: GitSource, tmp_path: Path) -> None:
    head = origin.commit("big", {f"f{number}": os.urandom(200_000) for number in range(100)})
    await source.fetch(Repository(origin.url))
    into = tmp_path / "context"
    into.mkdir()
    archiving = asyncio.create_task(source.archive(Repository(origin.url), head, "", into))
    await until(lambda: any(into.iterdir()))
    archiving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await archiving
    before = sorted((file.name, file.stat().st_size) for file in into.iterdir())
    assert len(before) < 100
    await asyncio.sleep(0.05)
    assert sorted((file.name, file.stat().st_size) for file in into.iterdir()) == before


@pytest.mark.parametrize("path", ["../x", "a/../../b", "web\0x"])
async def test_a_path_out_of_the_repository_is_refused(origin: Remote, source: GitSource, path: str) -> None:
    head = origin.commit("one")
    await source.fetch(Repository(origin.url))
    with pytest.raises(SourceError, match="leaves the repository"):
        await source.tree(Repository(origin.url), head, path)


async def _archive(origin: Remote, source: GitSource, commit: str, tmp_path: Path) -> Path:
    into = tmp_path / "context"
    into.mkdir(parents=True)
    await source.fetch(Repository(origin.url))
    await source.archive(Repository(origin.url), commit, "", into)
    return into


def _shape(folder: Path) -> dict[str, tuple[bytes, float, int]]:
    return {
        str(file.relative_to(folder)): (file.read_bytes(), file.stat().st_mtime, file.stat().st_mode)
        for file in folder.rglob("*")
        if file.is_file()
    }


async def test_the_padding_after_an_archive_does_not_kill_git(
    origin: Remote, source: GitSource, tmp_path: Path
) -> None:
    """git fills up to 10 240 bytes after the end, in a write of its own when the end falls on that border."""
    sizes = [512 * records for records in range(14, 20)]
    heads = [origin.commit(str(size), {"f": "x" * size}) for size in sizes]
    for round_, head in enumerate(heads * 3):
        assert (await _archive(origin, source, head, tmp_path / str(round_)) / "f").exists()
