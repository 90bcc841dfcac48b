"""Text about what is around releases: hosts, the edge, other containers, and where a release answers."""

from __future__ import annotations

import time

from cockpit.cli.output import Cell, part, table, words
from cockpit.cli.render import locked, since
from cockpit.glyphs import RECORDED
from cockpit.model import AuditRow, EngineStatus, HostStatus
from cockpit.protocol import Audit, AuditVerdict, EdgeUpgrade, Others, ProbeAddress
from cockpit.text import took

CONTAINER: dict[str, Cell] = {
    "running": ("●", "good"),
    "restarting": ("▲", "warn"),
    "dead": ("✖", "bad"),
    "paused": ("⏸", "warn"),
}


def below(engine: EngineStatus) -> list[str]:
    """What is wrong below the services; several hosts are named also while they are well."""
    lines = hosts(engine) if len(engine.hosts) > 1 else _only_host(engine)
    notes = [each.note for each in engine.hosts if each.note] if len(engine.hosts) == 1 else []
    file = f"{engine.config_note} · the last good one is used" if engine.config_note else ""
    return lines + [words(("▲", "warn"), each) for each in (*notes, engine.log_note, file) if each]


def above(engine: EngineStatus) -> list[str]:
    """What holds for all services."""
    return [words(("⏸", "warn"), f"everything is frozen {locked(engine.freeze)}")] if engine.freeze else []


def audit(found: Audit) -> list[str]:
    return table(_row(each) for each in found.rows) or ["Nothing is recorded"]


def _row(each: AuditRow) -> list[Cell]:
    glyph, tone = RECORDED.get(each.outcome, ("·", "muted"))
    details = (
        each.text,
        f"“{each.reason}”" if each.reason else "",
        *(f"through the {said}" for said in each.overrides),
        took(each.seconds) if each.seconds is not None else "",
        f"claims {each.actor.claimed}" if each.actor.claimed else "",
    )
    return [
        (str(each.id), "muted"),
        time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(each.at)),
        each.actor.name,
        (f"{glyph} {each.outcome}", tone),
        f"{each.action} {each.operation}" if each.operation is not None else each.action,
        (str(each.key) if each.key else "–", "strong"),
        " · ".join(filter(None, details)),
    ]


def verdict(found: AuditVerdict) -> list[str]:
    if found.bad is not None:
        good = f"Before it all is as it was written, up to {found.head}" if found.head else "No row before it is good"
        return [words(("✖", "bad"), found.why), part(good)]
    if not found.rows:
        return ["Nothing is recorded"]
    return [words(("✔", "good"), f"all {found.rows} rows are as they were written"), part(f"head {found.head}")]


def hosts(engine: EngineStatus) -> list[str]:
    return table(_host(each) for each in engine.hosts) if engine.hosts else []


def engine(found: EngineStatus) -> list[str]:
    """What the engine is wired to, well or not."""
    around = hosts(found) or [part(f"Docker: {found.docker}"), part(f"edge: {found.edge}")]
    note = [words(("▲", "warn"), f"configuration: {found.config_note}")] if found.config_note else []
    clients = part(f"clients: {', '.join(found.connected) or 'none'}")
    return [*around, *note, clients, *_sharing(found)]


def _sharing(found: EngineStatus) -> list[str]:
    if found.group:
        return [part(f"a system engine, shared by group {found.group}")]
    weaker = [part((f"  – {each}", "muted")) for each in found.weaker]
    return [part("one user's own engine; docs/sharing.md says how to share one. Weaker than a system engine:"), *weaker]


def edge_upgrade(found: EdgeUpgrade) -> list[str]:
    return [
        part((f"Upgrade the edge on {found.host}", "strong")),
        words(("▲", "warn"), found.outdated),
        part(f"Customers notice: {found.gap}"),
    ]


def others(found: Others) -> list[str]:
    several = len({each.host for each in found.containers}) + len(found.unreachable) > 1
    lines = table(
        (
            CONTAINER.get(each.state, ("■", "muted")),
            *([(each.host, "muted")] if several else []),
            (each.project or "–", "muted"),
            (each.name, "strong"),
            each.status or each.state,
            each.image,
            (" ".join(each.ports), "muted"),
        )
        for each in found.containers
    )
    lines += [words(("✖", "bad"), f"{each} did not answer") for each in found.unreachable]
    return lines or ["There is none beside those of the cockpit"]


def address(found: ProbeAddress, host: str) -> list[str]:
    """`host` is the placement's Docker host: what answers there on 127.0.0.1 does not answer here."""
    release = found.release
    lines = [words((release.name, "strong"), release.commit[:7], release.subject)]
    lines += [words(("▲", "warn"), found.note)] if found.note else []
    lines.append(words((found.url, "accent"), f"(host {found.host})" if found.host else ""))
    lines += [f"  {part(each)}" for each in found.commands]
    far = f"on {host}" if host.startswith("ssh://") else ""
    return [*lines, *([words("Customers:", found.public, far)] if found.public else [])]


def _only_host(engine: EngineStatus) -> list[str]:
    lines = [] if engine.docker_ok else [words(("✖", "bad"), f"Docker: {engine.docker}")]
    return lines + ([] if engine.edge_ok else [words(("✖", "bad"), f"edge: {engine.edge}")])


def _host(each: HostStatus) -> list[Cell]:
    ok = each.docker_ok and each.edge_ok
    glyph = ("✖", "bad") if not ok else ("▲", "warn") if each.note else ("●", "good")
    seen = f", last seen {since(each.docker_seen_at)} ago" if each.docker_seen_at and not each.docker_ok else ""
    return [glyph, (each.name, "strong"), f"Docker: {each.docker}{seen}", f"edge: {each.edge}", each.note]
