"""The Health tab: is it well, since when, what says so, and the way back."""

from __future__ import annotations

from cockpit.model import Health, Placement, Release, Replica, Tier
from cockpit.text import age
from cockpit.tui.line import BLANK, Line, fit, left, line, paragraph, right
from cockpit.tui.present.words import (
    ago,
    clock,
    condition,
    milliseconds,
    never_deployed,
    number,
    percent,
    sparkline,
)
from cockpit.tui.state import State

BARS = 12


def lines(state: State, now: float, room: int) -> list[Line]:
    placement = state.placement
    if placement is None:
        return [line(("  no service is configured yet", "muted"))]
    if never_deployed(placement) and state.running_of(placement.key) is None:
        return _not_deployed(placement)
    out: list[Line] = [*_headline(placement, state, now, room), BLANK]
    serving = placement.live.number if placement.live else None
    live_first = sorted(placement.replicas, key=lambda each: (each.release != serving, -each.release, each.index))
    out += [_replica(each, each.release == serving, now, room) for each in live_first]
    out += [BLANK] if placement.replicas else []
    out += [*_traffic(placement, room), BLANK]
    out += _suspect(placement, room)
    out += _held(placement, now, room)
    out += _way_back(placement, state, now, room)
    return out


def _not_deployed(placement: Placement) -> list[Line]:
    key = placement.key
    return [
        line(("  ○ not deployed yet", "strong"), (f"   {key.service} was never live in {key.environment}", "muted")),
        BLANK,
        line(("  D", "accent strong"), "  deploys the first release"),
    ]


def _headline(placement: Placement, state: State, now: float, room: int) -> list[Line]:
    glyph, word, tone = condition(placement, state, now)
    since = f" since {clock(placement.since)} · {ago(placement.since, now)}" if placement.since else ""
    head = line((f"  {glyph} {word}", f"{tone} strong"), (since, tone if tone in ("bad", "warn") else "muted"))
    why = paragraph(placement.why, room - 4, indent=0) if placement.why else ()
    return [fit(head, room), *(line("    ", *each) for each in why)]


def _replica(each: Replica, serves: bool, now: float, room: int) -> Line:
    """One that is kept hot has no customers, and is said to be so."""
    ok = each.running and 200 <= each.status < 300
    well = "answers" if serves else "answers, kept hot"
    said = each.error or (well if ok else f"{each.failed_in_row} probes failed in a row")
    if each.failed_in_row and each.error:
        said += f", {each.failed_in_row} in a row"
    tail = f"up {ago(each.started_at, now)}" if each.started_at else "not running"
    tail += f" · {each.restarts} restarts" if each.restarts else ""
    status = str(each.status) if each.status else "–"
    latency = right(milliseconds(each.latency_ms), 7) if room >= 70 else ""
    middle = max(8, room - 9 - 19 - 5 - len(latency) - 2 - len(tail) - 2)
    return fit(
        line(
            (f"  {left(f'r{each.release}·{each.index}', 7)}", "" if serves else "muted"),
            (left(each.address or each.container, 19), "muted"),
            (right(status, 4) + " ", "good" if ok else "bad"),
            (f"{latency}  ", "muted"),
            (left(said, middle), ("" if serves else "muted") if ok else "bad"),
            (f"  {tail}", "muted"),
        ),
        room,
    )


def _traffic(placement: Placement, room: int) -> list[Line]:
    """Customers' requests, counted at the edge: not our probes."""
    traffic, trend = placement.traffic, placement.trend
    wrong = "bad" if traffic.errors_percent >= 20 else "warn" if traffic.errors_percent >= 2 else ""
    bars = BARS if room >= 70 else 0
    cells_of = [
        ("requests/s ", number(traffic.per_second), "", sparkline(trend.per_second, bars)),
        ("5xx ", percent(traffic.errors_percent), wrong, sparkline(trend.errors_percent, bars)),
        ("p95 ", milliseconds(traffic.p95_ms), "", sparkline(trend.p95_ms, bars)),
    ]
    parts: Line = line("  ")
    for name, value, tone, shape in cells_of:
        gap = "   " if len(parts) > 1 else ""
        parts = (*parts, (gap, ""), (name, "muted"), (value, f"{tone} strong"), (f" {shape}", "muted"))
    return [fit(parts, room)]


def _suspect(placement: Placement, room: int) -> list[Line]:
    """A release that took traffic shortly before the trouble is the first thing to doubt."""
    live = placement.live
    if placement.health not in (Health.FAILING, Health.DEGRADED) or live is None or live.live_since is None:
        return []
    before = (placement.since or live.live_since) - live.live_since
    if before > 86_400:
        text = f"{live.name} was fine for {age(before)}: look for a change elsewhere first"
    else:
        text = f"{live.name}, live since {clock(live.live_since)}: {age(max(0.0, before))} before the first failure"
    found = [fit(line(("  suspect   ", "muted"), text), room)]
    line_of = next((each.error for each in placement.replicas if each.error), "")
    if line_of:
        found.append(fit(line(("  because   ", "muted"), line_of), room))
    found.append(line(("  e", "accent strong"), ("         the newest error in the service log", "muted")))
    return [*found, BLANK]


def _held(placement: Placement, now: float, room: int) -> list[Line]:
    hold = placement.hold
    if hold is None:
        return []
    text = f"held by {hold.by} {ago(hold.at, now)} ago: {hold.reason or 'no reason given yet'}"
    return [
        fit(line(("  ⏸ ", "warn"), (text, "warn")), room),
        fit(line(("    D is off until the hold is released: ", "muted"), ("x", "accent strong")), room),
        BLANK,
    ]


def _way_back(placement: Placement, state: State, now: float, room: int) -> list[Line]:
    if placement.last_good is None or (placement.live and placement.last_good == placement.live.number):
        return []
    target = next((each for each in state.releases.get(placement.key, ()) if each.number == placement.last_good), None)
    text = f"roll back to r{placement.last_good}{_how(target, now)}"
    return [fit(line(("  B", "accent strong"), f"  {text}"), room)]


def _how(target: Release | None, now: float) -> str:
    if target is None:
        return ""
    if target.tier is Tier.HOT:
        stays = f" for {age(target.hot_until - now)} more" if target.hot_until else ""
        return f" · hot{stays} · instant"
    return f" · {target.tier.value}"
