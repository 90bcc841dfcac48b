"""Which process starts before which, and which one is no process but a migration."""

from __future__ import annotations

import re
from collections.abc import Collection
from graphlib import CycleError, TopologicalSorter
from typing import Any

from cockpit.config.compose.sheet import Sheet
from cockpit.config.compose.values import entries, text
from cockpit.config.tree import Listing, Node

APART = "every service is deployed for itself, and none waits for another"
STAYS = "{} stays with Compose, and has to run before"
COMPLETED = "service_completed_successfully"
_MIGRATION = re.compile(r"(?:.*[_-])?(?:migrate|migrations?|migrator)(?:[_-].*)?")


def depends_on(node: Node, sheet: Sheet) -> None:
    if isinstance(node, Listing):
        sheet.after = {text(item): (item.mark, {}) for item in node.items}
    else:
        sheet.after = {
            name: (mark, {option: text(each) for option, (_, each) in entries(value).items()})
            for name, (mark, value) in entries(node).items()
        }


def one_shots(sheets: list[Sheet]) -> list[Sheet]:
    """Services that end by themselves: others wait for that, or they are called so. The first is the migration."""
    awaited = {
        name for sheet in sheets for name, (_, options) in sheet.after.items() if options.get("condition") == COMPLETED
    }
    ending = [sheet for sheet in sheets if sheet.name in awaited or _MIGRATION.fullmatch(sheet.name.lower())]
    ending = [sheet for sheet in ending if sheet.port is None and "command" in sheet.options]
    return ending if len(ending) < len(sheets) else []


def leave_one_shot(sheet: Sheet, main: Sheet, *, first: bool) -> None:
    """Names what it said for itself: a migration runs in a container like those of `main`."""
    if not first:
        for option in sheet.service.keys:
            sheet.leave(option, sheet.mark(option), "it ends when it is done, and only one command can be `migrate`")
        return
    why = f"a migration runs with the settings of {main.name}"
    for option, value in sheet.options.items():
        others: Any = main.options.get(option)
        if option in {"command", "replicas", "replace"} or value == others:
            continue
        if isinstance(value, dict) and isinstance(others, dict):
            for name in [name for name in value if value[name] != others.get(name)]:
                sheet.leave(f"{option}.{name}", sheet.mark(option), why)
        else:
            sheet.leave(option, sheet.mark(option), why)
    for name, value in sheet.secrets.items():
        if main.secrets.get(name) != value:
            sheet.leave(f"environment.{name}", sheet.mark("environment"), why)
    for name, (mark, _) in sheet.after.items():
        sheet.leave(f"depends_on.{name}", mark, STAYS.format(name))


def order(sheets: list[Sheet], names: dict[str, str], ended: Collection[str], ours: Collection[str]) -> None:
    """Writes `depends_on`; `names` are the processes by their Compose service, `ended` run before all of them."""
    for sheet in sheets:
        before = []
        for name, (mark, options) in sheet.after.items():
            key = f"depends_on.{name}"
            if name in names:
                before.append(names[name])
                for option, value in options.items():
                    if (option, value) not in {("condition", "service_started"), ("required", "true")}:
                        sheet.leave(f"{key}.{option}", mark, "it starts before this one, and that is all")
            elif name not in ended:
                sheet.leave(key, mark, APART if name in ours else STAYS.format(name))
        if before:
            sheet.options["depends_on"] = before
    try:
        TopologicalSorter({names[each.name]: each.options.get("depends_on", ()) for each in sheets}).prepare()
    except CycleError:
        for sheet in [each for each in sheets if "depends_on" in each.options]:
            sheet.drop("depends_on", "depends_on", "each waits for the next, in a circle")
