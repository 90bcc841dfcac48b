"""The `.env` beside a Compose file, as Compose reads it: later lines may use earlier ones."""

from __future__ import annotations

import io

from dotenv.parser import Binding, parse_stream

from cockpit.config.compose.variables import Interpolation
from cockpit.config.problems import Mark
from cockpit.config.tree import Unreadable

LONGEST = 16 * 1024  # characters of a line


def dotenv(text: str) -> dict[str, str]:
    """Raises Unreadable for a line that is none."""
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > LONGEST:
            raise Unreadable(Mark(number, 1), f"expected at most {LONGEST} characters in a line")
    values: dict[str, str] = {}
    expansion = Interpolation(values)
    for binding in parse_stream(io.StringIO(text)):
        mark = Mark(binding.original.line, 1)
        if binding.error:
            raise Unreadable(mark, "expected NAME=value")
        if binding.key is not None and binding.value is not None:
            values[binding.key] = binding.value if _is_literal(binding) else expansion.text(binding.value, mark)
    return values


def read_otherwise(text: str) -> list[str]:
    """What Compose makes of an env file and the cockpit does not, by line; no word of the file is in it."""
    found = []
    for binding in parse_stream(io.StringIO(text)):
        line = f"line {binding.original.line}"
        if binding.error:
            found.append(f"{line} is no NAME=value, and a deploy will stop at it")
        elif binding.key is not None and binding.value is None:
            found.append(f"{line} has no value, and a deploy will stop at it; Compose takes it from its shell")
        elif "$" in (binding.value or "") and not _is_literal(binding):
            found.append(f"{line} has a $, which stands for itself here; Compose fills in a variable")
    return found


def _is_literal(binding: Binding) -> bool:
    return binding.original.string.partition("=")[2].lstrip().startswith("'")


def env_text(values: dict[str, str]) -> str:
    """As an env file that python-dotenv reads back as it was, whatever the values hold."""
    return "".join(f"{name}={_quoted(value)}\n" for name, value in values.items())


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
