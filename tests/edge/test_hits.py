"""Following the access log: batches, rotation, garbage; here and through a shell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.edge import hits
from cockpit.edge.base import Hit
from cockpit.edge.hits import AccessLog, parse
from cockpit.model import PlacementKey
from tests.edge.places import KINDS, place

WEB = PlacementKey("web", "production")


def line(at: float, release: int = 1) -> bytes:
    fields = {"ts": at, "duration": 0.25, "status": 200, "size": 2, "placement": "web@production"}
    return json.dumps({**fields, "release": f"r{release}"}).encode() + b"\n"


def times(log: AccessLog) -> list[float]:
    return [hit.at for hit in log.look()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "edge" / "log"
    folder.mkdir(parents=True)
    return folder / "access.log"


@pytest.fixture(params=KINDS)
def log(request: pytest.FixtureRequest, path: Path) -> Iterator[AccessLog]:
    with place(request.param, path.parents[1]) as files:
        made = AccessLog(files.tail("log/access.log"))
        yield made
        made.close()


def append(path: Path, *lines: bytes) -> None:
    with open(path, "ab") as file:
        file.write(b"".join(lines))


def test_a_line_is_a_hit_in_milliseconds() -> None:
    assert parse(line(5.5, 42)) == Hit(5.5, WEB, 42, 200, 250.0)


def test_the_life_of_a_websocket_is_no_latency() -> None:
    assert parse(line(1).replace(b"200", b"101")) is None


def test_a_request_that_no_release_took_has_release_0() -> None:
    assert parse(line(1).replace(b'"r1"', b"null")) == Hit(1.0, WEB, 0, 200, 250.0)


@given(st.binary(max_size=200))
def test_no_garbage_stops_the_reader(garbage: bytes) -> None:
    assert parse(garbage) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"web@production", b"nobody"), (b"200", b'"x"'), (b"200", b"null"), (b"0.25", b"NaN"), (b"0.25", b"1e999")],
)
def test_a_line_with_a_wrong_field_is_no_hit(old: bytes, new: bytes) -> None:
    assert parse(line(1).replace(old, new)) is None


def test_each_request_is_told_once(log: AccessLog, path: Path) -> None:
    assert times(log) == []
    append(path, line(1), line(2))
    assert times(log) == [1, 2]
    assert times(log) == []
    append(path, line(3))
    assert times(log) == [3]


def test_half_a_line_waits_for_its_other_half(log: AccessLog, path: Path) -> None:
    append(path, line(1), line(2)[:20])
    assert times(log) == [1]
    append(path, line(2)[20:])
    assert times(log) == [2]


def test_garbage_lines_are_passed_over(log: AccessLog, path: Path) -> None:
    append(path, b"\xff\xfe\n", line(1), b"[[[\n", b"{}\n", line(2))
    assert times(log) == [1, 2]


def test_rotation_loses_nothing(log: AccessLog, path: Path) -> None:
    append(path, line(1))
    assert times(log) == [1]
    append(path, line(2))
    path.rename(path.with_name("access-1.log"))
    append(path, line(3))
    assert times(log) == [2, 3]
    path.rename(path.with_name("access-2.log"))
    assert times(log) == []
    append(path, line(4))
    assert times(log) == [4]


def test_a_log_that_was_cut_is_read_from_its_start(log: AccessLog, path: Path) -> None:
    append(path, line(1), line(2))
    assert times(log) == [1, 2]
    path.write_bytes(line(3))
    assert times(log) == [3]


def test_only_the_newest_are_told_when_there_are_too_many(
    log: AccessLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hits, "MOST_HITS", 10)
    append(path, *(line(at) for at in range(100)))
    assert times(log) == list(range(90, 100))


def test_a_long_backlog_is_skipped_to_its_end(log: AccessLog, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hits, "MOST_BYTES", 1000)
    append(path, *(line(at) for at in range(1000)))
    seen = times(log)
    assert seen == list(range(1000 - len(seen), 1000))
    assert 0 < len(seen) < 12
    append(path, line(5000))
    assert times(log) == [5000]
