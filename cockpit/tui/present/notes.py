"""What is wrong below the services: a line under the first one, there only while there is something to say."""

from __future__ import annotations

import re

from cockpit.model import EngineStatus, HostStatus
from cockpit.text import age
from cockpit.tui.line import Line, Part, fit, line
from cockpit.tui.present.words import host_name, until
from cockpit.tui.state import State

DOWN, NO_EDGE, NOTED, WELL = range(4)
FREE = " · rollbacks go on · x lifts it"
LINE_DOWN = re.compile(r"^the line to \S+ is down for [^:]+: ")  # stands before why, and says nothing new beside a host


def lines(state: State, now: float, room: int, *, most: int) -> list[Line]:
    """The freeze, hosts, the worst first, the release log, then a configuration that is not what is used; not more than
    `most`, and the last of them always: only there is it said."""
    engine = state.engine
    if engine is None or state.lost is not None:
        return []
    found = [*_frozen(engine, now), *_hosts(engine, now), *_notes(engine)]
    shown = found if len(found) <= most else [*found[: most - 1], found[-1]]
    return [fit(each, room) for each in shown]


def hosts(engine: EngineStatus) -> list[Part]:
    """For the first line: the worst host by its name, and how many are well."""
    worst = min(engine.hosts, key=_rank)
    well = sum(_badness(each) >= NOTED for each in engine.hosts)
    if _badness(worst) >= NOTED:
        return [(f" · {well} hosts ok", "")]
    what = "docker" if not worst.docker_ok else "edge"
    rest = f" · {well} ok" if well else ""
    return [(f" · {host_name(worst.name)}: no {what}", "bad strong"), (rest, "")]


def _frozen(engine: EngineStatus, now: float) -> list[Line]:
    freeze = engine.freeze
    if freeze is None:
        return []
    ends = f"frozen until {until(freeze.until, now)}"
    return [line((" ⏸ ", "warn"), (ends, "strong"), f" by {freeze.by}: {freeze.reason}", (FREE, "muted"))]


def _badness(host: HostStatus) -> int:
    return DOWN if not host.docker_ok else NO_EDGE if not host.edge_ok else NOTED if host.note else WELL


def _rank(host: HostStatus) -> tuple[int, str]:
    return _badness(host), host.name


def _notes(engine: EngineStatus) -> list[Line]:
    file = f"{engine.config_note} · the last good one is used" if engine.config_note else ""
    log = f"release log: {engine.log_note}" if engine.log_note else ""
    return [line((" ▲ ", "warn"), each) for each in (log, file) if each]


def _hosts(engine: EngineStatus, now: float) -> list[Line]:
    """An only host that does not answer is said in the first line already, in place of all that it hides."""
    if not engine.hosts:
        return [] if engine.edge_ok else [line((" ✖ ", "bad"), f"edge: {engine.edge}")]
    several = len(engine.hosts) > 1
    troubled = [each for each in sorted(engine.hosts, key=_rank) if _badness(each) < WELL]
    return [_host(each, now, several) for each in troubled if several or each.docker_ok]


def _host(host: HostStatus, now: float, several: bool) -> Line:
    name = (f"{host_name(host.name)}: ", "strong") if several else ("", "")
    if not host.docker_ok:
        seen = f" · Docker seen {age(now - host.docker_seen_at)} ago" if host.docker_seen_at else " · no Docker"
        return line((" ✖ ", "bad"), name, LINE_DOWN.sub("", host.docker), seen)
    if not host.edge_ok:
        return line((" ✖ ", "bad"), name, f"edge: {host.edge}")
    return line((" ▲ ", "warn"), name, host.note)
