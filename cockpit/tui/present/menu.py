"""The menu of `x`: safe things first, and why one of them cannot be done now."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.model import Placement
from cockpit.tui.line import Line, line
from cockpit.tui.present.reasons import not_yours
from cockpit.tui.present.words import NAME, host_name
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
        Action("restart", "restart", "the same release in new containers, no gap", absent or busy),
        Action("unhold", "release the hold", "with a reason", theirs or ("" if placement.hold else "it is not held")),
        Action("lock", "lock", why="comes later"),
        Action("freeze", "freeze everything", why="comes later"),
        Action("maintenance", "maintenance page", why="comes later"),
    ]


def row(action: Action) -> Line:
    if action.why:
        return line((f"{action.does:<24}", "faint"), (action.why, "faint"))
    return line(f"{action.does:<24}", (action.note, "accent" if action.note == "R" else "muted"))
