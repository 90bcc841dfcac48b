"""What is wrong below the services: a line under the first one, there only while there is something to say."""

from __future__ import annotations

from cockpit.model import EngineStatus, HostStatus
from cockpit.text import age
from cockpit.tui.line import Line, Part, fit, line
from cockpit.tui.present.words import host_name
from cockpit.tui.state import State

DOWN, NO_EDGE, NOTED, WELL = range(4)


def lines(state: State, now: float, room: int, *, most: int) -> list[Line]:
    """Hosts, the worst first, then a configuration that is not what is used. One line each, not more than `most`."""
    engine = state.engine
    if engine is None or state.lost is not None:
        return []
    troubled = sorted(
        (each for each in engine.hosts if _badness(each) < WELL), key=lambda each: (_badness(each), each.name)
    )
    several = len(engine.hosts) > 1
    about_hosts = [each for each in (_host(each, now, several) for each in troubled) if each]
    note = f"{engine.config_note} · the last good one is used"
    about_file = [line((" ▲ ", "warn"), note)] if engine.config_note else []
    found = [*about_hosts[: most - len(about_file)], *about_file]
    return [fit(each, room) for each in found]


def hosts(engine: EngineStatus) -> list[Part]:
    """For the first line: the worst host by its name, and how many are well."""
    worst = min(engine.hosts, key=_rank)
    well = sum(_badness(each) >= NOTED for each in engine.hosts)
    if _badness(worst) >= NOTED:
        return [(f" · {well} hosts ok", "")]
    what = "docker" if not worst.docker_ok else "edge"
    rest = f" · {well} ok" if well else ""
    return [(f" · {host_name(worst.name)}: no {what}", "bad strong"), (rest, "")]


def _badness(host: HostStatus) -> int:
    return DOWN if not host.docker_ok else NO_EDGE if not host.edge_ok else NOTED if host.note else WELL


def _rank(host: HostStatus) -> tuple[int, str]:
    return _badness(host), host.name


def _host(host: HostStatus, now: float, several: bool) -> Line:
    """A single host that does not answer is said in the first line already."""
    name = (f"{host_name(host.name)}: ", "strong") if several else ("", "")
    if not host.docker_ok:
        seen = f" · last seen {age(now - host.docker_seen_at)} ago" if host.docker_seen_at else ""
        return line((" ✖ ", "bad"), name, f"Docker does not answer ({host.docker}){seen}") if several else ()
    if not host.edge_ok:
        return line((" ✖ ", "bad"), name, f"edge: {host.edge}") if several else ()
    return line((" ▲ ", "warn"), name, host.note)
