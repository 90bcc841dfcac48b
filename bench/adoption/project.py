"""The shop's files, from the templates beside this one, which have @WORDS@ in them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

HIDDEN = {"env": ".env", "gitignore": ".gitignore"}  # what they are called in the project


def make(words: Mapping[str, str]) -> dict[str, str]:
    """Their texts by path."""
    return dict(_read(files("bench.adoption").joinpath("shop"), "", words))


def _read(folder: Traversable, below: str, words: Mapping[str, str]) -> list[tuple[str, str]]:
    found = []
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.is_file():
            found.append((below + HIDDEN.get(entry.name, entry.name), filled(entry.read_text("utf-8"), words)))
        elif entry.name != "__pycache__":
            found += _read(entry, f"{below}{entry.name}/", words)
    return found


def filled(text: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text
