"""Whether a figure that is taken again and again stays as it is, or grows. Pure.

The first quarter is the warm-up: pools fill, modules load, the first of everything is made. What is judged is the
median of the last quarter against that of the second: half a run lies between them, so that one thing lost with each
of 50 deploys is 25 more, while a peak, or a cycle that is short against a quarter, moves no median.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

QUARTERS = 4


def growth(values: Sequence[float]) -> float:
    """Of a series in even steps. Raises ValueError when it is too short to say."""
    quarters = _medians(values)
    return quarters[-1] - quarters[1]


def late(values: Sequence[float]) -> float:
    """What the last quarter is above the one before it: about nothing, when growth has come to its end."""
    quarters = _medians(values)
    return quarters[-1] - quarters[-2]


def _medians(values: Sequence[float]) -> list[float]:
    """Of each quarter. What does not go into four is at the beginning."""
    size = len(values) // QUARTERS
    if size < 1:
        raise ValueError(f"{len(values)} samples say nothing about growth")
    return [statistics.median(values[-size * each :][:size]) for each in range(QUARTERS, 0, -1)]


def slope(values: Sequence[float]) -> float:
    """Least squares, a step, without the first quarter."""
    kept = values[len(values) // QUARTERS :]
    return statistics.linear_regression(range(len(kept)), kept).slope
