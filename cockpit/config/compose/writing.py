"""Our YAML: plain data, and comments above the keys that they are about."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import yaml

from cockpit.config.problems import At
from cockpit.text import clean

Comments: TypeAlias = Mapping[At, list[str]]

WIDTH = 120
_PLAIN = re.compile(r"[A-Za-z0-9/._][A-Za-z0-9/._:@=+, ()-]{0,400}")


def yaml_text(data: dict[str, Any], comments: Comments) -> str:
    return "\n".join(_lines(data, (), 0, comments)) + "\n"


def comment(text: str, indent: int = 0) -> list[str]:
    """As lines; blanks in front of the text stay, and stand in front of its later lines too."""
    start = f"{' ' * indent}# {' ' * (len(text) - len(text.lstrip(' ')))}"
    later = start if start.endswith("# ") else f"{start}  "
    return textwrap.wrap(clean(text), WIDTH, initial_indent=start, subsequent_indent=later, break_on_hyphens=False)


def scalar(value: Any, *, flow: bool = False) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"{value:.10g}"
        case _:
            return str(value) if _is_plain(str(value), flow) else _quoted(str(value))


def _lines(data: dict[str, Any], at: At, indent: int, comments: Comments) -> Iterator[str]:
    for key, value in data.items():
        here = (*at, key)
        for each in comments.get(here, ()):
            yield from comment(each, indent)
        start = f"{' ' * indent}{scalar(key)}:"
        if isinstance(value, dict) and value:
            yield start
            yield from _lines(value, here, indent + 2, comments)
        elif isinstance(value, list) and not _fits(start, value):
            yield start
            for item in value:
                yield f"{' ' * (indent + 2)}- {_flow(item) if isinstance(item, dict) else scalar(item)}"
        else:
            yield f"{start} {_flow(value) if isinstance(value, dict | list) else scalar(value)}"


def _fits(start: str, value: list[Any]) -> bool:
    return len(start) + len(_flow(value)) < 80 and not any(isinstance(item, dict) for item in value)


def _flow(value: Any) -> str:
    match value:
        case list():
            return f"[{', '.join(_flow(item) for item in value)}]"
        case dict():
            return f"{{{', '.join(f'{scalar(key, flow=True)}: {_flow(each)}' for key, each in value.items())}}}"
        case _:
            return scalar(value, flow=True)


def _is_plain(text: str, flow: bool) -> bool:
    """Whether every reader of YAML takes it for the same text without quotes."""
    if not _PLAIN.fullmatch(text) or (flow and set(text) & set(", ")):
        return False
    try:
        return bool(yaml.safe_load(text) == text and yaml.safe_load(f"{text}: 1") == {text: 1})
    except (yaml.YAMLError, ValueError):
        return False


def _quoted(text: str) -> str:
    # What a terminal would obey is escaped, also where YAML allows it: the direction of text, invisible characters.
    said: str = yaml.dump(text, default_style='"', allow_unicode=text.isprintable(), width=10**9)
    return said.rstrip("\n")
