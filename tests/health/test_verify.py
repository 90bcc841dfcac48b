"""Is a release healthy: what ends a verification at once, what early, and what only at its deadline."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cockpit.health.probe import EDGE_SILENT, REFUSED, Probe
from cockpit.health.verify import Expected, Facts, Verdict, Verification
from cockpit.model import Failure, Side

GOOD = Probe(200, 3.0)
SILENCE = Probe(0, 1.0, REFUSED)
RUNNING = Facts(running=True)
DNS = "127.0.0.11:41234"


def verification(replicas: int = 1, port: int | None = 8000, deadline: float = 60.0) -> Verification:
    return Verification(Expected(replicas, "/up", port, 3, deadline), 0.0)


def each_second(until: float, feed: Callable[[float], None], check: Verification) -> tuple[float, Verdict | None]:
    """When the first verdict came, and which."""
    now = 0.0
    while now <= until:
        feed(now)
        if verdict := check.verdict(now):
            return now, verdict
        now += 1.0
    return until, None


def answering(probe: Probe, until: float = 61.0) -> tuple[float, Failure]:
    check = verification()

    def feed(now: float) -> None:
        check.observed(now, 1, RUNNING)
        check.probed(now, 1, probe)

    return failed(each_second(until, feed, check))


def listening(*listeners: str, probe: Probe = SILENCE) -> tuple[float, Failure]:
    check = verification()

    def feed(now: float) -> None:
        check.probed(now, 1, probe)
        check.observed(now, 1, Facts(running=True, listeners=listeners))

    return failed(each_second(61.0, feed, check))


def failed(result: tuple[float, Verdict | None]) -> tuple[float, Failure]:
    at, verdict = result
    assert verdict
    assert verdict.failure
    return at, verdict.failure


def test_three_good_answers_in_a_row_on_every_replica_make_it_healthy() -> None:
    check = verification(replicas=2)
    for now in (0.0, 1.0, 2.0):
        check.probed(now, 1, GOOD)
    assert check.verdict(2.0) is None
    for now in (2.0, 3.0, 4.0):
        check.probed(now, 2, GOOD)
    verdict = check.verdict(4.0)
    assert verdict
    assert verdict.healthy


def test_a_bad_answer_between_good_ones_starts_the_count_again() -> None:
    check = verification()
    for now, probe in enumerate((GOOD, GOOD, SILENCE, GOOD, GOOD)):
        check.probed(now, 1, probe)
    assert check.verdict(5.0) is None
    check.probed(5.0, 1, GOOD)
    assert check.verdict(5.0) == Verdict()


@pytest.mark.parametrize(
    ("facts", "summary", "side"),
    [
        (Facts(False, 1, seconds=0.4), "exited with status 1 after 0.4 s", Side.APPLICATION),
        (Facts(False, 0), "exited with status 0", Side.CONFIGURATION),
        (Facts(False, 127), "exited with status 127", Side.APPLICATION),
        (Facts(False, 137, oom_killed=True), "killed: out of memory", Side.CONFIGURATION),
        (Facts(False, 137), "exited with status 137", Side.INFRASTRUCTURE),
        (Facts(False, error="no such volume"), "not running: no such volume", Side.CONFIGURATION),
    ],
)
def test_a_process_that_ended_ends_it_at_once_with_the_cause(facts: Facts, summary: str, side: Side) -> None:
    check = verification()
    check.observed(0.0, 1, RUNNING)
    check.observed(0.5, 1, facts)
    _, failure = failed((0.5, check.verdict(0.5)))
    assert (failure.summary, failure.side, failure.step) == (summary, side, "verify")
    assert failure.means
    assert failure.next


def test_an_end_counts_more_than_good_answers_before_it() -> None:
    check = verification()
    for now in (0.0, 1.0, 2.0):
        check.probed(now, 1, GOOD)
    check.observed(2.0, 1, Facts(False, 1))
    verdict = check.verdict(2.0)
    assert verdict
    assert not verdict.healthy


def test_a_crash_loop_ends_it_at_once_though_it_runs_again() -> None:
    check = verification()
    check.observed(0.0, 1, Facts(True, restarts=0))
    check.observed(1.0, 1, Facts(True, exit_code=1, restarts=1))
    _, failure = failed((1.0, check.verdict(1.0)))
    assert failure.summary == "it crashes again and again, last with status 1"


def test_restarts_of_long_ago_are_no_crash_loop() -> None:
    check = verification()
    for now in (0.0, 1.0, 2.0):
        check.observed(now, 1, Facts(True, restarts=4))
        check.probed(now, 1, GOOD)
    assert check.verdict(2.0) == Verdict()


def test_one_that_was_created_and_not_started_yet_is_waited_for() -> None:
    check = verification()
    check.observed(0.0, 1, Facts(running=False))
    assert check.verdict(0.0) is None


def test_a_redirect_to_https_ends_it_after_five_seconds_and_says_why() -> None:
    at, failure = answering(Probe(301, 2.0, location="https://shop.example/up"))
    assert at == 5.0
    assert failure.summary == "GET /up answered 301 to https://shop.example/up for 5 s"
    assert "redirects plain HTTP" in failure.means
    assert failure.side is Side.CONFIGURATION


def test_a_redirect_whose_query_changes_is_the_same_redirect() -> None:
    check = verification()

    def feed(now: float) -> None:
        check.probed(now, 1, Probe(302, 2.0, location=f"/login?state={now}"))

    at, failure = failed(each_second(61.0, feed, check))
    assert at == 5.0
    assert failure.means == "the health path asks for a login"


@pytest.mark.parametrize("status", [401, 403, 404])
def test_the_same_refusal_ends_it_after_five_seconds(status: int) -> None:
    at, failure = answering(Probe(status, 2.0))
    assert (at, failure.summary) == (5.0, f"GET /up answered {status} for 5 s")


def test_refusals_that_change_are_still_booting() -> None:
    check = verification()
    statuses = (404, 404, 404, 503, 404, 404, 404, 401, 401)
    for now, status in enumerate(statuses):
        check.probed(now, 1, Probe(status, 2.0))
        assert check.verdict(now) is None


def test_one_refusal_long_ago_is_not_five_seconds_of_it() -> None:
    check = verification()
    check.probed(0.0, 1, Probe(404, 2.0))
    assert check.verdict(30.0) is None


@pytest.mark.parametrize(
    ("probe", "summary", "side"),
    [
        (Probe(503, 2.0), "GET /up answered 503 after 60 s", Side.APPLICATION),
        (Probe(400, 2.0), "GET /up answered 400 after 60 s", Side.CONFIGURATION),
        (SILENCE, "nothing listens on port 8000 after 60 s", Side.APPLICATION),
        (Probe(0, 5000.0, "no answer within 5 s"), "GET /up got no answer after 60 s: no answer within 5 s",
         Side.APPLICATION),
        (Probe(0, 1.0, EDGE_SILENT, reached=False), f"{EDGE_SILENT} after 60 s", Side.INFRASTRUCTURE),
    ],
)  # fmt: skip
def test_what_booting_may_explain_counts_at_the_deadline_only(probe: Probe, summary: str, side: Side) -> None:
    at, failure = answering(probe)
    assert (at, failure.summary, failure.side) == (60.0, summary, side)


def test_an_app_that_boots_for_a_minute_is_healthy_in_the_end() -> None:
    check = verification()

    def feed(now: float) -> None:
        check.observed(now, 1, RUNNING)
        check.probed(now, 1, SILENCE if now < 30 else Probe(503, 1.0) if now < 57 else GOOD)

    assert each_second(61.0, feed, check) == (59.0, Verdict())


def test_one_that_flaps_until_the_deadline_is_told_so() -> None:
    check = verification()

    def feed(now: float) -> None:
        check.probed(now, 1, GOOD if now % 2 == 0 else Probe(503, 1.0))

    at, failure = failed(each_second(61.0, feed, check))
    assert (at, failure.summary) == (60.0, "GET /up answers, but not 3 times in a row within 60 s")


def test_one_that_was_never_asked_is_not_the_applications_fault() -> None:
    _, failure = failed((60.0, verification().verdict(60.0)))
    assert failure.side is Side.COCKPIT


def test_a_listener_on_loopback_only_ends_it_after_five_seconds() -> None:
    at, failure = listening("127.0.0.1:8000", DNS)
    assert at == 5.0
    assert failure.summary == "nothing listens on port 8000 for 5 s; it listens on 127.0.0.1:8000"
    assert failure.next == "let it bind 0.0.0.0:8000"


@pytest.mark.parametrize("where", ["0.0.0.0:3000", "[::]:3000", ":::3000", "127.0.0.1:3000"])
def test_a_listener_on_another_port_ends_it_after_five_seconds(where: str) -> None:
    at, failure = listening(where)
    assert at == 5.0
    assert failure.means == "it listens on port 3000, and the configuration says port 8000"
    assert failure.side is Side.CONFIGURATION


@pytest.mark.parametrize("where", ["0.0.0.0:8000", ":::8000", "[::]:8000", "10.231.0.6:8000"])
def test_a_listener_where_the_edge_asks_is_no_stranger_though_others_are_there(where: str) -> None:
    at, failure = listening(where, "127.0.0.1:9229", probe=Probe(0, 5000.0, "no answer within 5 s"))
    assert at == 60.0
    assert "got no answer" in failure.summary


def test_dockers_own_resolver_is_not_the_app() -> None:
    at, failure = listening(DNS)
    assert (at, failure.summary) == (60.0, "nothing listens on port 8000 after 60 s")


def test_a_stranger_that_comes_and_goes_ends_nothing_early() -> None:
    check = verification()
    for now in range(12):
        check.probed(now, 1, SILENCE)
        check.observed(now, 1, Facts(True, listeners=("0.0.0.0:3000",) if now % 4 else ()))
        assert check.verdict(now) is None


def test_an_app_that_answers_is_not_looked_at_for_strangers() -> None:
    check = verification()
    for now in range(12):
        check.probed(now, 1, Probe(503, 1.0))
        check.observed(now, 1, Facts(True, listeners=("0.0.0.0:3000",)))
        assert check.verdict(now) is None


def test_without_a_port_ten_seconds_of_running_are_healthy() -> None:
    check = verification(port=None)
    assert each_second(61.0, lambda now: check.observed(now, 1, RUNNING), check) == (10.0, Verdict())


def test_without_a_port_a_short_deadline_is_long_enough_when_the_first_look_comes_late() -> None:
    check = verification(port=None, deadline=8.0)
    assert each_second(9.0, lambda now: check.observed(now, 1, RUNNING) if now else None, check) == (5.0, Verdict())


def test_without_a_port_the_images_healthcheck_decides() -> None:
    check = verification(port=None)

    def feed(now: float) -> None:
        check.observed(now, 1, Facts(True, health="starting" if now < 20 else "healthy"))

    assert each_second(61.0, feed, check) == (20.0, Verdict())


def test_a_healthcheck_that_stays_unhealthy_is_told_at_the_deadline() -> None:
    check = verification(port=None)

    def feed(now: float) -> None:
        check.observed(now, 1, Facts(True, health="unhealthy"))

    at, failure = failed(each_second(61.0, feed, check))
    assert (at, failure.summary) == (60.0, "HEALTHCHECK says unhealthy after 60 s")


def test_the_replica_that_failed_is_named() -> None:
    check = verification(replicas=2)
    check.observed(0.0, 2, Facts(False, 3))
    verdict = check.verdict(0.0)
    assert verdict
    assert verdict.failure
    assert (verdict.replica, verdict.failure.summary) == (2, "replica 2 of 2: exited with status 3")


def test_progress_says_what_is_waited_for() -> None:
    check = verification(replicas=2)
    for now in (0.0, 1.0, 2.0):
        check.probed(now, 1, GOOD)
    check.probed(2.0, 2, Probe(503, 1.0))
    assert check.progress() == "1 of 2 healthy, replica 2: 503"
    single = verification()
    assert single.progress() == "not asked yet"
    single.probed(0.0, 1, GOOD)
    assert single.progress() == "1 of 3 good answers"
