"""What `y` offers to copy: names and ids of what the cursor stands on, and what an ended operation told."""

from __future__ import annotations

from cockpit.model import Commit, Release
from cockpit.tui.present.outcome import revert
from cockpit.tui.state import State

Copy = tuple[str, str]  # what it is, the text


def offered(state: State, item: object) -> list[Copy]:
    """The likeliest first; nothing that is empty."""
    if isinstance(item, Commit):
        found = [("commit", item.sha), ("subject", item.subject), ("author", item.author)]
    elif isinstance(item, Release):
        found = [("release", f"{item.key} {item.name}"), ("commit", item.commit), ("image", item.image)]
        found.append(("subject", item.subject))
    else:
        found = _of_placement(state)
    return [(what, text) for what, text in found if text]


def _of_placement(state: State) -> list[Copy]:
    placement, operation = state.placement, state.operation_of(state.selected)
    if placement is None:
        return []
    found = []
    if operation and operation.failure:
        found.append(("telling line", operation.failure.line))
    if operation and operation.kind.value == "rollback" and (commits := revert(operation, state)):
        found.append(("undo in git", f"git revert {' '.join(commits)}"))
    found.append(("name", str(placement.key)))
    if live := placement.live:
        found += [("release", live.name), ("commit", live.commit), ("image", live.image)]
    return [*found, ("where customers go", placement.url)]
