"""The menu of `x`: safe things first, and why one of them cannot be done now."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.model import Lock, OperationState, Placement, Role
from cockpit.tui.line import Line, line
from cockpit.tui.present.reasons import barred, not_yours
from cockpit.tui.present.words import NAME, clock, host_name
from cockpit.tui.state import State

NO_DOCKER = "there is no docker command on this machine"


@dataclass(frozen=True, slots=True)
class Action:
    """`why` it cannot be done; "" when it can, and then `note` may say more."""

    id: str
    does: str
    note: str = ""
    why: str = ""


def actions(placement: Placement, state: State, *, docker_here: bool) -> list[Action]:
    theirs = not_yours(state)
    absent = theirs or ("" if placement.live else "no release is live")
    runs = "" if placement.live or placement.replicas else "nothing of it runs"
    running = state.running_of(placement.key)
    busy = f"{NAME[running.kind].lower()} {running.id} runs" if running else ""
    url = placement.url or ", ".join(placement.hosts)
    return [
        Action("refresh", "fetch and probe now", "R"),
        Action("url", "copy where customers go", url, "" if url else "not routed"),
        Action("open", "probe address", "look at a release before customers do", runs),
        Action("others", "other containers", f"of {host_name(placement.host)}: state and logs"),
        Action("exec", "shell in a container", "recorded", absent or ("" if docker_here else NO_DOCKER)),
        Action("restart", "restart", "the same release in new containers, no gap", absent or busy or barred(state)),
        *_locks(placement, state, theirs),
        *_rescues(placement, state, theirs),
        Action("maintenance", "maintenance page", why="comes later"),
    ]


def _locks(placement: Placement, state: State, theirs: str) -> list[Action]:
    lock, hold, freeze = placement.lock, placement.hold, state.freeze
    admins = not_yours(state, Role.ADMIN)
    again = f"anew, in place of the one by {lock.by}" if lock else "no deploy and no restart of it, for a while"
    all_again = f"anew, in place of the one by {freeze.by}" if freeze else "no deploy and no restart of anything"
    return [
        Action("lock", "lock", again, theirs),
        Action("unlock", "unlock", _set(lock), theirs or ("" if lock else "it is not locked")),
        Action("unhold", "release the hold", "with a reason", theirs or ("" if hold else "it is not held")),
        Action("freeze", "freeze everything", all_again, admins),
        Action("unfreeze", "lift the freeze", _set(freeze), admins or ("" if freeze else "nothing is frozen")),
    ]


def _rescues(placement: Placement, state: State, theirs: str) -> list[Action]:
    """There only where something is stuck, or another bastion is at work."""
    left, other, found = state.left_of(placement.key), placement.elsewhere, []
    if left is not None and left.state is OperationState.STUCK:
        found.append(Action("recover", "try to recover", f"{left.kind.value} {left.id}, which is stuck", theirs))
    if other is not None:
        found.append(Action("takeover", "take over", f"from {other.by} on {other.bastion}", theirs))
    return found


def _set(lock: Lock | None) -> str:
    return f"by {lock.by}, until {clock(lock.until)}" if lock else ""


def row(action: Action) -> Line:
    if action.why:
        return line((f"{action.does:<24}", "faint"), (action.why, "faint"))
    return line(f"{action.does:<24}", (action.note, "accent" if action.note == "R" else "muted"))
