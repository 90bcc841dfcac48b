"""The door of this room: a path to `Settings`, or every problem of the file at once."""

from __future__ import annotations

from pathlib import Path

from cockpit.config import listeners, placements
from cockpit.config.base import Reading
from cockpit.config.form import ROOT
from cockpit.config.problems import Mark, Problems
from cockpit.config.read import read
from cockpit.config.settings import Settings
from cockpit.config.tree import Node, Unreadable, parse

SMALLEST = "services: {web: {repo: URL, port: 8000}}"


def load(path: Path) -> Settings:
    """Raises ConfigError whose message has a line `file:line:column: what was expected` for each problem."""
    problems = Problems(str(path))
    try:
        settings = _settings(_root(read(path), problems), str(path), problems)
    except Unreadable as unreadable:
        problems.add(unreadable.mark, unreadable.text)
        settings = None
    if settings is None or problems:
        raise problems.error()
    return settings


def _root(text: str, problems: Problems) -> Node:
    root = parse(text, problems)
    if root is None:
        raise Unreadable(Mark(1, 1), f"expected a configuration, got an empty file; the smallest is {SMALLEST}")
    return root


def _settings(root: Node, path: str, problems: Problems) -> Settings | None:
    reading = Reading(problems)
    values = ROOT.read(root, (), reading)
    if not isinstance(values, dict):
        return None
    settings = placements.settings(values, path, reading)
    if settings is not None:
        listeners.check(settings, reading)
    return settings
