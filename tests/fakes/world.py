"""Two services in two environments, as a fake engine shows them."""

from __future__ import annotations

from dataclasses import replace

from cockpit.model import (
    Actor,
    AuditRow,
    Commit,
    EngineStatus,
    Health,
    Hold,
    HostStatus,
    OtherContainer,
    Pending,
    Placement,
    PlacementKey,
    ProcessState,
    Release,
    Replica,
    Tier,
)
from cockpit.protocol import (
    Check,
    CheckState,
    DeploySheet,
    Others,
    PlannedStep,
    ProbeAddress,
    RollbackOption,
    RollbackSheet,
)

AT = 1_790_000_000.0
WEB_STAGING = PlacementKey("web", "staging")
WEB = PlacementKey("web", "production")
CHECKOUT = PlacementKey("checkout", "production")
KEYS = (WEB_STAGING, WEB, CHECKOUT)
HOSTS = (
    HostStatus("local", "ok", True, AT, "ok", True, "the edge is outdated"),
    HostStatus("ssh://deploy@shop-1", "connection refused", False, AT, "unknown", False),
)
OTHERS = Others(
    (
        OtherContainer("local", "c0ffee", "shop-db-1", "postgres:16", "running", "Up 3 hours", "shop", "db"),
        OtherContainer(
            "local", "decade", "n\x1b]0;x\x07 [/x]", "nginx:1.27", "exited", "Exited (1)", ports=("80/tcp",)
        ),
    ),
    ("ssh://deploy@shop-1",),
)
ANA = Actor("ana", 1000, "ana")
AUDIT = (  # newest first
    AuditRow(
        3, AT + 60, ANA, "rollback", "succeeded", CHECKOUT, 9, "checkout is on r41", "503s", 0.2,
        ("lock by tom: the ledger [/x]",), "cockpit rollback checkout/production", "b" * 64, "c" * 64,
    ),
    AuditRow(
        2, AT, Actor("root", 0, "", "SUDO_USER=tom\x1b]0;x\x07"), "deploy", "refused", WEB,
        text="locked by tom", previous="a" * 64, hash="b" * 64,
    ),
    AuditRow(1, AT - 60, Actor("tom"), "lock", "done", WEB, reason="the ledger", previous="0" * 64, hash="a" * 64),
)  # fmt: skip


def commit(letter: str, subject: str) -> Commit:
    return Commit(letter * 40, subject, "Ben", AT - 3600, files=2, added=30, removed=4)


COMMITS = (commit("a", "Sort the basket"), commit("b", "Fetch [@click=x]prices\x1b]0;owned\x07 once"))


def release(key: PlacementKey, number: int, tier: Tier) -> Release:
    return Release(
        key, number, f"{number:x}" * 20, f"Change {number}", "Ben", "ana", AT - 1000 * (50 - number), "img", tier,
        good=True, took_traffic=True, live_since=AT if tier is Tier.LIVE else None,
    )  # fmt: skip


def placement(key: PlacementKey) -> Placement:
    return Placement(
        key,
        Health.FAILING if key == CHECKOUT else Health.HEALTHY,
        protected=key.environment == "production",
        why="503 on both replicas" if key == CHECKOUT else "",
        live=release(key, 42, Tier.LIVE),
        last_good=41,
        pending_count=2,
        replicas=(Replica("c1", 42, 1, "10.231.0.6:8080", True, 200, 3.0),),
        hold=Hold("ben", AT, "rolled back r43") if key == WEB_STAGING else None,
    )


def adopted(key: PlacementKey) -> Placement:
    """The same, on a host that had things before: processes, one of them down, and what left the configuration."""
    web, worker = ProcessState("web", 2, 2, True), ProcessState("worker", 1, 0, False, "exited 1 three times")
    more = {
        WEB: replace(placement(key), processes=(web, worker), host=HOSTS[1].name),
        CHECKOUT: replace(placement(key), configured=False),
        WEB_STAGING: replace(placement(key), auto="r43 was rolled back"),
    }
    return more[key]


def status(pid: int) -> EngineStatus:
    return EngineStatus("0.1.0", pid, AT, "ok", True, AT, "ok", True, "/etc/config.yaml", "/var/lib/state")


def pending(key: PlacementKey) -> Pending:
    return Pending(key, COMMITS, 2, 1, 60, 8, AT - 3600, COMMITS[0].sha, "main", AT)


def deploy_sheet(key: PlacementKey, wanted: str) -> DeploySheet:
    if wanted == "none":
        return DeploySheet(key, release(key, 42, Tier.LIVE), 43, None, refused="No commit is pending")
    return DeploySheet(
        key,
        release(key, 42, Tier.LIVE),
        43,
        replace(COMMITS[0], sha=wanted) if wanted else COMMITS[0],
        COMMITS,
        2,
        (Check("docker", CheckState.PASS, "20.10 answers"), Check("disk", CheckState.WARN, "2 GB free", "prune")),
        (PlannedStep("build", 38.0), PlannedStep("switch", 0.1)),
        protected=key.environment == "production",
        warnings=("two commits touch the database",),
    )


def rollback_sheet(key: PlacementKey) -> RollbackSheet:
    hot, kept = release(key, 41, Tier.HOT), release(key, 40, Tier.RETAINED)
    return RollbackSheet(
        key,
        release(key, 42, Tier.LIVE),
        (RollbackOption(hot, Tier.HOT, 0.1, "served 2 d", True), RollbackOption(kept, Tier.RETAINED, 6.0)),
        selected=0,
        undoes=((COMMITS[0],), COMMITS),
        armed=key != WEB,
        unarmed_because="web is healthy. checkout fails" if key == WEB else "",
    )


def address(key: PlacementKey, number: int | None) -> ProbeAddress:
    url = "http://10.231.0.6:8000/"
    found = release(key, number or 43, Tier.HOT)
    return ProbeAddress(found, url, "shop.test", (f"curl -H 'Host: shop.test' {url}",), "", "customers are not on it")
