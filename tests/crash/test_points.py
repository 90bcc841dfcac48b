"""An engine killed at its named points, on a real Docker engine and under load (bench/chaos.py)."""

from __future__ import annotations

import pytest

from bench import chaos
from bench.report import Result

pytestmark = [pytest.mark.docker, pytest.mark.blocking("a bench has its world in its own process")]


def held(result: Result) -> None:
    """All but the time, which a machine that runs other tests beside says nothing about."""
    limits = [limit for limit in chaos.LIMITS if limit.field != "max_recovery_s"]
    broken = [str(limit) for limit in limits if not limit.holds(result)]
    assert not broken, f"{result['why']} · {result}"
    assert result["recovered"] == result["runs"]


@pytest.mark.timeout(600)
async def test_an_engine_killed_at_points_of_each_operation_is_back_with_the_truth_and_no_request_lost() -> None:
    result = await chaos.measure(print, share=2)
    held(result)
    assert int(str(result["points"])) >= 10


@pytest.mark.slow
@pytest.mark.timeout(3000)
async def test_an_engine_killed_at_every_point_of_each_operation_is_back_with_the_truth_and_no_request_lost() -> None:
    result = await chaos.measure(print)
    held(result)
    assert int(str(result["points"])) >= 100
