"""Key by key from a Compose service to a process of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cockpit.config.base import is_null
from cockpit.config.compose import environment, mounts, order, ports
from cockpit.config.compose.project import Project, Service
from cockpit.config.compose.reasons import reason
from cockpit.config.compose.sheet import Sheet
from cockpit.config.compose.values import (
    Entries,
    Unclear,
    command,
    duration,
    entries,
    flag,
    number,
    pairs,
    seconds,
    signal_name,
    size,
    text,
    texts,
    whole,
)
from cockpit.config.tree import Listing, Mapping, Node

GROUP = {"build", "healthcheck"}  # looked at when the whole service is known
LATE = {"expose", "deploy", "tmpfs"}  # they add to what other keys said
SIMPLE: dict[str, Callable[[Node], Any]] = {
    "command": command,
    "entrypoint": command,
    "user": text,
    "working_dir": text,
    "stop_signal": signal_name,
    "stop_grace_period": lambda node: duration(seconds(node)),
    "read_only": flag,
    "init": flag,
    "shm_size": size,
    "tmpfs": texts,
    "cap_add": texts,
    "cap_drop": texts,
}


def sheet_of(service: Service, project: Project) -> Sheet:
    sheet = Sheet(service, project, left=list(service.left))
    for unset in service.unset:
        sheet.leave(f"${{{unset.name}}}", unset.mark, unset.why or "`.env` has no such variable; nothing was put there")
    for key in sorted(service.keys, key=lambda key: key in LATE):
        node = service.keys[key][1]
        if not is_null(node) and not key.startswith("x-") and key not in GROUP:
            try:
                _carry(key, node, sheet)
            except Unclear as unclear:
                sheet.leave(key, unclear.mark, unclear.why)
    if "networks" not in service.keys and "network_mode" not in service.keys:
        sheet.options["networks"] = [project.network("default")]
    return sheet


def _carry(key: str, node: Node, sheet: Sheet) -> None:
    if key in SIMPLE:
        value = SIMPLE[key](node)
        before = sheet.options.get(key)
        sheet.options[key] = [*before, *value] if isinstance(before, list) else value
    elif key in SPECIAL:
        SPECIAL[key](node, sheet)
    else:
        sheet.leave(key, sheet.service.keys[key][0], reason(key))


def _image(node: Node, sheet: Sheet) -> None:
    """Carried over with the build, when the whole service is known; here it only has to be text."""
    text(node)


def _networks(node: Node, sheet: Sheet) -> None:
    named = {text(item): (item.mark, None) for item in node.items} if isinstance(node, Listing) else entries(node)
    aliases: list[str] = []
    for name, (_, inner) in named.items():
        sheet.options.setdefault("networks", []).append(sheet.project.network(name))
        for option, (mark, value) in (entries(inner) if inner is not None else {}).items():
            if option == "aliases":
                aliases += texts(value)
            elif not is_null(value):
                sheet.leave(f"networks.{name}.{option}", mark, "addresses and options in a network are Docker's choice")
    sheet.called += dict.fromkeys(aliases)


def _ulimits(node: Node, sheet: Sheet) -> None:
    limits: dict[str, int | dict[str, int]] = {}
    for name, (_, value) in entries(node).items():
        if not isinstance(value, Mapping):
            limits[name] = whole(value)
            continue
        inner = entries(value)
        if set(inner) != {"soft", "hard"}:
            raise Unclear(value.mark, "expected soft and hard")
        limits[name] = {each: whole(inner[each][1]) for each in ("soft", "hard")}
    sheet.options["ulimits"] = limits


def _logging(node: Node, sheet: Sheet) -> None:
    keys = entries(node)
    logging: dict[str, Any] = {"driver": text(keys["driver"][1])} if "driver" in keys else {}
    if "options" in keys:
        logging["options"] = {name: value or "" for name, (_, value) in pairs(keys["options"][1]).items()}
    _leave_rest(keys, {"driver", "options"}, "logging", sheet)
    sheet.options["logging"] = logging


def _deploy(node: Node, sheet: Sheet) -> None:
    keys = entries(node)
    if "replicas" in keys:
        sheet.options["replicas"] = whole(keys["replicas"][1])
    resources = entries(keys["resources"][1]) if "resources" in keys else {}
    limits = entries(resources["limits"][1]) if "limits" in resources else {}
    for name, read in (("cpus", number), ("memory", size), ("pids", whole)):
        if name in limits:
            _limit(name, read)(limits[name][1], sheet)
    _leave_rest(limits, {"cpus", "memory", "pids"}, "deploy.resources.limits", sheet)
    _leave_rest(resources, {"limits"}, "deploy.resources", sheet)
    _leave_rest(keys, {"replicas", "resources"}, "deploy", sheet)


def _limit(name: str, read: Callable[[Node], Any]) -> Callable[[Node, Sheet], None]:
    def carried(node: Node, sheet: Sheet) -> None:
        value = read(node)
        if str(value) not in {"0", "0.0", "-1"}:  # Docker's words for no limit
            sheet.options.setdefault("limits", {})[name] = value

    return carried


def _scale(node: Node, sheet: Sheet) -> None:
    sheet.options["replicas"] = whole(node)


def _leave_rest(keys: Entries, carried: set[str], key: str, sheet: Sheet) -> None:
    for name, (mark, node) in keys.items():
        if name not in carried and not name.startswith("x-") and not is_null(node):
            sheet.leave(f"{key}.{name}", mark, reason(f"{key}.{name}"))


SPECIAL: dict[str, Callable[[Node, Sheet], None]] = {
    "image": _image,
    "depends_on": order.depends_on,
    "environment": environment.environment,
    "env_file": environment.env_file,
    "labels": environment.labels,
    "extra_hosts": environment.extra_hosts,
    "ports": ports.ports,
    "expose": ports.expose,
    "volumes": mounts.volumes,
    "secrets": lambda node, sheet: mounts.files(node, sheet, "secrets", "/run/secrets"),
    "configs": lambda node, sheet: mounts.files(node, sheet, "configs", "/"),
    "networks": _networks,
    "ulimits": _ulimits,
    "logging": _logging,
    "deploy": _deploy,
    "scale": _scale,
    "mem_limit": _limit("memory", size),
    "cpus": _limit("cpus", number),
    "pids_limit": _limit("pids", whole),
}
