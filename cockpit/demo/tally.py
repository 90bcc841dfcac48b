"""What became of each request: the answers of a load, counted. No I/O."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    ANSWERED = "answered"  # by the application, whatever the status
    LOST = "lost"  # no answer of the application: refused, cut, timed out, or the edge answered in its place


@dataclass(frozen=True, slots=True)
class Answer:
    """One request. Times are of `time.monotonic`, latency counts from when it was due, not from when it was sent."""

    id: str
    url: str
    due_at: float
    sent_at: float
    ended_at: float
    outcome: Outcome
    status: int = 0  # 0: nothing came
    service: str = ""
    release: str = ""  # "r42", as the application says
    why: str = ""  # of a lost one
    right: bool = True  # it answered this request and not another one
    reconnected: bool = False  # a kept connection was gone, and a fresh one answered

    @property
    def latency_ms(self) -> float:
        return (self.ended_at - self.due_at) * 1000

    @property
    def late_ms(self) -> float:
        return (self.sent_at - self.due_at) * 1000

    @property
    def answerer(self) -> str:
        return f"{self.service} {self.release}".strip()


@dataclass(frozen=True, slots=True)
class Seen:
    """One release of one service, as customers met it."""

    answers: int
    first_at: float
    last_at: float


@dataclass(frozen=True, slots=True)
class Stats:
    requests: int
    lost: int  # no answer of the application
    errors: int  # the application's own 5xx
    non_2xx: int  # any other status than 2xx that came, the edge's included
    wrong: int  # an answer to some other request
    reconnects: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    late_ms: float  # the latest that a request was sent after its time
    releases: dict[str, Seen] = field(default_factory=dict)  # "checkout r42"
    lost_because: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Tally:
    requests: int = 0
    lost: int = 0
    errors: int = 0
    non_2xx: int = 0
    wrong: int = 0
    reconnects: int = 0
    late_ms: float = 0.0
    latencies: array[float] = field(default_factory=lambda: array("d"))
    releases: dict[str, Seen] = field(default_factory=dict)
    lost_because: Counter[str] = field(default_factory=Counter)

    def add(self, answer: Answer) -> None:
        self.requests += 1
        self.reconnects += answer.reconnected
        self.non_2xx += answer.status != 0 and not 200 <= answer.status < 300
        self.late_ms = max(self.late_ms, answer.late_ms)
        if answer.outcome is Outcome.LOST:
            self.lost += 1
            self.lost_because[answer.why] += 1
            return
        self.errors += answer.status >= 500
        self.wrong += not answer.right
        self.latencies.append(answer.latency_ms)
        seen = self.releases.get(answer.answerer, Seen(0, answer.ended_at, answer.ended_at))
        self.releases[answer.answerer] = Seen(seen.answers + 1, seen.first_at, answer.ended_at)

    def stats(self) -> Stats:
        ordered = sorted(self.latencies)
        return Stats(
            requests=self.requests,
            lost=self.lost,
            errors=self.errors,
            non_2xx=self.non_2xx,
            wrong=self.wrong,
            reconnects=self.reconnects,
            p50_ms=percentile(ordered, 50),
            p99_ms=percentile(ordered, 99),
            max_ms=ordered[-1] if ordered else 0.0,
            late_ms=self.late_ms,
            releases=dict(self.releases),
            lost_because=dict(self.lost_because),
        )


def percentile(ordered: list[float], percent: float) -> float:
    """Nearest rank; 0.0 of nothing."""
    if not ordered:
        return 0.0
    rank = -(-len(ordered) * percent // 100)  # the ceiling
    return ordered[max(0, min(len(ordered), int(rank)) - 1)]
