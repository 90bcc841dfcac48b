"""Whether our own loader takes an option: what it refuses is not carried over."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from cockpit.config.compose.building import Origin
from cockpit.config.compose.sheet import Sheet
from cockpit.config.compose.writing import yaml_text
from cockpit.config.load import load
from cockpit.errors import ConfigError

# Where Compose says it, likeliest first, if not under our own name.
NAMES = {
    "limits": ("mem_limit", "cpus", "pids_limit", "deploy"),
    "replicas": ("scale", "deploy"),
    "aliases": ("networks",),
    "port": ("ports", "expose"),
}
WHOLE = {"command", "entrypoint", "healthcheck"}  # nothing of it without the rest
VALUES = {"environment", "env_file"}  # never shown in a complaint


def fit(sheet: Sheet) -> None:
    """Takes out of the options, and names, whatever the loader would refuse; of lists and maps single entries."""
    for option, value in list(sheet.options.items()):
        if not (why := complaint(option, value, sheet)):
            continue
        kept = _part(option, value, sheet)
        if kept and not complaint(option, kept, sheet):
            sheet.options[option] = kept
        else:
            sheet.drop(option, _said(option, sheet), why)


def fit_origin(origin: Origin, sheet: Sheet) -> None:
    """The same for where the image comes from; the repository itself has to be one."""
    for option in [each for each in origin.options if each != "repo"]:
        if why := complaint(option, origin.options[option], sheet):
            del origin.options[option]
            origin.notes.pop(option, None)
            key = "image" if option == "image" else "build"
            sheet.leave(key, sheet.mark(key), why)


def complaint(option: str, value: Any, sheet: Sheet) -> str:
    """What the loader says of it, in a service of its own; "" when it takes it."""
    beside = {"repo": "shop.git", "port": sheet.options.get("port"), "networks": ["any"]}  # what others need
    text = yaml_text({"services": {"web": {**beside, option: value}}}, {})
    return refusal(text, hide=option in VALUES)


def refusal(text: str, *, hide: bool = False) -> str:
    """The first complaint about a whole configuration; `hide`: without what is said there."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "config.yaml"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        try:
            load(path)
        except ConfigError as error:
            said = error.message.splitlines()[0].removeprefix(f"{path}:").partition(" ")[2]
            return "its name or value is none that can be used here" if hide else said.partition(": ")[2] or said
    return ""


def _said(option: str, sheet: Sheet) -> str:
    return next((name for name in NAMES.get(option, ()) if name in sheet.service.keys), option)


def _part(option: str, value: Any, sheet: Sheet) -> Any:
    """The entries that are taken on their own, the others named."""
    if not isinstance(value, dict | list) or len(value) < 2 or option in WHOLE:
        return None
    mark = sheet.mark(_said(option, sheet))
    refused = {}
    for key, each in list(value.items()) if isinstance(value, dict) else list(enumerate(value)):
        if why := complaint(option, {key: each} if isinstance(value, dict) else [each], sheet):
            refused[key] = why
    for key, why in refused.items():
        sheet.leave(f"{option}.{key}" if isinstance(value, dict) else f"{option}[{key}]", mark, why)
    if isinstance(value, dict):
        return {key: each for key, each in value.items() if key not in refused}
    return [each for index, each in enumerate(value) if index not in refused]
