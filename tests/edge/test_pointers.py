"""Pointer files on a real disk, here and through a shell."""

from __future__ import annotations

import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.edge.base import Pointer
from cockpit.edge.files import Files
from cockpit.edge.names import key_of, name_of
from cockpit.edge.pointers import STAGES, PointerFiles, Reading, Seen
from cockpit.errors import Fenced
from cockpit.model import PlacementKey
from tests.edge.places import KINDS, place

WEB = PlacementKey("web", "production")
R1, R2 = Pointer(1, ("10.231.1.0:8000",)), Pointer(2, ("10.231.1.8:8000", "10.231.1.9:8000"))

addresses = st.tuples(st.ip_addresses(v=4), st.integers(1, 65535)).map(lambda pair: f"{pair[0]}:{pair[1]}")
pointer_values = st.builds(Pointer, st.integers(0, 10**9), st.lists(addresses, min_size=1, max_size=8).map(tuple))
words = st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()) | st.sampled_from(
    [".", "..", "a/b", "~"]
)
keys = st.builds(PlacementKey, words, words)


@given(pointer_values)
def test_a_pointer_survives_its_line(pointer: Pointer) -> None:
    assert Pointer.parse(pointer.line()) == pointer
    assert Pointer.parse(pointer.line() + "\n") == pointer


@given(pointer_values, st.data())
def test_no_beginning_of_a_line_is_a_pointer(pointer: Pointer, data: st.DataObject) -> None:
    line = pointer.line()
    assert Pointer.parse(line[: data.draw(st.integers(0, len(line) - 1))]) is None


@given(keys, keys)
def test_a_name_is_one_safe_file_name_and_leads_back(key: PlacementKey, other: PlacementKey) -> None:
    name = name_of(key)
    assert set(name) <= set(string.ascii_letters + string.digits + "_-%@")
    assert key_of(name) == key
    assert (name == name_of(other)) == (key == other)


@pytest.mark.parametrize("name", ["", "web", "@", "web@", "../x@y", "web@a@b", "web@{env.HOME}"])
def test_a_name_that_is_no_placements_is_none(name: str) -> None:
    assert key_of(name) is None


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "edge"


@pytest.fixture(params=KINDS)
def where(request: pytest.FixtureRequest, directory: Path) -> Iterator[Files]:
    directory.mkdir()
    with place(request.param, directory) as files:
        files.ensure("pointers")
        yield files


@pytest.fixture
def files(where: Files) -> PointerFiles:
    return PointerFiles(where)


@pytest.fixture
def first(directory: Path) -> Path:
    return directory / "pointers" / "web@production"


@pytest.fixture
def second(directory: Path) -> Path:
    return directory / "pointers" / "web@production~"


def test_what_was_written_is_read_and_stands_in_both_copies(files: PointerFiles, first: Path, second: Path) -> None:
    files.write(WEB, R1)
    files.write(WEB, R2)
    assert files.read(WEB) == Reading(Seen.WHOLE, R2)
    assert first.read_text() == second.read_text() == f"{R2.line()}\n"


def test_nothing_but_the_two_copies_is_left_behind(files: PointerFiles, directory: Path) -> None:
    files.write(WEB, R1)
    assert {path.name for path in (directory / "pointers").iterdir()} == {"web@production", "web@production~"}


def test_before_the_first_switch_there_is_none(files: PointerFiles) -> None:
    assert files.read(WEB) == Reading(Seen.NONE)


def test_the_second_copy_stands_in_for_a_missing_first(files: PointerFiles, first: Path) -> None:
    files.write(WEB, R1)
    first.unlink()
    assert files.read(WEB) == Reading(Seen.WHOLE, R1)


@pytest.mark.parametrize("torn", ["", "r2 10.231.1.8:80", "r2 10.231.1.8:8000", "\xff\x00", "r2 10.231.1.8:8000 .\nr3"])
def test_the_second_copy_stands_in_for_a_torn_first(files: PointerFiles, first: Path, torn: str) -> None:
    files.write(WEB, R1)
    first.write_text(torn)
    assert files.read(WEB) == Reading(Seen.WHOLE, R1)


