"""One engine works with one Docker host."""

from __future__ import annotations

from cockpit.config.kinds import Reading
from cockpit.config.problems import quoted
from cockpit.config.settings import PlacementSettings, Settings


def check(settings: Settings, into: Reading) -> None:
    first = settings.placements[0]
    for placement in settings.placements:
        if placement.environment.host != first.environment.host:
            _complain(placement, first, into)


def _complain(placement: PlacementSettings, first: PlacementSettings, into: Reading) -> None:
    mine, other = placement.environment.host, first.environment.host
    text = (
        f"expected the Docker host of {first.key.environment}, {quoted(other)}, got {quoted(mine)}; "
        "give each host a configuration and a state directory of its own"
    )
    at = ("environments", placement.key.environment, "host")
    if at in into.places:
        into.wrong(into.places[at].node, at, text)
    else:
        into.wrong_name(at[:-1], text)
