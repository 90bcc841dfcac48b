"""From what people type to what there is, with "did you mean"."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cockpit.errors import UsageError
from cockpit.model import PlacementKey
from cockpit.text import LENGTHS_LIKE, seconds_of


def placement(service: str, environment: str | None, known: Sequence[PlacementKey]) -> PlacementKey:
    """The environment may be left out when there is one, or given as SERVICE/ENV. Raises UsageError."""
    if "/" in service and environment is None:
        service, environment = service.split("/", 1)
    choices = [key.environment for key in known if key.service == service]
    if not choices:
        raise _unknown("service", service, list(dict.fromkeys(key.service for key in known)))
    if environment is None:
        if len(choices) > 1:
            raise UsageError(f"{service} is in {_list(choices)}", f"Say which one: {service}/{choices[0]}")
        environment = choices[0]
    if environment not in choices:
        raise _unknown("environment", environment, choices, f" of {service}")
    return PlacementKey(service, environment)


def release(name: str) -> int:
    """r41 or 41."""
    digits = name.removeprefix("r")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 9:
        raise UsageError(f"{name!r} is no release", "A release is written r41")
    return int(digits)


def seconds(length: str) -> float:
    """Raises UsageError."""
    found = seconds_of(length)
    if found is None:
        raise UsageError(f"{length!r} is no length of time", f"One is written {LENGTHS_LIKE}")
    return found


def is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16


def _unknown(what: str, name: str, known: Collection[str], of: str = "") -> UsageError:
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1)
    hint = f"Did you mean {close[0]}?" if close else f"There are: {_list(known)}" if known else "None is configured"
    return UsageError(f"There is no {what} {name!r}{of}", hint)


def _list(names: Collection[str]) -> str:
    return ", ".join(names) if names else "none"
