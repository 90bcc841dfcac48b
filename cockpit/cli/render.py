"""Text-making: data in, lines out. Every state is a glyph and a word; colour only repeats them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from cockpit.cli.output import Cell, part, table, words
from cockpit.glyphs import HEALTH, OUTCOME, SPEED, STEP
from cockpit.model import (
    Commit,
    Elsewhere,
    Health,
    Lock,
    Operation,
    OperationState,
    Pending,
    Placement,
    Release,
    Step,
)
from cockpit.protocol import (
    Check,
    Checks,
    CheckState,
    DeploySheet,
    PlannedStep,
    Releases,
    RollbackSheet,
    Snapshot,
)
from cockpit.text import age, remaining, took

HEALTH_WORDS: dict[Health, Cell] = {
    health: (f"{glyph} {health.value}", tone) for health, (glyph, tone) in HEALTH.items()
}
CHECK: dict[CheckState, Cell] = {
    CheckState.PASS: ("✔ pass", "good"),
    CheckState.WARN: ("▲ warn", "warn"),
    CheckState.FAIL: ("✖ fail", "bad"),
    CheckState.UNKNOWN: ("? unknown", "warn"),
}
IMAGE = {True: "image", False: "no image yet", None: ""}


def since(at: float | None) -> str:
    return age(time.time() - at) if at is not None else "–"


def placements(seen: Snapshot) -> list[str]:
    newest = {each.key: each for each in sorted(seen.operations, key=lambda each: (not each.state.ended, each.id))}
    return table(_placement(each, newest.get(each.key)) for each in seen.placements) or ["No service is configured"]


def _placement(each: Placement, operation: Operation | None) -> list[Cell]:
    """`operation` is the one that goes on there, else the newest."""
    live = each.live
    notes = [
        _goes_on(operation) if operation else "",
        _elsewhere(each.elsewhere) if each.elsewhere else "",
        "" if each.configured else "not in config",
        "" if each.host == "local" else f"on {each.host}",
        each.why,
        _short(each),
        f"⏸ held by {each.hold.by}: {each.hold.reason}" if each.hold else "",
        f"⏸ locked {locked(each.lock)}" if each.lock else "",
        each.pending_note,
        _automatic(each),
    ]
    return [
        _health(each),
        (str(each.key), "strong"),
        live.name if live else "–",
        live.commit[:7] if live else "–",
        since(live.live_since) if live else "–",
        f"{each.pending_count} pending" if each.pending_count else "–",
        _runs(each),
        " · ".join(filter(None, notes)),
    ]


def _goes_on(each: Operation) -> str:
    """What runs, and what a dead engine left behind."""
    glyph, name = OUTCOME[each.state][0], f"{each.kind} {each.id}"
    match each.state:
        case OperationState.RUNNING:
            return f"{glyph} {name}{f': {each.current.name}' if each.current else ''}"
        case OperationState.RECOVERING:
            return f"{glyph} {name} recovering: the engine died in it"
        case OperationState.STUCK:
            return f"{glyph} {name} stuck: cockpit recover {each.id}"
    return ""


def _elsewhere(other: Elsewhere) -> str:
    return f"◐ {other.kind} by {other.by} on {other.bastion} for {since(other.since)} (lock {other.lock})"


def locked(lock: Lock) -> str:
    return f"by {lock.by} for another {remaining(lock.until - time.time())}: {lock.reason}"


def _health(each: Placement) -> Cell:
    """A service is not well while one of its processes is not, even when customers notice nothing of it."""
    short = any(process.running < process.wanted for process in each.processes)
    return HEALTH_WORDS[Health.DEGRADED if short and each.health is Health.HEALTHY else each.health]


def _runs(each: Placement) -> str:
    """Replicas that are there of those that should be; by process where there are several."""
    if len(each.processes) > 1:
        return " ".join(f"{one.name} {min(one.running, one.wanted)}/{one.wanted}" for one in each.processes)
    serving = [replica for replica in each.replicas if each.live and replica.release == each.live.number]
    return f"{sum(replica.running and not replica.error for replica in serving)}/{len(serving)}"


def _short(each: Placement) -> str:
    short = [process for process in each.processes if process.why and process.why not in each.why]
    return " · ".join(f"{process.name}: {process.why}" for process in short)


def _automatic(each: Placement) -> str:
    return f"auto off: {each.auto}" if each.auto not in ("", "on") else "auto" if each.auto else ""


def pending(found: Pending) -> list[str]:
    total = f"{found.count} pending on {found.branch} · {count(found.authors, 'author')}"
    title = f"{total} · +{found.added} -{found.removed}" if found.count else f"Nothing is pending on {found.branch}"
    lines = [part((title, "strong")), *commits(found.commits)]
    if found.count > len(found.commits):
        lines.append(f"… and {found.count - len(found.commits)} older ones")
    if found.settings_changed:
        lines.append("▲ the configuration differs from the live release's")
    if found.note:
        lines.append(words(("▲", "warn"), found.note))
    return lines


def commits(found: Sequence[Commit]) -> list[str]:
    return table(
        (
            (each.short, "accent"),
            since(each.at),
            each.author,
            f"+{each.added} -{each.removed}",
            " ".join(filter(None, (*each.flags, "merge" if each.merge else "", IMAGE[each.image]))),
            each.subject,
        )
        for each in found
    )


def releases(found: Releases) -> list[str]:
    return table(_release(each) for each in found.releases) or [f"{found.key} was never deployed"]


def _release(each: Release) -> list[Cell]:
    verdict = ("✔ good", "good") if each.good else ("✖ rolled back", "bad") if each.rolled_back else ("·", "muted")
    return [
        (each.name, "strong"),
        each.commit[:7],
        each.tier.value,
        verdict,
        since(each.created_at),
        each.by,
        each.subject,
    ]


def release(each: Release) -> list[str]:
    return [*table([_release(each)]), *([f"note: {part(each.note)}"] if each.note else [])]


def deploy_sheet(sheet: DeploySheet) -> list[str]:
    live = sheet.live.name if sheet.live else "nothing"
    lines = [part((f"Deploy {sheet.key}: {live} → r{sheet.number}, {count(sheet.count, 'commit')}", "strong"))]
    lines += commits(sheet.commits[:20])
    if sheet.count > 20:
        lines.append(f"… and {sheet.count - 20} more")
    lines += checks(sheet.checks)
    if sheet.commit and sheet.commit.image is False:
        lines.append(words(("▲", "warn"), f"the image of {sheet.commit.short} is not there yet: pull waits for it"))
    if sheet.hold:
        lines.append(words(("⏸", "warn"), f"held by {sheet.hold.by}: {sheet.hold.reason}"))
    return [*lines, *_warnings(sheet.warnings), *_plan([step for step in sheet.steps if not step.skipped])]


def rollback_sheet(sheet: RollbackSheet, chosen: int) -> list[str]:
    live = sheet.live.name if sheet.live else "nothing"
    option = sheet.options[chosen]
    usual = f", usually {took(option.seconds)}" if option.seconds is not None else ""
    notes = [each for each in (option.note, "answers now" if option.answers else "") if each]
    lines = [
        part((f"Roll back {sheet.key}: {live} → {option.release.name}", "strong")),
        words(f"{SPEED.get(option.tier, option.tier.value)}{usual}", f"· {', '.join(notes)}" if notes else ""),
    ]
    if option.answers is False:
        lines.append(words(("✖", "bad"), f"{option.release.name} does not answer now"))
    undone = sheet.undoes[chosen] if chosen < len(sheet.undoes) else ()
    if undone:
        lines += ["Takes away:", *commits(undone)]
    return lines + _warnings(sheet.warnings)


def restart_sheet(found: Placement) -> list[str]:
    live = found.live.name if found.live else "nothing"
    others = [each.name for each in found.processes if not each.routed]
    return [
        part((f"Restart {found.key}: {live} in new containers", "strong")),
        "They start beside those that serve, are verified, and then customers are switched to them: no gap",
        *([f"After the switch replaced as well: {part(', '.join(others))}"] if others else []),
    ]


def checks(found: Checks | Sequence[Check]) -> list[str]:
    each_one = found.checks if isinstance(found, Checks) else found
    rows = table((CHECK[each.state], each.name, each.evidence) for each in each_one)
    cures = ([words(("         →", "muted"), each.next)] if each.next else [] for each in each_one)
    return [line for row, cure in zip(rows, cures, strict=True) for line in (row, *cure)]


def operation(each: Operation) -> list[str]:
    glyph, tone = OUTCOME[each.state]
    title = f"{each.kind} {each.id} of {each.key} {each.state}"
    who = f"{ends(each)} · by {each.actor.name} · {since(each.started_at)} ago"
    steps = table(_step(step) for step in each.steps)
    overrides = [words(("⏸", "warn"), f"went through the {said}") for said in each.overrides]
    return [words((glyph, tone), (title, "strong"), f"· {who}"), *overrides, *steps, *ending(each)]


def ends(each: Operation) -> str:
    """From which release to which. The first one comes from none, and a restart stays where it is."""
    start, end = (f"r{number}" if number else "–" for number in (each.from_release, each.to_release))
    if each.to_release and not each.from_release:
        return f"first release, {end}"
    return end if start == end else f"{start} → {end}"


def operations(found: Iterable[Operation]) -> list[str]:
    rows: Iterable[list[Cell]] = (
        [
            str(each.id),
            OUTCOME[each.state],
            (str(each.key), "strong"),
            f"{each.kind} {ends(each)}",
            f"{since(each.started_at)} ago",
            each.actor.name,
            (each.summary, "muted"),
        ]
        for each in found
    )
    return table(rows) or ["No operation has run yet"]


def step_line(each: Step) -> str:
    seconds = took(each.seconds) if each.seconds is not None else ""
    return words(STEP[each.state], (each.name, "strong"), seconds, (each.detail, "muted"))


def ending(each: Operation) -> list[str]:
    """Why it failed, and what customers have now."""
    lines = []
    if failure := each.failure:
        lines.append(words(("✖", "bad"), f"failed at {failure.step}: {failure.summary} ({failure.side})"))
        lines += [f"  {part(text)}" for text in (failure.line, failure.means, failure.next) if text]
    if each.state.ended and each.summary:
        lines.append(words(OUTCOME[each.state], each.summary))
    return lines


def _step(each: Step) -> list[Cell]:
    glyph, tone = STEP[each.state]
    return [(f"  {glyph}", tone), each.name, took(each.seconds) if each.seconds is not None else "", each.detail]


def _plan(steps: Sequence[PlannedStep]) -> list[str]:
    usual = [each.usual_seconds for each in steps if each.usual_seconds is not None]
    names = " → ".join(each.name for each in steps)
    return [words(names, f"· usually {took(sum(usual))}" if usual else "")] if steps else []


def count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _warnings(found: Sequence[str]) -> list[str]:
    return [words(("▲", "warn"), each) for each in found]
