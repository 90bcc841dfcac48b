"""The words of the product as frozen data (DESIGN.md section 2). Imports nothing of ours.

These travel between engine and clients as they are: `cockpit.protocol` turns them into JSON and back by their
type hints, so a field here is a field on the wire. Times are seconds since the epoch, durations are seconds,
latencies are milliseconds. Text that came from outside (commits, logs, names) was cleaned on its way in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class PlacementKey:
    """A service in an environment."""

    service: str
    environment: str

    def __str__(self) -> str:
        return f"{self.service}/{self.environment}"


class Health(StrEnum):
    """What the operator reads first. Order of severity: `SEVERITY`."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAILING = "failing"
    STOPPED = "stopped"  # nothing live: never deployed, or its containers are gone
    UNKNOWN = "unknown"  # nothing heard for a while: Docker or the edge does not answer


SEVERITY: dict[Health, int] = {
    Health.FAILING: 0,
    Health.DEGRADED: 1,
    Health.UNKNOWN: 2,
    Health.STOPPED: 3,
    Health.HEALTHY: 4,
}


class Tier(StrEnum):
    """How far away a release is from traffic."""

    LIVE = "live"
    HOT = "hot"  # running out of traffic: rollback is instant
    STOPPED = "stopped"  # containers kept, stopped: rollback is fast
    RETAINED = "retained"  # image still on the host: rollback is fast
    GONE = "gone"  # must be pulled or rebuilt: rollback is slow
    FAILED = "failed"  # never took traffic
    STARTING = "starting"  # being deployed now


class Role(StrEnum):
    """What a client may ask for; each may do what those before it may."""

    VIEWER = "viewer"  # look: at everything but secrets
    DEPLOYER = "deployer"  # change a placement: deploy, roll back, cancel, exec
    ADMIN = "admin"  # every placement, and the engine and its edges themselves

    def covers(self, needed: Role) -> bool:
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(needed)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asked. `uid` and `login` come from the kernel; `claimed` is what the environment says, for the record."""

    name: str
    uid: int = -1
    login: str = ""
    claimed: str = ""


@dataclass(frozen=True, slots=True)
class Commit:
    sha: str  # full
    subject: str
    author: str
    at: float
    files: int = 0
    added: int = 0
    removed: int = 0
    merge: bool = False
    flags: tuple[str, ...] = ()  # "db", "lock", "docker", "config": sensitive paths touched
    image: bool | None = None  # its image is in the registry; None: images are built here, or it is not known yet

    @property
    def short(self) -> str:
        return self.sha[:7]


@dataclass(frozen=True, slots=True)
class Pending:
    """Commits on the branch that the live release does not contain, newest first, limited to the service's path.

    `commits` may be shorter than `count`. `note` says what is unusual: the branch no longer contains the live
    commit, history is shallow, the repository could not be reached (then `fetched_at` is old)."""

    key: PlacementKey
    commits: tuple[Commit, ...] = ()
    count: int = 0
    authors: int = 0
    added: int = 0
    removed: int = 0
    oldest_at: float | None = None
    head: str = ""
    branch: str = ""
    fetched_at: float | None = None
    note: str = ""
    settings_changed: bool = False  # the configuration differs from the live release's frozen one


@dataclass(frozen=True, slots=True)
class Release:
    key: PlacementKey
    number: int  # shown as r42
    commit: str
    subject: str
    author: str  # who wrote the newest commit in it
    by: str  # who deployed it
    created_at: float
    image: str
    tier: Tier
    commits: int = 1  # how many commits it shipped
    good: bool = False
    baking_until: float | None = None
    live_since: float | None = None
    served_seconds: float = 0.0
    hot_until: float | None = None
    took_traffic: bool = False
    rolled_back: bool = False
    note: str = ""

    @property
    def name(self) -> str:
        return f"r{self.number}"


class OperationKind(StrEnum):
    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    RESTART = "restart"  # the same release in other containers


class OperationState(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # the old release serves
    CANCELLED = "cancelled"
    RECOVERING = "recovering"  # the engine died in it, and the next one is bringing it to its end
    INTERRUPTED = "interrupted"  # the engine died in it; recovered
    STUCK = "stuck"  # recovery gave up: needs a person

    @property
    def ended(self) -> bool:
        return self not in (OperationState.RUNNING, OperationState.RECOVERING)


class StepState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    state: StepState = StepState.PENDING
    started_at: float | None = None
    ended_at: float | None = None
    detail: str = ""  # one line: what it did or does
    usual_seconds: float | None = None  # median of the last good ones
    done: int | None = None  # progress, when the total is known
    total: int | None = None
    log_offset: int | None = None  # first line of this step in the operation's log

    @property
    def seconds(self) -> float | None:
        if self.started_at is None or self.ended_at is None:
            return None
        return max(0.0, self.ended_at - self.started_at)


class Side(StrEnum):
    """Whose problem a failure is."""

    APPLICATION = "application"
    CONFIGURATION = "configuration"
    BUILD = "build"
    SOURCE = "source"
    INFRASTRUCTURE = "infrastructure"
    OPERATOR = "operator"
    COCKPIT = "cockpit"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step failed, for someone who has never seen the host."""

    step: str
    side: Side
    summary: str  # "exited with status 1 after 0.4 s"
    line: str = ""  # the telling line of its log, cleaned
    means: str = ""
    next: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    id: int
    kind: OperationKind
    key: PlacementKey
    actor: Actor
    state: OperationState
    started_at: float
    ended_at: float | None = None
    from_release: int | None = None
    to_release: int | None = None
    commit: str = ""
    subject: str = ""
    reason: str = ""
    steps: tuple[Step, ...] = ()
    failure: Failure | None = None
    switched_at: float | None = None  # customers are on the new release since
    summary: str = ""  # one line, once ended: what customers have now
    overrides: tuple[str, ...] = ()  # what it went through: "lock by ana: the ledger is being moved"

    def step(self, name: str) -> Step | None:
        return next((step for step in self.steps if step.name == name), None)

    @property
    def current(self) -> Step | None:
        return next((step for step in self.steps if step.state is StepState.RUNNING), None)


