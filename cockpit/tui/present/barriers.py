"""What stands in the way of the next deploy: a lock, another engine at work, an operation that an engine died in."""

from __future__ import annotations

from cockpit.model import Elsewhere, Lock, Operation, OperationKind, OperationState, Placement
from cockpit.protocol import MAX_LOCK_SECONDS
from cockpit.text import LENGTHS_LIKE, age, seconds_of
from cockpit.tui.line import BLANK, Line, line, paragraph
from cockpit.tui.present.words import clock, remark, until
from cockpit.tui.state import State

LENGTHS = ("30m", "1h", "4h", "8h", "1d", "3d", "7d", "14d")
USUAL = LENGTHS.index("4h")
SHORTEST = 60.0  # seconds


def lines(placement: Placement, state: State, now: float, room: int) -> list[Line]:
    """For the Health tab: who or what it is, since when, and the way on. What was interrupted bars nothing."""
    found: list[Line] = []
    operation = state.operation_of(placement.key)
    if operation is not None and state.running_of(placement.key) is None:
        found += _of_dead_engine(operation, room)
    if placement.elsewhere:
        found += _elsewhere(placement.elsewhere, now, room)
    if placement.lock:
        text = f"locked {said(placement.lock, now)}"
        found += _remark("⏸", "warn", text, "no deploy and no restart; B goes through it · ", " unlocks", room)
    return [*found, BLANK] if found else []


def said(lock: Lock, now: float) -> str:
    return f"by {lock.by} since {clock(lock.at)}, until {until(lock.until, now)}: {lock.reason}"


def wrong(length: str) -> str:
    """Why nothing can be locked for so long; "" when it can."""
    wanted = seconds_of(length)
    if wanted is None:
        return f"for how long is {length}? Type {LENGTHS_LIKE}"
    fits = SHORTEST <= wanted <= MAX_LOCK_SECONDS
    return "" if fits else f"a minute at least, {MAX_LOCK_SECONDS / 86400:.0f} d at most"


def locking(what: str, there: Lock | None, length: str, now: float, room: int) -> list[Line]:
    """`what` is a placement's name, or everything; `there` is the lock that is replaced."""
    text = f"No deploy and no restart of {what}, by nobody, until then. What runs goes on. A rollback goes through it."
    wanted = seconds_of(length)
    ends = f"until {until(now + wanted, now).partition(' (')[0]}" if wanted and not wrong(length) else ""
    out = [*paragraph(text, room), BLANK, line("for ", ("▸ ", "accent strong"), (f"{length:<5}", "strong"), f" {ends}")]
    out += paragraph("j longer, k shorter, or type it: 90m, 2d", room, "muted")
    if there is not None:
        out += [BLANK, *remark("▲", "warn", f"in place of the one {said(there, now)}", room)]
    return out


def lifting(there: Lock | None, now: float, room: int) -> list[Line]:
    if there is None:
        return [line(("nothing of that kind is there any more", "muted"))]
    held = remark("⏸", "warn", f"set {said(there, now)}", room)
    return [*held, BLANK, *paragraph("From then on deploys and restarts are possible again.", room)]


def recovering(operation: Operation | None, room: int) -> list[Line]:
    if operation is None:
        return [line(("nothing is stuck here any more", "muted"))]
    text = (
        "The engine looks again at containers and at the pointer, and takes it forward when customers are on it, else "
        "back. It helps once the cause is gone; engine.log has it. No migration is repeated."
    )
    return [*remark("✖", "bad", f"{_name(operation)}: {operation.summary}", room), BLANK, *paragraph(text, room)]


def taking_over(other: Elsewhere | None, now: float, room: int) -> list[Line]:
    if other is None:
        return [line(("no other engine is at it any more", "muted"))]
    began = f"{other.by} on {other.bastion} began a {other.kind} {age(now - other.since)} ago, and its engine lives."
    text = (
        "Ask first, or follow it there. Taken over, it can change nothing more and ends where it is: do it when that "
        f"bastion hangs. After y you type the lock's id, {other.lock}, and the reason."
    )
    return [*remark("◐", "accent", began, room), BLANK, *paragraph(text, room)]


def _of_dead_engine(operation: Operation, room: int) -> list[Line]:
    name = _name(operation)
    if operation.state is OperationState.RECOVERING:
        text = f"recovering: the engine died in {name}"
        return _remark("▲", "warn", text, "it is brought to its end by itself; nothing of it runs", "", room)
    if operation.state is OperationState.STUCK:
        again = f" tries again, once the cause is gone: cockpit recover {operation.id}"
        return _remark("✖", "bad", f"stuck: recovery of {name} gave up", "", again, room)
    if operation.state is OperationState.INTERRUPTED:
        return _remark("▲", "warn", f"interrupted: {name}: {operation.summary}", "", "", room)
    return []


def _elsewhere(other: Elsewhere, now: float, room: int) -> list[Line]:
    text = f"{other.kind} by {other.by} on {other.bastion} for {age(now - other.since)} (lock {other.lock})"
    ended = "B ends it" if other.kind == OperationKind.DEPLOY.value else "B is refused as well"
    refused = f"D is refused while it lives; {ended} · "
    return _remark("◐", "accent", text, refused, " takes over", room)


def _name(operation: Operation) -> str:
    return f"{operation.kind.value} {operation.id} of {operation.actor.name}"


def _remark(glyph: str, tone: str, text: str, means: str, by_x: str, room: int) -> list[Line]:
    """Set in like all of the Health tab; below it, calmly, what it means, and what `x` does about it."""
    head = [line("  ", *each) for each in remark(glyph, tone, text, max(8, room - 4))]
    whole = f"{means}x{by_x}" if by_x else means
    if not by_x or len(whole) > room - 4:
        wrapped = paragraph(whole, max(8, room - 4), "muted") if whole else ()
        return [*head, *(line("    ", *each) for each in wrapped)]
    return [*head, line(("    ", ""), (means, "muted"), ("x", "accent strong"), (by_x, "muted"))]
