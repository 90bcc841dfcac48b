"""What runs of a placement: its replicas, and where it has several processes, by process."""

from __future__ import annotations

from cockpit.model import Placement, ProcessState, Replica
from cockpit.tui.line import Line, fit, left, line, right
from cockpit.tui.present.words import ago, milliseconds

NAME = 10  # cells of a process's name


def lines(placement: Placement, now: float, room: int) -> list[Line]:
    """A process that customers do not reach and that runs as it should is one line; all else shows its replicas."""
    live_first = _sorted(placement)
    if len(placement.processes) <= 1:
        return [_replica(each, placement, now, room) for each in live_first]
    out: list[Line] = []
    for process in placement.processes:
        own = [each for each in live_first if each.process == process.name]
        well = process.running >= process.wanted
        folded = [each for each in own if each.running and each.release == _serving(placement)]
        out.append(_heading(process, [] if process.routed else folded, now, room))
        if process.routed or not well:
            out += [_replica(each, placement, now, room) for each in own]
    known = {each.name for each in placement.processes}
    return out + [_replica(each, placement, now, room) for each in live_first if each.process not in known]


def _sorted(placement: Placement) -> list[Replica]:
    serving = _serving(placement)
    return sorted(placement.replicas, key=lambda each: (each.release != serving, -each.release, each.index))


def _serving(placement: Placement) -> int | None:
    return placement.live.number if placement.live else None


def _heading(process: ProcessState, folded: list[Replica], now: float, room: int) -> Line:
    well = process.running >= process.wanted
    name = (f"  {left(process.name, max(NAME, len(process.name) if room >= 60 else NAME))} ", "strong")
    number = (
        f"{min(process.running, process.wanted)} of {process.wanted}"  # those of a restart that still stop are more
    )
    if not well:
        why = process.why or "not running"
        return fit(line(name, (f"▲ {number}", "warn strong"), (f"   {why}", "warn")), room)
    started = [each.started_at for each in folded if each.started_at is not None]
    up = f"   up {ago(min(started), now)}" if started else ""
    return fit(line(name, ("● ", "good"), (f"{number} {'run' if process.wanted > 1 else 'runs'}{up}", "muted")), room)


def _replica(each: Replica, placement: Placement, now: float, room: int) -> Line:
    """One that is kept hot has no customers, and is said to be so."""
    serves = each.release == _serving(placement)
    probed = bool(each.address)
    ok = each.running and (200 <= each.status < 300 or not probed)
    fresh = each.running and not (each.status or each.failed_in_row or each.error)
    tone = "muted" if fresh else "good" if ok else "bad"
    said = _said(each, serves, ok)
    if each.failed_in_row and each.error:
        said += f", {each.failed_in_row} in a row"
    tail = f"up {ago(each.started_at, now)}" if each.started_at and each.running else "not running"
    tail += f" · {each.restarts} restarts" if each.restarts else ""
    status = str(each.status) if each.status else "–"
    latency = right(milliseconds(each.latency_ms), 7) if room >= 70 else ""
    middle = max(8, room - 9 - 19 - 5 - len(latency) - 2 - len(tail) - 2)
    return fit(
        line(
            (f"  {left(f'r{each.release}·{each.index}', 7)}", "" if serves else "muted"),
            (left(each.address or "no port", 19), "muted"),
            (right(status, 4) + " ", tone if probed or not ok else "muted"),
            (f"{latency}  ", "muted"),
            (left(said, middle), ("" if serves else "muted") if ok else tone),
            (f"  {tail}", "muted"),
        ),
        room,
    )


def _said(each: Replica, serves: bool, ok: bool) -> str:
    if each.error:
        return each.error
    if not each.address:
        return "runs" if each.running else "does not run"
    well = "answers" if serves else "answers, kept hot"
    if ok:
        return well
    return f"{each.failed_in_row} probes failed in a row" if each.failed_in_row else "no answer yet"
