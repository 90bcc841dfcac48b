"""Containers of the hosts that are not the cockpit's, folded by what they belong to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cockpit.model import OtherContainer
from cockpit.protocol import Others
from cockpit.tui.line import Line, left, line
from cockpit.tui.present.words import count, host_name

NAME = 24  # cells of a container's name
STATE = {"running": ("●", "good"), "restarting": ("▲", "warn"), "dead": ("✖", "bad"), "paused": ("⏸", "warn")}
ALONE = "no project"
Group = tuple[str, str]  # host, project of Compose


@dataclass(frozen=True, slots=True)
class Row:
    """A group's heading, or one container of it."""

    group: Group
    container: OtherContainer | None
    text: Line


def groups(others: Others) -> dict[Group, list[OtherContainer]]:
    found: dict[Group, list[OtherContainer]] = {}
    for each in others.containers:
        found.setdefault((each.host, each.project), []).append(each)
    return found


def rows(others: Others, unfolded: Collection[Group], room: int) -> list[Row]:
    found = groups(others)
    several = len({host for host, _ in found}) > 1
    out: list[Row] = []
    for group, own in found.items():
        out.append(Row(group, None, _heading(group, own, group in unfolded, several)))
        if group in unfolded:
            out += [Row(group, each, _container(each, room)) for each in own]
    return out


def title(others: Others) -> str:
    gone = len(others.containers) - sum(each.state == "running" for each in others.containers)
    rest = f", {gone} not running" if gone else ""
    return f"Other containers: {len(others.containers)}{rest} · looked at, never touched"


def matches(each: OtherContainer, text: str) -> bool:
    fields = (each.name, each.image, each.state, each.status, each.project, each.service, host_name(each.host))
    return text.lower() in " ".join(fields).lower()


def _heading(group: Group, own: list[OtherContainer], unfolded: bool, several: bool) -> Line:
    host, project = group
    gone = sum(each.state != "running" for each in own)
    where = f"{host_name(host)} · " if several else ""
    return line(
        ("− " if unfolded else "+ ", "accent"),
        (where, "muted"),
        (project or ALONE, "strong" if project else "muted"),
        (f"   {count(len(own), 'container')}", "muted"),
        (f", {gone} not running" if gone else "", "warn"),
    )


def _container(each: OtherContainer, room: int) -> Line:
    glyph, tone = STATE.get(each.state, ("■", "muted" if each.status.startswith("Exited (0)") else "warn"))
    rest = room - 4 - NAME - 2
    status = min(26, max(0, rest))
    ports = f"  {' '.join(each.ports)}" if each.ports else ""
    return line(
        (f"  {glyph} ", tone),
        left(each.name, NAME),
        (f"  {left(each.status or each.state, status)}", "" if each.state == "running" else tone),
        (left(f"  {each.image}{ports}", max(0, rest - status)), "muted"),
    )
