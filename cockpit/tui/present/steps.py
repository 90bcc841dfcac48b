"""The Steps tab: the operation's time line, below what its end means."""

from __future__ import annotations

from dataclasses import replace

from cockpit.glyphs import OUTCOME, STEP
from cockpit.model import Operation, OperationKind, OperationState, Step, StepState
from cockpit.text import took
from cockpit.tui.line import BLANK, Line, cells, fit, left, line, paragraph, right
from cockpit.tui.present import outcome
from cockpit.tui.present.words import NAME, NOTICED, clock, percent
from cockpit.tui.state import State

GAUGE = 12
STEP_NAME = 11  # cells
NARROW = 24  # cells beside a step that are too few for words: then they stand below it
MORE = 3  # lines of words below the first, at most
MEANS = {  # where the engine has no more to say
    "pull": "the image that CI pushed",
    "migrate": "once, in a container of the new image",
    "processes": "those without customers are replaced",
}


def lines(state: State, now: float, room: int) -> list[Line]:
    operation = state.operation_of(state.selected)
    if operation is None:
        return [line(("  nothing was deployed here yet", "muted")), BLANK, line(("  D", "accent strong"), "  deploy")]
    told = outcome.lines(operation, state, now, room)
    rows = (each for step in operation.steps for each in _step(step, operation, now, room))
    return [*told, *_headline(operation, now, room), *rows]


def _headline(operation: Operation, now: float, room: int) -> list[Line]:
    glyph, tone = OUTCOME[operation.state]
    release = f" r{operation.to_release}" if operation.to_release else ""
    ran = took((operation.ended_at or now) - operation.started_at)
    what = f"{NAME[operation.kind]}{release} to {operation.key.environment}"
    if operation.kind is OperationKind.ROLLBACK:
        what = f"Rollback to{release}, {operation.key.environment}"
    if operation.kind is OperationKind.RESTART:
        what = f"Restart of{release}, {operation.key.environment}"
    who = f" · {operation.actor.name} · {clock(operation.started_at, seconds=True)} · {ran}"
    if operation.state is OperationState.RECOVERING:  # nothing of it goes on, so no time does either
        who = f" · {operation.actor.name} · {clock(operation.started_at, seconds=True)}"
    word = "" if operation.state is OperationState.RUNNING else f" {operation.state.value}"
    head = line((f"  {glyph} ", tone), (what, "strong"), (word, tone), (who, "muted"))
    tail = line(("X", "accent strong"), (" cancel ", "")) if _can_cancel(operation) else BLANK
    gap = room - cells(head) - cells(tail)
    head = (*head, (" " * gap, ""), *tail) if gap > 0 else fit(head, room)
    reason = [line((f"    {operation.reason}", "muted"))] if operation.reason else []
    through = [fit(line(("    ⏸ ", "warn"), f"overrides the {each}"), room) for each in operation.overrides]
    return [head, *reason, *through, BLANK]


def _goes_on(operation: Operation) -> bool:
    """An engine works at it. Of one that its engine died in nothing is promised."""
    return operation.state is OperationState.RUNNING


def _can_cancel(operation: Operation) -> bool:
    return _goes_on(operation) and operation.switched_at is None


def _step(step: Step, operation: Operation, now: float, room: int) -> list[Line]:
    """What runs, and what failed, says all that it has to say; the others one line."""
    glyph, tone = STEP[step.state]
    running = step.state is StepState.RUNNING and _goes_on(operation)
    if step.state is StepState.RUNNING and not running:
        glyph, tone = OUTCOME[OperationState.RECOVERING]
        step = replace(step, detail="the engine died in it", started_at=None, done=None)
    seconds = now - step.started_at if running and step.started_at is not None else step.seconds
    usual = _usual(step, operation)
    quiet = "muted" if step.state in (StepState.PENDING, StepState.SKIPPED) else ""
    words = step.detail or _customers(step, operation) or _means(step, operation)
    said = "bad" if step.state is StepState.FAILED else "muted"
    column = 16 if any(_usual(each, operation) for each in operation.steps) else 0
    start = line((f"  {glyph} ", tone), (left(step.name, STEP_NAME), f"{tone} strong" if running else quiet))
    if seconds is not None or usual:  # else there is nothing to line up with: the words come first
        times = (f"{right(took(seconds) if seconds is not None else '', 8)}  ", ""), (left(usual, column), "muted")
        start = (*start, *times, (_gauge(step), "accent"))
    if step.state not in (StepState.RUNNING, StepState.FAILED):
        return [fit((*start, (words, said)), room)]
    return _wrapped(start, words, said, room)


def _wrapped(start: Line, words: str, tone: str, room: int) -> list[Line]:
    indent = cells(start) if room - cells(start) >= NARROW else 4
    if indent == cells(start):
        first, *rest = paragraph(words, room - indent, tone)
        return [fit((*start, *first), room), *(fit(line(" " * indent, *each), room) for each in rest[:MORE])]
    rest = [*paragraph(words, max(8, room - indent), tone)] if words else []
    return [fit(start, room), *(fit(line(" " * indent, *each), room) for each in rest[:MORE])]


def _usual(step: Step, operation: Operation) -> str:
    """While one waits."""
    if not _goes_on(operation) or (step.usual_seconds or 0.0) < NOTICED or step.state is StepState.SKIPPED:
        return ""
    return f"usually {took(step.usual_seconds or 0.0)}"


def _means(step: Step, operation: Operation) -> str:
    """What is still to come, or is being done, of the steps that not every deploy has."""
    waiting = _goes_on(operation) and step.state in (StepState.PENDING, StepState.RUNNING)
    return MEANS.get(step.name, "") if waiting else ""


def _gauge(step: Step) -> str:
    if step.state is not StepState.RUNNING or not step.total or step.done is None:
        return ""
    share = min(1.0, max(0.0, step.done / step.total))
    full = round(share * GAUGE)
    return f"{'█' * full}{'░' * (GAUGE - full)} {percent(share * 100):>5}  "


def _customers(step: Step, operation: Operation) -> str:
    """What customers have, on the one line where that changes."""
    if step.name != "switch" or not _goes_on(operation):
        return ""
    if operation.switched_at is None:
        return "nothing has changed for customers yet"
    if operation.kind is OperationKind.RESTART:
        return f"customers are on the new containers since {clock(operation.switched_at, seconds=True)}"
    back = f" · B goes back to r{operation.from_release}" if operation.from_release else ""
    return f"customers are on r{operation.to_release} since {clock(operation.switched_at, seconds=True)}{back}"
