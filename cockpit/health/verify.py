"""Is a release that was just started healthy? Fed with what was seen of each replica and when; says so once it knows.

Exit, OOM kill and crash loop end it at once. The same redirect, 401, 403 or 404, or a listener only where nothing
reaches it, end it after `EARLY` seconds. All else (nothing listening yet, 5xx, no answer) may still pass: every app
boots, so it counts at the deadline only. Pure: times are the caller's monotonic seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cockpit.health import answers, exits
from cockpit.health.probe import Probe
from cockpit.health.sockets import strangers
from cockpit.model import Failure, Side
from cockpit.text import took

EARLY = 5.0  # seconds that an answer which booting does not explain must last
STEADY = 10.0  # seconds of running that make a process without port and HEALTHCHECK healthy


@dataclass(frozen=True, slots=True)
class Expected:
    replicas: int
    path: str = "/up"
    port: int | None = 8000
    retries: int = 3
    deadline: float = 60.0  # seconds from the start


@dataclass(frozen=True, slots=True)
class Facts:
    """What the host says of a replica's container."""

    running: bool
    exit_code: int | None = None
    oom_killed: bool = False
    restarts: int = 0
    listeners: tuple[str, ...] = ()  # "127.0.0.1:3000"; () when unknown
    health: str = ""  # Docker's HEALTHCHECK: "", "starting", "healthy", "unhealthy"
    error: str = ""  # Docker's word when it could not start, or that the container is gone
    seconds: float | None = None  # how long it ran, once it ended


@dataclass(frozen=True, slots=True)
class Verdict:
    """`failure` None: healthy. `replica` (1-based) is whose log tells more."""

    failure: Failure | None = None
    replica: int | None = None

    @property
    def healthy(self) -> bool:
        return self.failure is None


class Verification:
    """Give it every probe and every look at the containers, then ask for the verdict."""

    def __init__(self, expected: Expected, started: float) -> None:
        self._expected = expected
        self._started = started
        self._replicas = tuple(_Replica(expected) for _ in range(expected.replicas))

    def probed(self, now: float, replica: int, probe: Probe) -> None:
        """`replica` is 1-based."""
        self._replicas[replica - 1].probed(now, probe)

    def observed(self, now: float, replica: int, facts: Facts) -> None:
        self._replicas[replica - 1].observed(now, facts)

    def verdict(self, now: float) -> Verdict | None:
        """None: not known yet."""
        for number, replica in enumerate(self._replicas, 1):
            if ended := replica.ended():
                return self._failed(number, ended)
        if all(replica.healthy() for replica in self._replicas):
            return Verdict()
        late = now - self._started >= self._expected.deadline
        for number, replica in enumerate(self._replicas, 1):
            failure = replica.early() or (replica.late() if late else None)
            if failure:
                return self._failed(number, failure)
        return None

    def progress(self) -> str:
        """One line for the step: "1 of 2 healthy, replica 2: 503"."""
        well = sum(replica.healthy() for replica in self._replicas)
        if len(self._replicas) == 1:
            return self._replicas[0].now()
        waiting = next((number for number, each in enumerate(self._replicas, 1) if not each.healthy()), None)
        rest = f", replica {waiting}: {self._replicas[waiting - 1].now()}" if waiting else ""
        return f"{well} of {len(self._replicas)} healthy{rest}"

    def _failed(self, number: int, failure: Failure) -> Verdict:
        if len(self._replicas) > 1:
            failure = replace(failure, summary=f"replica {number} of {len(self._replicas)}: {failure.summary}")
        return Verdict(failure, number)


