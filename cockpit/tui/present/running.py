"""What the sheets about a running release say: its probe address, a shell in it, its restart."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.model import Placement
from cockpit.protocol import ProbeAddress
from cockpit.tui.line import BLANK, Line, fit, left, line, paragraph
from cockpit.tui.present.words import host_name, remark


def restart(placement: Placement, room: int) -> list[Line]:
    live = placement.live
    if live is None:
        return remark("✖", "bad", "no release is live: there is nothing to restart", room)
    text = (
        f"New containers of {live.name} start beside those that serve. Once they answer, customers are switched to "
        "them: no gap. The old ones end what they have begun, and stop."
    )
    head = line((f"{live.name} ", "accent strong"), (f"{live.commit[:7]} {live.subject}", "muted"))
    out = [fit(head, room), BLANK, *paragraph(text, room)]
    others = [each.name for each in placement.processes if not each.routed]
    if others:
        out += paragraph(f"After the switch {', '.join(others)} {_are(others)} replaced.", room)
    out += paragraph("Image and settings stay as they are, and so does the release.", room, "muted")
    if placement.protected:
        text = f"After y you type the service's name: {placement.key.environment} is protected."
        out += [BLANK, *paragraph(text, room)]
    return out


@dataclass(frozen=True, slots=True)
class Shell:
    process: str
    one_off: bool
    serves: bool


def shells(placement: Placement) -> tuple[Shell, ...]:
    """First where customers are served; a container of one's own is the next line."""
    known = [(each.name, each.routed) for each in placement.processes] or [("", True)]
    return tuple(Shell(name, one_off, routed) for name, routed in known for one_off in (False, True))


def shell(placement: Placement, choices: tuple[Shell, ...], chosen: int, room: int) -> list[Line]:
    release = placement.live.name if placement.live else "the release"
    name = max(len(each.process) for each in choices)
    out: list[Line] = []
    for place, each in enumerate(choices):
        running = "in one that serves customers" if each.serves else "in the one that runs"
        where = f"in a new one of {release}, removed afterwards" if each.one_off else running
        mark = ("▸ " if place == chosen else "  ", "accent strong")
        words = (left(each.process, name) + "  " if name else "", "strong" if place == chosen else "")
        out.append(fit(line(mark, words, (where, "" if place == chosen else "muted")), room))
    text = "Who opened it, when, and how it ended is recorded; what is typed in it is not. Leaving it comes back here."
    return [*out, BLANK, *paragraph(text, room, "muted")]


def address(found: ProbeAddress, chosen: int, room: int, host: str = "") -> list[Line]:
    """`host` is the placement's Docker host: what answers there on 127.0.0.1 does not answer here."""
    release = found.release
    head = line((f"{release.name} ", "accent strong"), (f"{release.commit[:7]} ", "muted"), release.subject)
    out = [fit(head, room), *(remark("▲", "warn", found.note, room) if found.note else ()), BLANK]
    asks = f" · ask for {found.host}" if found.host else ""
    out += [fit(line((found.url, "strong"), (f" on the Docker host{asks}", "muted")), room), BLANK]
    for place, each in enumerate(found.commands):
        wrapped = paragraph(each, room - 2, indent=2)
        mark = "▸ " if place == chosen else "  "
        out += [line((mark if at == 0 else "  ", "accent strong"), *words) for at, words in enumerate(wrapped)]
    if found.public:
        far = f" on {host_name(host)}" if host.startswith("ssh://") else ""
        out += [BLANK, fit(line(("customers  ", "muted"), found.public, (far, "muted")), room)]
    return out


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"
