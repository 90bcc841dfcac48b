"""The Truth tab: what the records say beside what was last seen, and where the two differ."""

from __future__ import annotations

from cockpit.model import Placement, Replica, Tier
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
        *(_container(each, placement, hot) for each in placement.replicas),
        BLANK,
        _verdict(placement, hot),
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


def _container(each: Replica, placement: Placement, hot: frozenset[int]) -> Line:
    agrees = _agrees(each, placement, hot)
    note = ("hot " if each.release in hot else "") if each.running else "stopped " if agrees else "not running "
    return line(
        ("  ✔ " if agrees else "  ▲ ", "good" if agrees else "warn"),
        left(f"r{each.release}", 5),
        (left(each.address or "–", 22), "muted"),
        (f" {note}", "muted"),
        each.container,
    )


def _agrees(each: Replica, placement: Placement, hot: frozenset[int]) -> bool:
    """Releases that are kept hot run beside the live one, without the processes that customers do not reach; what is
    kept of all others is stopped."""
    if placement.live is None:
        return False
    if each.release == placement.live.number:
        return each.running or not _lacks(placement, each.process)
    return not each.running or (each.release in hot and bool(each.address))


def _lacks(placement: Placement, process: str) -> bool:
    """Something of the live release's is missing: by what the engine counts, or where it counts nothing, by sight."""
    told = [each for each in placement.processes if each.name == process]
    if told:
        return told[0].running < told[0].wanted
    live = placement.live.number if placement.live else None
    own = [each for each in placement.replicas if each.release == live and each.process == process]
    return not own or any(not each.running for each in own)


def _verdict(placement: Placement, hot: frozenset[int]) -> Line:
    live = placement.live
    if live is None:
        return line(("  ? ", "muted"), "nothing to compare: no live release")
    seen = {each.process for each in placement.replicas if each.release == live.number}
    wanted = {each.name for each in placement.processes} or seen
    whole = bool(seen) and not any(_lacks(placement, each) for each in wanted)
    if whole and all(_agrees(each, placement, hot) for each in placement.replicas):
        return line(("  ✔ ", "good"), "record, pointer and containers agree")
    return line(("  ▲ ", "warn"), ("what runs is not what is recorded", "warn"))
