"""docs/adopt.md says nothing that the command line or the configuration does not know."""

from __future__ import annotations

import shlex
import textwrap
from pathlib import Path

import click
import pytest

from bench.adopt import HEADING, PAGE
from bench.adoption.page import blocks, section, steps
from cockpit.cli.verbs import cockpit
from cockpit.config.load import load

TEXT = PAGE.read_text("utf-8")
SERVICE = "services:\n  web:\n    repo: shop.git\n    port: 8000\n    hosts: [shop.example.com]\n    networks: [shop]\n"
WORKER = "services:\n  web:\n    repo: shop.git\n    processes:\n      web: {}\n      worker:\n        command: work\n"
# What a piece of configuration belongs to, by its first key, and how deep.
AROUND = {
    "services": ("", 0),
    "environments": (SERVICE, 0),
    "edge": (SERVICE, 0),
    "aliases": (SERVICE, 4),
    "replace": (WORKER, 8),
}


def test_the_measured_section_has_the_four_steps_that_the_bench_follows() -> None:
    write, deploy, move, stop = ([block.language for block in blocks(step)] for step in steps(section(TEXT, HEADING)))
    assert write == ["sh", "sh"]
    assert deploy == ["sh", "sh"]
    assert move == ["diff", "sh"]
    assert stop == ["sh"]


def test_every_verb_and_option_is_one() -> None:
    lines = [line for block in blocks(TEXT) if block.language == "sh" for line in block.commands]
    ours = [shlex.split(line)[1:] for line in lines if line.startswith("cockpit ")]
    assert len(ours) > 5
    for words in ours:
        cockpit.make_context("cockpit", words, resilient_parsing=True)
        _known(words)


def _known(words: list[str]) -> None:
    command: click.Command = cockpit
    while isinstance(command, click.Group):
        name = next(word for word in words if word in command.commands)
        command, words = command.commands[name], words[words.index(name) + 1 :]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


@pytest.mark.parametrize("text", [block.text for block in blocks(TEXT) if block.language == "yaml"])
def test_every_piece_of_configuration_is_taken(text: str, tmp_path: Path) -> None:
    before, depth = AROUND[text.split(":")[0]]
    file = tmp_path / "cockpit.yaml"
    file.write_text(before + textwrap.indent(text, " " * depth))
    file.chmod(0o600)
    assert load(file).placements
