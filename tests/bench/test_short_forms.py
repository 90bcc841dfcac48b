"""The short forms of the long benches run, and hold all but what a machine that runs other tests says nothing about."""

from __future__ import annotations

import pytest

from bench import scale, soak
from bench.report import Limit, Result

pytestmark = [pytest.mark.slow, pytest.mark.blocking("a bench has its world in its own process")]


def broken(limits: tuple[Limit, ...], result: Result, *, but: tuple[str, ...] = ()) -> list[str]:
    return [str(limit) for limit in limits if limit.field not in but and not limit.holds(result)]


@pytest.mark.timeout(600)
async def test_years_of_history_are_measured_against_a_log_with_as_much_to_show() -> None:
    result = await scale.quick(print)
    assert broken(scale.LIMITS, result, but=("ratio",)) == []
    ratios = {name for name in result if name.endswith("_ratio")}
    assert {"start_ratio", "snapshot_ratio", "releases_ratio"} <= ratios
    assert result["ratio"] == max(float(str(result[name])) for name in ratios)


@pytest.mark.timeout(600)
async def test_an_engine_holds_no_more_after_hours_of_virtual_time() -> None:
    result = soak.day(print, soak.HOURS)
    limits = tuple(limit for limit in soak.LIMITS if limit.field.startswith("virtual_"))
    assert len(limits) == len(soak.VIRTUAL)
    assert broken(limits, result) == []
    assert int(str(result["virtual_deploys"])) >= 6


@pytest.mark.docker
@pytest.mark.timeout(900)
async def test_a_short_shift_on_docker_holds() -> None:
    result = await soak.quick(print)
    assert broken(soak.LIMITS, result, but=("rss_mb",)) == [], result["why"]
    assert result["deploys"] == soak.SHORT.deploys
    assert result["lost"] == 0
