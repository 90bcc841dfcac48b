"""Whatever a file holds, reading it ends soon, with Settings or with a ConfigError."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cockpit.config.base import Kind
from cockpit.config.form import ROOT, SERVICE
from cockpit.config.mounts import LONG, Mount
from cockpit.config.options import OPTIONS
from cockpit.config.shapes import Table
from cockpit.errors import ConfigError
from cockpit.text import clean
from tests.config.reading import complaints, read

SECONDS = 10  # for 256 kB on two shared cores; measured: at most 0.6, of which 20 000 values take the parser 0.3

PIECES = """services web repo port : - [ ] { } , &a *a !!int ' " \\x00 \\ud800 | > # %YAML --- ? << ~ 22:22 010 é"""
SPACES = (" ", ": ", "- ", ", ", "\n", "\n  ", "\n    ", "\t")
YAMLISH = st.lists(st.sampled_from([*PIECES.split(), *SPACES]), max_size=60).map("".join)

WORDS = ("null", "yes", "22:22", "010", "-1", "1e9", "{}", "[]", "[[]]", "''")
SCALARS = st.one_of(st.sampled_from(WORDS), st.text(max_size=20).map(repr))
KEYS = st.sampled_from(sorted(SERVICE.keys))


def words_of(kind: Kind) -> set[str]:
    """The keys of all tables in it."""
    if isinstance(kind, Table):
        return {*kind.keys, *(word for key in kind.keys.values() for word in words_of(key.kind))}
    inner = [getattr(kind, name) for name in ("kind", "table") if hasattr(kind, name)]
    return {word for each in inner for word in words_of(each)} | (words_of(LONG) if isinstance(kind, Mount) else set())


def read_or_refused(text: str | bytes) -> None:
    try:
        read(text)
    except ConfigError as error:
        said = error.message.split("\n")
    else:
        said = ["read"]
    assert all(line and line == clean(line) for line in said)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(YAMLISH, st.text(max_size=200)))
def test_any_text_is_read_or_refused(text: str) -> None:
    read_or_refused(text.encode("utf-8", "replace"))


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    read_or_refused(data)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(KEYS, SCALARS, max_size=6))
def test_any_value_of_any_key_is_read_or_refused(keys: dict[str, str]) -> None:
    lines = "".join(f"    {key}: {value}\n" for key, value in keys.items())
    read_or_refused(f"services:\n  web:\n{lines}".encode("utf-8", "replace"))


NAMES = sorted({*words_of(ROOT), "web", "worker", "production", "A", "local", "x y"})
LEAVES = st.one_of(
    st.sampled_from([None, True, False, 0, -1, 9, 0.5, "", "/a", "a:/b", "web", "db", "1m", "5s", "CMD", "A=b", ":80"]),
    st.sampled_from(["tmpfs", "bind", "volume", "files", "acme", "recreate", "private", "10.0.0.0/8", "a:10.0.0.1"]),
)
TREES = st.recursive(
    LEAVES,
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(st.sampled_from(NAMES), below, max_size=4)),
    max_leaves=12,
)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(KEYS, TREES, max_size=4), st.dictionaries(st.sampled_from(sorted(ROOT.keys)), TREES, max_size=2))
def test_any_structure_of_any_key_is_read_or_refused(keys: dict[str, Any], top: dict[str, Any]) -> None:
    services = {"services": {"web": {"repo": "r", **keys}}}
    read_or_refused(json.dumps({**top, **services}))  # JSON is YAML


STRANGE = (None, "x", 1, ["x"], {"xyzzy": 1}, [["x"]])


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_a_good_value_beside_a_strange_one_is_read_or_refused(name: str) -> None:
    """What is made of all parts together meets a part that could not be read."""
    words = sorted(words_of(Table({name: OPTIONS[name]})) - {name})
    forms = ["x", "/a", 1, *({word: value} for word in words for value in ("x", ["x"], 1))]
    for form in forms:
        for strange in STRANGE:
            for value in ({"a": form, "b": strange}, {"b": strange, "a": form}, [form, strange], form):
                read_or_refused(json.dumps({"services": {"web": {"repo": "r", name: value}}}))


