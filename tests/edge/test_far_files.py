"""What a shell on another host does with the edge's files when things go wrong in the middle."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cockpit.edge import far_files
from cockpit.edge.files import Files
from tests.edge.places import SURVIVING, place
from tests.waiting import LOOK_EVERY

OLD, NEW = b"r1 10.231.1.0:8000 .\n", b"r2 10.231.1.8:8000 .\n"
NAME = "pointers/shop@production"


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs here are found first by the shells."""
    directory = tmp_path / "tools"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return directory


@pytest.fixture
def files(tmp_path: Path, tools: Path) -> Iterator[Files]:
    directory = tmp_path / "edge"
    with place("far", directory) as made:
        made.ensure("pointers")
        made.replace(NAME, OLD)
        yield made


@pytest.fixture
def surviving(tmp_path: Path, tools: Path) -> Iterator[Files]:
    with place("far", tmp_path / "edge", SURVIVING) as made:
        made.ensure("pointers")
        made.replace(NAME, OLD)
        yield made


def tool(tools: Path, name: str, script: str) -> None:
    program = tools / name
    program.write_text(f"#!/bin/sh\nPATH=${{PATH#{tools}:}}\n{script}\n")
    program.chmod(0o755)


def test_a_file_is_on_the_disk_before_it_is_moved_and_its_directory_after(
    files: Files, tools: Path, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    for name in ("sync", "mv"):
        tool(tools, name, f'echo {name} "$@" >>{record}; exec {name} "$@"')
    files.replace(NAME, NEW)
    first, second, third = (line.split() for line in record.read_text().splitlines())
    assert (first[0], second[0], third) == ("sync", "mv", ["sync", "edge/pointers"])
    assert first[1] == second[-2]
    assert second[-1] == f"edge/{NAME}"
    assert files.read(NAME) == (NEW,)


def test_a_write_that_was_given_up_never_comes_true_after_a_later_read(
    surviving: Files, tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, goes_on, moved = (tmp_path / name for name in ("hangs", "goes-on", "moved"))
    tool(tools, "sync", f"if mkdir {hangs} 2>/dev/null; then until [ -e {goes_on} ]; do sleep 0.01; done; fi")
    tool(tools, "mv", f'mv "$@"; echo $? >>{moved}')
    monkeypatch.setattr(far_files, "SCRIPT", 0.5)
    with pytest.raises(TimeoutError):
        surviving.replace(NAME, NEW)
    monkeypatch.setattr(far_files, "SCRIPT", 8.0)
    assert surviving.read(NAME) == (OLD,)
    goes_on.touch()
    deadline = time.monotonic() + 15
    while not moved.exists() and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY)
    assert moved.read_text() != "0\n"
    assert surviving.read(NAME) == (OLD,)


def test_half_a_content_is_never_moved_into_place(files: Files, tools: Path) -> None:
    tool(tools, "head", "exec head -c 5")
    with pytest.raises(OSError, match="status 1"):
        files.replace(NAME, NEW)
    assert files.read(NAME) == (OLD,)


def test_a_full_disk_is_told_in_its_words(files: Files, tools: Path) -> None:
    tool(tools, "head", "echo head: write error: No space left on device >&2; exit 1")
    with pytest.raises(OSError, match="No space left on device"):
        files.replace(NAME, NEW)
    assert files.read(NAME) == (OLD,)


def test_what_a_failed_script_did_not_read_is_not_run(files: Files, tools: Path, tmp_path: Path) -> None:
    tool(tools, "head", "exit 1")
    with pytest.raises(OSError, match="status 1"):
        files.replace(NAME, f"touch {tmp_path}/run\n".encode() * 1000)
    (tools / "head").unlink()
    assert files.read(NAME) == (OLD,)
    assert not (tmp_path / "run").exists()


def test_any_bytes_and_any_name_pass_unharmed(files: Files) -> None:
    content, name = bytes(range(256)) * 300, "pointers/it's $(touch x) @`y`"
    files.replace(name, content)
    assert files.read(name, "pointers/none", NAME) == (content, None, OLD)
    files.remove(name)
    assert files.read(name) == (None,)


def test_only_the_login_user_enters_what_is_made(files: Files, tmp_path: Path) -> None:
    for each in ("edge", "edge/pointers"):
        assert stat.S_IMODE((tmp_path / each).stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "edge" / NAME).stat().st_mode) == 0o600


def test_no_stage_is_left_of_shells_that_are_gone(files: Files, tmp_path: Path, tools: Path) -> None:
    tool(tools, "head", "exit 1")
    for _ in range(3):
        with pytest.raises(OSError, match="status 1"):
            files.replace(NAME, NEW)
    (tools / "head").unlink()
    files.replace(NAME, NEW)
    assert len(list(tmp_path.glob(".stage.*"))) == 1
