"""The first line (readable from two metres away) and the last one (the next useful keys)."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.model import Health, OperationKind, OperationState, Placement, Role
from cockpit.text import age, shorten
from cockpit.tui.line import Line, Part, cells, fit, line, spread, toned
from cockpit.tui.present import notes
from cockpit.tui.present.reasons import not_yours, reason
from cockpit.tui.present.words import clock, health_of, is_stale, key, never_deployed, until
from cockpit.tui.state import State

RESTART_NEWS = 600.0  # seconds for which "engine restarted" stays on the screen
UNDER_WAY = {
    OperationKind.DEPLOY: "deploying",
    OperationKind.ROLLBACK: "rolling back",
    OperationKind.RESTART: "restarting",
}
NO_NEWS = 10.0  # seconds without a word of Docker's that are worth saying


@dataclass(frozen=True, slots=True)
class Load:
    """What the demo's load generator counts."""

    per_second: float
    lost: int
    errors: int


def header(state: State, now: float, room: int, load: Load | None = None) -> Line:
    """All environments' failing counts, the chosen one's name, what is under us, who else looks, the time."""
    protected = any(each.protected for each in state.rows)
    name = state.environment
    start: list[Part] = [(f" {name.upper() if protected else name}  ", "strong"), *_role(state)]
    start += _frozen(state, now, room)
    end: list[Part] = [(f"{clock(now)} ", "")]
    if load is not None:  # always visible
        end = [*_load(load, room), ("   ", ""), *end]
    start += _trouble_below(state, now) or _counts(state, now, room - _size(start) - _size(end) - 1)
    under = _under(state, now)
    for each in (under, under[:1], _others(state, room)):  # what matters least is left out first
        if each and each[0] not in end and _size(start) + _size(end) + _size(each) + 3 <= room:
            end = [*each, ("   ", ""), *end]
    return spread(tuple(start), tuple(end), room)


def hints(state: State, room: int) -> Line:
    """As many of the next useful keys as fit; help is always the last of them."""
    placement = state.placement
    failing = any(each.health is Health.FAILING and each.key != state.selected for each in state.placements)
    wanted = [("B", "roll back", "rollback"), ("D", "deploy", "deploy")]
    if placement and placement.last_good is None and reason("rollback", state):
        wanted.reverse()
    if state.running_of(state.selected):
        wanted.insert(0, ("X", "cancel", "cancel"))
    if way_on := _way_on(state):
        wanted.insert(1, ("x", way_on, "actions"))
    wanted += [("!", "next failing", "next.failing")] if failing else []
    wanted += [("/", "filter", "find"), ("[ ]", "tabs", "tab.next"), ("z", "zoom", "zoom")]
    wanted += [("E", "environment", "environments")]
    wanted += [] if way_on else [("x", "actions", "actions")]
    wanted += [(":", "commands", "palette")]
    shown: Line = line(" ")
    for name, does, action in wanted:
        offered = key(name, does)
        more = (*shown, *(toned(offered, "faint") if reason(action, state) else offered), ("  ", ""))
        if cells(more) + len("? help") > room:
            break
        shown = more
    return fit((*shown, *key("?", "help")), room)


def _way_on(state: State) -> str:
    """What the menu is opened for, where something is in the way of the next deploy."""
    placement, left = state.placement, state.left_of(state.selected)
    if placement is None or not_yours(state):
        return ""
    if left is not None and left.state is OperationState.STUCK:
        return "try to recover"
    return "release the hold" if placement.hold else "unlock" if placement.lock else ""


def _frozen(state: State, now: float, room: int) -> list[Part]:
    if state.freeze is None:
        return []
    ends = f" until {until(state.freeze.until, now).partition(' (')[0]}" if room >= 60 else ""
    who = f" by {shorten(state.freeze.by, 16)}" if room >= 100 else ""
    return [("⏸ FROZEN", "warn strong"), (f"{ends}{who}  ", "strong")]


def _role(state: State) -> list[Part]:
    """Whoever may do everything is told nothing."""
    if state.read_only:
        return [("read-only  ", "warn strong")]
    return [] if state.role is Role.ADMIN else [(f"{state.role.value}  ", "strong")]


def _counts(state: State, now: float, room: int) -> list[Part]:
    """This environment's, then the others' in trouble, then those that are well, as far as there is room."""
    parts: list[Part] = _trouble(state, state.environment, now) or _calm(state, state.environment)
    others = [(each, _trouble(state, each, now)) for each in state.environments if each != state.environment]
    for name, trouble in sorted(others, key=lambda each: not each[1]):
        more = [(f"   {name} ", ""), *(trouble or _calm(state, name))]
        if _size(parts) + _size(more) <= room or trouble:
            parts += more
    return parts