class _Replica:
    def __init__(self, expected: Expected) -> None:
        self._expected = expected
        self._in_row = 0
        self._probe: Probe | None = None
        self._answer = _Lasting()
        self._facts: Facts | None = None
        self._restarts: int | None = None  # when it was first seen
        self._stray = _Lasting()
        self._running = _Lasting()

    def probed(self, now: float, probe: Probe) -> None:
        self._probe = probe
        self._in_row = self._in_row + 1 if probe.good else 0
        telling = 300 <= probe.status < 400 or probe.status in (401, 403, 404)
        self._answer.see(now, (probe.status, probe.location.partition("?")[0]) if telling else None)
        if probe.status:
            self._stray.see(now, None)

    def observed(self, now: float, facts: Facts) -> None:
        self._facts = facts
        if self._restarts is None:
            self._restarts = facts.restarts
        self._running.see(now, facts.restarts if facts.running else None)
        port, answered = self._expected.port, bool(self._probe and self._probe.status)
        stray = strangers(facts.listeners, port) if port is not None and facts.running and not answered else ()
        self._stray.see(now, stray or None)

    def ended(self) -> Failure | None:
        facts = self._facts
        if facts is None:
            return None
        if facts.oom_killed:
            return _exit(exits.OUT_OF_MEMORY, f"killed: out of memory{_lasted(facts)}")
        if facts.restarts > (self._restarts or 0):
            return _crash_loop(facts)
        if facts.running:
            return None
        if facts.exit_code is not None:
            return _exit(exits.explain(facts.exit_code), f"exited with status {facts.exit_code}{_lasted(facts)}")
        return _not_started(facts) if facts.error else None

    def healthy(self) -> bool:
        if self._expected.port is not None:
            return self._in_row >= self._expected.retries
        if self._facts and self._facts.health:
            return self._facts.running and self._facts.health == "healthy"
        return self._running.seconds >= min(STEADY, self._expected.deadline / 2)  # seen from a first to a later look

    def early(self) -> Failure | None:
        port = self._expected.port
        if port is None:
            return None
        if self._probe and self._answer.seconds >= EARLY:
            return answers.failure(self._probe, self._expected.path, port, f" for {EARLY:.0f} s")
        if self._facts and self._stray.seconds >= EARLY:
            return answers.wrong_listener(strangers(self._facts.listeners, port), port, f" for {EARLY:.0f} s")
        return None

    def late(self) -> Failure | None:
        if self.healthy():
            return None
        after = f" after {took(self._expected.deadline)}"
        if self._expected.port is None:
            return _not_steady(self._facts, after)
        if self._probe is None:
            return _never_asked(after)
        if self._probe.good:
            return _flapping(self._expected)
        stray = strangers(self._facts.listeners, self._expected.port) if self._facts else ()
        if stray and not self._probe.status and self._probe.reached:
            return answers.wrong_listener(stray, self._expected.port, after)
        return answers.failure(self._probe, self._expected.path, self._expected.port, after)

    def now(self) -> str:
        if self.healthy():
            return "healthy"
        if self._expected.port is None:
            return self._facts.health if self._facts and self._facts.health else "running"
        if self._probe is None:
            return "not asked yet"
        if self._probe.good:
            return f"{self._in_row} of {self._expected.retries} good answers"
        return str(self._probe.status) if self._probe.status else self._probe.error


class _Lasting:
    """How long the same thing has been seen; None is nothing."""

    def __init__(self) -> None:
        self._what: object = None
        self._since = self._last = 0.0

    def see(self, now: float, what: object) -> None:
        if what != self._what or what is None:
            self._what, self._since = what, now
        self._last = now

    @property
    def seconds(self) -> float:
        return self._last - self._since if self._what is not None else 0.0


def _lasted(facts: Facts) -> str:
    return "" if facts.seconds is None else f" after {took(facts.seconds)}"


def _exit(why: exits.Exit, summary: str) -> Failure:
    return Failure(answers.STEP, why.side, summary, means=why.means, next=why.next)


def _crash_loop(facts: Facts) -> Failure:
    why = exits.explain(facts.exit_code) if facts.exit_code else None
    means = why.means if why else "it starts, ends, and is started again by Docker"
    then = why.next if why else "read the last lines of its log"
    status = f", last with status {facts.exit_code}" if facts.exit_code is not None else ""
    side = why.side if why else Side.APPLICATION
    return Failure(answers.STEP, side, f"it crashes again and again{status}", means=means, next=then)


def _not_started(facts: Facts) -> Failure:
    means = "Docker could not start its process, or lost it"
    then = "check `command`, `volumes` and the image; then the Docker engine's own log"
    return Failure(answers.STEP, Side.CONFIGURATION, f"not running: {facts.error}", means=means, next=then)


def _not_steady(facts: Facts | None, after: str) -> Failure:
    if facts and facts.running and facts.health:
        means = "the image's own HEALTHCHECK command does not succeed"
        then = "run that command in the container by hand; read the container's log"
        return Failure(
            answers.STEP, Side.APPLICATION, f"HEALTHCHECK says {facts.health}{after}", means=means, next=then
        )
    means = "its container was not seen running for long enough"
    return Failure(answers.STEP, Side.INFRASTRUCTURE, f"not running{after}", means=means, next="`cockpit doctor`")


def _never_asked(after: str) -> Failure:
    means = "no health check was made at all, so nothing is known about the release"
    return Failure(answers.STEP, Side.COCKPIT, f"never asked{after}", means=means, next="deploy again; see engine.log")


def _flapping(expected: Expected) -> Failure:
    summary = f"GET {expected.path} answers, but not {expected.retries} times in a row within {took(expected.deadline)}"
    means = "it is well at one moment and not at the next"
    then = "read its log; check memory, and what the health path depends on"
    return Failure(answers.STEP, Side.APPLICATION, summary, means=means, next=then)
