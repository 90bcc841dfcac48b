"""The demo's load generator writes its counters to a small file each second; this reads them."""

from __future__ import annotations

import json
from pathlib import Path

from cockpit.tui.present.status import Load

NOTHING = Load(0.0, 0, 0)


def read(path: Path) -> Load | None:
    """None while the file is absent or half-written."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Load(float(found["per_second"]), int(found["lost"]), int(found["errors"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
