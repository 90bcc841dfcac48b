"""The whole contract between engine and clients: requests, results and events.

Newline-delimited JSON-RPC 2.0 over a Unix socket (docs/protocol.md). A request names a `Call`; its params and its
result are the dataclasses beside it, in their `json_form.py`. The engine sends two notifications: `event` (an `Event`)
and `log` (a `LogChunk`). Events carry whole entities, so that applying one twice, or missing one, does no harm.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from cockpit.model import (
    Actor,
    AuditRow,
    Commit,
    EngineStatus,
    Hold,
    Lock,
    LogLine,
    Operation,
    OtherContainer,
    Pending,
    Placement,
    PlacementKey,
    Release,
    Role,
    Tier,
)

PROTOCOL = 1  # status, rollback and cancel must work across one version
MAX_MESSAGE = 8 * 1024 * 1024  # bytes in one line of the wire
MAX_TAIL = 20_000  # lines of a log's history in one answer; more are cut to the newest
LOCK_SECONDS = 4 * 3600.0  # how long a lock or freeze holds when nobody says
MAX_LOCK_SECONDS = 14 * 86400.0
MAX_AUDIT = 1000  # rows of the audit in one answer

P = TypeVar("P")
R = TypeVar("R")


# ---------------------------------------------------------------- a connection


@dataclass(frozen=True, slots=True)
class Nothing:
    pass


@dataclass(frozen=True, slots=True)
class Done:
    note: str = ""


@dataclass(frozen=True, slots=True)
class Hello:
    version: str
    protocol: int
    client: str  # "tui" or "cli"
    claimed: str = ""  # SUDO_USER, SSH_CONNECTION: stored as claimed
    read_only: bool = False  # this connection is a viewer's, whoever it is


@dataclass(frozen=True, slots=True)
class Welcome:
    version: str
    protocol: int
    pid: int
    actor: Actor
    idle: bool  # no operation runs: a newer client may replace this engine
    role: Role = Role.ADMIN  # the most that this connection may anywhere
    only: tuple[PlacementKey, ...] | None = None  # a deployer's placements; None: all of them


@dataclass(frozen=True, slots=True)
class Event:
    """Whichever is set replaces what the client knew."""

    engine: EngineStatus | None = None
    placement: Placement | None = None
    operation: Operation | None = None
    pending: Pending | None = None
    releases: Releases | None = None
    removed: PlacementKey | None = None  # no longer in the configuration


# ---------------------------------------------------------------- what is seen


@dataclass(frozen=True, slots=True)
class Snapshot:
    engine: EngineStatus
    placements: tuple[Placement, ...]
    operations: tuple[Operation, ...]  # running ones, and the newest of each placement


@dataclass(frozen=True, slots=True)
class For:
    """A request about one placement."""

    key: PlacementKey
    limit: int = 200


@dataclass(frozen=True, slots=True)
class Releases:
    key: PlacementKey
    releases: tuple[Release, ...]  # newest first


@dataclass(frozen=True, slots=True)
class CommitRequest:
    key: PlacementKey
    commit: str = ""  # a full sha or an unambiguous prefix; "" is the head of the branch


@dataclass(frozen=True, slots=True)
class RangeRequest:
    """The diff between two commits, as `v` shows it in a sheet or on a release."""

    key: PlacementKey
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Diff:
    commit: Commit
    text: str  # cleaned unified diff, cut at 400 kB
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Others:
    containers: tuple[OtherContainer, ...]  # by host, project and name
    unreachable: tuple[str, ...] = ()  # hosts that did not answer


# ---------------------------------------------------------------- before an operation


class CheckState(StrEnum):
    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"  # never shown as green


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    state: CheckState
    evidence: str = ""
    next: str = ""


@dataclass(frozen=True, slots=True)
class Checks:
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class PlannedStep:
    name: str
    usual_seconds: float | None = None
    skipped: str = ""  # why it will do nothing


@dataclass(frozen=True, slots=True)
class DeploySheet:
    """What a deploy would do, before anything is touched."""

    key: PlacementKey
    live: Release | None
    number: int  # the release this would become
    commit: Commit | None  # deployed up to here; None with `refused`
    commits: tuple[Commit, ...] = ()  # shipped by it, newest first (at most 200)
    count: int = 0
    checks: tuple[Check, ...] = ()
    steps: tuple[PlannedStep, ...] = ()
    protected: bool = False
    warnings: tuple[str, ...] = ()
    refused: str = ""  # why it cannot be done now
    hold: Hold | None = None
    image_exists: bool = False
    lock: Lock | None = None
    freeze: Lock | None = None


@dataclass(frozen=True, slots=True)
class RollbackOption:
    release: Release
    tier: Tier
    seconds: float | None  # median of the last such rollbacks; None: none yet
    note: str = ""  # "served 2 d, rolled back from"
    answers: bool | None = None  # hot: does it answer now


@dataclass(frozen=True, slots=True)
class RollbackSheet:
    key: PlacementKey
    live: Release | None
    options: tuple[RollbackOption, ...] = ()  # newest first
    selected: int | None = None  # index into options; None: nothing preselected
    undoes: tuple[tuple[Commit, ...], ...] = ()  # per option: the commits it takes away
    armed: bool = True  # False: the service's name must be typed
    unarmed_because: str = ""
    warnings: tuple[str, ...] = ()
    refused: str = ""


# ---------------------------------------------------------------- operations


@dataclass(frozen=True, slots=True)
class DeployRequest:
    key: PlacementKey
    commit: str = ""  # "" is the head of the branch
    seen_live: int | None = None  # what the sheet showed (`from: r42`); the engine compares
    reason: str = ""
    force: bool = False  # deploy although nothing is pending


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    key: PlacementKey
    to: int | None = None  # None: last good
    seen_live: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RestartRequest:
    key: PlacementKey
    seen_live: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OperationRequest:
    id: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OperationsRequest:
    key: PlacementKey | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Operations:
    operations: tuple[Operation, ...]  # newest first


@dataclass(frozen=True, slots=True)
class TakeoverRequest:
    """From another bastion's engine that is at this placement and lives."""

    key: PlacementKey
    lock: str  # the id of its lock, typed
    reason: str


