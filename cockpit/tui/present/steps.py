"""The Steps tab: the running operation's time line; ended ones with what customers have now."""

from __future__ import annotations

from cockpit.model import Failure, Operation, OperationKind, OperationState, Step, StepState
from cockpit.text import took
from cockpit.tui.line import BLANK, Line, cells, fit, left, line, paragraph, right
from cockpit.tui.present.words import NAME, OUTCOME, STEP, clock, percent
from cockpit.tui.state import State

GAUGE = 12


def lines(state: State, now: float, room: int) -> list[Line]:
    operation = state.operation_of(state.selected)
    if operation is None:
        return [line(("  nothing was deployed here yet", "muted")), BLANK, line(("  D", "accent strong"), "  deploy")]
    out = [*_headline(operation, now, room), *(_step(each, operation, now, room) for each in operation.steps)]
    if operation.state.ended:
        out += _ended(operation, state, room)
    return out


def _headline(operation: Operation, now: float, room: int) -> list[Line]:
    glyph, tone = OUTCOME[operation.state]
    release = f" r{operation.to_release}" if operation.to_release else ""
    ran = took((operation.ended_at or now) - operation.started_at)
    what = f"{NAME[operation.kind]}{release} to {operation.key.environment}"
    if operation.kind is OperationKind.ROLLBACK:
        what = f"Rollback to{release}, {operation.key.environment}"
    who = f" · {operation.actor.name} · {clock(operation.started_at, seconds=True)} · {ran}"
    word = "" if operation.state is OperationState.RUNNING else f" {operation.state.value}"
    head = line((f"  {glyph} ", tone), (what, "strong"), (word, tone), (who, "muted"))
    tail = line(("X", "accent strong"), (" cancel ", "")) if _can_cancel(operation) else BLANK
    gap = room - cells(head) - cells(tail)
    head = (*head, (" " * gap, ""), *tail) if gap > 0 else fit(head, room)
    reason = [line((f"    {operation.reason}", "muted"))] if operation.reason else []
    return [head, *reason, BLANK]


def _can_cancel(operation: Operation) -> bool:
    return operation.state is OperationState.RUNNING and operation.switched_at is None


def _step(step: Step, operation: Operation, now: float, room: int) -> Line:
    glyph, tone = STEP[step.state]
    running = step.state is StepState.RUNNING
    seconds = now - step.started_at if running and step.started_at is not None else step.seconds
    usual = f"usually {took(step.usual_seconds)}" if step.usual_seconds and step.state is not StepState.SKIPPED else ""
    quiet = "muted" if step.state in (StepState.PENDING, StepState.SKIPPED) else ""
    said = (step.detail or _customers(step, operation), "bad" if step.state is StepState.FAILED else "muted")
    times = (f"{right(took(seconds) if seconds is not None else '', 8)}  ", ""), (left(usual, 16), "muted")
    name = (left(step.name, 11), f"{tone} strong" if running else quiet)
    if seconds is None and not usual:  # nothing to line up with: the words come first
        return fit(line((f"  {glyph} ", tone), name, said), room)
    return fit(line((f"  {glyph} ", tone), name, *times, (_gauge(step), "accent"), said), room)


def _gauge(step: Step) -> str:
    if step.state is not StepState.RUNNING or not step.total or step.done is None:
        return ""
    share = min(1.0, max(0.0, step.done / step.total))
    full = round(share * GAUGE)
    return f"{'█' * full}{'░' * (GAUGE - full)} {percent(share * 100):>5}  "


def _customers(step: Step, operation: Operation) -> str:
    """What customers have, on the one line where that changes."""
    if step.name != "switch" or operation.state.ended:
        return ""
    if operation.switched_at is None:
        return "nothing has changed for customers yet"
    back = f" · B goes back to r{operation.from_release}" if operation.from_release else ""
    return f"customers are on r{operation.to_release} since {clock(operation.switched_at, seconds=True)}{back}"


def _ended(operation: Operation, state: State, room: int) -> list[Line]:
    out: list[Line] = [BLANK]
    if operation.summary:
        tone = OUTCOME[operation.state][1]
        out += [line("  ", (text, f"{tone} strong")) for ((text, _),) in paragraph(operation.summary, room - 4)]
    if operation.failure:
        out += _explained(operation.failure, room)
    if operation.state in (OperationState.FAILED, OperationState.CANCELLED) and operation.switched_at is None:
        out.append(line("    A rollback is not needed."))
    if operation.kind is OperationKind.ROLLBACK and operation.state is OperationState.SUCCEEDED:
        out += _after_rollback(operation, state, room)
    return out


def _explained(failure: Failure, room: int) -> list[Line]:
    """Whose problem, the telling line, what it means, what to do."""
    fields = [
        ("Failed", f"{failure.step}: {failure.summary}", ""),
        ("Side", failure.side.value, ""),
        ("Line", failure.line, "strong"),
        ("Means", failure.means, ""),
        ("Next", failure.next, ""),
    ]
    out: list[Line] = [BLANK]
    for name, text, tone in fields:
        for place, each in enumerate(paragraph(text, max(8, room - 14), tone) if text else ()):
            out.append(line((f"    {name if place == 0 else '':<9}", "muted"), *each))
    return [*out, line((f"    {'':<9}", ""), ("e", "accent strong"), (" jumps to the line in the log", "muted"))]


def _after_rollback(operation: Operation, state: State, room: int) -> list[Line]:
    """The block that lets people go back to bed."""
    placement = state.find(operation.key)
    if placement is None:
        return []
    since = clock(operation.switched_at or operation.ended_at, seconds=True)
    live = placement.live.name if placement.live else "–"
    traffic, replicas = placement.traffic, placement.replicas
    answers = sum(1 for each in replicas if 200 <= each.status < 300)
    out = [
        BLANK,
        line(("  ✔ ", "good"), (f"{operation.key.service} is on {live} since {since}", "good strong")),
        line(
            ("    5xx  ", "muted"),
            (percent(traffic.errors_percent), "strong"),
            f" of {traffic.requests} requests in the last minute",
            (f"        {answers} of {len(replicas)} replicas answer", ""),
        ),
    ]
    if placement.hold:
        bad = len(placement.hold.bad_commits)
        stay = f"   r{operation.from_release}'s {bad} commits stay out" if bad else ""
        out.append(
            line(("    held: ", "warn"), "D is off until the hold is released (", ("x", "accent strong"), f"){stay}")
        )
    return [fit(each, room) for each in out]