@dataclass(frozen=True, slots=True)
class Replica:
    """One container of a release, as last seen. `status` is the last probe's HTTP status, 0 when nothing answered."""

    container: str
    release: int
    index: int  # 1-based
    address: str  # "10.231.0.17:8000"; "" for a process without a port
    running: bool
    status: int = 0
    latency_ms: float | None = None
    probed_at: float | None = None
    error: str = ""  # "connection refused", "timed out after 5 s", "exited 1", …
    failed_in_row: int = 0
    started_at: float | None = None
    restarts: int = 0
    process: str = "web"


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One process of the live release."""

    name: str
    wanted: int  # replicas
    running: int
    routed: bool  # customers reach it
    why: str = ""  # "exited 1 three times"; "" when all of it runs


@dataclass(frozen=True, slots=True)
class Traffic:
    """Customers' requests counted at the edge over the last minute."""

    per_second: float = 0.0
    errors_percent: float = 0.0  # 5xx
    p95_ms: float | None = None
    requests: int = 0


@dataclass(frozen=True, slots=True)
class Trend:
    """One value a bin, oldest first, newest last; None where nothing was measured. For sparklines."""

    seconds: int  # length of a bin
    p95_ms: tuple[float | None, ...] = ()
    per_second: tuple[float | None, ...] = ()
    errors_percent: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of a placement's health, kept for a week. Latencies in ms, None when nothing was measured."""

    key: PlacementKey
    at: float  # start of the minute
    probes: int = 0
    failed: int = 0
    probe_p95_ms: float | None = None
    requests: int = 0
    errors: int = 0  # 5xx
    p95_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    by: str
    at: float
    reason: str
    bad_commits: tuple[str, ...] = ()  # not offered until the hold is released


