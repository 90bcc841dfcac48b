"""Other ways to say the same: where Compose has several keys for one thing, all of them become ours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeAlias

from cockpit.config.base import MISSING, Reading
from cockpit.config.mounts import Memory
from cockpit.config.problems import At, dotted
from cockpit.config.shapes import Values

Path: TypeAlias = tuple[str, ...]

_DEPLOY_LIMITS = ("deploy", "resources", "limits")
OTHERS: dict[Path, Path] = {
    ("env",): ("environment",),
    ("cpus",): ("limits", "cpus"),
    ("mem_limit",): ("limits", "memory"),
    ("pids_limit",): ("limits", "pids"),
    ("deploy", "replicas"): ("replicas",),
    (*_DEPLOY_LIMITS, "cpus"): ("limits", "cpus"),
    (*_DEPLOY_LIMITS, "memory"): ("limits", "memory"),
    (*_DEPLOY_LIMITS, "pids"): ("limits", "pids"),
}


def settle(values: Values, at: At, into: Reading) -> Values:
    """The options of a process, each under one name."""
    for other, ours in OTHERS.items():
        if (value := _get(values, other)) is not MISSING:
            values = _moved(values, value, other, ours, at, into)
    for spelling in {other[0] for other in OTHERS} & set(values):
        del values[spelling]
    return _aliases_apart(_names_alone(_memory_apart(values)), at, into)


def check_of_docker(values: Values, at: At, into: Reading) -> Values:
    """`disable: true` is the test NONE."""
    disable = values.pop("disable", False)
    if disable is not True:
        return values
    if "test" in values:
        into.wrong_name((*at, "disable"), "there is a test; keep one of the two")
    return {**values, "test": ("NONE",)}


def _get(values: Any, path: Path) -> Any:
    for part in path:
        if not isinstance(values, dict) or part not in values:
            return MISSING
        values = values[part]
    return values


def _has(values: Values, path: Path) -> bool:
    return path[0] in values and (len(path) == 1 or path[1] in values[path[0]])


def _moved(values: Values, value: Any, other: Path, ours: Path, at: At, into: Reading) -> Values:
    if values.get(ours[0]) is MISSING:
        return values
    if _has(values, ours):
        said = into.spelled((*at, *ours))[len(at) :]
        into.wrong_name((*at, *other), f"{dotted(said)} says the same; keep one of the two")
        return values
    names: Iterable[str] = value if isinstance(value, dict) else ()
    for below in ((), *((name,) for name in names)):
        _rename((*at, *other, *below), (*at, *ours, *below), into)
    whole = value if len(ours) == 1 else {**values.get(ours[0], {}), ours[1]: value}
    return {**values, ours[0]: whole}


def _rename(old: At, new: At, into: Reading) -> None:
    if old in into.keys:
        into.keys[new] = into.keys[old]
    if old in into.places:
        into.places[new] = replace(into.places[old], spelled=old)


def _memory_apart(values: Values) -> Values:
    """A mount of type tmpfs is one of `tmpfs`."""
    mounts = _listed(values.get("volumes"))
    memory = tuple(each.text for each in mounts if isinstance(each, Memory))
    if not memory:
        return values
    rest = tuple(each for each in mounts if not isinstance(each, Memory))
    return {**values, "volumes": rest, "tmpfs": (*_listed(values.get("tmpfs")), *memory)}


def _names_alone(values: Values) -> Values:
    """Of what comes first, only that it does."""
    before = values.get("depends_on")
    return {**values, "depends_on": tuple(before)} if isinstance(before, dict) else values


def _aliases_apart(values: Values, at: At, into: Reading) -> Values:
    """One set of names is joined to all networks."""
    networks = values.get("networks")
    if not isinstance(networks, dict):
        return values
    values = {**values, "networks": tuple(networks)}
    said = [_listed(each.get("aliases")) for each in networks.values() if isinstance(each, dict)]
    if not any(said):
        return values
    if any(set(each) != set(said[0]) for each in said):
        text = "expected the same aliases in each network, for they are names in all of them"
        into.wrong_name((*at, "networks"), text)
    elif "aliases" in values:
        into.wrong_name((*at, "aliases"), "networks say aliases too; keep one of the two")
    return {"aliases": said[0], **values}


def _listed(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else ()
