"""The Pending list: commits that are on the branch and not live."""

from __future__ import annotations

from cockpit.model import Commit, Pending, Placement
from cockpit.tui.line import Line, fit, left, line, right
from cockpit.tui.present.listing import Drawn, Shown
from cockpit.tui.present.words import AUTO_ON, ago, count
from cockpit.tui.state import State

ROOMY = 66  # cells from which the last line names the authors beside the images
IMAGE = {True: "▣", False: "▢"}  # that CI made is there, or not yet
FLAGS = {"db": "⚑db", "lock": "⚑lock", "docker": "⚑docker", "config": "⚑conf"}


def listing(state: State, now: float, shown: Shown[Commit]) -> Drawn:
    known = state.pending.get(state.selected) if state.selected else None
    if known is None:
        return [(("  asking git …", "muted"),)] if state.selected else [], None
    images, lit = from_ci(known), shown.lit
    rows = [row(each, now, shown.room, selected=at == lit, images=images) for at, each in enumerate(shown.items)]
    return [*rows, footer(known, shown.room)], lit


def row(commit: Commit, now: float, room: int, *, selected: bool, images: bool = False) -> Line:
    """`images`: those of this list come from CI, so each row says whether its own is there."""
    change = right(f"+{commit.added} -{commit.removed}", 9) if room >= 44 else ""
    flags = " ".join(FLAGS.get(each, f"⚑{each}") for each in commit.flags)
    author = left(commit.author.split(" ")[0], 6) if room >= 36 else ""
    image = f"{image_mark(commit)} " if images else ""
    subject = max(4, room - 2 - 8 - len(image) - len(author) - 5 - len(change) - (len(flags) + 1 if flags else 0))
    return line(
        ("▸ " if selected else "  ", "accent strong"),
        (f"{commit.short} ", "muted"),
        (image, "" if commit.image else "warn"),
        left(("⇄ " if commit.merge else "") + commit.subject, subject),
        (f" {flags}" if flags else "", "warn"),
        (f" {author}" if author else "", "muted"),
        (right(ago(commit.at, now), 4), "muted"),
        (change, "muted"),
    )


def footer(pending: Pending, room: int) -> Line:
    """What shipping all of it would mean."""
    if pending.note:
        return fit(line(("  ▲ ", "warn"), (pending.note, "warn")), room)
    if pending.count == 0:
        text = "the settings changed: a deploy makes a release of them" if pending.settings_changed else "nothing waits"
        return fit(((f"  {text}", "muted"),), room)
    missing = sum(each.image is False for each in pending.commits)
    authors = [count(pending.authors, "author")] if not missing or room >= ROOMY else []
    parts = [count(pending.count, "commit"), *authors, f"+{pending.added} −{pending.removed}"]
    if pending.settings_changed:
        parts.append("settings changed")
    told = (f" · {IMAGE[False]} {count(missing, 'image')} not there yet", "warn") if missing else ("", "")
    return fit(line((f"  {' · '.join(parts)}", "muted"), told), room)


def from_ci(pending: Pending) -> bool:
    return any(each.image is not None for each in pending.commits)


def image_mark(commit: Commit) -> str:
    return " " if commit.image is None else IMAGE[commit.image]


def title(placement: Placement | None) -> str:
    return f"Pending · {placement.key.service}{_automatic(placement)}" if placement else "Pending"


def fold(pending: Pending | None, placement: Placement | None) -> str:
    return f"Pending {pending.count if pending else '…'}{_automatic(placement)}"


def _automatic(placement: Placement | None) -> str:
    """Whether anybody has to press `D`."""
    if placement is None or not placement.auto:
        return ""
    return " · auto" if placement.auto == AUTO_ON else " · auto off"


def matches(commit: Commit, text: str) -> bool:
    text = text.lower()
    return text in f"{commit.subject} {commit.author} {commit.sha} {' '.join(commit.flags)}".lower()
