"""A Compose project: its services with variables filled in, and what its volumes and networks are called in Docker."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cockpit.config.base import is_null
from cockpit.config.compose.document import HINT, content, document
from cockpit.config.compose.dotenv import dotenv
from cockpit.config.compose.extends import extended
from cockpit.config.compose.mounted import LARGEST, mounted
from cockpit.config.compose.values import Entries, Unclear, entries, flag, text
from cockpit.config.compose.variables import Interpolation, Unset
from cockpit.config.problems import Mark
from cockpit.config.tree import Mapping, Node, Scalar, Unreadable
from cockpit.errors import ConfigError
from cockpit.text import clean

SECTIONS: tuple[str, ...] = ("volumes", "networks", "secrets", "configs")
READ = {"version", "name", "services", *SECTIONS}
OVERRIDES = (
    "compose.override.yaml",
    "compose.override.yml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
THERE = "it is there already and is joined as it is"
_PROXY = re.compile(r"(?:.*[/_-])?(?:nginx|traefik|caddy|haproxy|httpd|envoy|apache)(?:[:@_-].*)?")


@dataclass(frozen=True, slots=True)
class Left:
    """A key that was not carried over; `service` is "" for one beside `services`."""

    service: str
    key: str
    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Service:
    name: str
    mark: Mark
    keys: Entries
    unset: tuple[Unset, ...] = ()
    used: dict[str, frozenset[str]] = field(default_factory=dict)  # key -> variables that were filled in there
    left: tuple[Left, ...] = ()

    def node(self, *path: str) -> Node | None:
        """What is written at a path of keys; None when it is nothing, or when the path does not fit."""
        found: Node | None = None
        keys = self.keys
        for key in path:
            _, found = keys.get(key, (None, None))
            keys = entries(found) if isinstance(found, Mapping) else {}
        return None if found is None or is_null(found) else found


@dataclass(frozen=True, slots=True)
class Project:
    name: str
    path: Path
    services: dict[str, Service]
    volumes: dict[str, str]  # name in the file -> name in Docker
    networks: dict[str, str]
    files: dict[str, Path]  # secrets and configs that are files: "secrets.db" -> where
    variables: dict[str, str]
    left: tuple[Left, ...]
    mounted: dict[str, tuple[str, ...]]  # proxy -> texts of its configuration

    @property
    def directory(self) -> Path:
        return self.path.parent

    def volume(self, name: str) -> str:
        return self.volumes.get(name, f"{self.name}_{name}")

    def network(self, name: str) -> str:
        return self.networks.get(name, f"{self.name}_{name}")


def project(path: Path, name: str = "") -> Project:
    """Reads the file, and the `.env` beside it. Raises ConfigError."""
    path = path.expanduser().absolute()
    try:
        return _project(path, name)
    except Unreadable as error:
        raise _refused(path, error.mark, error.text) from None
    except Unclear as error:
        raise _refused(path, error.mark, error.why) from None


def _project(path: Path, name: str) -> Project:
    root = entries(document(path))
    variables = _variables(path.parent / ".env")
    if "services" not in root:
        raise Unclear(Mark(1, 1), "expected a key services, which is missing")
    filling = Interpolation(variables)
    said = filling.node(root["name"][1]) if "name" in root else None
    name = name or (text(said) if said else variables.get("COMPOSE_PROJECT_NAME", "")) or _normal(path.parent.name)
    sections = {key: entries(filling.node(root[key][1])) for key in SECTIONS if key in root}
    left = [*_left_at_the_top(root, path), *_left_inside(sections)]
    services = _services(entries(root["services"][1]), filling)
    return Project(
        name,
        path,
        services,
        _names(sections.get("volumes", {}), name),
        {"default": f"{name}_default", **_names(sections.get("networks", {}), name)},
        dict(_files(sections, path.parent)),
        variables,
        tuple(left),
        _mounted(services, path.parent),
    )


def _services(written: Entries, filling: Interpolation) -> dict[str, Service]:
    services = {}
    for name, (mark, _) in written.items():
        whole, complaint = extended(name, written)
        keys: Entries = {}
        used: dict[str, frozenset[str]] = {}
        unset: list[Unset] = []
        for key, (place, node) in entries(whole).items():
            filling.used, filling.unset = set(), unset
            keys[key] = (place, filling.node(node))
            used[key] = frozenset(filling.used)
        left = (Left(name, "extends", complaint.mark.line, complaint.why),) if complaint else ()
        services[name] = Service(name, mark, keys, tuple(unset), used, left)
    return services


def is_proxy(service: Service) -> bool:
    """By its image; without one by its own name."""
    node = service.node("image")
    return bool(_PROXY.fullmatch(node.text if isinstance(node, Scalar) else service.name))


def _mounted(services: dict[str, Service], directory: Path) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, service in services.items():
        if is_proxy(service):
            room = LARGEST - sum(len(each) for said in found.values() for each in said)
            nodes = (service.node("volumes"), service.node("build", "context") or service.node("build"))
            found[name] = mounted(nodes, directory, room)
    return found


def _variables(path: Path) -> dict[str, str]:
    try:
        return dotenv(content(path)) if path.exists() else {}
    except Unreadable as error:
        raise _refused(path, error.mark, error.text) from None


def _names(section: Entries, project: str) -> dict[str, str]:
    """An external one has the name that is written, every other one the project's in front of it."""
    found = {}
    for key, (_, node) in section.items():
        inner = entries(node)
        _, external = inner.get("external", (None, None))
        legacy = entries(external).get("name") if isinstance(external, Mapping) else None
        outside = external is not None and (isinstance(external, Mapping) or flag(external))
        _, named = inner.get("name") or legacy or (None, None)
        found[key] = text(named) if named else key if outside else f"{project}_{key}"
    return found


def _files(sections: dict[str, Entries], directory: Path) -> Iterator[tuple[str, Path]]:
    for section in ("secrets", "configs"):
        for key, (_, node) in sections.get(section, {}).items():
            _, file = entries(node).get("file", (None, None))
            if file is not None:
                yield f"{section}.{key}", directory / Path(text(file)).expanduser()


def _left_at_the_top(root: Entries, path: Path) -> Iterator[Left]:
    for key, (mark, node) in root.items():
        if key not in READ and not key.startswith("x-") and not is_null(node):
            yield Left(
                "", key, mark.line, "only this one file was read" if key == "include" else "there is no such key here"
            )
    for name in OVERRIDES:
        if path.name != name and (path.parent / name).exists():
            yield Left("", name, 1, "Compose reads it too when no file is named; here only the one file was read")


def _left_inside(sections: dict[str, Entries]) -> Iterator[Left]:
    for section in ("volumes", "networks"):
        for key, (_, node) in sections.get(section, {}).items():
            for option, (mark, _) in entries(node).items():
                if option not in {"name", "external"} and not option.startswith("x-"):
                    yield Left("", f"{section}.{key}.{option}", mark.line, THERE)


def _normal(name: str) -> str:
    """Compose's own way from a directory to a project's name."""
    return re.sub(r"^[_-]+", "", re.sub(r"[^a-z0-9_-]", "", name.lower())) or "default"


def _refused(path: Path, mark: Mark, why: str) -> ConfigError:
    return ConfigError(clean(f"{path}:{mark.line}:{mark.column}: {why}"), HINT)