@dataclass(frozen=True, slots=True)
class Lock:
    """Nothing is deployed or restarted until then, by whoever and for whatever reason set it; rollbacks go on."""

    by: str
    at: float
    reason: str
    until: float


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another engine that changes the placement now, by the lock that it has on the Docker host."""

    by: str
    bastion: str
    kind: str  # "deploy", "rollback", "restart", "recovery"
    since: float
    lock: str  # what has to be typed to take the placement over from it


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One thing that somebody did or tried to do, or that the engine did by itself; chained to the row before.

    `action` is one of docs/audit.md's words (“deploy”, “lock”, “exec” …), and so is `outcome` (“began”, “succeeded”,
    “refused” …)."""

    id: int  # 1, 2, 3 …: none is left out
    at: float
    actor: Actor
    action: str
    outcome: str
    key: PlacementKey | None = None
    operation: int | None = None
    text: str = ""  # what, in words
    reason: str = ""
    seconds: float | None = None  # how long it took
    overrides: tuple[str, ...] = ()  # as Operation.overrides
    cli: str = ""  # the line that does the same
    previous: str = ""  # hash of the row before
    hash: str = ""  # SHA-256, in hexadecimal digits


@dataclass(frozen=True, slots=True)
class Placement:
    """Everything the Services list and the Health tab show of one placement."""

    key: PlacementKey
    health: Health
    protected: bool
    since: float | None = None  # in this health since
    why: str = ""  # "503 on both replicas", "no live release"
    live: Release | None = None
    last_good: int | None = None  # where B goes
    pending_count: int = 0
    pending_note: str = ""
    oldest_pending_at: float | None = None
    replicas: tuple[Replica, ...] = ()
    traffic: Traffic = field(default_factory=Traffic)
    trend: Trend = field(default_factory=lambda: Trend(60))
    operation: int | None = None  # running now
    hold: Hold | None = None
    hosts: tuple[str, ...] = ()  # public names it answers to
    url: str = ""  # where customers reach it, as far as known
    seen_at: float | None = None  # when this was last true
    processes: tuple[ProcessState, ...] = ()  # the live release's, in the order of the configuration
    host: str = "local"  # the Docker host that it runs on
    configured: bool = True  # False: not in the configuration any more; it goes on running
    auto: str = ""  # "on", or why no commit is deployed by itself now; "" where a person deploys
    lock: Lock | None = None  # this one's own; `EngineStatus.freeze` is everybody's
    elsewhere: Elsewhere | None = None  # None: no other engine is at it


@dataclass(frozen=True, slots=True)
class HostStatus:
    """One Docker host and the edge on it: "ok", or why it does not answer."""

    name: str  # as the configuration has it: "local", "ssh://deploy@shop-1"
    docker: str
    docker_ok: bool
    docker_seen_at: float | None
    edge: str
    edge_ok: bool
    note: str = ""  # what wants doing there: the edge is outdated, its network is missing


@dataclass(frozen=True, slots=True)
class OtherContainer:
    """A container of a host that is not the cockpit's: looked at, never touched."""

    host: str
    id: str
    name: str
    image: str
    state: str  # Docker's word: "running", "exited", …
    status: str  # "Up 3 hours (healthy)"
    project: str = ""  # of Compose
    service: str = ""
    ports: tuple[str, ...] = ()  # "0.0.0.0:80→80/tcp"


@dataclass(frozen=True, slots=True)
class EngineStatus:
    version: str
    pid: int
    started_at: float
    docker: str  # "ok", or why it does not answer
    docker_ok: bool
    docker_seen_at: float | None
    edge: str
    edge_ok: bool
    config_path: str
    state_path: str
    connected: tuple[str, ...] = ()  # who else looks
    log_note: str = ""  # "" or why the release log is read-only
    hosts: tuple[HostStatus, ...] = ()  # `docker` and `edge` above are the worst of them
    config_note: str = ""  # why the file, as it is now, is not what is used: "config.yaml:12:5 …"
    group: str = ""  # the Unix group that shares a system engine; "": it is one user's own
    weaker: tuple[str, ...] = ()  # what it does not promise for that
    freeze: Lock | None = None  # everything is locked


@dataclass(frozen=True, slots=True)
class LogLine:
    """One cleaned line. `text` may carry SGR colour and nothing else."""

    number: int  # 0-based in its log
    at: float
    text: str
    source: str = ""  # step name, build step, or replica
    stream: str = "out"  # "out", "err", or "cockpit" for our own lines
    cached: bool = False
