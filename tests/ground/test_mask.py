"""Known values are found in whatever form they are written, whole or in pieces, and nothing else is."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.mask import MARK, SHORTEST, Mask, Stream

VALUE = 'p4ss/w0rd+"q\\uote" <&> ü 100%'
PEM = "-----BEGIN KEY-----\nMIIEvQIBADANBg\r\nkqhkiG9w0BAQEF\n\nxyz\n-----END KEY-----\n"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "written",
    [
        VALUE,
        b64(VALUE),
        b64(VALUE).rstrip("="),
        base64.urlsafe_b64encode(VALUE.encode()).decode(),
        quote(VALUE),
        quote(VALUE, safe=""),
        quote_plus(VALUE),
        quote(VALUE, safe="").replace("%2F", "%2f").replace("%2B", "%2b").lower(),
        json.dumps(VALUE)[1:-1],
        json.dumps(VALUE, ensure_ascii=False)[1:-1],
        json.dumps(VALUE)[1:-1].replace("/", "\\/"),
        json.dumps(VALUE)[1:-1].replace("<", "\\u003c").replace("&", "\\u0026").replace(">", "\\u003e"),
        json.dumps(VALUE)[1:-1].replace("\\u00fc", "\\u00FC"),
        json.dumps(json.dumps(VALUE)[1:-1])[1:-1],
        repr(VALUE)[1:-1],
    ],
)
def test_a_value_is_masked_in_every_form_that_programs_print(written: str) -> None:
    assert Mask([VALUE])(f"at=1 {written} ok") == f"at=1 {MARK} ok"


@pytest.mark.parametrize("before", ["", "u", "us", "user:", "x" * 40])
@pytest.mark.parametrize("after", ["", "@", "@h", "@host/"])
def test_its_base64_is_masked_wherever_it_stands_in_what_was_encoded(before: str, after: str) -> None:
    said = Mask([VALUE])(b64(before + VALUE + after))
    assert MARK in said
    left = said.split(MARK)
    assert len(left[0]) <= len(b64(before)) + 1
    assert len(left[1]) <= len(b64(after)) + 4


def test_base64_that_a_program_wrapped_is_masked_line_by_line() -> None:
    value = "0123456789abcdef" * 12
    wrapped = subprocess.run(["base64"], input=value.encode(), capture_output=True, check=True).stdout.decode()
    assert wrapped.count("\n") > 2
    assert Mask([value])(wrapped).split() == [MARK] * len(wrapped.split())


def test_each_line_of_a_value_with_several_is_masked_too() -> None:
    mask = Mask([PEM])
    assert mask(PEM) == MARK
    assert mask("said MIIEvQIBADANBg!") == f"said {MARK}!"
    assert mask(b64("kqhkiG9w0BAQEF")) == MARK
    assert mask(json.dumps({"key": PEM})) == f'{{"key": "{MARK}"}}'
    assert mask("xyz") == "xyz"


def test_short_values_blanks_and_public_words_are_left() -> None:
    mask = Mask(["", "short", " " * 20, "\n" * 20, "production", "sixsix"], public={"production"})
    text = f"short in production {' ' * 30} sixsix"
    assert mask(text) == f"short in production {' ' * 30} {MARK}"
    assert len("short") < SHORTEST <= len("sixsix")


def test_the_longest_value_wins_and_overlapping_ones_leave_nothing() -> None:
    assert Mask(["secret", "secretary-9"])("a secretary-9, a secret") == f"a {MARK}, a {MARK}"
    assert Mask(["abcdef12", "ef1234xyz"])("-abcdef1234xyz-") == f"-{MARK}-"


@pytest.mark.parametrize("end", ["…", "… (+200 characters)", " … 200 more bytes"])
def test_a_text_that_was_cut_in_the_middle_of_a_value_shows_nothing_of_it(end: str) -> None:
    mask = Mask(["tellnobody-0123456789"])
    assert mask(f"said tellnobody-01{end}") == f"said {MARK}{end}"
    assert mask(f"wait… tell me{end}") == f"wait… tell me{end}"


def test_a_mask_without_values_changes_nothing() -> None:
    assert Mask([])("anything… at all") == "anything… at all"
    stream = Stream(lambda: Mask([]))
    assert stream.feed("any") + stream.feed("thing") + stream.end() == "anything"


# ---------------------------------------------------------------- chunks


@pytest.mark.parametrize("value", [VALUE, PEM, "secret", "aaaaaaaab", "abcabcabcabd"])
def test_a_value_split_at_every_byte_is_masked(value: str) -> None:
    mask = Mask([value])
    text = f"before {value}{value[:4]} after"
    for at in range(len(text) + 1):
        stream = Stream(lambda: mask)
        assert stream.feed(text[:at]) + stream.feed(text[at:]) + stream.end() == mask(text)


FEW = st.text("abc", min_size=SHORTEST, max_size=9)


@given(st.lists(FEW, min_size=1, max_size=5), st.lists(st.text("abc ", max_size=9), max_size=12))
def test_chunks_are_masked_as_their_whole_is(values: list[str], chunks: list[str]) -> None:
    mask = Mask(values)
    stream = Stream(lambda: mask)
    said = "".join([*map(stream.feed, chunks), stream.end()])
    assert said == mask("".join(chunks))
    assert not any(value in said for value in values)


@given(st.lists(st.text(st.characters(exclude_characters="…"), min_size=SHORTEST), min_size=1, max_size=4), st.data())
def test_any_values_in_any_chunks_are_masked(values: list[str], data: st.DataObject) -> None:
    mask = Mask(values)
    text = "".join(data.draw(st.lists(st.sampled_from([*values, "x", " ", "\n"]), max_size=6)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    stream = Stream(lambda: mask)
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert "".join([*map(stream.feed, pieces), stream.end()]) == mask(text)


@pytest.mark.parametrize("value", ["\ud800 half a pair", "\udc80 a byte of its own", "\ud800\udc80 both"])
def test_a_value_that_is_no_whole_text_is_masked_too(value: str) -> None:
    assert Mask([value])(f"at=1 {value} ok") == f"at=1 {MARK} ok"


def test_little_is_held_back_and_not_for_ever() -> None:
    value = "0123456789" * 3
    stream = Stream(lambda: Mask([value]))
    assert stream.feed("plain text ") == "plain text "
    assert stream.feed(value[:-1]) == ""
    assert stream.feed("x") == value[:-1] + "x"
    assert stream.feed(value[:8]) + stream.end() == value[:8]
    assert "".join(stream.feed(value[:20]) for _ in range(50)) == MARK
    assert len(stream.end()) < len(value)


def test_a_value_that_becomes_known_on_the_way_is_masked_from_then_on() -> None:
    known: list[str] = ["early-value"]
    stream = Stream(lambda: Mask(known))
    assert stream.feed("late-value ") == "late-value "
    known.append("late-value")
    assert stream.feed("late-va") + stream.feed("lue ") == f"{MARK} "


def test_a_hundred_thousand_lines_are_masked_in_seconds() -> None:
    """About half a second on one core, with forty values; the bound is for a machine that has much else to do."""
    mask = Mask([f"{number:04}-{base64.b64encode(bytes([number] * 24)).decode()}" for number in range(40)])
    lines = [f'{number} INFO "GET /orders/{number}" 200 12ms user={number} pool=default' for number in range(100_000)]
    began = time.process_time()
    masked = [mask(line) for line in lines]
    assert time.process_time() - began < 5
    assert masked == lines
