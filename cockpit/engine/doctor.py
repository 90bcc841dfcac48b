"""What could be in the way, looked at one by one. Reads only."""

from __future__ import annotations

import asyncio
import shutil

from cockpit.edge.base import Pointer
from cockpit.edge.names import name_of
from cockpit.engine.ports import Ports
from cockpit.model import EngineStatus, PlacementKey
from cockpit.protocol import Check, CheckState
from cockpit.text import clean

LOW = 2 * 1024**3  # bytes free that are worth a word


async def examine(
    ports: Ports, status: EngineStatus, hot: tuple[tuple[PlacementKey, Pointer], ...]
) -> tuple[Check, ...]:
    """`hot`: for each placement that has one, the release that could take the customers at once, and where it is."""
    disk, git = await asyncio.gather(asyncio.to_thread(_disk, ports), _git())
    return (
        _docker(status),
        _edge(status),
        _log(ports, status),
        disk,
        git,
        Check("config", CheckState.PASS, status.config_path),
        Check("state", CheckState.PASS, status.state_path),
        *(_break_glass(ports, key, pointer) for key, pointer in hot),
    )


def _break_glass(ports: Ports, key: PlacementKey, pointer: Pointer) -> Check:
    """The one shell line that moves the customers when the cockpit itself is broken."""
    file = ports.paths.edge / "pointers" / name_of(key)
    line = f"printf '{pointer.line()}\\n' > {file}.new && mv -T {file}.new {file}"
    return Check("break glass", CheckState.PASS, f"{key} to r{pointer.release} without the cockpit: {line}")


def _docker(status: EngineStatus) -> Check:
    if status.docker_ok:
        return Check("docker", CheckState.PASS, "answers")
    return Check("docker", CheckState.FAIL, status.docker, "start Docker, or let this user reach its socket")


def _edge(status: EngineStatus) -> Check:
    if status.edge_ok:
        return Check("edge", CheckState.PASS, "answers")
    return Check("edge", CheckState.FAIL, status.edge, "customers may not be served: see the reason")


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
