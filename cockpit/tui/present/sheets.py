"""What the sheets say before anything is done."""

from __future__ import annotations

import re
from dataclasses import replace

from cockpit.glyphs import SPEED
from cockpit.model import Commit, Operation, Tier
from cockpit.protocol import Check, CheckState, DeploySheet, PlannedStep, RollbackOption, RollbackSheet
from cockpit.text import took
from cockpit.tui.line import BLANK, Line, cells, fit, left, line, paragraph, right, spread
from cockpit.tui.present.pending import image_mark
from cockpit.tui.present.words import NAME, NOTICED, clock, count, remark

CHECK = {
    CheckState.PASS: ("✔", "good"),
    CheckState.WARN: ("▲", "warn"),
    CheckState.FAIL: ("✖", "bad"),
    CheckState.UNKNOWN: ("?", "warn"),
}
COMMITS_SHOWN = 5
IMAGE_BUILT = "the image of this commit exists: no build"


def deploy(sheet: DeploySheet, room: int, choices: tuple[Commit, ...] = ()) -> list[Line]:
    if sheet.refused:
        return [*_refused(sheet.refused, room), *_held(sheet, room), *_locked(sheet, room)]
    head = _from_to(sheet)
    authors = ", ".join(dict.fromkeys(each.author for each in sheet.commits))
    added, removed = sum(each.added for each in sheet.commits), sum(each.removed for each in sheet.commits)
    shipped = line(
        (f"{count(sheet.count or len(sheet.commits), 'commit')} by {authors} · +{added} −{removed}", "muted")
    )
    out = [spread(head, shipped, room)] if cells(head) + cells(shipped) < room else [head, fit(shipped, room)]
    out += [*_choices(choices or sheet.commits, sheet, room), BLANK]
    out += [*_checks(sheet.checks, room), BLANK]
    out += [*_plan(sheet.steps, room)]
    out += _image(sheet, room)
    for warning in sheet.warnings:
        out += remark("▲", "warn", warning, room)
    if sheet.protected:
        text = f"After y you type the service's name: {sheet.key.environment} is protected."
        out += [BLANK, *paragraph(text, room)]
    return out


def with_images(sheet: DeploySheet, pending: tuple[Commit, ...]) -> DeploySheet:
    """What Pending says of images, where the sheet itself does not."""
    known = {each.sha: each.image for each in pending}

    def marked(each: Commit) -> Commit:
        return replace(each, image=known.get(each.sha)) if each.image is None else each

    commit = marked(sheet.commit) if sheet.commit else None
    return replace(sheet, commit=commit, commits=tuple(map(marked, sheet.commits)))


def rollback(sheet: RollbackSheet, chosen: int | None, room: int) -> list[Line]:
    if sheet.refused:
        return _refused(sheet.refused, room)
    out = [_option(each, place == chosen, sheet, place, room) for place, each in enumerate(sheet.options)]
    if not out:
        return remark("✖", "bad", "there is no release to go back to", room)
    out.append(BLANK)
    if chosen is not None:
        undone = sheet.undoes[chosen] if chosen < len(sheet.undoes) else ()
        subjects = " · ".join(each.subject for each in undone[:4])
        text = f"Undoes {count(len(undone), 'commit')}" + (f": {subjects}" if subjects else "")
        out += [fit(line(text), room)]
    for warning in sheet.warnings:
        out += remark("▲", "warn", warning, room)
    if not sheet.armed:
        out += [BLANK, *remark("▲", "warn strong", sheet.unarmed_because or "look twice before this", room)]
        out += [line("After y you type the service's name.")]
    after = f"Afterwards {sheet.key.service} is held, and these commits are not offered, until someone gives a reason."
    return [*out, *paragraph(after, room, "muted")]


def cancel(operation: Operation, room: int) -> list[Line]:
    what = f"{NAME[operation.kind]} r{operation.to_release} of {operation.key.service} to {operation.key.environment}"
    step = operation.current
    at = f", now at {step.name}" if step else ""
    out = [fit(line((what, "strong"), (f" · {operation.actor.name}{at}", "muted")), room), BLANK]
    if operation.switched_at is None:
        serves = f"r{operation.from_release} goes on serving" if operation.from_release else "nothing is live"
        return [*out, *paragraph(f"Customers were never on it: {serves}, the new containers are removed.", room)]
    since = clock(operation.switched_at, seconds=True)
    text = f"Customers are on r{operation.to_release} since {since}: to leave it, roll back (B)."
    return [*out, *remark("▲", "warn", text, room)]


def _from_to(sheet: DeploySheet) -> Line:
    live = sheet.live
    start = line((f"{live.name} ", ""), (f"{live.commit[:7]}", "muted")) if live else line(("nothing live", "muted"))
    commit = sheet.commit.short if sheet.commit else ""
    return (*start, ("  →  ", "muted"), (f"r{sheet.number} ", "accent strong"), (commit, ""))


