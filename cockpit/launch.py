"""Starting the engine in the background, as tmux starts its server; in a session of its own, so a hang-up spares it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from cockpit import private
from cockpit.errors import CockpitError, ConfigError, EngineUnreachable
from cockpit.paths import Paths

ENGINE: tuple[str, ...] = (sys.executable, "-m", "cockpit.engine", "run")
DEADLINE = 20.0  # seconds from the start of the process to its open socket; usual is under one
BUSY = 3  # another client's engine was faster: its socket is the one to wait for

_children: list[subprocess.Popen[bytes]] = []  # reaped when they end; dropping one would warn that it still runs


async def start(paths: Paths, command: Sequence[str] = ENGINE) -> None:
    """Returns when an engine listens. Raises what kept it from starting: ConfigError or EngineUnreachable."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + DEADLINE
    with tempfile.TemporaryFile() as said:
        process = await asyncio.to_thread(_spawn, paths, command, said)
        while loop.time() < deadline:
            if await _listens(paths.socket):
                return
            if process.poll() not in (None, BUSY):
                raise await asyncio.to_thread(_failure, process.returncode, said, paths)
            await asyncio.sleep(0.02)
        if process.poll() is not None:
            raise await asyncio.to_thread(_failure, process.returncode, said, paths)
    raise EngineUnreachable(
        f"The engine (pid {process.pid}) has not opened its socket after {DEADLINE:g} s", f"See {paths.engine_log}"
    )


def _spawn(paths: Paths, command: Sequence[str], said: IO[bytes]) -> subprocess.Popen[bytes]:
    _children[:] = [child for child in _children if child.poll() is None]
    private.make(paths.socket.parent)
    child = subprocess.Popen(
        [*command, *arguments(paths), "--background"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=said,
        start_new_session=True,
        cwd="/",
        env=environment(),
    )
    _children.append(child)
    return child


def arguments(paths: Paths) -> tuple[str, ...]:
    return ("--config", str(paths.config), "--state", str(paths.state), "--socket", str(paths.socket))


def environment() -> dict[str, str]:
    """Ours; and from a source checkout also where the package is, because the engine runs in another directory."""
    ours = dict(os.environ)
    root = Path(__file__).parent.parent
    if root.name not in ("site-packages", "dist-packages"):
        known = ours.get("PYTHONPATH")
        ours["PYTHONPATH"] = f"{root}{os.pathsep}{known}" if known else str(root)
    return ours


def _failure(status: int, said: IO[bytes], paths: Paths) -> CockpitError:
    said.seek(0)
    lines = said.read()[-8000:].decode("utf-8", "replace").strip().splitlines()
    if not lines:
        return EngineUnreachable(f"The engine ended at once ({_ending(status)})", f"See {paths.engine_log}")
    if status == ConfigError.exit_status:
        return ConfigError(lines[0], "\n".join(lines[1:]))
    if lines[0].startswith("Traceback"):
        lines = [f"The engine ended at once: {lines[-1]}", f"See {paths.engine_log}"]
    return EngineUnreachable(lines[0], "\n".join(lines[1:]))


def _ending(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"


async def _listens(path: Path) -> bool:
    try:
        _, writer = await asyncio.open_unix_connection(str(path))
    except OSError:
        return False
    writer.close()
    return True
