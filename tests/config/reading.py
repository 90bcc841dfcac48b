"""Writing a configuration and reading it back."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from cockpit.config.load import load
from cockpit.config.settings import PlacementSettings, Service, Settings
from cockpit.errors import ConfigError


def read(text: str | bytes) -> Settings:
    with tempfile.TemporaryDirectory() as directory:
        return load(write(Path(directory) / "cockpit.yaml", text))


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(0o600)
    return path


def complaints(text: str | bytes) -> list[str]:
    """What is said about it, without the file's name in front."""
    with tempfile.TemporaryDirectory() as directory:
        path = write(Path(directory) / "cockpit.yaml", text)
        with pytest.raises(ConfigError) as caught:
            load(path)
    assert caught.value.exit_status == 2
    return [line.removeprefix(f"{path}:") for line in caught.value.message.splitlines()]


def service(keys: str) -> Service:
    """`keys` in flow style, beside `repo`; in the one implied environment."""
    placements: tuple[PlacementSettings, ...] = read(f"services: {{web: {{repo: shop.git, {keys}}}}}").placements
    return placements[0].service
