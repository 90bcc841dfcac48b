"""The last hour of a placement: exact counts, honest latencies, bounded memory."""

from __future__ import annotations

import random

from cockpit.health.samples import KEPT, Samples
from cockpit.model import Minute, PlacementKey, Traffic

SHOP = PlacementKey("shop", "production")
MINUTE = 1_000_020.0 // 60 * 60  # a whole one


def ask(samples: Samples, at: float, *latencies: float, status: int = 200) -> None:
    for ms in latencies:
        samples.add_request(SHOP, at, status=status, ms=ms)


def test_traffic_is_that_of_the_last_minute() -> None:
    samples = Samples()
    ask(samples, MINUTE, 900.0, 900.0)
    for second in range(20, 79):
        ask(samples, MINUTE + second, 10.0)
    ask(samples, MINUTE + 79, 20.0, status=502)
    traffic = samples.traffic(SHOP, MINUTE + 80)
    assert (traffic.requests, traffic.p95_ms) == (55, 10.0)
    assert traffic.errors_percent == 100 / 55
    assert traffic.per_second == 1.0
    assert samples.traffic(SHOP, MINUTE + 171) == Traffic()


def test_what_was_before_a_switch_is_not_the_new_releases_doing() -> None:
    samples = Samples()
    ask(samples, MINUTE + 30, *[10.0] * 40, status=500)
    ask(samples, MINUTE + 50, *[10.0] * 30)
    traffic = samples.traffic(SHOP, MINUTE + 55, since=MINUTE + 40)
    assert (traffic.requests, traffic.errors_percent) == (30, 0.0)


def test_only_5xx_are_errors() -> None:
    samples = Samples()
    for status in (200, 301, 404, 499, 500, 503):
        ask(samples, MINUTE, 1.0, status=status)
    assert samples.traffic(SHOP, MINUTE + 1).errors_percent == 100 * 2 / 6


def test_one_placements_requests_are_not_anothers() -> None:
    samples = Samples()
    ask(samples, MINUTE, 1.0)
    assert samples.traffic(PlacementKey("shop", "staging"), MINUTE + 1) == Traffic()


def test_each_minute_is_given_once_and_only_when_it_is_whole() -> None:
    samples = Samples()
    samples.add_probe(SHOP, MINUTE + 1, good=True, ms=4.0)
    samples.add_probe(SHOP, MINUTE + 59.9, good=False, ms=5000.0)
    ask(samples, MINUTE + 30, 7.0)
    ask(samples, MINUTE + 60, 9.0)
    assert samples.minutes(MINUTE + 69) == ()
    assert samples.minutes(MINUTE + 70) == (Minute(SHOP, MINUTE, 2, 1, 4.0, 1, 0, 7.0),)
    assert samples.minutes(MINUTE + 71) == ()
    assert [minute.at for minute in samples.minutes(MINUTE + 130)] == [MINUTE + 60]


def test_a_line_of_the_edges_log_that_comes_late_still_counts() -> None:
    samples = Samples()
    ask(samples, MINUTE + 10, 1.0)
    samples.trend(SHOP, MINUTE + 61)
    ask(samples, MINUTE + 59, 1.0)
    assert [minute.requests for minute in samples.minutes(MINUTE + 75)] == [2]


def test_a_trend_has_a_bin_for_each_minute_and_none_where_nothing_was_measured() -> None:
    samples = Samples()
    ask(samples, MINUTE + 5, *[8.0] * 120)
    samples.add_probe(SHOP, MINUTE + 65, good=True, ms=3.0)
    ask(samples, MINUTE + 181, *[5.0] * 10, status=500)
    trend = samples.trend(SHOP, MINUTE + 190, bins=4)
    assert trend.p95_ms == (8.0, 3.0, None, 5.0)
    assert trend.per_second == (2.0, 0.0, None, 1.0)
    assert trend.errors_percent == (0.0, None, None, 100.0)


def test_the_usual_latency_is_not_moved_by_one_bad_minute_nor_by_the_present() -> None:
    samples = Samples()
    for minute in range(9):
        ask(samples, MINUTE + 60 * minute, 900.0 if minute == 4 else 20.0)
    ask(samples, MINUTE + 540, *[900.0] * 50)
    assert samples.usual_p95(SHOP, MINUTE + 541) == 20.0


def test_too_little_is_known_for_a_usual_latency_at_first() -> None:
    samples = Samples()
    for minute in range(4):
        ask(samples, MINUTE + 60 * minute, 20.0)
    assert samples.usual_p95(SHOP, MINUTE + 300) is None


def test_a_flood_is_counted_exactly_and_its_p95_stays_true_in_bounded_memory() -> None:
    samples = Samples()
    rng = random.Random(1)
    latencies = [rng.expovariate(1 / 50) for _ in range(60_000)]
    for number, ms in enumerate(latencies):
        ask(samples, MINUTE + number / 1000, ms)
    traffic = samples.traffic(SHOP, MINUTE + 59.99)
    true = sorted(latencies)[int(0.95 * len(latencies))]
    assert traffic.requests == 60_000
    assert traffic.p95_ms is not None
    assert abs(traffic.p95_ms - true) / true < 0.1
    kept = [piece.request_ms.kept for piece in samples._slices[SHOP].values()]
    assert all(len(each) <= KEPT for each in kept)


def test_more_than_an_hour_is_not_remembered() -> None:
    samples = Samples()
    for second in range(0, 3 * 3600, 5):
        ask(samples, MINUTE + second, 1.0)
        if second % 60 == 0:
            samples.minutes(MINUTE + second)
    assert len(samples._slices[SHOP]) <= 3 * 60 / 5
    assert len(samples._closed[SHOP]) <= 62
    samples.forget(SHOP)
    assert samples.traffic(SHOP, MINUTE + 3 * 3600) == Traffic()


def test_an_hour_reads_the_same_when_only_its_sums_are_kept() -> None:
    kept, summed = Samples(), Samples()
    for second in range(1800):
        for samples in (kept, summed):
            ask(samples, MINUTE + second, float(second % 97), status=500 if second % 50 == 0 else 200)
            samples.add_probe(SHOP, MINUTE + second, good=second % 7 > 0, ms=2.0)
        if second % 10 == 0:
            summed.minutes(MINUTE + second)
            assert summed.traffic(SHOP, MINUTE + second) == kept.traffic(SHOP, MINUTE + second)
    now = MINUTE + 1799
    assert len(summed._slices[SHOP]) < len(kept._slices[SHOP]) / 5
    assert summed.trend(SHOP, now) == kept.trend(SHOP, now)
    assert summed.usual_p95(SHOP, now) == kept.usual_p95(SHOP, now)


def test_a_clock_that_went_back_takes_no_minute_out_of_the_trend() -> None:
    samples = Samples()
    samples.minutes(MINUTE + 3600)
    for second in range(0, 300, 10):
        ask(samples, MINUTE + second, 8.0)
        samples.minutes(MINUTE + second)
    assert samples.trend(SHOP, MINUTE + 299, bins=5).p95_ms == (8.0, 8.0, 8.0, 8.0, 8.0)


def test_minutes_of_an_engine_that_is_gone_are_in_the_trend_again() -> None:
    samples = Samples()
    samples.remember((Minute(SHOP, 1_020.0, probes=30, requests=60, errors=6, p95_ms=12.0),))
    trend = samples.trend(SHOP, 1_130.0, bins=3)
    assert trend.p95_ms == (None, 12.0, None)
    assert trend.errors_percent == (None, 10.0, None)