def _calm(state: State, environment: str) -> list[Part]:
    """Nothing is wrong: all well, unless something was never deployed, of which nothing can be said."""
    own = [each for each in state.placements if each.key.environment == environment]
    absent = sum(1 for each in own if never_deployed(each))
    if not absent:
        return [("all well", "good")]
    rest: list[Part] = [(f"{len(own) - absent} well", "good"), (" · ", "")] if len(own) > absent else []
    return [*rest, (f"{absent} not deployed yet", "muted")]


def _trouble(state: State, environment: str, now: float) -> list[Part]:
    """What is not well there, and what is under way."""
    own = [each for each in state.placements if each.key.environment == environment and not never_deployed(each)]
    stale = [each for each in own if is_stale(each, state, now)]
    own = [each for each in own if each not in stale]
    failing, degraded, stopped = (_number(own, each) for each in (Health.FAILING, Health.DEGRADED, Health.STOPPED))
    unknown = _number(own, Health.UNKNOWN) + len(stale)
    kinds = [each.kind for each in state.running if each.key.environment == environment]
    left = [each.state for each in state.left if each.key.environment == environment]
    found: list[Part] = []
    for many, word, tone in (
        (failing, "failing", "bad strong"),
        (degraded, "degraded", "warn"),
        (stopped, "stopped", "warn"),
        (unknown, "unknown", "warn"),
        (left.count(OperationState.STUCK), "stuck", "bad strong"),
        (left.count(OperationState.RECOVERING), "recovering", "warn"),
        *((kinds.count(kind), word, "accent") for kind, word in UNDER_WAY.items()),
    ):
        if many:
            found += [(" · ", "")] if found else []
            found.append((f"{many} {word}", tone))
    return found


def _size(parts: list[Part]) -> int:
    return cells(tuple(parts))


def _number(placements: list[Placement], health: Health) -> int:
    return sum(1 for each in placements if health_of(each) is health)


def _trouble_below(state: State, now: float) -> list[Part]:
    """What hides the truth of everything else, said in place of the counts."""
    if state.lost is not None and state.engine is None:
        return [("engine starting …", "warn strong")]
    if state.lost is not None:
        gone = age(now - (state.lost_at or now))
        return [("engine restarting …", "warn strong"), (f"  values are {gone} old", "")]
    engine = state.engine
    if engine is None:
        return [("connecting …", "muted")]
    if not engine.docker_ok and not any(each.docker_ok for each in engine.hosts):
        seen = engine.docker_seen_at
        gone = f"unknown for {age(now - seen)} · " if seen else "unknown · "
        last = f"   last seen {clock(seen, seconds=True)}" if seen else ""
        return [(f"{gone}Docker does not answer ({engine.docker})", "bad strong"), (last, "")]
    return []


def _under(state: State, now: float) -> list[Part]:
    engine = state.engine
    if engine is None or state.lost is not None or _trouble_below(state, now):
        return []
    restarted = state.restarted_at is not None and now - state.restarted_at < RESTART_NEWS
    parts: list[Part] = [(f"engine restarted {clock(state.restarted_at)}" if restarted else "engine ok", "")]
    if len(engine.hosts) > 1:
        parts += notes.hosts(engine)
    else:
        heard = _heard_at(state)
        old = f" {age(now - heard)} ago" if heard is not None and now - heard >= NO_NEWS else ""
        parts.append((f" · docker ok{old}", ""))
    return parts


def _heard_at(state: State) -> float | None:
    """When Docker last answered, as far as told: the engine repeats its own word only when that changes, and each
    placement's all the time."""
    told = [each.seen_at for each in state.placements if each.seen_at is not None]
    if state.engine and state.engine.docker_seen_at is not None:
        told.append(state.engine.docker_seen_at)
    return max(told, default=None)


def _others(state: State, room: int) -> list[Part]:
    names = list(state.engine.connected) if state.engine else []
    if state.me and state.me.name in names:
        names.remove(state.me.name)  # oneself; the same name again is another session
    if not names or room < 100:
        return []
    more = f" +{len(names) - 3}" if len(names) > 3 else ""
    return [(f"with you: {', '.join(names[:3])}{more}", "")]


def _load(load: Load, room: int) -> list[Part]:
    return [
        (f"{'load ' if room >= 80 else ''}{load.per_second:.0f}/s · ", ""),
        (f"lost {load.lost}", "bad strong" if load.lost else "strong"),
        (" · ", ""),
        (f"5xx {load.errors}", "warn strong" if load.errors else "strong"),
    ]
