"""What counts as growth."""

from __future__ import annotations

import pytest

from bench.flat import growth, late, slope

FLAT = [40.0 + number % 3 for number in range(400)]


def test_a_cycle_and_a_peak_are_no_growth() -> None:
    peaks = [value + 200 * (number % 50 == 7) for number, value in enumerate(FLAT)]
    assert growth(peaks) == 0
    assert abs(slope(FLAT)) < 0.001


def test_one_thing_lost_with_each_of_fifty_deploys_is_twenty_five_more() -> None:
    leaking = [value + number // 8 for number, value in enumerate(FLAT)]
    assert growth(leaking) == pytest.approx(25, abs=1)
    assert slope(leaking) == pytest.approx(1 / 8, rel=0.05)


def test_what_fills_in_the_first_quarter_is_the_warm_up() -> None:
    assert growth([min(number, 100.0) for number in range(400)]) == 0


def test_growth_that_came_to_its_end_is_not_there_late() -> None:
    assert late([min(number, 200.0) for number in range(400)]) == 0
    assert late([float(number) for number in range(400)]) == 100


def test_too_few_samples_say_nothing() -> None:
    with pytest.raises(ValueError, match="nothing about growth"):
        growth([1.0, 2.0, 3.0])
