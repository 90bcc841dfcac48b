"""The door of this room: a Compose file to a configuration of ours, with all that was not carried over."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cockpit.config.compose.aliases import aliases
from cockpit.config.compose.assembly import assembled, with_secrets
from cockpit.config.compose.building import Building, Repository
from cockpit.config.compose.dockerfile import exposed
from cockpit.config.compose.draft import Draft, draft, slug, unique
from cockpit.config.compose.fit import refusal
from cockpit.config.compose.front import Ahead, ahead, edge, hosts
from cockpit.config.compose.groups import Stays, groups
from cockpit.config.compose.project import Left, Project, project
from cockpit.config.compose.traefik import behind_traefik
from cockpit.config.compose.writing import comment, yaml_text
from cockpit.config.problems import At
from cockpit.config.processes import WEB_PORT
from cockpit.errors import ConfigError, UsageError
from cockpit.text import clean

BEHIND = "Behind Traefik, this instead of the edge above; it comes last until its priority is raised (docs/adopt.md):"
PATH = "every replica is asked for {path} and has to answer 2xx before customers come (healthcheck.path)"


@dataclass(frozen=True, slots=True)
class Conversion:
    text: str
    services: tuple[str, ...]
    files: dict[Path, dict[str, str]]  # env files to be written -> their variables, which are secrets
    stays: tuple[Stays, ...]
    left: tuple[Left, ...]
    wanting: tuple[str, ...]  # services of ours whose port a person has to write


def convert(
    path: Path, repository: Repository, directory: Path, *, name: str = "", named: Collection[str] = ()
) -> Conversion:
    """Reads the file and what lies beside it, writes nothing. `directory` is where env files will be.

    Raises ConfigError and UsageError."""
    compose = project(path, name)
    ours, stays = groups(compose, named)
    if not ours:
        raise UsageError(
            "No service of the Compose file has a build",
            f"Which one is yours? --service NAME, of {', '.join(compose.services) or 'none'}",
        )
    names = {service.name for group in ours for service in group.services}
    drafts = [draft(group, compose, repository, _exposed(group.building), names) for group in ours]
    for number, each in enumerate(drafts):
        each.name = unique(each.name, {other.name for other in drafts[:number]})
    hosts(drafts)
    front = ahead(compose, drafts)
    instead, why = behind_traefik(compose, drafts, front.fronts)
    aliases(compose, drafts, front.contained)
    wanting = tuple(each.name for each in drafts if any(sheet.wanting for sheet in each.processes.values()))
    files = {path: values for each in drafts for path, values in with_secrets(each, directory).items()}
    data, notes = _configuration(compose, drafts, front)
    left = (*compose.left, *(each for draft in drafts for each in draft.left))
    parts = [
        list(_head(path, stays)),
        *([yaml_text({key: data[key]}, notes)] for key in data),
        list(_instead(instead, why)),
        list(_tail(left)),
    ]
    whole = "\n".join("".join(f"{line}\n" for line in part).rstrip("\n") + "\n" for part in parts if part)
    if complaint := refusal(whole):
        raise ConfigError(clean(f"{path.name} cannot be carried over: {complaint}"), "Nothing was written.")
    return Conversion(whole, tuple(data["services"]), files, tuple(stays), left, wanting)


def smallest(here: Path, root: Path, url: str, port: int | None) -> tuple[str, str]:
    """The name of the service in a directory, and the configuration that deploys it."""
    name, folder = slug(here.name), here.resolve().relative_to(root.resolve()) if here != root else Path()
    service = {"repo": url, **({"path": str(folder)} if folder != Path() else {}), "port": port or WEB_PORT}
    notes: dict[At, list[str]] = {} if port else {("services", name, "port"): ["where it listens: no EXPOSE said so"]}
    text = yaml_text({"services": {name: service}}, notes)
    if complaint := refusal(text):
        raise ConfigError(f"{name} of {clean(url)} cannot be configured: {complaint}", "Nothing was written.")
    return name, text


def together(left: Collection[Left]) -> Iterator[str]:
    """One line for each key and reason, with all the places where it stands."""
    places: dict[tuple[str, str], list[str]] = {}
    for each in left:
        place = f"{each.service} line {each.line}" if each.service else f"line {each.line}"
        places.setdefault((each.key, each.why), []).append(place)
    for (key, why), where in places.items():
        yield f"{key} ({', '.join(dict.fromkeys(where))}): {why}"


def staying(stays: Collection[Stays]) -> Iterator[str]:
    for each in stays:
        said = f"{each.name} ({each.image})" if each.image else each.name
        yield f"{said}: {each.why}" if each.why else said


def _configuration(compose: Project, drafts: list[Draft], front: Ahead) -> tuple[dict[str, Any], dict[At, list[str]]]:
    data: dict[str, Any] = {"services": {}}
    notes: dict[At, list[str]] = {}
    for each in drafts:
        data["services"][each.name], said = assembled(each)
        notes.update({("services", each.name, *at): lines for at, lines in said.items()})
        if each.routed:
            asked = next(iter(each.routed.values())).options.get("healthcheck", {}).get("path", "/up")
            notes["services", each.name] = [PATH.format(path=asked)]
    listening, why = edge(compose, drafts, front)
    if listening:
        data["edge"] = listening
        notes["edge",] = why
    return data, notes


def _head(path: Path, stays: list[Stays]) -> Iterator[str]:
    yield from comment(f"From {path.name} by `cockpit init`. `cockpit config example` explains every key.")
    if stays:
        yield from comment("These stay with Compose; services of this file reach them through its networks:")
        for each in staying(stays):
            yield from comment(f"  {each}")


def _instead(edge: dict[str, Any], why: list[str]) -> Iterator[str]:
    """Another edge, as one that is put in the place of the first by taking the marks away: nothing of it is wrapped."""
    if edge:
        yield from comment(BEHIND)
        for each in why:
            yield from comment(f"Look at it first: {each}.")
        yield from (f"# {line}" for line in yaml_text({"edge": edge}, {}).splitlines())


def _tail(left: Collection[Left]) -> Iterator[str]:
    if left:
        yield from comment("Not carried over:")
        for each in together(left):
            yield from comment(f"  {each}")


def _exposed(building: Building | None) -> int | None:
    if building is None or not building.context.startswith("/"):
        return None
    return exposed(Path(building.context) / building.dockerfile, building.target)
