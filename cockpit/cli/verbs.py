"""All verbs of `cockpit`."""

from __future__ import annotations

from cockpit.cli import change, init, inside, look, machinery
from cockpit.cli.root import cockpit

__all__ = ["change", "cockpit", "init", "inside", "look", "machinery"]
