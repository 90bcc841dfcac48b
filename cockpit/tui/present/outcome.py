"""What stands above the steps of an operation that ended: why it failed, or that one can go back to bed."""

from __future__ import annotations

from cockpit.glyphs import OUTCOME
from cockpit.model import Failure, Operation, OperationKind, OperationState, Placement
from cockpit.text import age, took
from cockpit.tui.line import BLANK, Line, fit, line, paragraph
from cockpit.tui.present.words import clock, count, percent
from cockpit.tui.state import State

MINUTE = 60.0  # seconds that the traffic's numbers are over, at most
REVERTED = 4  # commits that are named on the screen; the copy menu has all


def lines(operation: Operation, state: State, now: float, room: int) -> list[Line]:
    """What became of it; nothing for one that runs, or that went as it should and needs no words."""
    if operation.state is OperationState.RUNNING:
        return []
    if operation.kind is OperationKind.ROLLBACK and operation.state is OperationState.SUCCEEDED:
        return [*_back_to_bed(operation, state, now, room), BLANK]
    out = _summary(operation, room)
    if operation.failure:
        out += _explained(operation.failure, room)
    if operation.state is OperationState.STUCK:
        out.append(line(("    x", "accent strong"), " tries again, once the cause is gone"))
        out += [line("    ", *each) for each in paragraph("Both releases stay as they are until then.", room - 4)]
    unharmed = operation.state in (OperationState.FAILED, OperationState.CANCELLED, OperationState.INTERRUPTED)
    if unharmed and operation.kind is OperationKind.DEPLOY and operation.switched_at is None:
        out.append(line("    A rollback is not needed."))
    if unharmed and operation.kind is OperationKind.RESTART and operation.switched_at is None:
        out.append(line("    The containers that serve were not touched."))
    return [*out, BLANK] if out else []


def revert(operation: Operation, state: State) -> tuple[str, ...]:
    """The commits that a rollback left behind, newest first, as far as they are known."""
    releases = {each.number: each for each in state.releases.get(operation.key, ())}
    bad = releases.get(operation.from_release or 0)
    waiting = state.pending.get(operation.key)
    shas = [each.sha for each in waiting.commits] if waiting else []
    if bad is None or not bad.commit:
        return ()
    return tuple(each[:7] for each in shas[shas.index(bad.commit) :]) if bad.commit in shas else (bad.commit[:7],)


def _summary(operation: Operation, room: int) -> list[Line]:
    glyph, tone = OUTCOME[operation.state]
    said = paragraph(operation.summary, room - 4, f"{tone} strong") if operation.summary else ()
    return [line((f"  {glyph if place == 0 else ' '} ", tone), *each) for place, each in enumerate(said)]


def _explained(failure: Failure, room: int) -> list[Line]:
    """Whose problem, the telling line, what it means, what to do."""
    fields = [
        ("What", f"{failure.step}: {failure.summary}", ""),
        ("Side", failure.side.value, ""),
        ("Line", failure.line, "strong"),
        ("Means", failure.means, ""),
        ("Next", failure.next, ""),
    ]
    out: list[Line] = []
    for name, text, tone in fields:
        for place, each in enumerate(paragraph(text, max(8, room - 14), tone) if text else ()):
            out.append(line((f"    {name if place == 0 else '':<9}", "muted"), *each))
    jump = line(("    ", ""), ("e", "accent strong"), (" jumps to that line in the log", "muted"))
    return [*out, jump] if failure.line else out


def _back_to_bed(operation: Operation, state: State, now: float, room: int) -> list[Line]:
    placement = state.find(operation.key)
    switched = operation.switched_at or operation.ended_at or operation.started_at
    who = "you" if state.me and operation.actor.name == state.me.name else operation.actor.name
    head = f"{operation.key.service} is on r{operation.to_release} since {clock(switched, seconds=True)}"
    ran = took(max(0.0, switched - operation.started_at))
    out = [line(("  ✔ ", "good"), (head, "good strong"), (f" · {ran} · {who}", ""))]
    if placement is not None:
        out += [_customers(placement, switched, now), _replicas(placement, operation.to_release)]
        out += _held(placement, operation)
    out += [line(("    ⏸ ", "warn"), f"went through the {each}") for each in operation.overrides]
    out += _next(revert(operation, state))
    return [fit(each, room) for each in out]


def _customers(placement: Placement, switched: float, now: float) -> Line:
    traffic = placement.traffic
    window = min(MINUTE, max(0.0, now - switched))
    if traffic.requests == 0:
        return line(("    5xx  ", "muted"), "no customer has asked since")
    worst = _worst_before(placement, switched, now)
    before = f"{percent(worst)} → " if worst > traffic.errors_percent else ""
    tone = "bad strong" if traffic.errors_percent >= 2 else "good strong"
    return line(
        ("    5xx  ", "muted"),
        (before, ""),
        (percent(traffic.errors_percent), tone),
        f"   for {age(window)}, {count(traffic.requests, 'request')}",
    )


def _worst_before(placement: Placement, switched: float, now: float) -> float:
    """Of the minutes that began before the switch."""
    trend = placement.trend
    ages = range(len(trend.errors_percent) - 1, -1, -1)
    this_minute = now - now % trend.seconds
    begun = zip(trend.errors_percent, (this_minute - trend.seconds * each for each in ages), strict=True)
    return max((value for value, began in begun if value is not None and began < switched), default=0.0)


def _replicas(placement: Placement, serving: int | None) -> Line:
    """A process without a port runs and answers nobody."""
    own = [each for each in placement.replicas if each.release == serving and each.address]
    everyone = len(own)
    well = sum(1 for each in own if each.running and 200 <= each.status < 300)
    if everyone and well == everyone:
        names = {1: "the replica answers", 2: "both replicas answer"}
        said = f"{names.get(everyone, f'all {everyone} replicas answer')} {own[0].status}"
        return line(("    ✔ ", "good"), said)
    return line(("    ▲ ", "warn"), (f"{well} of {everyone} replicas answer", "warn"))


def _held(placement: Placement, operation: Operation) -> list[Line]:
    if placement.hold is None:
        return []
    stay = f"   r{operation.from_release} is not offered" if operation.from_release else ""
    return [line(("    held: ", "warn"), "D is off until a reason is given (", ("x", "accent strong"), f"){stay}")]


def _next(commits: tuple[str, ...]) -> list[Line]:
    if not commits:
        return []
    named = " ".join(commits[:REVERTED]) + (" …" if len(commits) > REVERTED else "")
    return [line(("    next: ", "muted"), f"git revert {named}  (", ("y", "accent strong"), " copies it)")]
