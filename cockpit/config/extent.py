"""How much a file stands for: what is said once counts for each environment and process."""

from __future__ import annotations

from typing import Any

from cockpit.config.shapes import Values

MOST = 200_000  # values; 500 placements of two processes with 60 keys and variables each need half
PROCESS = 50  # values that a process has also when nothing is said of it


def extent(services: Values, environments: Values, edge: Values) -> int:
    """Values in all environments together, at least."""
    return len(environments) * _values(edge) + sum(_service(each, environments) for each in services.values())


def _service(service: Values, environments: Values) -> int:
    placed, processes = service.get("environments", environments), service.get("processes") or {"web": {}}
    shared = _values({key: value for key, value in service.items() if key not in {"environments", "processes"}})
    overrides = _values(service.get("environments", {}))
    each = len(processes) * (PROCESS + shared) + _values(processes)
    return len(placed) * each + len(processes) * overrides


def _values(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_values, value.values()))
    return 1 + sum(map(_values, value)) if isinstance(value, tuple) else 1
