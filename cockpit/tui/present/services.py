"""The Services list: one row a placement, and the very small screen's list of trouble."""

from __future__ import annotations

from cockpit.glyphs import HEALTH
from cockpit.model import Health, Placement
from cockpit.text import shorten, width
from cockpit.tui.line import Line, Part, left, line, right, toned
from cockpit.tui.present.listing import Drawn, Shown
from cockpit.tui.present.words import (
    ago,
    condition,
    health_of,
    is_stale,
    lacking,
    milliseconds,
    never_deployed,
    sparkline,
)
from cockpit.tui.state import State

WORDS_FROM = 60  # cells from which the state is said in words beside its glyph
OTHERS = 2 + 1 + 12 + 4 + 5 + 7 + 4  # cells of mark, gap, live, age, pend, p95, glyph
WORD = 13  # cells that a state said in words wants: "not in config"
ABSENT = "not in config"
BARRED = "⏸"
SAID = ("locked", "held", "recovering", "stuck", "elsewhere")  # in words also where numbers have to go for them
FOLDED = 8  # cells of a name from which it also says how many processes it stands for
BATCH_ALARM = 16  # pending commits
OLD, TOO_OLD = 86_400.0, 259_200.0  # seconds the oldest pending commit has waited


def listing(state: State, now: float, shown: Shown[Placement]) -> Drawn:
    rows = [row(each, state, now, shown.room, selected=each.key == state.selected) for each in shown.items]
    return [heading(shown.room), *rows], None if shown.cursor is None else shown.cursor + 1


def matches(placement: Placement, text: str) -> bool:
    return text.lower() in placement.key.service.lower()


def heading(room: int) -> Line:
    name = _name_room(room)
    live = 12 if room >= 50 else 6
    word = "health" if room < WORDS_FROM else ""
    text = f"  {left('service', name)} {left('live', live)}{right('age', 4)} {right('pend', 4)} {right('p95', 6)}"
    return ((f"{text}{word:>{7}}" if word else f"{text} health", "muted"),)


def row(placement: Placement, state: State, now: float, room: int, *, selected: bool) -> Line:
    live = placement.live
    long = room >= 50
    name = f"{live.name:<4}{live.commit[:7]:>7} " if live and long else f"{live.name if live else '–':<6}"
    parts: list[Part] = [
        ("▸ " if selected else "  ", "accent strong"),
        *_name(placement, _name_room(room), "strong" if selected else "", condition(placement, state, now)[0]),
        (left(name, 12 if long else 6), "muted" if long else ""),
        (right(ago(live.live_since, now) if live else "–", 4), "muted"),
        (right(_pending(placement), 5), _pending_tone(placement, now)),
        *_says(placement, state, now, room),
    ]
    done = tuple(parts)
    return toned(done, "faint") if state.lost is not None or is_stale(placement, state, now) else done


def _name(placement: Placement, room: int, tone: str, glyph: str) -> list[Part]:
    """With how many other processes are folded into the row, and a lock that its state does not tell."""
    folded = f" +{len(placement.processes) - 1}" if len(placement.processes) > 1 and room >= FOLDED else ""
    barred = f" {BARRED}" if (placement.lock or placement.hold) and glyph != BARRED else ""
    name = shorten(placement.key.service, room - len(folded) - len(barred))
    rest = " " * (room - width(name) - len(folded) - len(barred) + 1)
    return [(name, tone), (folded, "muted"), (barred, "warn"), (rest, "")]


