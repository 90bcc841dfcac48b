"""Who answers whom, and as whom: on one listener of one host, a name belongs to one process of one placement."""

from __future__ import annotations

from cockpit.config.base import Reading
from cockpit.config.problems import Mark, quoted
from cockpit.config.processes import WEB, written
from cockpit.config.settings import PlacementSettings, Settings

ANY = ""  # answers to every name that nobody else has
Answerer = tuple[PlacementSettings, str]  # a placement and its process


def check(settings: Settings, into: Reading) -> None:
    _say_shared(settings, into)
    _say_unreached(settings, into)
    taken: dict[tuple[str, str, str, str], Answerer] = {}
    for placement in settings.placements:
        for process, names in placement.service.public.items():
            mine = (placement, process)
            for name in names or (ANY,):
                _take(mine, name, taken, into)
            _certify(mine, names, into)


def _take(mine: Answerer, name: str, taken: dict[tuple[str, str, str, str], Answerer], into: Reading) -> None:
    """On the listener for plain HTTP, and on that for HTTPS; a clash is said once."""
    environment = mine[0].environment
    listens = {"edge.listen": environment.edge.listen}
    if environment.edge.tls is not None:
        listens["edge.tls.listen"] = environment.edge.tls.listen
    for key, listen in listens.items():
        other = taken.setdefault((environment.host, key, normal(listen), name), mine)
        if other is not mine:
            _complain(mine, other, name, (key, listen), into)
            return


def _say_shared(settings: Settings, into: Reading) -> None:
    """An address takes plain HTTP or HTTPS."""
    used = {each.key.environment: each.environment for each in settings.placements}
    plain = {(each.host, normal(each.edge.listen)): name for name, each in used.items()}
    for name, each in used.items():
        other = plain.get((each.host, normal(each.edge.tls.listen))) if each.edge.tls else None
        if each.edge.tls and other:
            own, every = ("environments", name, "edge", "tls"), ("edge", "tls")
            text = f"expected an address of its own, got {each.edge.tls.listen}, where {other} takes plain HTTP"
            into.wrong_where(((*own, "listen"), (*every, "listen"), own, every), text)


def _say_unreached(settings: Settings, into: Reading) -> None:
    """A host has one edge, and in networks it is not where the customers of an environment without them ask."""
    used = {each.key.environment: each.environment for each in settings.placements}
    outside = {each.host: name for name, each in used.items() if not each.edge.networks}
    for name, each in used.items():
        if each.edge.networks and each.host in outside:
            text = f"expected them in all environments on {each.host} or in none, for it has one edge"
            own, every = ("environments", name, "edge", "networks"), ("edge", "networks")
            into.wrong_where((own, every), f"{text}; {outside[each.host]} has none")


def normal(listen: str) -> str:
    """Every spelling of "all addresses" is the same one."""
    address, _, port = listen.rpartition(":")
    return f"{'' if address in {'0.0.0.0', '[::]'} else address}:{port}"


def _complain(mine: Answerer, other: Answerer, name: str, where: tuple[str, str], into: Reading) -> None:
    what = f"answer to {quoted(name)}" if name else "answer to any name"
    key, listen = where
    cure = "give one of them other hosts" if name else "give one of them hosts"
    away = "" if mine[0] is other[0] else f", or its environment another {key}"
    into.problems.add(_mark(mine, into), f"{_said(other)} and {_said(mine)} both {what} on {listen}; {cure}{away}")


def _certify(answerer: Answerer, names: tuple[str, ...], into: Reading) -> None:
    """An ACME authority certifies names that it can reach, one by one."""
    tls = answerer[0].environment.edge.tls
    wild = [name for name in names if name.startswith("*.")]
    if tls is None or tls.issuer != "acme" or tls.certificates or (names and not wild):
        return
    what = quoted(wild[0]) if wild else "any name"
    cure = "name the hosts, or give edge.tls certificates"
    into.problems.add(_mark(answerer, into), f"{_said(answerer)}: no ACME certificate can be had for {what}; {cure}")


def _said(answerer: Answerer) -> str:
    placement, process = answerer
    return str(placement.key) if process == WEB else f"{placement.key} ({process})"


def _mark(answerer: Answerer, into: Reading) -> Mark:
    placement, process = answerer
    root = ("services", placement.key.service)
    for at in (*written(root, placement.key.environment, ("processes", process, "hosts")), root):
        if node := into.keys.get(at):
            return node.mark
    return Mark(1, 1)
