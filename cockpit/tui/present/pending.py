"""The Pending list: commits that are on the branch and not live."""

from __future__ import annotations

from cockpit.model import Commit, Pending
from cockpit.tui.line import Line, fit, left, line, right
from cockpit.tui.present.words import ago, count

FLAGS = {"db": "⚑db", "lock": "⚑lock", "docker": "⚑docker", "config": "⚑conf"}


def row(commit: Commit, now: float, room: int, *, selected: bool) -> Line:
    change = right(f"+{commit.added} -{commit.removed}", 9) if room >= 44 else ""
    flags = " ".join(FLAGS.get(each, f"⚑{each}") for each in commit.flags)
    author = left(commit.author.split(" ")[0], 6) if room >= 36 else ""
    subject = max(4, room - 2 - 8 - len(author) - 5 - len(change) - (len(flags) + 1 if flags else 0))
    return line(
        ("▸ " if selected else "  ", "accent strong"),
        (f"{commit.short} ", "muted"),
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
    parts = [count(pending.count, "commit"), count(pending.authors, "author"), f"+{pending.added} −{pending.removed}"]
    if pending.settings_changed:
        parts.append("settings changed")
    return fit(((f"  {' · '.join(parts)}", "muted"),), room)


def title(pending: Pending | None, service: str) -> str:
    return f"Pending · {service}" if service else "Pending"


def fold(pending: Pending | None) -> str:
    return f"Pending {pending.count}" if pending else "Pending …"


def matches(commit: Commit, text: str) -> bool:
    text = text.lower()
    return text in f"{commit.subject} {commit.author} {commit.sha} {' '.join(commit.flags)}".lower()
