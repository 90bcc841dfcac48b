"""Why an action cannot work now. The palette, help and the last line grey it and say so."""

from __future__ import annotations

from cockpit.model import Health, OperationState, Role, Tier
from cockpit.tui.keys import BY_ID
from cockpit.tui.present.words import clock
from cockpit.tui.state import State

CHANGES = ("deploy", "rollback", "cancel", "actions", "refresh")
DEPLOYERS = ("deploy", "rollback", "cancel")


def reason(action: str, state: State) -> str:
    """ "" when it can."""
    known = BY_ID.get(action)
    if known is None or known.later:
        return known.later if known else ""
    if action in CHANGES and state.lost is not None:
        return "the engine does not answer: it is being started"
    if action in CHANGES and state.placement is None:
        return "no service is selected"
    return (not_yours(state) if action in DEPLOYERS else "") or _of_placement(action, state)


def not_yours(state: State, needs: Role = Role.DEPLOYER) -> str:
    """ "" when this client may change the selected placement, or as an admin everything."""
    if state.read_only:
        return "this connection is read-only"
    if needs is Role.ADMIN:
        return "" if state.role is Role.ADMIN else "only an admin may"
    if state.may_change:
        return ""
    return "you may only look here" if state.role is Role.VIEWER else "you may only look at this service"


def barred(state: State) -> str:
    """Why nothing may be deployed or restarted at the selected placement now."""
    placement, left = state.placement, state.left_of(state.selected)
    if left is not None and left.state is OperationState.RECOVERING:
        return f"{left.kind.value} {left.id} is being recovered"
    if state.freeze is not None:
        return f"everything is frozen by {state.freeze.by} until {clock(state.freeze.until)}"
    if placement and placement.lock:
        return f"locked by {placement.lock.by} until {clock(placement.lock.until)}"
    if placement and placement.elsewhere:
        other = placement.elsewhere
        return f"{other.by} on {other.bastion} is at it: a {other.kind}"
    return ""


def _of_placement(action: str, state: State) -> str:
    placement, running = state.placement, state.running_of(state.selected)
    if action == "next.failing" and not any(each.health is Health.FAILING for each in state.placements):
        return "nothing is failing"
    if action == "cancel" and (left := state.left_of(state.selected)):
        return f"the engine died in {left.kind.value} {left.id}: it is {left.state.value}"
    if action == "cancel" and running is None:
        return "nothing runs here"
    if action == "cancel" and running and running.switched_at is not None:
        return f"customers are on r{running.to_release} already: B goes back"
    if action == "deploy" and placement and not placement.configured:
        return "not in the configuration any more, so there is nothing to deploy from; B works"
    if action == "deploy" and (why := barred(state)):
        return why
    if action == "deploy" and placement and placement.hold:
        return f"held by {placement.hold.by}: x releases the hold"
    if action == "rollback" and placement and not _ways_back(state):
        return "there is no release to go back to"
    return ""


def _ways_back(state: State) -> bool:
    """True also while it is not known: the sheet asks the engine."""
    placement = state.placement
    if placement is None or placement.last_good is not None or placement.key not in state.releases:
        return placement is not None
    back = (Tier.HOT, Tier.STOPPED, Tier.RETAINED, Tier.GONE)
    return any(each.tier in back and each.took_traffic for each in state.releases[placement.key])
