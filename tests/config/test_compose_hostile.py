"""Compose files that are none, or mean harm: they end soon, with a sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cockpit.config.compose.dotenv import dotenv, env_text
from cockpit.config.load import load
from cockpit.config.tree import Unreadable
from cockpit.errors import CockpitError, ConfigError
from cockpit.text import clean
from tests.config.composing import Composing, web

in_time = pytest.mark.timeout(60)  # for what is meant to take for ever; on two shared cores each takes less than 7


@pytest.fixture
def compose(tmp_path: Path) -> Composing:
    return Composing(tmp_path)


def refusal(compose: Composing, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        compose.convert(text)
    path = compose.directory / "compose.yaml"
    assert caught.value.hint == (
        "Nothing was written. `docker compose config` shows what Compose itself makes of the file."
    )
    assert all(line == clean(line) for line in caught.value.message.splitlines())
    return caught.value.message.removeprefix(f"{path}:")


def test_a_billion_laughs_are_counted(compose: Composing) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    assert "at most 20000 values" in refusal(compose, "\n".join(lines))


def test_merge_keys_do_not_laugh_either(compose: Composing) -> None:
    lines = [f"a: &a {{{', '.join(f'k{n}: v' for n in range(50))}}}"]
    lines += [f"{b}: &{b} {{n: *{a}, <<: *{a}}}" for a, b in zip("abcdefghijklmnop", "bcdefghijklmnopq", strict=True)]
    assert "at most 20000 values" in refusal(compose, "\n".join(lines))


def test_variables_do_not_laugh_either(compose: Composing) -> None:
    compose.write(".env", f"A={'x' * 10_000}\n")
    assert "at most 1000000 characters" in refusal(compose, web(f"command: [{'$A' * 20_000}]"))
    compose.write(
        ".env", "A=xxxxxxxxxx\n" + "".join(f"{b}={f'${{{a}}}' * 10}\n" for a, b in zip("ABCDEF", "BCDEFG", strict=True))
    )
    with pytest.raises(ConfigError, match="at most 1000000 characters"):
        compose.convert(web("user: a"))


@pytest.mark.parametrize(
    "text", ["${A" * 60_000, "${A:-" * 50_000, "$" * 250_000, "${A:-x}" * 30_000, "${A:-${B}}" * 20_000]
)
@in_time
def test_many_dollars_are_read(compose: Composing, text: str) -> None:
    compose.convert(web(f"command: ['{text}']"))


def test_an_anchor_that_holds_itself_is_refused(compose: Composing) -> None:
    assert "an anchor that is complete" in refusal(compose, "services: &a {web: {build: ., x: *a}}")
    assert "an anchor that is complete" in refusal(compose, "services: {web: &a {build: ., <<: *a}}")


def test_ten_megabytes_are_refused(compose: Composing) -> None:
    assert refusal(compose, "#" * 10_000_000).endswith(" expected at most 256 kB")


def test_services_are_counted(compose: Composing) -> None:
    with pytest.raises(CockpitError, match="has 3000 services; at most 100"):
        compose.convert("services:\n" + "".join(f"  s{n}: {{build: .}}\n" for n in range(3000)))


@in_time
def test_a_hundred_services_of_which_each_calls_each_are_carried_over(compose: Composing) -> None:
    calls = " ".join(f"http://s{n}:80" for n in range(100))
    services = "".join(
        f"  s{n}: {{build: ./s{n}, ports: ['80'], environment: {{CALLS: '{calls}'}}}}\n" for n in range(100)
    )
    assert len(compose.convert(f"services:\n{services}").services) == 100


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1:1: expected a Compose file, got an empty one"),
        ("just text", "1:1: expected a Compose file, which is a map with services"),
        ("a: [", "1:5: expected YAML"),
        ("a: 1", "1:1: expected a key services, which is missing"),
        ("services: [web]", "1:11: expected a map, got a list"),
        ("services: {web: run}", "1:17: expected a map, got text"),
        ("services: {web: {build: .}}\nvolumes: [a]", "2:10: expected a map, got a list"),
        ("services: {web: {<<: text, build: .}}", "expected a map to merge, or a list of maps"),
        ("services: {web: {build: ., build: .}}", 'duplicate key "build"'),
        ("services: {web: {build: !!python/object:os.system x}}", "expected a value without a tag"),
        ("services: {web: {build: '\\x1b]0;title\\x07'}}\n\x1b", "expected text, got the character U+001B"),
        ("[" * 5000, "levels of nesting"),
    ],
)
def test_what_is_no_compose_file_is_refused_with_its_place(compose: Composing, text: str, said: str) -> None:
    assert said in refusal(compose, text)


def test_pipes_and_directories_are_refused_and_not_waited_for(compose: Composing, tmp_path: Path) -> None:
    os.mkfifo(compose.directory / "compose.yaml")
    with pytest.raises(ConfigError, match="device or pipe"):
        compose.convert_path(compose.directory / "compose.yaml")
    with pytest.raises(ConfigError, match=r"(directory|device)"):
        compose.convert_path(compose.directory)
    with pytest.raises(ConfigError, match="No such file"):
        compose.convert_path(tmp_path / "none")


def test_a_broken_env_file_is_named_without_its_words(compose: Composing) -> None:
    compose.write(".env", "A=1\nthis is hunter22\n")
    with pytest.raises(ConfigError, match=r"\.env:2:1: expected NAME=value") as caught:
        compose.convert(web("user: a"))
    assert "hunter22" not in str(caught.value)


EVIL = "\x1b]0;owned\x07\x1b[31mred\u202eevil\nnew: line"


def test_escapes_reach_neither_the_comments_nor_the_terminal(compose: Composing) -> None:
    said = yaml_quoted(EVIL)
    keys = f"build: ., ports: ['80'], {said}: {said}, restart: {said}, environment: {{A: {said}}}, image: {said}"
    other = f"image: {said}, depends_on: [web]"
    made = compose.convert(f"services: {{web: {{{keys}, labels: {{{said}: {said}}}}}, {said}: {{{other}}}}}")
    path = compose.config / "config.yaml"
    path.write_text(made.text)
    assert load(path).placements[0].service.main.environment == {"A": EVIL}
    comments = [line for line in made.text.splitlines() if line.lstrip().startswith("#")]
    assert all(not set("\x1b\x07\u202e") & set(line) for line in made.text.splitlines())
    assert any("new: line" in line for line in comments)
    assert not any(line.startswith("new:") for line in made.text.splitlines())


def yaml_quoted(text: str) -> str:
    return '"' + "".join(f"\\u{ord(char):04x}" for char in text) + '"'


PIECES = "services web build: . - [ ] { } , : &a *a << ${A} $$ $ ports 80 ' # | > ? ! % --- image x"
YAMLISH = st.lists(st.sampled_from([*PIECES.split(), " ", "\n", "\n  ", "\n    ", ": "]), max_size=50).map("".join)


@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(st.one_of(YAMLISH, YAMLISH.map(web), st.text(max_size=100)))
def test_any_text_is_carried_over_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    compose = Composing(tmp_path_factory.mktemp("compose"))
    path = compose.directory / "compose.yaml"
    path.write_bytes(text.encode("utf-8", "replace"))
    try:
        said = compose.convert_path(path).text
    except CockpitError as error:
        said = error.message
    assert said
    assert all(line == clean(line, 10_000) for line in said.splitlines() if not line.startswith(" "))


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z_]{1,9}", fullmatch=True),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")),
    )
)
def test_what_is_put_into_an_env_file_is_read_back(values: dict[str, str]) -> None:
    assert dotenv(env_text(values)) == values


def test_a_line_that_never_ends_is_refused() -> None:
    with pytest.raises(Unreadable, match="at most 16384 characters in a line"):
        dotenv(f"A=x{' ' * 100_000}y")
