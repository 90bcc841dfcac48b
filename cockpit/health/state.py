"""How a placement is, from its probes and its customers' requests, and why: the first thing an operator reads. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from cockpit.model import Health, Replica, Traffic
from cockpit.text import age

SILENT = 15.0  # seconds after which nothing is known any more
PROBES = 3  # failed in a row: a replica fails
ENOUGH = 20  # requests in a minute before their share of errors says anything
FAILING_PERCENT = 20.0
DEGRADED_PERCENT = 2.0
SLOWER = 2.0  # times the hour's p95
SLOWER_BY_MS = 50.0  # and by so much: twice of 2 ms is no one's problem


@dataclass(frozen=True, slots=True)
class Reading:
    """`replicas` are the live release's only; `heard_at` is when Docker or a probe last told anything."""

    now: float
    live: int | None
    replicas: tuple[Replica, ...] = ()
    traffic: Traffic = field(default_factory=Traffic)
    usual_p95_ms: float | None = None
    heard_at: float | None = None


def judge(reading: Reading) -> tuple[Health, str]:
    """The state, and why in a few words ("" when healthy)."""
    if reading.live is None:
        return Health.STOPPED, "no live release"
    silent = _silent(reading)
    if silent:
        return Health.UNKNOWN, silent
    if not reading.replicas:
        return Health.STOPPED, f"r{reading.live} has no containers"
    return _failing(reading) or _degraded(reading) or (Health.HEALTHY, "")


def _silent(reading: Reading) -> str:
    if reading.heard_at is None:
        return "nothing heard yet"
    seconds = reading.now - reading.heard_at
    return f"nothing heard for {age(seconds)}" if seconds > SILENT else ""


def _failing(reading: Reading) -> tuple[Health, str] | None:
    failing = [replica for replica in reading.replicas if _fails(replica)]
    if len(failing) == len(reading.replicas):
        return Health.FAILING, _on(failing, reading.replicas)
    if _errors(reading.traffic, FAILING_PERCENT):
        return Health.FAILING, _of_requests(reading.traffic)
    return None


def _degraded(reading: Reading) -> tuple[Health, str] | None:
    failing = [replica for replica in reading.replicas if _fails(replica)]
    if failing:
        return Health.DEGRADED, _on(failing, reading.replicas)
    if _errors(reading.traffic, DEGRADED_PERCENT):
        return Health.DEGRADED, _of_requests(reading.traffic)
    slow = _slow(reading)
    return (Health.DEGRADED, slow) if slow else None


def _fails(replica: Replica) -> bool:
    return not replica.running or replica.failed_in_row >= PROBES


def _errors(traffic: Traffic, percent: float) -> bool:
    return traffic.requests >= ENOUGH and traffic.errors_percent >= percent


def _slow(reading: Reading) -> str:
    p95, usual = reading.traffic.p95_ms, reading.usual_p95_ms
    if p95 is None or usual is None or reading.traffic.requests < ENOUGH:
        return ""
    slow = p95 > SLOWER * usual and p95 > usual + SLOWER_BY_MS
    return f"p95 {p95:.0f} ms, usually {usual:.0f}" if slow else ""


def _of_requests(traffic: Traffic) -> str:
    return f"{traffic.errors_percent:.0f} % of requests answered 5xx"


def _on(failing: list[Replica], replicas: tuple[Replica, ...]) -> str:
    """ "503 on both replicas", "connection refused on 1 of 3 replicas"."""
    words = list(dict.fromkeys(_word(replica) for replica in failing))
    what = words[0] if len(words) == 1 else f"{words[0]} and other errors"
    if len(replicas) == 1:
        return what
    if len(failing) == len(replicas):
        return f"{what} on {'both' if len(replicas) == 2 else f'all {len(replicas)}'} replicas"
    return f"{what} on {len(failing)} of {len(replicas)} replicas"


def _word(replica: Replica) -> str:
    if not replica.running:
        return replica.error or "not running"
    return str(replica.status) if replica.status else replica.error or "no answer"