def test_two_torn_copies_are_torn_and_not_none(files: PointerFiles, first: Path, second: Path) -> None:
    first.write_text("r2 10.231")
    assert files.read(WEB) == Reading(Seen.TORN)
    second.write_text("")
    assert files.read(WEB) == Reading(Seen.TORN)


@pytest.mark.parametrize("line", ["hold", "hold .\n"])
def test_a_hold_is_neither_torn_nor_a_release(files: PointerFiles, first: Path, line: str) -> None:
    files.write(WEB, R1)
    first.write_text(line)
    assert files.read(WEB) == Reading(Seen.HELD)


def test_mending_brings_the_second_copy_in_step(files: PointerFiles, first: Path, second: Path) -> None:
    files.write(WEB, R1)
    first.write_text(R2.line())
    files.mend(WEB)
    assert second.read_text().strip() == R2.line()


def test_mending_never_copies_a_torn_line(files: PointerFiles, first: Path, second: Path) -> None:
    files.write(WEB, R1)
    first.write_text("r2 10.2")
    files.mend(WEB)
    assert second.read_text().strip() == R1.line()


@pytest.mark.parametrize("bad", [Pointer(1, ()), Pointer(1, ("a.b.c.d:80",)), Pointer(1, ("10.0.0.1:80",) * 9)])
def test_a_pointer_that_the_edge_would_not_follow_is_never_written(files: PointerFiles, bad: Pointer) -> None:
    files.write(WEB, R1)
    with pytest.raises(ValueError, match="not a pointer"):
        files.write(WEB, bad)
    assert files.read(WEB) == Reading(Seen.WHOLE, R1)


def test_a_second_copy_that_cannot_follow_goes_rather_than_send_customers_back(
    where: Files, files: PointerFiles, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write(WEB, R1)
    write = where.replace

    def full_disk(name: str, content: bytes, stage: str = "") -> None:
        if name.endswith("~"):
            raise OSError(28, "No space left on device")
        write(name, content, stage)

    monkeypatch.setattr(where, "replace", full_disk)
    files.write(WEB, R2)
    assert files.read(WEB) == Reading(Seen.WHOLE, R2)
    assert not second.exists()


def test_a_failed_write_leaves_the_old_pointer(
    files: PointerFiles, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write(WEB, R1)
    away = directory.rename(directory.with_name("away"))
    with pytest.raises(OSError, match="No such file"):
        files.write(WEB, R2)
    away.rename(directory)
    assert files.read(WEB) == Reading(Seen.WHOLE, R1)


def test_who_was_taken_over_cannot_move_the_pointer_any_more(files: PointerFiles, directory: Path) -> None:
    files.guard(WEB, "ana")
    files.write(WEB, R1, "ana")
    files.guard(WEB, "tom")
    with pytest.raises(Fenced):
        files.write(WEB, R2, "ana")
    assert files.read(WEB).pointer == R1
    files.write(WEB, R2, "tom")
    assert files.read(WEB).pointer == R2
    assert [each.name for each in (directory / STAGES / name_of(WEB)).iterdir()] == ["tom"]


def test_a_line_that_was_written_before_the_takeover_is_not_moved_after_it(where: Files, directory: Path) -> None:
    files = PointerFiles(where)
    files.guard(WEB, "ana")
    files.write(WEB, R1, "ana")
    late = directory / STAGES / name_of(WEB) / "ana" / "new"
    late.write_text(R2.line())
    files.guard(WEB, "")
    assert not late.exists()
    assert files.read(WEB).pointer == R1


def test_a_takeover_of_one_placement_is_none_of_another(files: PointerFiles) -> None:
    other = PlacementKey("web", "staging")
    for each in (WEB, other):
        files.guard(each, "ana")
    files.guard(WEB, "tom")
    files.write(other, R1, "ana")
    assert files.read(other).pointer == R1