def _choices(commits: tuple[Commit, ...], sheet: DeploySheet, room: int) -> list[Line]:
    """A window of the pending commits around the newest one that ships; what stays behind is faint."""
    chosen = sheet.commit.sha if sheet.commit else ""
    at = next((place for place, each in enumerate(commits) if each.sha == chosen), 0)
    start = max(0, min(at - 1, len(commits) - COMMITS_SHOWN))
    shown = commits[start : start + COMMITS_SHOWN]
    images = any(each.image is not None for each in commits)
    out: list[Line] = []
    for place, each in enumerate(shown, start):
        mark = "▸" if place == at else " "
        tone = "faint" if place < at else ""
        out.append(
            fit(
                line(
                    (f"  {mark} ", "accent strong"),
                    (f"{each.short} ", tone or "muted"),
                    (f"{image_mark(each)} " if images else "", tone or ("" if each.image else "warn")),
                    (left(each.subject, max(4, room - 24 - (2 if images else 0))), tone),
                    (right(each.author, 8), tone or "muted"),
                ),
                room,
            )
        )
    below = len(commits) - start - len(shown)
    return [*out, line((f"    and {below} older", "muted"))] if below > 0 else out


def _checks(checks: tuple[Check, ...], room: int) -> list[Line]:
    """All names on one or two lines; evidence only for what is not green."""
    rows: list[Line] = []
    current: Line = ()
    for each in checks:
        glyph, tone = CHECK[each.state]
        more = ((f"{glyph} ", tone), (f"{each.name}  ", ""))
        if current and cells(current) + cells(more) > room:
            rows.append(current)
            current = ()
        current = (*current, *more)
    rows += [current] if current else []
    for each in checks:
        if each.state is not CheckState.PASS:
            glyph, tone = CHECK[each.state]
            said = f"{each.name}: {each.evidence}" + (f" → {each.next}" if each.next else "")
            rows += remark(glyph, tone, said, room)
    return rows


def _plan(steps: tuple[PlannedStep, ...], room: int) -> list[Line]:
    """What it will do, with the usual seconds of what takes any, and of all."""
    doing = [each for each in steps if not each.skipped]
    usual = [(each.name, each.usual_seconds or 0.0) for each in doing]
    words = " · ".join(f"{name} ~{seconds:.0f} s" if seconds >= NOTICED else name for name, seconds in usual)
    total = sum(seconds for _, seconds in usual)
    in_all = took(total) if total >= 120 else f"{max(1, round(total))} s"
    return list(paragraph(words + (f" (about {in_all} in all)" if total else ""), room, "muted")) if doing else []


def _image(sheet: DeploySheet, room: int) -> list[Line]:
    """Whether there is anything to build, or to wait for."""
    waits = sheet.commit is not None and sheet.commit.image is False
    pulled = any(each.name == "pull" and not each.skipped for each in sheet.steps)
    if waits and pulled:
        said = f"The image of {sheet.commit.short if sheet.commit else ''} is not there yet: pull waits for it."
        return remark("▢", "warn", said, room)
    if sheet.image_exists or (pulled and sheet.commit and sheet.commit.image):
        return [line(("the image of this commit is there" if pulled else IMAGE_BUILT, "muted"))]
    return []


def _refused(text: str, room: int) -> list[Line]:
    """Why not, and below it, calmly, what to do instead."""
    why, *rest = re.split(r"\s*\n\s*|(?<=[.:]) (?=[A-Z])| · (?=lift it)", text.strip(), maxsplit=1)
    out = remark("✖", "bad", why, room)
    for each in rest[0].splitlines() if rest else ():
        out += [BLANK, *paragraph(each.strip(), room)]
    return out


def _held(sheet: DeploySheet, room: int) -> list[Line]:
    if sheet.hold is None:
        return []
    text = f"held by {sheet.hold.by} since {clock(sheet.hold.at)}: {sheet.hold.reason or 'no reason given yet'}"
    return [
        *remark("⏸", "warn", text, room),
        line("Esc, then ", ("x", "accent strong"), " releases the hold, with a reason"),
    ]


def _locked(sheet: DeploySheet, room: int) -> list[Line]:
    """The refusal says by whom, until when and why."""
    if sheet.lock is None and sheet.freeze is None:
        return []
    out: list[Line] = [BLANK]
    if sheet.freeze:
        out.append(line("Esc, then ", ("x", "accent strong"), " lifts the freeze, with a reason"))
    if sheet.lock and sheet.freeze:
        out += remark("⏸", "warn", f"locked as well, by {sheet.lock.by}: {sheet.lock.reason}", room)
    if sheet.lock:
        out.append(line("Esc, then ", ("x", "accent strong"), " unlocks it, with a reason"))
    return [*out, line(("B", "accent strong"), (" goes through it: a rollback is always possible", "muted"))]


def _option(option: RollbackOption, chosen: bool, sheet: RollbackSheet, place: int, room: int) -> Line:
    release, live = option.release, sheet.live
    roomy = room >= 60
    before = f"{live.name} {live.commit[:7] + ' ' if room >= 90 else ''} →  " if live else ""
    seconds = took(option.seconds) if option.seconds is not None else SPEED.get(option.tier, "")
    answers = {True: ("● answers ", "good"), False: ("✖ does not answer ", "bad"), None: ("", "")}[option.answers]
    return fit(
        line(
            before if place == 0 else " " * len(before),
            ("▸ " if chosen else "  ", "accent strong"),
            (f"{release.name:<4} ", "strong" if chosen else ""),
            (f"{release.commit[:7]:<8} " if roomy else "", "muted"),
            (f"{option.tier.value:<9}", "accent" if option.tier is Tier.HOT else ""),
            (f"{seconds:>7}   ", ""),
            answers,
            (option.note, "muted"),
        ),
        room,
    )
