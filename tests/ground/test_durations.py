"""Durations as people read them."""

from __future__ import annotations

import pytest

from cockpit.text import age, remaining


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
