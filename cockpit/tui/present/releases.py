"""The Releases list: what was live, what can be live again, and how fast."""

from __future__ import annotations

from cockpit.model import Release, Tier
from cockpit.text import age
from cockpit.tui.line import Line, left, line, right
from cockpit.tui.present.listing import Drawn, Shown
from cockpit.tui.present.words import ago, count
from cockpit.tui.state import State

TONE = {Tier.LIVE: "good strong", Tier.HOT: "accent", Tier.FAILED: "bad", Tier.STARTING: "accent"}


def listing(state: State, now: float, shown: Shown[Release]) -> Drawn:
    if state.selected and state.selected not in state.releases:
        return [(("  asking the release log …", "muted"),)], None
    rows = [row(each, now, shown.room, selected=at == shown.lit) for at, each in enumerate(shown.items)]
    return rows or [(("  no release yet", "muted"),)], shown.lit


def row(release: Release, now: float, room: int, *, selected: bool) -> Line:
    glyph, tone = _mark(release)
    by = left(release.by, 6) if room >= 40 else ""
    shipped = _shipped(release) if room >= 48 else release.commit[:7]
    fixed = 2 + 5 + 8 + 14 + 5 + len(by) + 1 + 2
    return line(
        ("▸ " if selected else "  ", "accent strong"),
        (left(release.name, 5), "strong" if release.tier is Tier.LIVE else ""),
        (left(release.commit[:7] or "–", 8), "muted"),
        (left(where(release, now), 14), TONE.get(release.tier, "muted")),
        (right(ago(release.live_since or release.created_at, now), 4) + " ", "muted"),
        (f"{by} " if by else "", "muted"),
        (left(shipped, max(0, room - fixed)), "muted"),
        (f" {glyph}", tone),
    )


def where(release: Release, now: float) -> str:
    """The tier; a hot release with the time it stays so."""
    if release.tier is Tier.HOT and release.hot_until is not None:
        return f"hot, {age(release.hot_until - now)}"
    if release.tier is Tier.LIVE and release.baking_until is not None and release.baking_until > now:
        return f"live, bake {age(release.baking_until - now)}"
    return release.tier.value


def fold(releases: tuple[Release, ...], now: float) -> str:
    """One line for a folded pane: what is live, what is hot."""
    shown = [each for each in releases if each.tier in (Tier.LIVE, Tier.HOT)][:2]
    return "Releases " + (", ".join(f"{each.name} {where(each, now).replace(',', '')}" for each in shown) or "none")


def matches(release: Release, text: str) -> bool:
    text = text.lower()
    fields = f"{release.name} {release.commit} {release.subject} {release.by} {release.author} {release.tier.value}"
    return text in fields.lower()


def _shipped(release: Release) -> str:
    if release.tier is Tier.FAILED:
        return "never live"
    return count(release.commits, "commit")


def _mark(release: Release) -> tuple[str, str]:
    if release.tier is Tier.FAILED or release.rolled_back:
        return "✖", "bad"
    return ("✔", "good") if release.good else (" ", "")
