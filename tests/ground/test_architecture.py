"""ARCHITECTURE.md names what there is, and all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "ARCHITECTURE.md").read_text()
NAMED = sorted(
    {name for name in re.findall(r"`([\w./]+)`", TEXT) if "/" in name or re.search(r"\.(py|md|yaml)$", name)}
)
MODULES = sorted(file.name for file in (ROOT / "cockpit").glob("*.py") if file.name != "__init__.py")
ROOMS = sorted(folder.parent.name for folder in (ROOT / "cockpit").glob("*/__init__.py"))


@pytest.mark.parametrize("name", NAMED)
def test_what_is_named_exists(name: str) -> None:
    assert (ROOT / "cockpit" / name).exists() or (ROOT / name).exists()


@pytest.mark.parametrize("name", MODULES)
def test_each_module_of_the_ground_is_explained(name: str) -> None:
    assert f"`{name}`" in TEXT


@pytest.mark.parametrize("name", ROOMS)
def test_each_room_is_named(name: str) -> None:
    assert re.search(rf"\b{name}\b", TEXT)


def test_it_is_one_page() -> None:
    assert len(TEXT.splitlines()) <= 100
