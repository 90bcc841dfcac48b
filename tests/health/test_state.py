"""How a placement is: the rule of DESIGN.md 4, and the words for it."""

from __future__ import annotations

from typing import Any

import pytest

from cockpit.health.state import Reading, judge
from cockpit.model import Health, Replica, Traffic


def replica(**fields: Any) -> Replica:
    known: dict[str, Any] = {"container": "c", "release": 42, "index": 1, "address": "a:1", "running": True}
    return Replica(**{**known, "status": 200, **fields})


WELL = replica()
DOWN = replica(status=503, failed_in_row=3)


def read(*replicas: Replica, **fields: Any) -> tuple[Health, str]:
    known: dict[str, Any] = {"now": 100.0, "live": 42, "replicas": replicas or (WELL,), "heard_at": 99.0}
    return judge(Reading(**{**known, **fields}))


def test_all_well_needs_no_words() -> None:
    assert read(traffic=Traffic(10.0, 1.9, 40.0, 600), usual_p95_ms=39.0) == (Health.HEALTHY, "")


def test_nothing_live_is_stopped() -> None:
    assert read(live=None, heard_at=None) == (Health.STOPPED, "no live release")


def test_a_live_release_without_containers_is_stopped() -> None:
    assert judge(Reading(100.0, 42, heard_at=99.0)) == (Health.STOPPED, "r42 has no containers")


@pytest.mark.parametrize(("heard", "why"), [(None, "nothing heard yet"), (60.0, "nothing heard for 40s"), (85.0, "")])
def test_silence_for_15_seconds_is_unknown(heard: float | None, why: str) -> None:
    assert read(heard_at=heard) == (Health.UNKNOWN if why else Health.HEALTHY, why)


@pytest.mark.parametrize(
    ("replicas", "health", "why"),
    [
        ((DOWN,), Health.FAILING, "503"),
        ((DOWN, DOWN), Health.FAILING, "503 on both replicas"),
        ((DOWN, DOWN, DOWN), Health.FAILING, "503 on all 3 replicas"),
        ((WELL, DOWN), Health.DEGRADED, "503 on 1 of 2 replicas"),
        ((replica(status=503, failed_in_row=2),), Health.HEALTHY, ""),
        ((replica(status=0, failed_in_row=9, error="connection refused"),), Health.FAILING, "connection refused"),
        ((replica(running=False, error="exited 137"), WELL), Health.DEGRADED, "exited 137 on 1 of 2 replicas"),
        (
            (replica(running=False, error="exited 1"), DOWN),
            Health.FAILING,
            "exited 1 and other errors on both replicas",
        ),
        ((replica(address="", status=0),), Health.HEALTHY, ""),
    ],
)
def test_replicas_fail_after_three_bad_probes(replicas: tuple[Replica, ...], health: Health, why: str) -> None:
    assert read(*replicas) == (health, why)


@pytest.mark.parametrize(
    ("requests", "percent", "health"),
    [
        (20, 20.0, Health.FAILING),
        (20, 19.9, Health.DEGRADED),
        (19, 100.0, Health.HEALTHY),
        (600, 2.0, Health.DEGRADED),
        (600, 1.9, Health.HEALTHY),
    ],
)
def test_customers_errors_count_from_twenty_requests_on(requests: int, percent: float, health: Health) -> None:
    assert read(traffic=Traffic(requests / 60, percent, 5.0, requests))[0] is health


def test_the_share_of_errors_is_said() -> None:
    assert read(traffic=Traffic(10.0, 31.2, 5.0, 600)) == (Health.FAILING, "31 % of requests answered 5xx")


@pytest.mark.parametrize(
    ("p95", "usual", "requests", "health"),
    [
        (201.0, 100.0, 600, Health.DEGRADED),
        (200.0, 100.0, 600, Health.HEALTHY),
        (9.0, 2.0, 600, Health.HEALTHY),
        (900.0, 100.0, 19, Health.HEALTHY),
        (900.0, None, 600, Health.HEALTHY),
    ],
)
def test_twice_as_slow_as_its_hour_is_degraded(p95: float, usual: float | None, requests: int, health: Health) -> None:
    assert read(traffic=Traffic(10.0, 0.0, p95, requests), usual_p95_ms=usual)[0] is health
