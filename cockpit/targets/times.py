"""Docker's timestamps as seconds since the epoch."""

from __future__ import annotations

from datetime import datetime


def seconds(stamp: str) -> float | None:
    """`2026-01-02T03:04:05.123456789Z`; None for Docker's "never" (the year 1) and for what is no timestamp."""
    if not stamp or stamp.startswith("0001-"):
        return None
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return None