@dataclass(frozen=True, slots=True)
class UnholdRequest:
    key: PlacementKey
    reason: str


# ---------------------------------------------------------------- locks


@dataclass(frozen=True, slots=True)
class LockRequest:
    key: PlacementKey
    reason: str
    seconds: float = LOCK_SECONDS  # from now; at most MAX_LOCK_SECONDS


@dataclass(frozen=True, slots=True)
class UnlockRequest:
    key: PlacementKey
    reason: str


@dataclass(frozen=True, slots=True)
class FreezeRequest:
    reason: str
    seconds: float = LOCK_SECONDS


@dataclass(frozen=True, slots=True)
class UnfreezeRequest:
    reason: str


# ---------------------------------------------------------------- inside a service


@dataclass(frozen=True, slots=True)
class OpenRequest:
    key: PlacementKey
    release: int | None = None  # None: the newest that runs, live or not


@dataclass(frozen=True, slots=True)
class ProbeAddress:
    """Where one release answers before, or beside, what customers see."""

    release: Release
    url: str  # "http://10.231.0.6:8000/", from the Docker host itself
    host: str  # the name to ask for, "" for any
    commands: tuple[str, ...]  # lines to copy: curl on this machine, a tunnel from a laptop
    public: str = ""  # where the edge serves the live release: "http://127.0.0.1:8100"
    note: str = ""  # "customers are not on it", …


@dataclass(frozen=True, slots=True)
class ExecRequest:
    key: PlacementKey
    command: tuple[str, ...] = ()  # () is a shell
    process: str = ""  # "" is the main one
    one_off: bool = False  # a new container of the live release, instead of one that serves
    tty: bool = True


