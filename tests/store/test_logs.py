"""Operation logs: numbered lines in a file that survive crashes, full disks and readers at the same time."""

from __future__ import annotations

import itertools
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.model import LogLine
from cockpit.store import lines
from cockpit.store.logfile import BLOCK, LogFile
from cockpit.store.logs import OperationLog, path_of, read_marks

pytestmark = pytest.mark.blocking("the log is written from a thread; here there is no loop to block")


def line(text: str, source: str = "build", at: float = 1_000_000.125) -> LogLine:
    return LogLine(0, at, text, source)


def numbered(count: int, start: int = 0) -> list[LogLine]:
    return [line(f"line {number}") for number in range(start, start + count)]


@contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    """Writes beyond `limit` bytes fail, as on a full disk, and after part of them was written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_lines_come_back_as_they_were_with_their_numbers(tmp_path: Path) -> None:
    log = OperationLog.open(tmp_path, 7)
    given = (line("a"), LogLine(0, 2.5, "\x1b[31mred\x1b[0m", "#12 RUN", "err", True), line(""))
    appended = log.append(given)
    assert [each.number for each in appended] == [0, 1, 2]
    assert log.read(0, 10) == appended
    assert log.tail(1) == appended[-1:]
    log.close()


def test_the_file_is_made_for_cat(tmp_path: Path) -> None:
    log = OperationLog.open(tmp_path, 7)
    log.append([LogLine(0, 1_000_000.125, "npm ci", "build", "out", True)])
    log.close()
    assert log.path.read_text() == "1970-01-12T13:46:40.125Z\tbuild\tout\tcached\tnpm ci\n"
    assert log.path.stat().st_mode & 0o777 == 0o600


@given(st.text(), st.text(), st.floats())
def test_no_text_breaks_out_of_its_line(text: str, source: str, at: float) -> None:
    written = lines.write(LogLine(0, at, text, source))
    assert written.count(b"\n") == 1
    assert lines.read(written, 5).number == 5


def test_numbers_go_on_after_opening_again(tmp_path: Path) -> None:
    for start in (0, 3):
        log = OperationLog.open(tmp_path, 7)
        assert log.lines == start
        log.append(numbered(3, start))
        log.close()
    assert [each.text for each in OperationLog.tail_file(path_of(tmp_path, 7), 99)] == [f"line {n}" for n in range(6)]


def test_a_line_torn_by_a_crash_is_dropped(tmp_path: Path) -> None:
    log = OperationLog.open(tmp_path, 7)
    log.append(numbered(3))
    log.close()
    with log.path.open("ab") as file:
        file.write(b"1970-01-12T13:46:40.125Z\tbuild\tout\t-\thalf a li")
    again = OperationLog.open(tmp_path, 7)
    (after,) = again.append([line("after")])
    assert after.number == 3
    assert [each.text for each in again.tail(2)] == ["line 2", "after"]
    again.close()


@pytest.mark.parametrize("count", [0, 1, 999, 20_000])
@pytest.mark.parametrize("first", [0, 1, 4_321, 19_999, 20_000])
def test_any_part_is_found_by_its_number(tmp_path: Path, count: int, first: int) -> None:
    log = OperationLog.open(tmp_path, 7)
    log.append(numbered(20_000))
    log.close()
    assert log.path.stat().st_size > 2 * BLOCK
    expected = [f"line {number}" for number in range(first, min(first + count, 20_000))]
    assert [each.text for each in LogFile(log.path).read(first, count)] == expected


def test_one_line_longer_than_the_index_is_wide_is_found_again(tmp_path: Path) -> None:
    log = OperationLog.open(tmp_path, 7)
    log.append([line("a"), line("x" * (2 * BLOCK + 17)), line("b"), line("c")])
    log.flush()
    assert [each.text[-1] for each in LogFile(log.path).read(1, 3)] == ["x", "b", "c"]
    assert LogFile(log.path).read(2, 1)[0].text == "b"
    log.close()


def test_a_reader_sees_whole_lines_only_while_it_is_written(tmp_path: Path) -> None:
    log = OperationLog.open(tmp_path, 7)
    reader = LogFile(log.path)
    assert reader.read(0, 10) == ()
    log.append(numbered(2))
    log.flush()
    with log.path.open("ab") as file:
        file.write(b"half")
    assert reader.count() == 2
    assert len(reader.tail(10)) == 2
    log.close()


def test_several_threads_may_use_one_log(tmp_path: Path) -> None:
    log = OperationLog.open(tmp_path, 7)
    done = threading.Event()

    def flush() -> None:
        while not done.is_set():
            log.flush()

    flusher = threading.Thread(target=flush)
    flusher.start()
    seen = [log.append([line(f"line {number}")])[0] for number in range(3000)]
    done.set()
    flusher.join()
    assert log.read(0, 9999) == tuple(seen)
    log.close()


def test_marks_say_where_steps_begin_and_survive(tmp_path: Path) -> None:
    log = OperationLog.open(tmp_path, 7)
    assert log.mark("fetch") == 0
    log.append(numbered(5))
    assert log.mark("build") == 5
    log.append(numbered(5))
    assert log.mark("fetch") == 0
    log.close()
    assert OperationLog.open(tmp_path, 7).marks == {"fetch": 0, "build": 5}
    with log.path.with_suffix(".steps").open("a") as file:
        file.write("torn")
    assert read_marks(log.path) == {"fetch": 0, "build": 5}


@pytest.mark.parametrize("beyond", range(0, 120, 13))
def test_a_full_disk_loses_lines_and_tells_but_no_line_changes_its_number(tmp_path: Path, beyond: int) -> None:
    log = OperationLog.open(tmp_path, 7)
    log.append(numbered(10))
    log.flush()
    with file_size_limit(log.path.stat().st_size + beyond):
        log.append(numbered(10, 10))
        log.flush()
        log.flush()
        assert 0 < log.lost <= 10
        assert log.path.read_bytes().endswith(b"\n")
    log.append(numbered(5, 20))
    texts = [each.text for each in log.read(0, 99)]
    kept = 20 - log.lost
    assert texts[:kept] == [f"line {number}" for number in range(kept)]
    assert texts[kept:20] == [lines.LOST] * log.lost
    assert texts[20:] == [f"line {number}" for number in range(20, 25)]
    assert log.lines == 25
    log.close()


def test_lines_that_nobody_writes_are_bounded_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cockpit.store.logs.PENDING_LIMIT", 1000)
    log = OperationLog.open(tmp_path, 7)
    log.append(numbered(100))
    assert log.lost > 0
    kept = list(itertools.takewhile(lambda each: each.text != lines.LOST, log.read(0, 100)))
    assert (len(kept) + log.lost, log.lines) == (100, 100)
    log.close()


def test_a_log_that_never_was_is_empty(tmp_path: Path) -> None:
    assert OperationLog.tail_file(tmp_path / "none.log", 5) == ()
