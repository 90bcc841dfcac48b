"""A service as it is written: what its processes have in common is said once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cockpit.config.compose.draft import Draft
from cockpit.config.compose.sheet import Sheet
from cockpit.config.problems import At
from cockpit.config.processes import MERGED, OF_WEB, WEB
from cockpit.config.settings import Process

BESIDE = "runs beside Compose's own from the first deploy on; replace: recreate, if two would do harm (docs/adopt.md)"
Options = dict[str, Any]


def assembled(draft: Draft) -> tuple[Options, dict[At, list[str]]]:
    """The service's keys, and what is said above them."""
    written = dict(draft.origin.options)
    notes: dict[At, list[str]] = {(key,): said for key, said in draft.origin.notes.items()}
    if draft.migrate is not None:
        written["migrate"] = {"command": draft.migrate.options["command"]}
        notes["migrate",] = [f"{draft.migrate.name} of the Compose file: once, before customers come to a new release"]
    alone = len(draft.processes) == 1
    options = {name: _ordered(WEB if alone else name, sheet) for name, sheet in draft.processes.items()}
    shared = next(iter(options.values())) if alone else _shared(options)
    written |= shared
    if not alone:
        written["processes"] = {name: _without(own, shared) for name, own in options.items()}
    for name, sheet in draft.processes.items():
        for key, said in sheet.notes.items():
            at: At = (key,) if alone or key not in written["processes"][name] else ("processes", name, key)
            notes[at] = list(dict.fromkeys([*notes.get(at, []), *said]))
    for name, sheet in draft.processes.items():
        if "port" not in sheet.options and "replace" not in sheet.options and not alone:
            notes["processes", name] = [BESIDE]
    if draft.boot:
        written["deploy_timeout"] = draft.boot
        notes["deploy_timeout",] = ["from healthcheck.start_period"]
    return written, notes


def with_secrets(draft: Draft, directory: Path) -> dict[Path, dict[str, str]]:
    """Gives each process the file of its secret variables, and says what belongs into which."""
    found: dict[Path, dict[str, str]] = {}
    every = [sheet.secrets for sheet in draft.processes.values()]
    same = all(each == every[0] for each in every)
    for name, sheet in draft.processes.items():
        if sheet.secrets:
            path = directory / (f"{draft.name}.env" if same or name == WEB else f"{draft.name}.{name}.env")
            sheet.options["env_file"] = [*sheet.options.get("env_file", []), str(path)]
            names = ", ".join(sheet.secrets)
            sheet.note("env_file", f"{path.name} has what looks like a secret: {names}")
            found[path] = sheet.secrets
    return found


def _ordered(name: str, sheet: Sheet) -> Options:
    """A process that is called web, as the only one is, has a port unless it says that it has none."""
    options = {key: sheet.options[key] for key in Process.model_fields if key in sheet.options}
    return options if "port" in options or name != WEB else {"port": None, **options}


def _shared(processes: dict[str, Options]) -> Options:
    first, *others = processes.values()
    shared: Options = {}
    for key, value in first.items():
        if key in OF_WEB or not all(key in other for other in others):
            continue
        if key in MERGED:
            common = {
                name: each for name, each in value.items() if all(_has(other[key], name, each) for other in others)
            }
            shared.update({key: common} if common else {})
        elif all(other[key] == value for other in others):
            shared[key] = value
    return shared


def _has(values: Options, name: str, value: Any) -> bool:
    return name in values and bool(values[name] == value)


def _without(own: Options, shared: Options) -> Options:
    rest: Options = {}
    for key, value in own.items():
        if key not in shared:
            rest[key] = value
        elif key in MERGED and (more := {name: each for name, each in value.items() if name not in shared[key]}):
            rest[key] = more
    return rest