@dataclass(frozen=True, slots=True)
class ExecTicket:
    """What the client runs on its own terminal; afterwards it says how it ended."""

    id: int
    argv: tuple[str, ...]
    environment: dict[str, str]  # to set for it: DOCKER_HOST
    container: str
    release: int


@dataclass(frozen=True, slots=True)
class ExecEnded:
    id: int
    status: int


# ---------------------------------------------------------------- the edge


@dataclass(frozen=True, slots=True)
class EdgeUpgradeRequest:
    host: str = ""  # "" is the only one
    confirmed: bool = False  # False: say what it would do, and do nothing


@dataclass(frozen=True, slots=True)
class EdgeUpgrade:
    host: str
    outdated: str  # what differs from what the configuration says; "" when nothing does
    gap: str  # what customers notice: "none", "new connections wait up to 2 s", …
    done: bool = False


# ---------------------------------------------------------------- logs


class LogKind(StrEnum):
    OPERATION = "operation"
    SERVICE = "service"
    CONTAINER = "container"  # one that is not the cockpit's


@dataclass(frozen=True, slots=True)
class LogRequest:
    """The newest `tail` lines, at most `MAX_TAIL`, come at once; with `follow` the rest comes until `logs.close`."""

    kind: LogKind
    key: PlacementKey | None = None  # service logs: all replicas of the live release, or of `release`
    operation: int | None = None
    step: str = ""  # operation logs: only this step's lines ("build")
    release: int | None = None
    tail: int = 2000
    follow: bool = True
    process: str = ""  # service logs: only this process
    host: str = ""  # container logs: where `container` is
    container: str = ""


@dataclass(frozen=True, slots=True)
class LogOpened:
    subscription: int
    path: str = ""  # the file behind it, when there is one


@dataclass(frozen=True, slots=True)
class LogChunk:
    subscription: int
    lines: tuple[LogLine, ...]
    dropped: int = 0  # lines left out just before these
    ended: bool = False  # nothing will follow
    note: str = ""  # why it ended, when that is not plain


@dataclass(frozen=True, slots=True)
class Subscription:
    subscription: int


# ---------------------------------------------------------------- the audit


@dataclass(frozen=True, slots=True)
class AuditRequest:
    key: PlacementKey | None = None
    limit: int = 100  # at most MAX_AUDIT
    before: int | None = None  # only rows older than this id, for the next page


@dataclass(frozen=True, slots=True)
class Audit:
    rows: tuple[AuditRow, ...]  # newest first


@dataclass(frozen=True, slots=True)
class AuditVerifyRequest:
    head: str = ""  # a head that went to syslog, "17:HASH" or only its hash: must be in the chain, or the tail was cut


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    rows: int  # looked at
    head: str  # "17:HASH", of the last good row; "" for none
    bad: int | None = None  # the first row that is not as it was written; None: the chain is whole
    why: str = ""


# ---------------------------------------------------------------- the table


@dataclass(frozen=True, slots=True)
class Call(Generic[P, R]):
    name: str
    params: type[P]
    result: type[R]
    needs: Role = Role.ADMIN  # of the placement that it is about: a call that does not say is nobody else's


