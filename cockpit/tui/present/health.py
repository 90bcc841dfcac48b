"""The Health tab: is it well, since when, what says so, and the way back."""

from __future__ import annotations

from cockpit.model import Health, Placement, Release, Tier
from cockpit.text import age
from cockpit.tui.line import BLANK, Line, fit, line, paragraph
from cockpit.tui.present import barriers, processes
from cockpit.tui.present.words import (
    AUTO_ON,
    ago,
    clock,
    condition,
    host_name,
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
    around = barriers.lines(placement, state, now, room)
    if never_deployed(placement) and state.running_of(placement.key) is None:
        return [*_not_deployed(placement), *([BLANK, *around] if around else [])]
    out: list[Line] = [*_headline(placement, state, now, room), BLANK, *around]
    out += processes.lines(placement, now, room)
    out += [BLANK] if placement.replicas or placement.processes else []
    out += [*_traffic(placement, room), BLANK]
    out += _suspect(placement, room)
    out += _held(placement, now, room)
    out += _automatic(placement, room)
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
    known = placement.since is not None and word == placement.health.value
    since = f" since {clock(placement.since)} · {ago(placement.since, now)}" if known else ""
    head = line((f"  {glyph} {word}", f"{tone} strong"), (since, tone if tone in ("bad", "warn") else "muted"))
    if state.engine and len(state.engine.hosts) > 1:
        head = (*head, (f" · on {host_name(placement.host)}", "muted"))
    why = paragraph(placement.why, room - 4, indent=0) if placement.why else ()
    return [fit(head, room), *(line("    ", *each) for each in why), *_not_configured(placement, room)]


def _not_configured(placement: Placement, room: int) -> list[Line]:
    if placement.configured:
        return []
    text = "not in the configuration any more: it goes on running as it is. B works; D needs it back in the file"
    return [line("    ", *each) for each in paragraph(text, room - 4, "muted")]


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


def _automatic(placement: Placement, room: int) -> list[Line]:
    """Whether commits are deployed by themselves here, and else why not."""
    if not placement.auto:
        return []
    if placement.auto == AUTO_ON:
        return [fit(line(("  auto      ", "muted"), "each new commit is deployed by itself"), room), BLANK]
    wrapped = paragraph(placement.auto, room - 12)
    said = [line((f"  {'auto off' if place == 0 else '':<10}", "warn"), *each) for place, each in enumerate(wrapped)]
    return [*said, BLANK]


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
