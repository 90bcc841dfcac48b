"""The small words and glyphs that all panes share."""

from __future__ import annotations

import time
from collections.abc import Sequence

from cockpit.glyphs import HEALTH, OUTCOME
from cockpit.model import Health, OperationKind, Placement, ProcessState
from cockpit.text import age, remaining
from cockpit.tui.line import Line, Part, paragraph
from cockpit.tui.state import STALE_AFTER, State

AUTO_ON = "on"  # the engine's word for "each commit is deployed by itself"
SOON = 20 * 3600.0  # seconds in which a time of day says enough
NOTICED = 1.0  # seconds from which a step's usual time is worth a word
BARS = "▁▂▃▄▅▆▇█"
NAME = {OperationKind.DEPLOY: "Deploy", OperationKind.ROLLBACK: "Rollback", OperationKind.RESTART: "Restart"}


def condition(placement: Placement, state: State, now: float) -> tuple[str, str, str]:
    """Glyph, word and tone of a placement: what the operator reads first."""
    if is_stale(placement, state, now):
        since = placement.seen_at
        return "◌", f"stale {age(now - since)}" if since else "stale", "muted"
    operation = state.running_of(placement.key)
    if operation and placement.health is not Health.FAILING:
        step = operation.current
        return "◐", step.name if step else operation.kind.value, "accent"
    if (left := state.left_of(placement.key)) and placement.health is not Health.FAILING:
        glyph, tone = OUTCOME[left.state]
        return glyph, left.state.value, tone
    if placement.elsewhere and placement.health is not Health.FAILING:
        return "◐", "elsewhere", "accent"
    if never_deployed(placement):
        return "○", "not deployed", "muted"
    health = health_of(placement)
    glyph, tone = HEALTH[health]
    if health is Health.HEALTHY and (placement.hold or placement.lock):
        return "⏸", "held" if placement.hold else "locked", "warn"
    return glyph, health.value, tone


def health_of(placement: Placement) -> Health:
    """A service is not well while one of its processes is not, even when customers notice nothing of it."""
    well = placement.health is Health.HEALTHY
    return Health.DEGRADED if well and lacking(placement) else placement.health


def lacking(placement: Placement) -> ProcessState | None:
    """The first process of which less runs than is wanted, those without a single container first."""
    short = [each for each in placement.processes if each.running < each.wanted]
    return min(short, key=lambda each: each.running > 0, default=None)


def host_name(host: str) -> str:
    """As people call it: shop-1 for ssh://deploy@shop-1."""
    scheme, _, rest = host.partition("://")
    if scheme == "ssh" and rest:
        return rest.rpartition("@")[2]
    return host.removeprefix("context:") or host


def never_deployed(placement: Placement) -> bool:
    """No release of it was ever live: nothing is wrong, and nothing is there."""
    return placement.health is Health.STOPPED and placement.live is None and placement.last_good is None


def is_stale(placement: Placement, state: State, now: float) -> bool:
    return placement.seen_at is not None and now - placement.seen_at > STALE_AFTER


def sparkline(values: Sequence[float | None], count: int) -> str:
    """The newest `count` values as bars from zero to the greatest; a blank where nothing was measured."""
    newest = list(values)[-count:]
    known = [each for each in newest if each is not None]
    top = max(known, default=0.0)
    bars = "".join(" " if each is None else _bar(each, top) for each in newest)
    return bars.rjust(count)


def milliseconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}ms" if value < 9999.5 else f"{value / 1000:.0f}s"


def number(value: float) -> str:
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def percent(value: float) -> str:
    return "0 %" if value == 0 else f"{value:.1f} %" if value < 9.95 else f"{value:.0f} %"


def clock(at: float | None, *, seconds: bool = False) -> str:
    return time.strftime("%H:%M:%S" if seconds else "%H:%M", time.localtime(at)) if at is not None else "–"


def until(at: float, now: float) -> str:
    """ "18:30 (in 3h)"; with its day when that is not this one's."""
    form = "%H:%M" if at - now < SOON else "%a %d %b, %H:%M"
    return f"{time.strftime(form, time.localtime(at))} (in {remaining(at - now)})"


def ago(at: float | None, now: float) -> str:
    return age(now - at) if at is not None else "–"


def count(number_of: int, one: str, many: str = "") -> str:
    return f"{number_of} {one if number_of == 1 else many or one + 's'}"


def key(name: str, does: str) -> tuple[Part, ...]:
    """A key and what it does, as hints show them."""
    return ((name, "accent strong"), (f" {does}", ""))


def remark(glyph: str, tone: str, text: str, room: int) -> list[Line]:
    """A remark with its glyph, wrapped under itself."""
    wrapped = paragraph(text, room - 2)
    return [((f"{glyph} " if place == 0 else "  ", tone), *each) for place, each in enumerate(wrapped)]


def _bar(value: float, top: float) -> str:
    return BARS[min(len(BARS) - 1, int(value / top * (len(BARS) - 1) + 0.5))] if top > 0 else BARS[0]
