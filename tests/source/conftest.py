"""A remote with some history, and a source that mirrors it."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cockpit.clock import SystemClock
from cockpit.source.git import GitSource
from tests.source.remotes import Remote, remote


@pytest.fixture
def origin(tmp_path: Path) -> Remote:
    return remote(tmp_path / "origin")


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[GitSource]:
    made = GitSource(tmp_path / "mirrors", SystemClock())
    yield made
    await made.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 256 kB."""
    place = tmp_path / "small"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)