HELLO = Call("hello", Hello, Welcome, Role.VIEWER)
SUBSCRIBE = Call("subscribe", Nothing, Snapshot, Role.VIEWER)  # events follow
STATUS = Call("status", Nothing, Snapshot, Role.VIEWER)
PENDING = Call("pending", For, Pending, Role.VIEWER)
RELEASES = Call("releases", For, Releases, Role.VIEWER)
DIFF = Call("diff", CommitRequest, Diff, Role.VIEWER)
RANGE = Call("range", RangeRequest, Diff, Role.VIEWER)
DEPLOY_SHEET = Call("deploy.sheet", CommitRequest, DeploySheet, Role.VIEWER)
ROLLBACK_SHEET = Call("rollback.sheet", For, RollbackSheet, Role.VIEWER)
DEPLOY = Call("deploy", DeployRequest, Operation, Role.DEPLOYER)
ROLLBACK = Call("rollback", RollbackRequest, Operation, Role.DEPLOYER)
RESTART = Call("restart", RestartRequest, Operation, Role.DEPLOYER)
OPEN = Call("open", OpenRequest, ProbeAddress, Role.VIEWER)
EXEC = Call("exec", ExecRequest, ExecTicket, Role.DEPLOYER)
EXEC_ENDED = Call("exec.ended", ExecEnded, Done, Role.DEPLOYER)
OTHERS = Call("others", Nothing, Others, Role.VIEWER)
EDGE_UPGRADE = Call("edge.upgrade", EdgeUpgradeRequest, EdgeUpgrade, Role.ADMIN)
CANCEL = Call("cancel", OperationRequest, Done, Role.DEPLOYER)
OPERATION = Call("operation", OperationRequest, Operation, Role.VIEWER)
OPERATIONS = Call("operations", OperationsRequest, Operations, Role.VIEWER)
UNHOLD = Call("unhold", UnholdRequest, Done, Role.DEPLOYER)
LOCK = Call("lock", LockRequest, Done, Role.DEPLOYER)
UNLOCK = Call("unlock", UnlockRequest, Done, Role.DEPLOYER)
FREEZE = Call("freeze", FreezeRequest, Done, Role.ADMIN)
UNFREEZE = Call("unfreeze", UnfreezeRequest, Done, Role.ADMIN)
AUDIT = Call("audit", AuditRequest, Audit, Role.VIEWER)
AUDIT_VERIFY = Call("audit.verify", AuditVerifyRequest, AuditVerdict, Role.VIEWER)
RECOVER = Call("recover", OperationRequest, Operation, Role.DEPLOYER)  # of a stuck one, once more
TAKEOVER = Call("takeover", TakeoverRequest, Done, Role.DEPLOYER)
REFRESH = Call("refresh", For, Done, Role.VIEWER)
LOGS_OPEN = Call("logs.open", LogRequest, LogOpened, Role.VIEWER)
LOGS_CLOSE = Call("logs.close", Subscription, Done, Role.VIEWER)
DOCTOR = Call("doctor", Nothing, Checks, Role.VIEWER)
STOP_ENGINE = Call("engine.stop", Nothing, Done, Role.ADMIN)  # refused while an operation runs

CALLS: dict[str, Call[Any, Any]] = {call.name: call for call in list(globals().values()) if isinstance(call, Call)}
ACROSS_ONE_VERSION = frozenset({"hello", "status", "subscribe", "rollback", "cancel", "rollback.sheet"})


@dataclass(frozen=True, slots=True)
class WireError:
    """The `error` member of a response; `code` is that of the error class in `cockpit.errors`."""

    code: str
    message: str
    hint: str = ""
    details: dict[str, str] = field(default_factory=dict)


# ---------------------------------------------------------------- what a client sees


@dataclass(frozen=True, slots=True)
class Connected:
    """The engine answers. `restarted`: it had been gone, and a new one runs now."""

    welcome: Welcome
    snapshot: Snapshot
    restarted: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """The engine went away; the client is starting it again. Values on screen stay, dimmed, with their age."""

    reason: str


Change: TypeAlias = Connected | Lost | Event | LogChunk


class Link(Protocol):
    """All that the TUI needs of an engine: the socket client and the in-process one both are this."""

    async def call(self, call: Call[P, R], params: P) -> R:
        """Raises the CockpitError that the engine raised, or EngineUnreachable."""

    def changes(self) -> AsyncIterator[Change]:
        """Starts with Connected (or Lost), goes on until closed, reconnects by itself. Lost ends log subscriptions."""

    async def close(self) -> None: ...
