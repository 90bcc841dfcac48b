"""The dotenv syntax of env files: quotes, `export`, comments, values of several lines. Pure.

`$` stands for itself. Compose would put the values of its own environment and of earlier lines in its place; here that
would be the engine's environment, which a service has no business with, and a password with a `$` would be changed.
"""

from __future__ import annotations

import io
import re

from dotenv.parser import Binding, parse_stream

from cockpit.errors import ConfigError

_NAME = re.compile(r"[A-Za-z0-9_.\-\[\]]+")


def parse(text: str, path: str) -> dict[str, str]:
    """Raises ConfigError that names the file and the line, and shows nothing of it: a broken line may be a password."""
    found: dict[str, str] = {}
    for each in parse_stream(io.StringIO(text)):
        if each.error:
            raise _broken(path, each, "expected NAME=value; is a quote missing?")
        if each.key is None:  # a comment, or nothing
            continue
        if not _NAME.fullmatch(each.key):
            raise _broken(path, each, "expected a name of letters, digits, _, . and -")
        if each.value is None:
            raise _broken(path, each, "expected `=` after the name; NAME= gives it an empty value")
        found[each.key] = each.value
    return found


def _broken(path: str, binding: Binding, why: str) -> ConfigError:
    start = binding.original.string
    blank = start[: len(start) - len(start.lstrip())]
    return ConfigError(f"{path}:{binding.original.line + len(blank.splitlines())}: {why}", "correct the env file")
