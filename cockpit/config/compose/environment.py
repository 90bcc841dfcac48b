"""Variables of a service, their files, and its labels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from cockpit.config.compose.document import content
from cockpit.config.compose.dotenv import read_otherwise
from cockpit.config.compose.sheet import Sheet
from cockpit.config.compose.values import entries, flag, items, pairs, text
from cockpit.config.compose.withheld import is_secret, recognisable, shows
from cockpit.config.problems import Mark
from cockpit.config.tree import Mapping, Node, Unreadable
from cockpit.errors import ConfigError

NGINX_PROXY = (
    "nginx-proxy would send customers to each container, around the edge; the edge's own labels are edge.labels"
)
SHELL = "its value comes from the shell that runs Compose, and `.env` has none"
# Labels by which a proxy finds containers; they belong to the edge, which is what it has to find.
PROXIES = ("traefik.", "caddy")


def environment(node: Node, sheet: Sheet) -> None:
    values: dict[str, str] = {}
    for name, (mark, written) in pairs(node).items():
        value = sheet.project.variables.get(name) if written is None else written
        if value is None:
            sheet.leave(f"environment.{name}", mark, SHELL)
        elif name.startswith(("VIRTUAL_", "LETSENCRYPT_")):
            sheet.virtual[name] = value
            sheet.leave(f"environment.{name}", mark, NGINX_PROXY)
        else:
            values[name] = value
    known = recognisable(value for name, value in values.items() if is_secret(name, value))
    known |= secrets_of(sheet)
    for name, value in values.items():
        if is_secret(name, value) or shows(value, known):
            _keep_apart(name, value, node, sheet)
        else:
            sheet.options.setdefault("environment", {})[name] = value


def _keep_apart(name: str, value: str, node: Node, sheet: Sheet) -> None:
    if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) and "\0" not in value:
        sheet.secrets[name] = value
    else:
        sheet.leave("environment", node.mark, "a name or value that no env file can hold")


def secrets_of(sheet: Sheet) -> frozenset[str]:
    """Secret values of `.env` and of the service, to be looked for elsewhere."""
    variables = sheet.project.variables
    return recognisable(
        (*sheet.secrets.values(), *(value for name, value in variables.items() if is_secret(name, value)))
    )


def env_file(node: Node, sheet: Sheet) -> None:
    found: list[str | dict[str, str | bool]] = []
    for index, item in enumerate(items(node)):
        keys = entries(item) if isinstance(item, Mapping) else {"path": (item.mark, item)}
        for name, (mark, _) in keys.items():
            if name not in {"path", "required"}:
                sheet.leave(f"env_file[{index}].{name}", mark, "there is no such option of a file here")
        if "path" not in keys:
            sheet.leave(f"env_file[{index}]", item.mark, "it has no path")
            continue
        path = sheet.absolute(text(keys["path"][1]))
        optional = "required" in keys and not flag(keys["required"][1])
        found.append({"path": path, "required": False} if optional else path)
        for each in _differences(Path(path)):
            sheet.leave(f"env_file[{index}]", item.mark, f"{path}: {each}")
    if found:
        sheet.options["env_file"] = found


def _differences(path: Path) -> list[str]:
    try:
        return read_otherwise(content(path)) if path.exists() else ["there is no such file now"]
    except (ConfigError, Unreadable, OSError):
        return ["it cannot be read here"]


def labels(node: Node, sheet: Sheet) -> None:
    for name, (mark, value) in pairs(node).items():
        if name.startswith(PROXIES):
            sheet.proxied[name] = value or ""
            sheet.leave(f"labels.{name}", mark, "it would lead the proxy around the edge (edge.labels)")
        elif name.startswith("com.docker.compose."):
            sheet.leave(f"labels.{name}", mark, "Compose's own")
        else:
            sheet.options.setdefault("labels", {})[name] = value or ""


def extra_hosts(node: Node, sheet: Sheet) -> None:
    """A name may be there more than once, with an address each time."""
    hosts = []
    for name, mark, address in _hosts(node):
        if address:
            hosts.append(f"{name}:{address.strip('[]')}")
        else:
            sheet.leave(f"extra_hosts.{name}", mark, "it has no address")
    if hosts:
        sheet.options["extra_hosts"] = hosts


def _hosts(node: Node) -> Iterator[tuple[str, Mark, str]]:
    if isinstance(node, Mapping):
        for name, (mark, addresses) in entries(node).items():
            yield from ((name, mark, text(each)) for each in items(addresses))
        return
    for item in items(node):
        name, *address = re.split("[=:]", text(item), maxsplit=1)
        yield name, item.mark, "".join(address)
