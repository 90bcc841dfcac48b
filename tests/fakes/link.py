"""A scripted in-memory engine: the example of SCREENS.md, a fixed clock, and every request remembered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, TypeVar

from cockpit.errors import CockpitError, EngineUnreachable
from cockpit.model import (
    Actor,
    Commit,
    Elsewhere,
    EngineStatus,
    Failure,
    Health,
    Hold,
    HostStatus,
    Lock,
    LogLine,
    Operation,
    OperationKind,
    OperationState,
    OtherContainer,
    Pending,
    Placement,
    PlacementKey,
    ProcessState,
    Release,
    Replica,
    Side,
    Step,
    StepState,
    Tier,
    Traffic,
    Trend,
)
from cockpit.protocol import (
    Call,
    Change,
    Check,
    Checks,
    CheckState,
    CommitRequest,
    Connected,
    DeploySheet,
    Diff,
    Done,
    ExecTicket,
    For,
    LogChunk,
    LogOpened,
    Lost,
    Operations,
    Others,
    PlannedStep,
    ProbeAddress,
    RangeRequest,
    Releases,
    RollbackOption,
    RollbackSheet,
    Snapshot,
    Welcome,
)

P = TypeVar("P")
R = TypeVar("R")
NOW = 1_770_818_580.0  # 14:03 UTC
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
TREND = Trend(
    60,
    p95_ms=(20.0, 21.0, 28.0, 22.0, 21.0, 48.0),
    per_second=(80.0, 80.0, 82.0, 80.0, 110.0, 118.0),
    errors_percent=(0.0, 0.0, 0.0, 0.0, 0.0, 61.0),
)


class FixedClock:
    def __init__(self, at: float = NOW) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def key(service: str, environment: str = "production") -> PlacementKey:
    return PlacementKey(service, environment)


CHECKOUT, WEB, LEDGER = key("checkout"), key("web"), key("ledger")


def sha(short: str) -> str:
    return (short * 6)[:40]


def commit(short: str, subject: str, author: str, hours: float, added: int, removed: int, *flags: str) -> Commit:
    return Commit(sha(short), subject, author, NOW - hours * HOUR, 2, added, removed, flags=flags)


PENDING_COMMITS = (
    commit("9e01c2d", "fix: VAT for gifts", "mia", 2, 12, 3),
    commit("41bb7e0", "add index on orders", "ola", 5, 40, 0, "db"),
    commit("c7720ff", "bump fastapi 0.130", "bot", 24, 9, 9, "lock"),
)


def release(of: PlacementKey, number: int, short: str, tier: Tier, ago: float, by: str, **more: Any) -> Release:
    made = Release(
        of, number, sha(short) if short else "", "a change", by, by, NOW - ago, f"shop/{of.service}:{short}", tier
    )
    more.setdefault("live_since", NOW - ago)
    return replace(made, **more)


CHECKOUT_RELEASES = (
    release(CHECKOUT, 42, "9f3c1ab", Tier.LIVE, 12 * MINUTE, "tom", commits=4),
    release(CHECKOUT, 41, "77d01be", Tier.HOT, 2 * DAY, "ana", good=True, hot_until=NOW + 18 * MINUTE),
    release(CHECKOUT, 40, "2b90c1e", Tier.RETAINED, 4 * DAY, "ana", commits=2, good=True),
    release(CHECKOUT, 39, "", Tier.FAILED, 4 * DAY, "mia", live_since=None),
)


def replica(of: int, index: int, status: int = 200, error: str = "", bad: int = 0) -> Replica:
    address = f"10.231.0.{16 + index}:8000"
    return Replica(
        f"cockpit-r{of}-{index}", of, index, address, True, status, 4.0, NOW - 1, error, bad, NOW - 12 * MINUTE
    )


def placement(
    of: PlacementKey,
    number: int,
    short: str,
    ago: float,
    *,
    health: Health = Health.HEALTHY,
    p95: float | None = 21.0,
    pending: int = 0,
    **more: Any,
) -> Placement:
    made = Placement(
        key=of,
        health=health,
        protected=of.environment == "production",
        since=NOW - 2 * MINUTE if health is not Health.HEALTHY else NOW - ago,
        live=release(of, number, short, Tier.LIVE, ago, "tom"),
        last_good=number - 1,
        pending_count=pending,
        oldest_pending_at=NOW - 5 * HOUR if pending else None,
        replicas=(replica(number, 1),),
        traffic=Traffic(12.0, 0.0, p95, 720),
        trend=Trend(60, p95_ms=(20.0, 21.0, 28.0, 22.0, 21.0, p95)),
        seen_at=NOW - 1,
        hosts=(f"{of.service}.example.test",),
    )
    return replace(made, **more)


def failing_checkout() -> Placement:
    return placement(
        CHECKOUT,
        42,
        "9f3c1ab",
        12 * MINUTE,
        health=Health.FAILING,
        p95=48.0,
        pending=3,
        why="61 % of 7 080 requests answered 5xx in the last minute",
        replicas=(replica(42, 1, 503, "answered 503", 5), replica(42, 2, 503, "answered 503", 5)),
        traffic=Traffic(118.0, 61.0, 48.0, 7080),
        trend=TREND,
    )


LEDGER_DEPLOY = Operation(
    id=7,
    kind=OperationKind.DEPLOY,
    key=LEDGER,
    actor=Actor("tom"),
    state=OperationState.RUNNING,
    started_at=NOW - 48,
    from_release=30,
    to_release=31,
    commit=sha("c7720ff"),
    subject="bump fastapi 0.130",
    steps=(
        Step("preflight", StepState.DONE, NOW - 48, NOW - 46.9),
        Step("fetch", StepState.DONE, NOW - 46.9, NOW - 46.5, "c7720ff, 3 commits"),
        Step("build", StepState.DONE, NOW - 46.5, NOW - 8.3, "11 steps, 8 cached", 40.0),
        Step("push", StepState.RUNNING, NOW - 4, None, "22 of 36 MB", 6.0, 22, 36),
        Step("start"),
        Step("verify"),
        Step("switch"),
        Step("bake"),
    ),
)
FAILED_DEPLOY = Operation(
    id=6,
    kind=OperationKind.DEPLOY,
    key=WEB,
    actor=Actor("mia"),
    state=OperationState.FAILED,
    started_at=NOW - 90,
    ended_at=NOW - 84,
    from_release=88,
    to_release=89,
    commit=sha("aaa1111"),
    subject="use httpx2",
    steps=(Step("start", StepState.DONE, NOW - 90, NOW - 89), Step("verify", StepState.FAILED, NOW - 89, NOW - 84)),
    failure=Failure(
        "verify",
        Side.APPLICATION,
        "exited with status 1 after 0.4 s",
        "ModuleNotFoundError: No module named 'httpx2'",
        "the image lacks a package that the code imports",
        "add it to the lock file; deploying again without a change will fail the same way",
    ),
    summary="customers were never on it · r88 serves",
)
ENGINE = EngineStatus(
    "0.1.0", 4711, NOW - DAY, "ok", True, NOW - 1, "ok", True, "/etc/c.yaml", "/var/lib/c", ("ana", "tom")
)


def world() -> Snapshot:
    staging = [
        replace(placement(key(name, "staging"), 90, "1c9d022", HOUR), protected=False) for name in ("checkout", "web")
    ]
    return Snapshot(
        ENGINE,
        (
            placement(WEB, 88, "1c9d022", 3 * HOUR),
            failing_checkout(),
            placement(key("search"), 17, "77ab310", 2 * DAY, p95=95.0, pending=11),
            placement(key("emails"), 5, "e01f9aa", 9 * DAY, p95=None),
            placement(LEDGER, 30, "5d2e88c", HOUR, p95=33.0, pending=1, operation=7),
            *staging,
        ),
        (LEDGER_DEPLOY, FAILED_DEPLOY),
    )


SHOP, OLD = key("shop"), key("reports")
SHOP_1, SHOP_2 = "ssh://deploy@shop-1", "ssh://deploy@shop-2"
WORKER_DOWN = ProcessState("worker", 1, 0, False, "exited 1 three times")
PROCESSES = (ProcessState("web", 2, 2, True), WORKER_DOWN, ProcessState("clock", 1, 1, False))


def shop(**more: Any) -> Placement:
    """A service of three processes; one of them does not run."""
    worker = Replica("cockpit-x-shop-production-r12-worker-1", 12, 1, "", False, error="exited 1", process="worker")
    clock = Replica("cockpit-x-shop-production-r12-clock-1", 12, 1, "", True, started_at=NOW - HOUR, process="clock")
    replicas = (replica(12, 1), replica(12, 2), worker, clock, replica(11, 1))
    more.setdefault("processes", PROCESSES)
    return placement(SHOP, 12, "5e1f00d", HOUR, replicas=replicas, host=SHOP_2, **more)


def adopted() -> Snapshot:
    """A world with processes, two hosts, a service that left the configuration, and automatic deploys."""
    hosts = (
        HostStatus(
            SHOP_1, "ok", True, NOW - 1, "ok", True, "the edge is older than this cockpit: cockpit edge upgrade"
        ),
        HostStatus(SHOP_2, "ok", True, NOW - 1, "ok", True),
        HostStatus("local", "connection refused", False, NOW - 12, "unknown", False),
    )
    note = "config.yaml:12:5 unknown key 'servces', did you mean 'services'?"
    engine = replace(ENGINE, hosts=hosts, config_note=note, docker="connection refused", docker_ok=False)
    gone = placement(OLD, 3, "aa11bb2", 9 * DAY, configured=False)
    rows = (placement(WEB, 88, "1c9d022", 3 * HOUR, auto="on"), shop(), gone, *world().placements[2:])
    return Snapshot(engine, rows, (LEDGER_DEPLOY,))


def other(name: str, state: str = "running", status: str = "Up 3 hours", **more: Any) -> OtherContainer:
    made = OtherContainer(SHOP_1, f"id-{name}", name, f"{name}:16", state, status, "shop")
    return replace(made, **more)


OTHERS = Others(
    (
        other("shop-db-1", image="postgres:16", status="Up 3 hours (healthy)"),
        other("shop-nginx-1", image="nginx:1.27", ports=("0.0.0.0:80→80/tcp", "0.0.0.0:443→443/tcp")),
        other("shop-migrate-1", "exited", "Exited (1) 2 hours ago"),
        other("registry", project="", image="registry:2", status="Up 9 days"),
    ),
    (SHOP_2,),
)


def address(of: PlacementKey, number: int | None) -> ProbeAddress:
    found = next(each for each in CHECKOUT_RELEASES if each.number == (number or 42))
    url = "http://10.231.0.6:8000/"
    commands = (f"curl -H 'Host: shop.example.test' {url}", "ssh -L 8000:10.231.0.6:8000 deploy@shop-1")
    return ProbeAddress(found, url, "shop.example.test", commands, "http://127.0.0.1:8100", "customers are not on it")


def pending_of(of: PlacementKey) -> Pending:
    commits = PENDING_COMMITS if of == CHECKOUT else ()
    return Pending(of, commits, len(commits), 3 if commits else 0, 61, 12, head=sha("9e01c2d"), branch="main")


CI_COMMITS = tuple(replace(each, image=there) for each, there in zip(PENDING_COMMITS, (False, True, True), strict=True))
CI_STEPS = ("preflight", "fetch", "pull", "migrate", "start", "verify", "switch", "confirm", "processes", "settle")
FIRST_RELEASE = (
    "r1 is the first release: there is no earlier one to go back to. The former way is the way back: put the line in "
    "nginx back as it was; its container is still there."
)


def ci_pending(of: PlacementKey) -> Pending:
    return replace(pending_of(CHECKOUT), key=of, commits=CI_COMMITS)


def ci_sheet(of: PlacementKey, **more: Any) -> DeploySheet:
    """Of a deploy whose image CI has not pushed yet."""
    steps = tuple(PlannedStep(each, 4.0 if each == "verify" else None) for each in CI_STEPS)
    return deploy_sheet(of, commit=CI_COMMITS[0], commits=CI_COMMITS, steps=steps, **more)


WAITING_DEPLOY = Operation(
    id=8,
    kind=OperationKind.DEPLOY,
    key=SHOP,
    actor=Actor("tom"),
    state=OperationState.RUNNING,
    started_at=NOW - 48,
    from_release=12,
    to_release=13,
    commit=CI_COMMITS[0].sha,
    subject=CI_COMMITS[0].subject,
    steps=(
        Step("preflight", StepState.DONE, NOW - 48, NOW - 47),
        Step("fetch", StepState.DONE, NOW - 47, NOW - 46.5, "9e01c2d, 3 commits"),
        Step("pull", StepState.RUNNING, NOW - 46.5, None, "registry/shop:9e01c2d is not there yet; gives up at 14:13"),
        *(Step(each) for each in CI_STEPS[3:]),
    ),
)


def deploy_sheet(of: PlacementKey, chosen: str = "", **more: Any) -> DeploySheet:
    shas = [each.sha for each in PENDING_COMMITS]
    shipped = PENDING_COMMITS[shas.index(chosen) if chosen in shas else 0 :]
    made = DeploySheet(
        of,
        CHECKOUT_RELEASES[0],
        43,
        shipped[0],
        shipped,
        len(shipped),
        checks=(
            *(Check(name, CheckState.PASS) for name in ("docker", "build", "registry", "health check", "environment")),
            Check("migration", CheckState.WARN, "41bb7e0 adds an index without CONCURRENTLY: writes wait for it"),
        ),
        steps=tuple(
            PlannedStep(*each) for each in (("fetch", None), ("build", 40.0), ("verify", 4.0), ("switch", None))
        ),
        protected=of.environment == "production",
    )
    return replace(made, **more)


def rollback_sheet(of: PlacementKey, **more: Any) -> RollbackSheet:
    options = (
        RollbackOption(CHECKOUT_RELEASES[1], Tier.HOT, 0.1, "served 2 d", True),
        RollbackOption(CHECKOUT_RELEASES[2], Tier.RETAINED, 3.0, "served 2 d, healthy", None),
    )
    made = RollbackSheet(of, CHECKOUT_RELEASES[0], options, 0, (PENDING_COMMITS[:2], PENDING_COMMITS))
    return replace(made, warnings=("Not restored: data written since 13:51",), **more)


HELD = Hold("ana", NOW - MINUTE, "", (sha("9f3c1ab"),))


LOCK = Lock("ana", NOW - 2 * MINUTE, "the ledger is being moved", NOW + 4 * HOUR - 2 * MINUTE)
FREEZE = Lock("mia", NOW - HOUR, "sale until tomorrow", NOW + 3 * HOUR)
ELSEWHERE = Elsewhere("tom", "bastion-2", "deploy", NOW - 3 * MINUTE, "1a2b3c4d5e6f")
LEFT_DEPLOY = replace(  # its engine died in the push
    LEDGER_DEPLOY, state=OperationState.RECOVERING, summary="the engine died in it: finding out how it is"
)
STUCK_DEPLOY = replace(
    FAILED_DEPLOY,
    id=12,
    key=key("emails"),
    state=OperationState.STUCK,
    failure=None,
    summary="recovery gave up after 5 tries; engine.log says why · next: cockpit recover 12",
)


def barred() -> Snapshot:
    """Everything is frozen, web is locked, search is being deployed elsewhere, an engine died in two deploys."""
    rows = [
        replace(
            each, lock=LOCK if each.key == WEB else None, elsewhere=ELSEWHERE if each.key == key("search") else None
        )
        for each in world().placements
    ]
    rows = [replace(each, operation=None) for each in rows]
    return Snapshot(replace(ENGINE, freeze=FREEZE), tuple(rows), (LEFT_DEPLOY, STUCK_DEPLOY))


class FakeLink:
    """`answers` maps a call's name to a result, an error to raise, or a function of its params."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.snapshot = snapshot or world()
        self.asked: list[tuple[str, Any]] = []
        self.answers: dict[str, Any] = {
            "pending": lambda params: pending_of(params.key),
            "releases": lambda params: Releases(params.key, CHECKOUT_RELEASES if params.key == CHECKOUT else ()),
            "deploy.sheet": lambda params: deploy_sheet(params.key, params.commit),
            "rollback.sheet": lambda params: rollback_sheet(params.key),
            "deploy": self._started(OperationKind.DEPLOY),
            "rollback": self._started(OperationKind.ROLLBACK),
            "restart": self._started(OperationKind.RESTART),
            "open": lambda params: address(params.key, params.release),
            "exec": ExecTicket(5, ("true",), {}, "cockpit-x-checkout-production-r42-1", 42),
            "exec.ended": Done("recorded"),
            "others": OTHERS,
            "cancel": Done("cancelled"),
            "unhold": Done("released"),
            "lock": Done("locked"),
            "unlock": Done("unlocked"),
            "freeze": Done("frozen"),
            "unfreeze": Done("no longer frozen"),
            "recover": replace(STUCK_DEPLOY, state=OperationState.INTERRUPTED, summary="customers were never on it"),
            "takeover": Done("taken over"),
            "refresh": Done(),
            "operations": Operations((LEDGER_DEPLOY, FAILED_DEPLOY)),
            "diff": _diff,
            "range": _diff,
            "logs.open": self._open,
            "logs.close": Done(),
            "doctor": Checks(()),
        }
        self._changes: asyncio.Queue[Change | None] = asyncio.Queue()
        self._opened = 0
        self.connect()

    def connect(self, *, restarted: bool = False, **more: Any) -> None:
        welcome = replace(Welcome("0.1.0", 1, 4711, Actor("you"), False), **more)
        self.push(Connected(welcome, self.snapshot, restarted))

    def lose(self, reason: str = "connection refused") -> None:
        self.push(Lost(reason))

    def push(self, change: Change) -> None:
        self._changes.put_nowait(change)

    def lines(
        self, texts: list[str], *, start: int = 0, subscription: int | None = None, source: str = "build"
    ) -> None:
        found = tuple(LogLine(start + n, NOW + n / 100, text, source) for n, text in enumerate(texts))
        self.push(LogChunk(self._opened if subscription is None else subscription, found))

    def requests(self, name: str) -> list[Any]:
        return [params for asked, params in self.asked if asked == name]

    async def call(self, call: Call[P, R], params: P) -> R:
        self.asked.append((call.name, params))
        answer = self.answers.get(call.name, EngineUnreachable("no engine answers"))
        if callable(answer):
            answer = answer(params)
        if asyncio.iscoroutine(answer):
            answer = await answer
        if isinstance(answer, CockpitError):
            raise answer
        result: R = answer
        return result

    async def changes(self) -> AsyncIterator[Change]:
        while (change := await self._changes.get()) is not None:
            yield change

    async def close(self) -> None:
        self._changes.put_nowait(None)

    def _open(self, _params: Any) -> LogOpened:
        self._opened += 1
        return LogOpened(self._opened, "")

    def _started(self, kind: OperationKind) -> Any:
        def start(params: Any) -> Operation:
            to = {"rollback": getattr(params, "to", None), "restart": 42}.get(kind.value, 43)
            return Operation(9, kind, params.key, Actor("you"), OperationState.RUNNING, NOW, to_release=to)

        return start


def _diff(params: For | CommitRequest | RangeRequest) -> Diff:
    return Diff(
        PENDING_COMMITS[0], "diff --git a/vat.py b/vat.py\n@@ -1 +1 @@\n-vat = 0.19\n+vat = 0.0 if gift else 0.19\n"
    )
