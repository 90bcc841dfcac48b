"""A Compose healthcheck: Docker's own check where nobody comes in, and the path that is asked where customers do."""

from __future__ import annotations

import re
from typing import Any

from cockpit.config.base import is_null
from cockpit.config.compose.sheet import Sheet
from cockpit.config.compose.values import Entries, Unclear, command, duration, entries, flag, seconds, texts, whole
from cockpit.config.settings import Service
from cockpit.config.tree import Node, Scalar

ASKED = "a process with a port is asked over HTTP, each second while it starts"
PATH = "customers' port is asked over HTTP instead: healthcheck.path says for what, and any 2xx is good"
BOOT = "deploy_timeout is how long a release may take to become healthy"
# Compose's own, where they differ from ours.
IMPLIED = {"interval": "30s", "timeout": "30s"}

_URL = re.compile(r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\])(?::\d+)?(/[^\s\"'|;)\]#]*)?")


def healthcheck(sheet: Sheet) -> None:
    """Needs to know whether the process has a port."""
    node = sheet.service.node("healthcheck")
    if node is None:
        return
    try:
        keys = {name: each for name, each in entries(node).items() if not is_null(each[1]) and name[:2] != "x-"}
        found = _asked(keys, sheet) if sheet.port is not None else _own(keys, sheet)
    except Unclear as unclear:
        sheet.leave("healthcheck", unclear.mark, unclear.why)
    else:
        if sheet.wanting and "test" in keys and (path := _path(keys["test"][1])):
            found["path"] = path  # for when it has its port
        sheet.options.update({"healthcheck": found} if found else {})


def _asked(keys: Entries, sheet: Sheet) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, (mark, node) in keys.items():
        match name:
            case "test" if path := _path(node):
                found["path"] = path
            case "timeout":
                found["timeout"] = duration(seconds(node))
            case "start_period" if seconds(node) > Service.model_fields["deploy_timeout"].default:
                sheet.options["deploy_timeout"] = duration(seconds(node))
            case _:
                why = {"test": PATH, "start_period": BOOT}.get(name, ASKED)
                sheet.leave(f"healthcheck.{name}", mark, why)
    return found


def _own(keys: Entries, sheet: Sheet) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, (mark, node) in keys.items():
        match name:
            case "test":
                found["test"] = ["CMD-SHELL", node.text] if isinstance(node, Scalar) else texts(node)
            case "disable" if flag(node):
                return {"test": ["NONE"]}
            case "disable":
                pass
            case "interval" | "timeout" | "start_period":
                found[name] = duration(seconds(node))
            case "retries":
                found[name] = whole(node)
            case _:
                sheet.leave(f"healthcheck.{name}", mark, "there is no such option here")
    return found if found.get("test") == ["NONE"] else {**IMPLIED, **found}


def _path(node: Node) -> str:
    """What a curl or wget of the check asks for; "" when it asks for nothing over HTTP."""
    said = command(node)
    match = _URL.search(said if isinstance(said, str) else " ".join(said))
    return (match[1] or "/") if match else ""
