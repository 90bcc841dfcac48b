"""Durations as people read them."""

from __future__ import annotations

import pytest

from cockpit.text import age, remaining, seconds_of


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-3.0, "0s"),
        (0.2, "1s"),
        (60.0, "1m"),
        (61.0, "2m"),
        (4 * 3600.0 - 1.0, "4h"),
        (4 * 3600.0 - 61.0, "3h 59m"),
        (26 * 3600.0, "1d 2h"),
    ],
)
def test_what_is_still_to_come_is_never_told_too_short(seconds: float, said: str) -> None:
    assert remaining(seconds) == said


@pytest.mark.parametrize(("seconds", "said"), [(-3.0, "0s"), (59.9, "59s"), (7199.0, "1h"), (90000.0, "1d")])
def test_what_is_over_is_told_in_whole_units(seconds: float, said: str) -> None:
    assert age(seconds) == said


@pytest.mark.parametrize(
    ("typed", "length"), [("40s", 40.0), ("90m", 5400.0), ("4h", 14400.0), ("2d", 172800.0), ("1d12h", 129600.0)]
)
def test_a_length_of_time_is_numbers_and_their_units(typed: str, length: float) -> None:
    assert seconds_of(typed) == length


@pytest.mark.parametrize("typed", ["", "4", "h", "4 h", "-4h", "4.5h", "4h!", "1e3s", "٤h", "4w", "1234567890s"])
def test_what_is_no_length_of_time_is_not_read_as_one(typed: str) -> None:
    assert seconds_of(typed) is None
