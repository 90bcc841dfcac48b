"""Who answers whom: on one listener of one host, a name belongs to one placement."""

from __future__ import annotations

from cockpit.config.kinds import Reading
from cockpit.config.problems import Mark, quoted
from cockpit.config.settings import PlacementSettings, Settings

ANY = ""  # answers to every name that nobody else has


def check(settings: Settings, into: Reading) -> None:
    taken: dict[tuple[str, str, str], PlacementSettings] = {}
    for placement in settings.placements:
        if placement.service.port is None:
            continue
        for name in placement.service.hosts or (ANY,):
            other = taken.setdefault((*listener(placement), name), placement)
            if other is not placement:
                _complain(placement, other, name, into)


def listener(placement: PlacementSettings) -> tuple[str, str]:
    """Docker host and address; every spelling of "all addresses" is the same one."""
    address, _, port = placement.environment.edge.listen.rpartition(":")
    return placement.environment.host, f"{'' if address in {'0.0.0.0', '[::]'} else address}:{port}"


def _complain(placement: PlacementSettings, other: PlacementSettings, name: str, into: Reading) -> None:
    what = f"answer to {quoted(name)}" if name else "answer to any name"
    where = f"on {placement.environment.edge.listen}"
    cure = "give one of them other hosts" if name else "give one of them hosts"
    text = f"{other.key} and {placement.key} both {what} {where}; {cure}, or its environment another edge.listen"
    into.problems.add(_mark(placement, into), text)


def _mark(placement: PlacementSettings, into: Reading) -> Mark:
    root = ("services", placement.key.service)
    for at in ((*root, "environments", placement.key.environment, "hosts"), (*root, "hosts"), root):
        if node := into.keys.get(at):
            return node.mark
    return Mark(1, 1)
