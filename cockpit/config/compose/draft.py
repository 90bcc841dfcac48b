"""One service of ours from the Compose services that share its image."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from cockpit.config.compose.building import Origin, Repository, leave_rest, origin
from cockpit.config.compose.environment import secrets_of
from cockpit.config.compose.fit import fit, fit_origin
from cockpit.config.compose.groups import Group
from cockpit.config.compose.health import healthcheck
from cockpit.config.compose.neighbours import called_port, callers, fronts
from cockpit.config.compose.options import sheet_of
from cockpit.config.compose.order import leave_one_shot, one_shots, order
from cockpit.config.compose.ports import from_variable, told
from cockpit.config.compose.project import Left, Project
from cockpit.config.compose.sheet import Sheet
from cockpit.config.compose.withheld import named, shows
from cockpit.config.processes import WEB
from cockpit.config.settings import MAX_ROUTED

SERVERS = {"web", "app", "server", "api", "site", "www", "frontend", "backend"}
TWICE = "two of it at once would do everything twice: the old one stops before the new one starts"
STOP = "before the first deploy: docker compose stop {name}"
NO_PORT = "WRITE THE PORT that {name} listens at in place of null: neither ports, expose, EXPOSE nor a caller says it"
_WORKER = re.compile("work|job|queue|consumer|cron|beat|clock|schedul|mail|sidekiq|celery|migrat")
_CLOCK = re.compile(r"(?:^|[\s/_-])(?:beat|cron|crond|scheduler|schedule|clock|clockwork|periodic)(?:$|[\s_-])")


@dataclass
class Draft:
    """A service before it is written."""

    name: str
    origin: Origin
    processes: dict[str, Sheet]
    migrate: Sheet | None = None
    boot: str = ""  # deploy_timeout
    left: list[Left] = field(default_factory=list)

    @property
    def routed(self) -> dict[str, Sheet]:
        return {name: sheet for name, sheet in self.processes.items() if sheet.port is not None}


def draft(group: Group, project: Project, repository: Repository, exposed: int | None, ours: Collection[str]) -> Draft:
    """`exposed` is the port of the Dockerfile; `ours` are all Compose services that become ours."""
    sheets = [sheet_of(service, project) for service in group.services]
    _find_ports(sheets, project, exposed)
    for sheet in sheets:
        healthcheck(sheet)
        _find_clocks(sheet)
        _withhold(sheet)
    boot = next((str(sheet.options.pop("deploy_timeout")) for sheet in sheets if "deploy_timeout" in sheet.options), "")
    for sheet in sheets:
        fit(sheet)
    ending = one_shots(sheets)
    running = [sheet for sheet in sheets if sheet not in ending]
    main = next((sheet for sheet in running if "port" in sheet.options), running[0])
    source = origin(main, group.building, repository)
    fit_origin(source, main)
    for sheet in sheets:
        leave_rest(sheet, main)
    for number, sheet in enumerate(ending):
        leave_one_shot(sheet, main, first=number == 0)
    names = _process_names(running, main)
    order(running, names, {sheet.name for sheet in ending}, ours)
    _few_enough(running)
    left = list(dict.fromkeys(each for sheet in sheets for each in sheet.left))
    processes = {names[sheet.name]: sheet for sheet in running}
    return Draft(slug(main.name), source, processes, ending[0] if ending else None, boot, left)


def slug(name: str) -> str:
    """As our own names are written."""
    said = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].rstrip("-")
    return said if said[:1].isalpha() else f"s-{said}"[:40].rstrip("-")


def unique(name: str, taken: Collection[str]) -> str:
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name[:36]}-{number}"
    return found


def _find_ports(sheets: list[Sheet], project: Project, exposed: int | None) -> None:
    """Where a service publishes no port, its own words or those of its callers name one."""
    for sheet in sheets:
        called = called_port(sheet.name, project) if sheet.port is None else None
        found = (called, f"from {sheet.name}:{called}, as others call it") if called else told(sheet)
        if sheet.port is None and found:
            _take_port(sheet, *found)
    server = _server(sheets) if all(sheet.port is None for sheet in sheets) else None
    for sheet in sheets:
        served = _served(sheet, sheets, project) if sheet.port is None else ""
        if (served or sheet is server) and (found := _of_the_image(sheet, exposed)):
            _take_port(sheet, *found)
        elif served or (sheet is server and sheet.name.lower() in SERVERS):
            sheet.options["port"] = None
            sheet.note("port", NO_PORT.format(name=sheet.name))
            sheet.note("port", served or "its name says that it has customers: without a port nobody reaches it")
    for sheet in sheets:
        for each in sheet.published if sheet.port else ():
            where = f"{each.address}:{each.port}" if each.address else each.port
            sheet.note("port", f"Compose publishes it on {where}; here customers come through the edge (edge.listen)")


def _served(sheet: Sheet, sheets: list[Sheet], project: Project) -> str:
    """Why it has customers, whatever it says of ports; "" when nothing says so."""
    if _WORKER.search(sheet.name.lower()):
        return ""
    calling = callers(sheet.name, project, {each.name for each in sheets})
    if by := [each.service for each in fronts(project) if each.service in calling]:
        return f"{' and '.join(by)} has customers for it: without a port nobody reaches it here"
    told = sheet.proxied or sheet.virtual
    return "what it tells a proxy says that it has customers: without a port nobody reaches it" if told else ""


def _of_the_image(sheet: Sheet, exposed: int | None) -> tuple[int, str] | None:
    if exposed:
        return exposed, "from EXPOSE of the Dockerfile"
    port = from_variable(sheet)
    return (port, "from the variable PORT") if port else None


def _take_port(sheet: Sheet, port: int, where: str) -> None:
    sheet.options["port"] = port
    sheet.note("port", where)


def _server(sheets: list[Sheet]) -> Sheet | None:
    """The one that would have customers, if one has: called like one, or what the image runs by itself."""
    named = [sheet for sheet in sheets if sheet.name.lower() in SERVERS]
    plain = [sheet for sheet in sheets if "command" not in sheet.options and "entrypoint" not in sheet.options]
    alone = [sheet for sheet in sheets if len(sheets) == 1 and not _WORKER.search(sheet.name.lower())]
    return next(iter((*named, *plain, *alone)), None)


def _few_enough(sheets: list[Sheet]) -> None:
    """Together as many containers with a port as one release has addresses for."""
    counted = [sheet for sheet in sheets if sheet.port is not None and "replicas" in sheet.options]
    if sum(sheet.options.get("replicas", 1) for sheet in sheets if sheet.port is not None) > MAX_ROUTED:
        for sheet in counted:
            key = "scale" if "scale" in sheet.service.keys else "deploy"
            sheet.drop("replicas", key, f"one release has at most {MAX_ROUTED} containers with a port, all together")


def _find_clocks(sheet: Sheet) -> None:
    command: Any = sheet.options.get("command", "")
    said = f"{sheet.name} {command if isinstance(command, str) else ' '.join(command)}"
    if sheet.port is None and _CLOCK.search(said):
        sheet.options["replace"] = "recreate"
        sheet.note("replace", TWICE)
        sheet.note("replace", STOP.format(name=sheet.name))


def _withhold(sheet: Sheet) -> None:
    """What shows a secret outside of the environment is named, and not carried."""
    known = secrets_of(sheet)
    for option, value in list(sheet.options.items()):
        filled = any(named(each) and sheet.project.variables.get(each) for each in sheet.service.used.get(option, ()))
        if option != "environment" and (filled or shows(value, known)):
            sheet.drop(option, option, "a secret's value stands in it; give it a variable instead")


def _process_names(sheets: list[Sheet], main: Sheet) -> dict[str, str]:
    """By Compose service. What customers reach first is `web`."""
    names = {main.name: WEB} if "port" in main.options else {}
    for sheet in sheets:
        if sheet.name not in names:
            names[sheet.name] = unique(slug(sheet.name), set(names.values()))
    return names
