"""The Truth tab: what the records say beside what was last seen, and where the two differ."""

from __future__ import annotations

from cockpit.model import Placement, Release, Replica, Tier
from cockpit.tui.line import BLANK, Line, fit, left, line
from cockpit.tui.present.words import ago, clock
from cockpit.tui.state import State


def lines(state: State, now: float, room: int) -> list[Line]:
    placement = state.placement
    if placement is None:
        return [line(("  no service is configured yet", "muted"))]
    live = placement.live
    hot = frozenset(each.number for each in state.releases.get(placement.key, ()) if each.tier is Tier.HOT)
    out = [
        _fact("recorded", f"{live.name} · {live.commit[:12]} · by {live.by}" if live else "no release is recorded"),
        _fact("pointer", f"{live.name} since {clock(live.live_since, seconds=True)}" if live else "points nowhere"),
        _fact("image", live.image if live else "–"),
        _fact("customers", ", ".join(placement.hosts) or placement.url or "not routed"),
        *_where(placement, state),
        _fact("last good", f"r{placement.last_good}" if placement.last_good else "none yet"),
        _fact("seen", f"{ago(placement.seen_at, now)} ago" if placement.seen_at else "never"),
        BLANK,
        line(("  containers", "muted")),
        *(_container(each, live, hot) for each in placement.replicas),
        BLANK,
        _verdict(live, placement.replicas, hot),
    ]
    if state.engine:
        out += [BLANK, _fact("engine", f"{state.engine.version} · pid {state.engine.pid}")]
        out += [_fact("config", state.engine.config_path), _fact("state", state.engine.state_path)]
    return [fit(each, room) for each in out]


def _where(placement: Placement, state: State) -> list[Line]:
    several = state.engine is not None and len(state.engine.hosts) > 1
    absent = [_fact("configured", "not any more")] if not placement.configured else []
    return [*([_fact("host", placement.host)] if several else []), *absent]


def _fact(name: str, value: str) -> Line:
    return line((f"  {name:<11}", "muted"), value)


def _container(each: Replica, live: Release | None, hot: frozenset[int]) -> Line:
    expected = live is not None and (each.release == live.number or each.release in hot)
    agrees = expected and each.running
    note = ("hot " if each.release in hot else "") if each.running else "not running "
    return line(
        ("  ✔ " if agrees else "  ▲ ", "good" if agrees else "warn"),
        left(f"r{each.release}", 5),
        (left(each.address or "–", 22), "muted"),
        (f" {note}", "muted"),
        each.container,
    )


def _verdict(live: Release | None, replicas: tuple[Replica, ...], hot: frozenset[int]) -> Line:
    """Releases that are kept hot run beside the live one, as they should."""
    if live is None:
        return line(("  ? ", "muted"), "nothing to compare: no live release")
    other = [each for each in replicas if each.release != live.number and each.release not in hot]
    gone = [each for each in replicas if not each.running]
    if other or gone or not replicas:
        return line(("  ▲ ", "warn"), ("what runs is not what is recorded", "warn"))
    return line(("  ✔ ", "good"), "record, pointer and containers agree")
