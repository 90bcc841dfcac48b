"""The command as a process of its own, against a fake engine that runs as one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cockpit import launch
from cockpit.paths import Paths, find
from tests.wire.conftest import FAKE, kill_engine

ROOT = Path(__file__).parent.parent.parent
COMMAND = [sys.executable, "-m", "cockpit.cli.main"]

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def paths(own_home: Path) -> Iterator[Paths]:
    yield find()
    kill_engine(find())
    find().socket.unlink(missing_ok=True)


@pytest.fixture
def cli(paths: Paths) -> Cli:
    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
        return subprocess.run(
            [*COMMAND, *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env=environment,
            stdin=subprocess.DEVNULL,
            cwd=paths.state.parent,
        )

    return run


@pytest.fixture
async def engine(paths: Paths) -> Paths:
    await launch.start(paths, FAKE)
    return paths


@pytest.fixture
async def adopted(paths: Paths) -> Paths:
    """An engine on hosts that had things before it came."""
    paths.config.write_text("# adopted\n")
    await launch.start(paths, FAKE)
    return paths
