"""All verbs of `cockpit`."""

from __future__ import annotations

from cockpit.cli import audit, change, init, inside, install, keeping, locks, look, machinery, rescue
from cockpit.cli.root import cockpit

__all__ = ["audit", "change", "cockpit", "init", "inside", "install", "keeping", "locks", "look", "machinery", "rescue"]
