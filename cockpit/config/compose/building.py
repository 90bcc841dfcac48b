"""What an image is made from: which repository, which folder of it, which Dockerfile."""

from __future__ import annotations

import os.path
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cockpit.config.base import is_null
from cockpit.config.compose.project import Project, Service
from cockpit.config.compose.sheet import Sheet
from cockpit.config.compose.values import Unclear, entries, pairs, text
from cockpit.config.compose.withheld import has_password, is_secret
from cockpit.config.problems import Mark
from cockpit.config.tree import Mapping, Scalar

CARRIED = {"context", "dockerfile", "target", "args"}
PUSHED = "an image with a name of this machine alone; here it is called after the service and its commit"

_REMOTE = re.compile(r"(?:https?|ssh|git)://.*|git@.*|github\.com/.*")
_REGISTRY = re.compile(r"(?:[^/]*[.:][^/]*|localhost)/.+")


@dataclass(frozen=True, slots=True)
class Repository:
    """Where git is asked for commits, and the work tree that the Compose file lies in; None when it is in none."""

    url: str
    root: Path | None = None


@dataclass(frozen=True, slots=True)
class Building:
    """Two services with the same one share an image."""

    context: str  # an absolute path, or a repository's URL
    dockerfile: str
    target: str


@dataclass
class Origin:
    """Keys of a service that say where its image comes from."""

    options: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)


def building(service: Service, project: Project) -> Building | None:
    """Raises Unclear."""
    node = service.node("build")
    if node is None:
        return None
    keys = entries(node) if isinstance(node, Mapping) else {"context": (node.mark, node)}
    said = {name: text(keys[name][1]) for name in ("context", "dockerfile", "target") if name in keys}
    context = said.get("context", ".")
    if not _REMOTE.fullmatch(context):
        context = os.path.normpath(project.directory / Path(context).expanduser())
    return Building(context, os.path.normpath(said.get("dockerfile", "Dockerfile")), said.get("target", ""))


def image(service: Service) -> str:
    node = service.node("image")
    return node.text if isinstance(node, Scalar) else ""


def untagged(name: str) -> str:
    """registry:5000/shop:1.2@sha256:… to registry:5000/shop"""
    name = name.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def origin(sheet: Sheet, made: Building | None, repository: Repository) -> Origin:
    """What was left out is added to the sheet."""
    found = Origin({"repo": repository.url})
    name = image(sheet.service)
    if made is None:
        found.options["image"] = f"{untagged(name)}:{{sha}}"
        found.notes["image"] = [f"Compose ran {name}. A release is one commit: CI has to push its image as this tag"]
        return found
    if _REGISTRY.fullmatch(name):
        found.options["image"] = untagged(name)
        found.notes["image"] = ["each image that is built is pushed there; without this line it stays on the host"]
    elif name:
        sheet.leave("image", sheet.service.keys["image"][0], PUSHED)
    if _REMOTE.fullmatch(made.context):
        _elsewhere(made.context, found)
    else:
        _here(made, repository, sheet, found)
    build: dict[str, Any] = {}
    if made.dockerfile.startswith(("/", "..")):
        sheet.leave("build.dockerfile", _mark(sheet, "dockerfile"), "a Dockerfile lies below its context")
    elif made.dockerfile != "Dockerfile":
        build["dockerfile"] = made.dockerfile
    build.update({"target": made.target} if made.target else {})
    build.update({"args": args} if (args := _args(sheet)) else {})
    found.options.update({"build": build} if build else {})
    return found


def leave_rest(sheet: Sheet, main: Sheet) -> None:
    """Names what has no counterpart, and where another process of the image says otherwise than `main`."""
    if sheet is not main and image(sheet.service) not in {"", image(main.service)}:
        sheet.leave("image", sheet.service.keys["image"][0], f"it runs the image of {main.name}")
    if sheet is not main and _args(sheet) != _args(main):
        sheet.leave("build.args", _mark(sheet, "args"), f"the image is built once, with those of {main.name}")
    node = sheet.service.node("build")
    for name, (mark, value) in entries(node).items() if isinstance(node, Mapping) else ():
        if name not in CARRIED and not name.startswith("x-") and not is_null(value):
            sheet.leave(f"build.{name}", mark, "there is no such option of a build here")


def _here(made: Building, repository: Repository, sheet: Sheet, found: Origin) -> None:
    root = (repository.root or sheet.project.directory).resolve()
    context = Path(made.context).resolve()
    if not context.is_relative_to(root):
        sheet.leave(
            "build.context", _mark(sheet, "context"), "it is outside the repository, and an image is built from that"
        )
    elif context != root:
        found.options["path"] = str(context.relative_to(root))


def _elsewhere(context: str, found: Origin) -> None:
    """URL#branch:folder"""
    url, _, place = context.partition("#")
    branch, _, folder = place.partition(":")
    found.options["repo"] = url
    found.options.update({"branch": branch} if branch else {})
    found.options.update({"path": folder.strip("/")} if folder.strip("/") else {})


def _args(sheet: Sheet) -> dict[str, str]:
    node = sheet.service.node("build", "args")
    try:
        written_args = pairs(node) if node is not None else {}
    except Unclear as unclear:
        sheet.leave("build.args", unclear.mark, unclear.why)
        return {}
    args = {}
    for name, (mark, written) in written_args.items():
        value = sheet.project.variables.get(name) if written is None else written
        if value is None:
            sheet.leave(
                f"build.args.{name}", mark, "its value comes from the shell that runs Compose, and `.env` has none"
            )
        elif is_secret(name, value) or has_password(value):
            sheet.leave(
                f"build.args.{name}", mark, "a build argument stays readable in the image: no place for a secret"
            )
        else:
            args[name] = value
    return args


def _mark(sheet: Sheet, key: str) -> Mark:
    mark, node = sheet.service.keys["build"]
    return entries(node)[key][0] if isinstance(node, Mapping) and key in entries(node) else mark
