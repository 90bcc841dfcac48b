"""How a bench says what it measured: sentences for people, one JSON line at the end for machines."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from cockpit.demo.tally import percentile
from cockpit.errors import CockpitError

Value = float | int | str | None
Result = dict[str, Value]
Say = Callable[[str], None]
Measure = Callable[[Say], Coroutine[Any, Any, Result]]


@dataclass(frozen=True, slots=True)
class Limit:
    """What a figure is held to: at most (`<=`) or at least (`>=`) a number."""

    field: str
    sign: str
    value: float

    def holds(self, result: Result) -> bool:
        figure = result.get(self.field)
        if not isinstance(figure, int | float):
            return False
        return figure <= self.value if self.sign == "<=" else figure >= self.value

    def __str__(self) -> str:
        return f"{self.field} {'≤' if self.sign == '<=' else '≥'} {self.value:g}"


def main(measure: Measure, limits: Sequence[Limit], about: str, quick: Measure | None = None) -> int:
    """Exit status 0 when it was measured and holds, 1 when it does not hold, 2 when it could not be measured.

    `quick`: what `--quick` measures instead."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--json", action="store_true", help="nothing but one JSON line on standard output")
    if quick is not None:
        parser.add_argument("--quick", action="store_true", help="a short form of it")
    chosen = parser.parse_args()
    quiet = chosen.json
    if quick is not None and chosen.quick:
        measure = quick
    say: Say = (
        (lambda line: print(line, file=sys.stderr, flush=True)) if quiet else lambda line: print(line, flush=True)
    )
    try:
        result = asyncio.run(measure(say))
    except CockpitError as error:
        print(error, file=sys.stderr)
        return 2
    broken = [limit for limit in limits if not limit.holds(result)]
    for limit in broken:
        say(f"✖ {limit} does not hold: {result.get(limit.field)}")
    print(json.dumps(result), flush=True)
    return 1 if broken else 0


def median(values: Sequence[float], digits: int = 1) -> float | None:
    return round(statistics.median(values), digits) if values else None


def p95(values: Sequence[float], digits: int = 1) -> float | None:
    return round(percentile(sorted(values), 95), digits) if values else None
