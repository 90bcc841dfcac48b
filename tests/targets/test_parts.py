"""The pure parts of the Docker target."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.errors import TargetDown, TargetError
from cockpit.model import PlacementKey
from cockpit.targets.base import RawLine
from cockpit.targets.daemon import clamp
from cockpit.targets.errors import refused
from cockpit.targets.host_info import has_buildkit
from cockpit.targets.labels import container_name
from cockpit.targets.listeners import listening
from cockpit.targets.network import checked, free_subnet, routes
from cockpit.targets.observing import settled
from cockpit.targets.streams import Frames, Lines
from cockpit.targets.times import seconds

ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
tun0\t0000E70A\t00000000\t0001\t0\t0\t0\t0080FFFF\t0\t0\t0
"""


def test_routes_are_read_without_the_default() -> None:
    assert routes(ROUTES) == (IPv4Network("172.17.0.0/16"), IPv4Network("10.231.0.0/17"))


def test_a_free_subnet_avoids_what_the_host_routes() -> None:
    assert free_subnet([]) == IPv4Network("10.231.0.0/18")
    assert free_subnet(routes(ROUTES)) == IPv4Network("10.231.128.0/18")


def test_a_host_that_routes_everything_away_needs_a_subnet_from_the_configuration() -> None:
    with pytest.raises(TargetError, match="no free subnet"):
        free_subnet([IPv4Network("10.0.0.0/8")])


@pytest.mark.parametrize("subnet", ["10.0.0.0/24", "10.0.0.1/18", "fd00::/64", "hello"])
def test_a_subnet_that_cannot_hold_slots_is_refused(subnet: str) -> None:
    with pytest.raises(TargetError, match=r"network\.subnet"):
        checked(subnet)


@pytest.mark.parametrize(
    ("minimum", "maximum", "spoken"),
    [("1.12", "1.41", "1.41"), ("1.24", "1.51", "1.41"), ("1.44", "1.52", "1.44"), ("1.12", "1.39", "1.39")],
)
def test_the_tested_api_version_is_spoken_where_the_engine_has_it(minimum: str, maximum: str, spoken: str) -> None:
    assert clamp("1.41", minimum, maximum) == spoken


@pytest.mark.parametrize(
    ("version", "can"), [("20.10.24+dfsg1", True), ("29.0.1", True), ("18.06.3-ce", False), ("dev", False)]
)
def test_buildkit_is_known_by_the_engines_version(version: str, can: bool) -> None:
    assert has_buildkit(version) is can


@pytest.mark.parametrize(
    ("status", "stays"),
    [
        ("Up 3 minutes (healthy)", True),
        ("Exited (137) 2 hours ago", True),
        ("Up 59 seconds", False),
        ("Up Less than a second", False),
        ("Created", False),
        ("", False),
    ],
)
def test_only_a_status_that_a_restart_would_change_is_trusted_twice(status: str, stays: bool) -> None:
    assert settled(status) is stays


def test_placements_whose_names_run_together_have_containers_of_different_names() -> None:
    keys = [PlacementKey("a-b", "c"), PlacementKey("a", "b-c"), PlacementKey("a/b", "c"), PlacementKey("a b", "c")]
    assert len({container_name("main", key, 1, 1) for key in keys}) == len(keys)
    assert container_name("main", PlacementKey("web-api", "production"), 42, 1) == (
        "cockpit-main-web-api-production-r42-1"
    )


def frame(stream: int, payload: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), max_size=8), st.integers(1, 50))
def test_frames_come_out_whole_wherever_the_stream_is_cut(sent: list[tuple[int, bytes]], size: int) -> None:
    data = b"".join(frame(stream, payload) for stream, payload in sent)
    frames = Frames()
    got = [each for at in range(0, len(data), size) for each in frames.feed(data[at : at + size])]
    assert got == [("out" if stream == 1 else "err", payload) for stream, payload in sent]


