"""What could be in the way, looked at one by one. Reads only."""

from __future__ import annotations

import asyncio
import shlex
import shutil

from cockpit.edge.base import Pointer
from cockpit.edge.names import name_of
from cockpit.engine.host import Host
from cockpit.engine.ports import Ports
from cockpit.engine.world import World
from cockpit.errors import CockpitError
from cockpit.model import EngineStatus, HostStatus, PlacementKey
from cockpit.protocol import Check, CheckState
from cockpit.text import clean

LOW = 2 * 1024**3  # bytes free that are worth a word


async def examine(
    ports: Ports, world: World, status: EngineStatus, hot: tuple[tuple[PlacementKey, Pointer], ...]
) -> tuple[Check, ...]:
    """`hot`: for each placement that has one, the release that could take the customers at once, and where it is."""
    disk, git = await asyncio.gather(asyncio.to_thread(_disk, ports), _git())
    several = len(status.hosts) > 1
    return (
        *(_docker(each, world, several) for each in status.hosts),
        *(_edge(each, several) for each in status.hosts),
        _log(ports, status),
        disk,
        git,
        _config(status),
        Check("state", CheckState.PASS, status.state_path),
        *[await _break_glass(world.host(key), key, pointer) for key, pointer in hot],
    )


async def _break_glass(host: Host, key: PlacementKey, pointer: Pointer) -> Check:
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


def _config(status: EngineStatus) -> Check:
    if status.config_note:
        return Check("config", CheckState.WARN, status.config_note, "`cockpit config check` shows all of it")
    return Check("config", CheckState.PASS, status.config_path)


def _log(ports: Ports, status: EngineStatus) -> Check:
    if status.log_note:
        return Check("release log", CheckState.FAIL, status.log_note, "deploys are refused until it can be written")
    return Check("release log", CheckState.PASS, str(ports.paths.database))


def _disk(ports: Ports) -> Check:
    free = shutil.disk_usage(ports.paths.state).free
    state = CheckState.PASS if free >= LOW else CheckState.WARN
    return Check("disk", state, f"{free / 2**30:.1f} GB free for the cockpit's state", "")


async def _git() -> Check:
    try:
        process = await asyncio.create_subprocess_exec(
            "git", "--version", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
        )
    except OSError:
        return Check("git", CheckState.FAIL, "not found", "install git")
    output, _ = await process.communicate()
    return Check("git", CheckState.PASS, clean(output.decode("utf-8", "replace")))
