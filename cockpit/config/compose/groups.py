"""Which Compose services become ours, and which of them are processes of one service."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cockpit.config.base import is_null
from cockpit.config.compose.building import Building, building, image
from cockpit.config.compose.neighbours import passes_on, talks_otherwise
from cockpit.config.compose.project import Project, Service
from cockpit.config.compose.values import Unclear
from cockpit.errors import UsageError

MOST = 100


@dataclass(frozen=True, slots=True)
class Group:
    """Services that run from one image."""

    building: Building | None  # None: the image comes from elsewhere
    services: tuple[Service, ...]


@dataclass(frozen=True, slots=True)
class Stays:
    """A service that Compose goes on running, and why when that is a choice."""

    name: str
    image: str
    why: str = ""


def groups(project: Project, named: Collection[str] = ()) -> tuple[list[Group], list[Stays]]:
    """Services with a build, those that run its image, and those that were named. Raises UsageError."""
    if len(project.services) > MOST:
        raise UsageError(f"The Compose file has {len(project.services)} services; at most {MOST} are looked at")
    for name in named:
        if name not in project.services:
            raise UsageError(f"The Compose file has no service {name!r}", f"It has {', '.join(project.services)}")
    built: dict[str, Building] = {}  # the name that Compose gives to what it builds
    for service in project.services.values():
        if made := _building(service, project):
            built.setdefault(image(service) or f"{project.name}-{service.name}", made)
    found: dict[Building | str, list[Service]] = {}
    staying = []
    for service in project.services.values():
        source = _building(service, project) or built.get(image(service))
        why = _why_not(service, source, project, named)
        if why is None:
            found.setdefault(source or image(service), []).append(service)
        else:
            staying.append(Stays(service.name, image(service), why))
    return [Group(None if isinstance(key, str) else key, tuple(each)) for key, each in found.items()], staying


def _why_not(service: Service, source: Building | None, project: Project, named: Collection[str]) -> str | None:
    """None: it becomes ours."""
    if service.name in named and (source or image(service)):
        return None
    if source is None:
        return "what it is built from cannot be understood" if service.node("build") else ""
    profiles = service.keys.get("profiles")
    if profiles and not is_null(profiles[1]):
        return f"it has profiles, so Compose starts it on demand only; --service {service.name} takes it all the same"
    if passes_on(service, project):
        return f"a proxy with a public port, which passes on to others; --service {service.name} takes it all the same"
    if port := talks_otherwise(service, project):
        return f"what it says on port {port} is not HTTP; --service {service.name} takes it all the same"
    return None


def _building(service: Service, project: Project) -> Building | None:
    try:
        return building(service, project)
    except Unclear:
        return None