STAMP = b"2026-01-02T03:04:05.500000000Z "
LATER = b"2026-01-02T03:04:06.500000000Z "
AT = 1_767_323_045.5


def test_parts_of_a_line_are_joined_for_each_stream_apart() -> None:
    lines = Lines(0.0)
    assert lines.feed("out", STAMP + b"half ") is None
    assert lines.feed("err", STAMP + b"error\n") == RawLine(AT, "error", "err")
    assert lines.feed("out", LATER + b"whole\n") == RawLine(AT, "half whole", "out")
    assert lines.end() == ()


def test_a_character_split_between_two_parts_is_one_character() -> None:
    lines = Lines(0.0)
    lines.feed("out", STAMP + "é".encode()[:1])
    assert lines.feed("out", STAMP + "é".encode()[1:] + b"\n") == RawLine(AT, "é", "out")


@pytest.mark.parametrize("payload", [b"", b"no stamp", b"\xff\xff \xff\n", b"0001-01-01T00:00:00Z x\n"])
def test_a_frame_without_a_time_has_the_last_known_one(payload: bytes) -> None:
    lines = Lines(7.0)
    line = lines.feed("out", payload) or lines.end()[0]
    assert line.at == 7.0


def test_docker_says_never_with_the_year_one() -> None:
    assert seconds("0001-01-01T00:00:00Z") is None
    assert seconds("") is None
    assert seconds("2026-01-02T03:04:05.5+02:00") == AT - 7200


TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0
   1: 0B00007F:A1B2 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0
   2: 0100007F:0BB8 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0
"""
TCP6 = """  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:1F40 00000000000000000000000000000000:0000 0A
   1: 00000000000000000000000001000000:1F41 00000000000000000000000000000000:0000 0A
"""


def made_up_process(proc: Path, cgroup: str) -> None:
    (proc / "77/net").mkdir(parents=True)
    (proc / "77/cgroup").write_text(cgroup)
    (proc / "77/net/tcp").write_text(TCP)
    (proc / "77/net/tcp6").write_text(TCP6)


def test_listeners_are_decoded_without_dockers_own_resolver(tmp_path: Path) -> None:
    made_up_process(tmp_path, "0::/system.slice/docker-abc.scope\n")
    assert listening(77, "abc", tmp_path) == ("127.0.0.1:3000", "[::1]:8001", "[::]:8000")


def test_a_process_of_something_else_is_not_taken_for_the_containers(tmp_path: Path) -> None:
    made_up_process(tmp_path, "0::/user.slice\n")
    assert listening(77, "abc", tmp_path) == ()
    assert listening(78, "abc", tmp_path) == ()
    assert listening(0, "abc", tmp_path) == ()


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("No such image: sha256:1", "the image is not on the host"),
        ("write /var/lib/docker/x: no space left on device", "the host's disk is full"),
        ("driver failed: Bind for 0.0.0.0:80 failed: port is already allocated", "a port it needs is taken"),
        ("Address already in use", "another container has its address"),
        ('exec: "x": executable file not found in $PATH', "its command cannot be run"),
        ('invalid mount config for type "bind": bind source path does not exist: /x', "is not on the host"),
        ("network cockpit-main not found", "the cockpit's network is gone"),
        ("network 3f2a not found", "a network that it joins went away just now"),
        ("bad name! includes invalid characters for a local volume name", "a volume cannot be mounted"),
        ("container cannot be disconnected from host network or connected to host network", "cannot be joined"),
        ('network front not manually attachable"', "cannot be joined"),
        ("configured logging driver does not support reading", "keeps no lines to be read"),
        ("something new", "refused to start it: something new"),
    ],
)
def test_dockers_words_get_a_meaning(words: str, meaning: str) -> None:
    error = refused("start it", 500, words)
    assert meaning in error.message
    assert words in error.message
    assert error.hint


def test_an_engine_of_another_version_is_asked_again() -> None:
    words = "client version 1.41 is too old. Minimum supported API version is 1.44"
    assert isinstance(refused("ask", 400, words), TargetDown)
