"""The links of the chain that a deploy goes through: Docker, the edge, the release log, git, the configuration."""

from __future__ import annotations

import asyncio
import shlex

from cockpit.edge.base import Pointer
from cockpit.edge.names import name_of
from cockpit.engine.host import Host
from cockpit.engine.ports import Ports
from cockpit.engine.world import World
from cockpit.errors import CockpitError
from cockpit.model import EngineStatus, HostStatus, PlacementKey
from cockpit.protocol import Check, CheckState
from cockpit.text import clean


def hosts(world: World, status: EngineStatus) -> tuple[Check, ...]:
    several = len(status.hosts) > 1
    return (
        *(_docker(each, world, several) for each in status.hosts),
        *(_edge(each, several) for each in status.hosts),
    )


async def break_glass(host: Host, key: PlacementKey, pointer: Pointer) -> Check:
    """The one shell line that moves the customers when the cockpit itself is broken."""
    try:
        file = shlex.quote(str((await host.edge_place()).directory / "pointers" / name_of(key)))
    except CockpitError as error:
        return Check("break glass", CheckState.UNKNOWN, f"{key}: {error.message}", error.hint)
    line = f"printf '{pointer.line()}\\n' > {file}.new && mv -T {file}.new {file}"
    where = "" if host.name == "local" else f", on {host.name}"
    return Check("break glass", CheckState.PASS, f"{key} to r{pointer.release} without the cockpit{where}: {line}")


def _docker(host: HostStatus, world: World, several: bool) -> Check:
    name = f"docker on {host.name}" if several else "docker"
    if host.docker_ok:
        return Check(name, CheckState.PASS, "answers")
    hint = world.hosts[host.name].docker_hint if host.name in world.hosts else ""
    return Check(name, CheckState.FAIL, host.docker, hint or "start Docker, or let this user reach its socket")


def _edge(host: HostStatus, several: bool) -> Check:
    name = f"edge on {host.name}" if several else "edge"
    if not host.edge_ok:
        return Check(name, CheckState.FAIL, host.edge, "customers may not be served: see the reason")
    if host.note:
        return Check(name, CheckState.WARN, host.note, "`cockpit edge upgrade` says what it would cost")
    return Check(name, CheckState.PASS, "answers")


def config(status: EngineStatus) -> Check:
    if status.config_note:
        return Check("config", CheckState.WARN, status.config_note, "`cockpit config check` shows all of it")
    return Check("config", CheckState.PASS, status.config_path)


def log(ports: Ports, status: EngineStatus) -> Check:
    if status.log_note:
        return Check("release log", CheckState.FAIL, status.log_note, "deploys are refused until it can be written")
    return Check("release log", CheckState.PASS, str(ports.paths.database))


async def git() -> Check:
    try:
        process = await asyncio.create_subprocess_exec(
            "git", "--version", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
        )
    except OSError:
        return Check("git", CheckState.FAIL, "not found", "install git")
    output, _ = await process.communicate()
    return Check("git", CheckState.PASS, clean(output.decode("utf-8", "replace")))
