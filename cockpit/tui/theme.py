"""Themes are data (`themes/*.yaml`), mapped one to one to Textual's Theme; tones are what lines ask for.

The files keep to flat `key: "value"` lines, so that a client needs no YAML library to read them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from rich.color import Color
from rich.style import Style
from textual.theme import Theme

from cockpit.errors import ConfigError

PACKAGE = Path(__file__).resolve().parents[1]
PLACES = (PACKAGE / "themes", PACKAGE.parent / "themes")  # in a wheel, in a checkout
_LINE = re.compile(r'(?P<key>[a-z][a-z0-9_-]*): "(?P<value>[^"\\]*)"\s*(?:#.*)?')
_FLAGS = {"dark", "ansi"}
_NUMBERS = {"luminosity_spread", "text_alpha"}


def available() -> dict[str, Path]:
    return {path.stem: path for place in reversed(PLACES) for path in sorted(place.glob("*.yaml"))}


def load(name: str) -> Theme:
    """Raises ConfigError for a theme that is not there or cannot be read."""
    path = available().get(name)
    if path is None:
        raise ConfigError(f"there is no theme {name!r}", f"there are: {', '.join(sorted(available()))}")
    return make(path.stem, read(path.read_text(encoding="utf-8"), path.name))


def load_all() -> list[Theme]:
    return [load(name) for name in available()]


def read(text: str, name: str = "theme") -> dict[str, str]:
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ConfigError(f'{name}:{number}: expected key: "value", found {line[:60]!r}')
        values[match["key"]] = match["value"]
    return values


def make(name: str, values: Mapping[str, str]) -> Theme:
    """Keys that are no field of Textual's Theme are variables of ours: `muted`, `bar-background` …"""
    own = {item.name for item in fields(Theme)} - {"variables", "name"}
    known: dict[str, Any] = {key: _typed(key, value) for key, value in values.items() if key in own}
    variables = {key: value for key, value in values.items() if key not in own}
    return Theme(name=f"cockpit-{name}", variables=variables, **known)


def _typed(key: str, value: str) -> str | bool | float:
    return value == "true" if key in _FLAGS else float(value) if key in _NUMBERS else value


class Tones:
    """Turns a line's tones ("bad strong") into a style, from a theme's variables."""

    NAMES: ClassVar = {
        "good": "success",
        "warn": "warning",
        "bad": "error",
        "accent": "accent",
        "muted": "muted",
        "faint": "faint",
    }

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.style = lru_cache(256)(self._style)

    def _style(self, tones: str) -> Style:
        found = Style()
        for tone in tones.split():
            found += self._one(tone)
        return found

    def _one(self, tone: str) -> Style:
        if tone == "strong":
            return Style(bold=True)
        if tone == "reverse":
            return Style(reverse=True)
        prefix, _, rest = tone.rpartition(":")  # "bar:bad" is the tone as the first line shows it
        name = self.NAMES.get(rest, rest)
        value = self._variables.get(f"{prefix}-{rest}" if prefix else name) or self._variables.get(name, "")
        return Style(color=Color.parse(value[:7])) if value.startswith("#") else Style()