LARGE = 256 * 1024
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        "[" * LARGE,
        "{" * LARGE,
        "- " * (LARGE // 2),
        "? " * (LARGE // 2),
        "a: b\n" * (LARGE // 5),
        "".join(f"k{number}: 1\n" for number in range(LARGE // 12)),
        "services: [" + "x," * (LARGE // 2 - 10) + "]",
        "services: " + "x" * (LARGE - 20),
        'services: {web: {repo: x, command: "' + "a " * (LARGE // 2 - 30) + '"}}',
        "services: {web: {repo: x, hosts: " + "a-." * (LARGE // 3 - 30) + "}}",
        "services: {web: {repo: x, image: " + "a/a_" * (LARGE // 4 - 30) + "}}",
        "services: {web: {repo: x, volumes: [" + "/" * (LARGE - 60) + "]}}",
        "services: {web: {repo: x, hosts: [" + "a.b," * 15_000 + "]}}",
        "services: {" + "".join(f"a{n}: {{repo: r}}, " for n in range(2400)) + "}\n"
        "environments: {" + "".join(f"e{n}: , " for n in range(4800)) + "}",
        "services: {" + "".join(f"a{n}: {{repo: r, environments: [e0]}}, " for n in range(1400)) + "}\n"
        "environments: {" + "".join(f"e{n}: , " for n in range(4800)) + "}",
        "services: {web: {repo: x, environments: [" + "".join(f"e{n}, " for n in range(9000)) + "]}}\n"
        "environments: {" + "".join(f"f{n}: , " for n in range(4000)) + "}",
        "services: {web: {repo: x, processes: {" + "".join(f"a{n}: {{depends_on: [b]}}, " for n in range(3000)) + "}}}",
        "services: {web: {repo: x, processes: {"
        + "".join(f"a{n}: {{depends_on: [a{n + 1}]}}, " for n in range(1900))
        + "}}}",
        "services: {web: {repo: x, processes: {" + "".join(f"a{n}: {{port: 1}}, " for n in range(1900)) + "}}}",
        "services: {web: {repo: x, env: {" + "".join(f"A{n}: b, " for n in range(9000)) + "}}}",
        "services: {web: {repo: x, networks: {" + "".join(f"a{n}: {{aliases: [x]}}, " for n in range(3000)) + "}}}",
        "services: {web: {repo: x, env: {" + "".join(f"A{n}: b, " for n in range(8000)) + "}}}\n"
        "environments: {" + "".join(f"e{n}: , " for n in range(1900)) + "}",
        "services: {web: {repo: x}}\nedge: {labels: {" + "".join(f"A{n}: b, " for n in range(8000)) + "}}\n"
        "environments: {" + "".join(f"e{n}: , " for n in range(1900)) + "}",
        "services: {web: {repo: x, port: null}}\nenvironments: {" + "".join(f"e{n}: , " for n in range(3700)) + "}",
        "services: {web: {repo: x, processes: {" + "".join(f"a{n}: , " for n in range(3700)) + "}}}",
        "services: {web: {repo: x, extra_hosts: [" + "a:1.2.3.4, " * 9_000 + "]}}",
        "services: {web: {repo: x, extra_hosts: ['" + "a" * (LARGE - 60) + "']}}",
        "services: {web: {repo: x, tmpfs: '/:" + "a" * (LARGE - 60) + "'}}",
        "services: {web: {repo: x, image: a/a:" + "a." * (LARGE // 2 - 40) + "}}",
        "services: {web: {repo: x}}\nedge: {trusted_proxies: '" + "1:" * (LARGE // 2 - 40) + "'}",
        "services: {web: {repo: x}}\nenvironments: {a: {host: ssh://" + "a" * (LARGE - 80) + "@}}",
        "#" * LARGE,
        "\n" * LARGE,
        '"' + "\\x41" * (LARGE // 5) + '": 1',
        "&a " * (LARGE // 3),
        BOMB,
    ],
    ids=lambda text: text[:12].strip(),
)
def test_large_and_deep_files_are_dealt_with_in_bounded_time(text: str) -> None:
    started = time.monotonic()
    read_or_refused(text)
    assert time.monotonic() - started < SECONDS


def test_an_alias_bomb_is_named_as_what_it_is() -> None:
    with pytest.raises(ConfigError, match="expected at most 20000 values, aliases counted as all that they stand for"):
        read(BOMB)


@pytest.mark.parametrize(
    "text",
    [
        "services: {web: {repo: x, env: {" + "".join(f"A{n}: b, " for n in range(8000)) + "}}}\n"
        "environments: {" + "".join(f"e{n}: , " for n in range(1900)) + "}",
        "services: {web: {repo: x}}\nedge: {labels: {" + "".join(f"A{n}: b, " for n in range(8000)) + "}}\n"
        "environments: {" + "".join(f"e{n}: , " for n in range(1900)) + "}",
    ],
    ids=["variables", "labels of the edge"],
)
def test_a_short_file_that_stands_for_millions_of_values_is_told_so(text: str) -> None:
    (said,) = complaints(text)
    assert said == "1:1: services: expected at most 200000 values, counted for each environment and process"


def test_five_hundred_placements_of_two_processes_are_not_too_many() -> None:
    keys = "processes: {web: , worker: {}}, environment: {" + ", ".join(f"V{n}: x" for n in range(30)) + "}"
    services = ", ".join(f"s{n}: {{repo: r, hosts: [s{n}.example.com], {keys}}}" for n in range(250))
    environments = "environments: {a: {edge: {listen: ':81'}}, b: }"
    assert len(read(f"services: {{{services}}}\n{environments}\n").placements) == 500