def _says(placement: Placement, state: State, now: float, room: int) -> list[Part]:
    """Latency and state; a state that is said in words takes the place of what there is no number for."""
    glyph, word, tone = condition(placement, state, now)
    p95 = (right(milliseconds(placement.traffic.p95_ms), 7), "")
    if room >= WORDS_FROM:
        return [p95, (f"  {glyph} ", tone), *_state(placement, _words(placement, state, now), tone, _word_room(room))]
    if room < 50:
        return [(right(word, 7), tone) if word in SAID else p95, (" ", ""), (glyph, tone)]
    if not placement.configured:
        return [(right(ABSENT, 14), "muted"), (f" {glyph}", tone)]
    if word in SAID or never_deployed(placement) or _is_short(placement, glyph):
        return [(right(_words(placement, state, now), 14), tone), (f" {glyph}", tone)]
    return [p95, (f" {sparkline(placement.trend.p95_ms, 6)} ", "muted"), (glyph, tone)]


def _state(placement: Placement, word: str, tone: str, room: int) -> list[Part]:
    """In words; what left the configuration says so beside its health, unless that is as it should be."""
    if placement.configured:
        return [(left(word, room), tone)]
    trouble = shorten("" if word == Health.HEALTHY.value else f"{word} · ", room)
    return [(trouble, tone), (left(ABSENT, room - width(trouble)), "muted")]


def tiny(state: State) -> tuple[Placement, ...]:
    """For a screen too small for a table: what fails or is being deployed, in any environment."""
    busy = {each.key for each in (*state.running, *state.left)}
    wanted = [each for each in state.placements if each.key in busy or not _is_calm(each)]
    selected = state.placement
    if selected and selected not in wanted:
        wanted.append(selected)
    return tuple(wanted)


def tiny_listing(state: State, now: float, shown: Shown[Placement]) -> Drawn:
    return [_tiny_row(each, state, now, shown.room) for each in shown.items], shown.cursor


def tiny_matches(placement: Placement, text: str) -> bool:
    return text.lower() in str(placement.key).lower()


def _is_calm(placement: Placement) -> bool:
    return health_of(placement) is Health.HEALTHY or never_deployed(placement)


def _tiny_row(placement: Placement, state: State, now: float, room: int) -> Line:
    glyph, _, tone = condition(placement, state, now)
    mark = "▸" if placement.key == state.selected else " "
    where = placement.key.environment[:4]
    live = placement.live.name if placement.live else "–"
    return line(
        (mark, "accent strong"),
        (f"{glyph} ", tone),
        (left(placement.key.service, max(6, room - 27)), "strong"),
        (f" {where:<4} ", "muted"),
        (f"{live:<5}", ""),
        (left(_words(placement, state, now), 12), tone),
    )


def _name_room(room: int) -> int:
    """What the other columns leave for the name; where states are said in words, those want some cells at least."""
    if room >= WORDS_FROM:
        return min(24, room - OTHERS - WORD)
    return max(4, room - (40 if room >= 50 else 27))


def _word_room(room: int) -> int:
    return room - OTHERS - _name_room(room)


def _words(placement: Placement, state: State, now: float) -> str:
    """The state, and for how long; a process that does not run is named, as the rest is as it should be."""
    glyph, word, _ = condition(placement, state, now)
    health = health_of(placement)
    if (short := lacking(placement)) and _is_short(placement, glyph):
        return f"{short.name} {short.running}/{short.wanted}"
    if word != health.value or health is Health.HEALTHY or placement.since is None:
        return word
    return f"{word} {ago(placement.since, now)}"


def _is_short(placement: Placement, glyph: str) -> bool:
    """What there is to say of it is that a process does not run: nothing worse, and nothing is being done."""
    return lacking(placement) is not None and glyph == HEALTH[Health.DEGRADED][0]


def _pending(placement: Placement) -> str:
    if placement.pending_count == 0:
        return "?" if placement.pending_note else "0"
    return f"{placement.pending_count}{'!' if placement.pending_count >= 8 else ''}"


def _pending_tone(placement: Placement, now: float) -> str:
    waited = now - placement.oldest_pending_at if placement.oldest_pending_at else 0.0
    if placement.pending_count >= BATCH_ALARM or waited >= TOO_OLD:
        return "bad"
    if placement.pending_count >= BATCH_ALARM // 2 or waited >= OLD:
        return "warn"
    return "" if placement.pending_count else "muted"
