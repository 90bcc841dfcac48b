"""The one table of keys: bindings, palette, help, `docs/keys.md` and remapping (`keys:` in the config) come from it.

Run as a module it prints `docs/keys.md`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from textual.binding import Binding


class Where(StrEnum):
    ALL = "everywhere"
    LISTS = "lists"
    LOGS = "logs"
    SHEETS = "sheets"
    DEPLOY = "Deploy sheet"


@dataclass(frozen=True, slots=True)
class Key:
    """`action` is the method that a pane or screen has for it; `later` is why it cannot be done yet."""

    id: str
    keys: str  # Textual's names, comma-separated
    where: Where
    action: str
    does: str
    later: str = ""


KEYS: tuple[Key, ...] = (
    Key("help", "question_mark,f1", Where.ALL, "help", "searchable help, focused pane first"),
    Key("palette", "colon,ctrl+p", Where.ALL, "palette", "every action by name"),
    Key("find", "slash", Where.ALL, "find", "filter the list; search the log (!x inverse, r: regex)"),
    Key("back", "escape", Where.ALL, "back", "clear the filter, unzoom, then back to Services"),
    Key("detach", "q", Where.ALL, "detach", "leave; says what goes on running"),
    Key("interrupt", "ctrl+c", Where.ALL, "interrupt", "twice within 2 s: leave"),
    Key("pane.1", "1", Where.ALL, "pane('services')", "Services"),
    Key("pane.2", "2", Where.ALL, "pane('pending')", "Pending"),
    Key("pane.3", "3", Where.ALL, "pane('releases')", "Releases"),
    Key("pane.main", "0", Where.ALL, "pane('main')", "main pane"),
    Key("pane.next", "tab,l", Where.ALL, "cycle(1)", "next pane"),
    Key("pane.prev", "shift+tab,h", Where.ALL, "cycle(-1)", "previous pane"),
    Key("tab.4", "4", Where.ALL, "tab('health')", "Health"),
    Key("tab.5", "5", Where.ALL, "tab('steps')", "Steps"),
    Key("tab.6", "6", Where.ALL, "tab('build')", "Build log"),
    Key("tab.7", "7", Where.ALL, "tab('service')", "Service log"),
    Key("tab.8", "8", Where.ALL, "tab('truth')", "Truth"),
    Key("tab.next", "right_square_bracket,full_stop", Where.ALL, "turn(1)", "next tab"),
    Key("tab.prev", "left_square_bracket,comma", Where.ALL, "turn(-1)", "previous tab"),
    Key("zoom", "z,plus", Where.ALL, "zoom(1)", "pane bigger"),
    Key("unzoom", "underscore", Where.ALL, "zoom(-1)", "pane smaller"),
    Key("main.scroll.down", "J", Where.ALL, "scroll_main(1)", "scroll the main pane, focus stays"),
    Key("main.scroll.up", "K", Where.ALL, "scroll_main(-1)", "scroll the main pane up"),
    Key("diff", "v", Where.ALL, "diff", "what a commit or release changed"),
    Key("next.failing", "exclamation_mark", Where.ALL, "next_failing", "next failing placement, in any environment"),
    Key("environments", "E", Where.ALL, "environments", "choose an environment"),
    Key("deploy", "D", Where.ALL, "deploy", "Deploy sheet"),
    Key("rollback", "B", Where.ALL, "rollback", "Rollback sheet, last good preselected"),
    Key("promote", "P", Where.ALL, "promote", "Promote sheet", later="promotion between environments comes later"),
    Key("cancel", "X", Where.ALL, "cancel", "cancel the running operation"),
    Key("incident", "I", Where.ALL, "incident", "incident screen", later="the incident screen comes later"),
    Key("actions", "x", Where.ALL, "actions", "menu of actions, safe first"),
    Key("refresh", "R,ctrl+r", Where.ALL, "fresh", "fetch and probe now"),
    Key("copy", "y", Where.ALL, "copy", "copy the selection (in logs: the marked lines, else the screen)"),
    Key("action.log", "at", Where.ALL, "action_log", "what the engine did"),
    Key("mouse", "M", Where.ALL, "mouse", "capture or release the mouse"),
    Key("suspend", "ctrl+z", Where.ALL, "suspend_process", "shell"),
    Key("not.deploy", "d", Where.ALL, "say('D deploys')", "nothing; D deploys"),
    Key("not.rollback", "b", Where.ALL, "say('B rolls back')", "nothing; B rolls back"),
    Key("error", "e", Where.ALL, "error", "jump to the telling line of the log"),
    Key("move.down", "j,down", Where.LISTS, "move(1)", "down"),
    Key("move.up", "k,up", Where.LISTS, "move(-1)", "up"),
    Key("move.top", "g,home", Where.LISTS, "edge(-1)", "first"),
    Key("move.end", "G,end", Where.LISTS, "edge(1)", "last"),
    Key("move.page.down", "pagedown,ctrl+d", Where.LISTS, "page(1)", "page down"),
    Key("move.page.up", "pageup,ctrl+u", Where.LISTS, "page(-1)", "page up"),
    Key("open", "enter", Where.LISTS, "open", "drill in; never deploys"),
    Key("log.down", "j,down", Where.LOGS, "move(1)", "line down"),
    Key("log.up", "k,up", Where.LOGS, "move(-1)", "line up"),
    Key("log.top", "g,home", Where.LOGS, "edge(-1)", "first line"),
    Key("log.follow", "f", Where.LOGS, "follow", "follow or pause"),
    Key("log.live", "G,end", Where.LOGS, "edge(1)", "go live"),
    Key("log.page.down", "space,pagedown", Where.LOGS, "page(1)", "page down"),
    Key("log.page.up", "b,pageup", Where.LOGS, "page(-1)", "page up"),
    Key("log.half.down", "d,ctrl+d", Where.LOGS, "half(1)", "half a page down"),
    Key("log.half.up", "u,ctrl+u", Where.LOGS, "half(-1)", "half a page up"),
    Key("log.left", "left", Where.LOGS, "sideways(-1)", "scroll left"),
    Key("log.right", "right", Where.LOGS, "sideways(1)", "scroll right"),
    Key("log.next", "n", Where.LOGS, "match(1)", "next match, or error after e"),
    Key("log.prev", "N", Where.LOGS, "match(-1)", "previous match"),
    Key("log.error", "e", Where.LOGS, "error", "next telling line"),
    Key("log.only", "ampersand", Where.LOGS, "only", "only matching lines"),
    Key("log.section.prev", "left_curly_bracket", Where.LOGS, "section(-1)", "previous step or release"),
    Key("log.section.next", "right_curly_bracket", Where.LOGS, "section(1)", "next step or release"),
    Key("log.wrap", "w", Where.LOGS, "wrap", "wrap long lines"),
    Key("log.time", "t", Where.LOGS, "time", "time stamps: off, relative, local, UTC"),
    Key("log.window", "T", Where.LOGS, "say('from when: comes later')", "from when", later="comes later"),
    Key("log.json", "p", Where.LOGS, "say('pretty JSON comes later')", "pretty JSON", later="comes later"),
    Key("log.replica", "a", Where.LOGS, "say('one replica alone comes later')", "one replica", later="comes later"),
    Key("log.mark", "m", Where.LOGS, "mark", "start a range; y copies it"),
    Key("log.copy", "y,c", Where.LOGS, "copy", "copy the marked lines, else the screen"),
    Key("log.save", "S", Where.LOGS, "save", "whole log to a file"),
    Key("sheet.go", "y", Where.SHEETS, "sheet('go')", "go on"),
    Key("sheet.no", "n,q,escape", Where.SHEETS, "sheet('no')", "close"),
    Key(
        "sheet.down",
        "j,down",
        Where.SHEETS,
        "sheet('down')",
        "older: which commit, which release; a lock: longer",
    ),
    Key("sheet.up", "k,up", Where.SHEETS, "sheet('up')", "newer; a lock: shorter"),
    Key("sheet.diff", "v", Where.SHEETS, "sheet('diff')", "diff"),
    Key("sheet.split", "s", Where.DEPLOY, "sheet('split')", "take the suggested split", later="comes later"),
)
BY_ID: dict[str, Key] = {each.id: each for each in KEYS}
GLYPHS = {
    "question_mark": "?",
    "colon": ":",
    "slash": "/",
    "escape": "Esc",
    "right_square_bracket": "]",
    "left_square_bracket": "[",
    "full_stop": ".",
    "comma": ",",
    "plus": "+",
    "underscore": "_",
    "exclamation_mark": "!",
    "at": "@",
    "ampersand": "&",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "enter": "Enter",
    "space": "Space",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
    "tab": "Tab",
    "shift+tab": "shift+Tab",
    "f1": "F1",
    "home": "Home",
    "end": "End",
}


def bindings(*where: Where) -> list[Any]:
    """For a widget's or screen's BINDINGS; ids let the configuration remap them."""
    return [Binding(each.keys, each.action, each.does, show=False, id=each.id) for each in KEYS if each.where in where]


def keymap(wanted: Mapping[str, str]) -> dict[str, str]:
    """The configuration's `keys:` in Textual's names ("?" and "question_mark" both do). Unknown ids are left out."""
    names = {glyph: name for name, glyph in GLYPHS.items()}
    return {id_: ",".join(names.get(key, key) for key in _split(keys)) for id_, keys in wanted.items() if id_ in BY_ID}


def unknown(wanted: Mapping[str, str]) -> list[str]:
    return [each for each in wanted if each not in BY_ID]


def shown(each: Key, remapped: Mapping[str, str] | None = None) -> str:
    keys = keymap(remapped or {}).get(each.id, each.keys)
    return " ".join(GLYPHS.get(key, key) for key in keys.split(","))


def markdown() -> str:
    """The text of docs/keys.md."""
    rows = [f"| {each.id} | {_code(shown(each))} | {each.where.value} | {_does(each)} |" for each in KEYS]
    return "\n".join(
        [
            "# Keys",
            "",
            "Written by `python -m cockpit.tui.keys > docs/keys.md`. Any of them is changed by its id under `keys:` in",
            'the configuration, for example `keys: {refresh: "F5"}`. In a sheet Enter presses the focused button,',
            "which is Cancel; nothing is ever deployed by Enter, by a key that repeats, or by a key typed ahead.",
            "",
            "| id | keys | where | what it does |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _split(keys: str) -> list[str]:
    return [each.strip() or "comma" for each in keys.split(",")] if keys != "," else ["comma"]


def _does(each: Key) -> str:
    return f"{each.does} ({each.later})" if each.later else each.does


def _code(keys: str) -> str:
    return " ".join(f"`{each}`" for each in keys.split(" "))


if __name__ == "__main__":
    print(markdown(), end="")
