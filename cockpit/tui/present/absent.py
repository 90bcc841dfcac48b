"""Why a log is empty, in words: in place of its lines."""

from __future__ import annotations

from cockpit.model import Health, Operation, Placement
from cockpit.tui.present.words import NAME, never_deployed


def service(placement: Placement | None) -> str:
    """`why` of a placement that does not run comes from the engine's look at its containers."""
    if placement is None:
        return "no service is configured yet"
    key = placement.key
    if never_deployed(placement):
        return f"Nothing runs here: {key.service} was never live in {key.environment}. D deploys the first release."
    if placement.live is None:
        return f"Nothing runs here: no release of {key.service} is live in {key.environment}. B goes back to one."
    if placement.health is Health.STOPPED or not _runs(placement, placement.live.number):
        why = f" ({placement.why})" if placement.why else ""
        return f"{placement.live.name} does not run{why}, and Docker has no lines of it. 4 Health says more."
    return f"{placement.live.name} runs and has written nothing yet."


def _runs(placement: Placement, release: int) -> bool:
    return any(each.running for each in placement.replicas if each.release == release)


def operation(placement: Placement | None, shown: Operation | None) -> str:
    if placement is None:
        return "no service is configured yet"
    if shown is None:
        return f"Nothing was deployed to {placement.key.environment} yet, so nothing was built. D deploys."
    name = f"{NAME[shown.kind].lower()} {shown.id}"
    return f"The {name} has written nothing yet." if not shown.state.ended else f"The {name} wrote nothing."
