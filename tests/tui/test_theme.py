from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import LayoutUpdate
from textual.color import Color
from textual.geometry import Region
from textual.strip import Strip

from cockpit.errors import ConfigError
from cockpit.tui import theme
from cockpit.tui.frames import Frame, Patch
from cockpit.tui.net import Net
from tests.tui.harness import cockpit

FILES = sorted((Path(__file__).parents[2] / "themes").glob("*.yaml"))
USED = {"muted", "faint", "line", "line-focus", "cursor", "match", "mark", "bar-quiet", "bar-background"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_theme_file_is_the_same_to_us_and_to_yaml(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert theme.read(text) == yaml.safe_load(text)
    made = theme.make(path.stem, theme.read(text))
    assert set(made.variables) >= USED
    for name, value in theme.read(text).items():
        if name != "dark":
            Color.parse(value)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_text_can_be_read_on_its_background(path: Path) -> None:
    values = theme.read(path.read_text(encoding="utf-8"))
    for name in ("foreground", "success", "warning", "error", "accent", "muted"):
        assert contrast(values[name], values["surface"]) >= 4.5, name
    for name in ("bar-foreground", "bar-bad", "bar-warn", "bar-good", "bar-accent"):
        assert contrast(values[name], values["bar-background"]) >= 4.5, name


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it; 4.5 is its AA for text."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(name: str) -> float:
    parts = [each / 255 for each in Color.parse(name).rgb]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_theme_file_that_is_not_flat_is_refused_with_its_line() -> None:
    with pytest.raises(ConfigError, match=r"dark\.yaml:2"):
        theme.read('a: "b"\n  nested: [1]\n', "dark.yaml")


def test_an_unknown_theme_names_those_there_are() -> None:
    with pytest.raises(ConfigError) as error:
        theme.load("../etc/passwd")
    assert "dark, light" in error.value.hint


async def test_an_unknown_theme_in_the_configuration_is_said_and_dark_is_shown() -> None:
    async with cockpit(theme="nope") as it:
        assert "there is no theme 'nope'" in it.notices
        assert it.app.theme == "cockpit-dark"


async def test_the_theme_changes_while_it_runs() -> None:
    async with cockpit() as it:
        it.app.theme = "cockpit-light"
        await it.pilot.pause()
        await it.sees("▸ checkout")


async def test_every_state_can_be_read_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with cockpit(size=(200, 50)) as it:
        for wanted in ("✖ failing", "● healthy", "◐ push", "1 failing", "▸ checkout"):
            assert wanted in it.screen


def test_the_net_lets_no_control_character_through() -> None:
    dirty = [Segment("a\x1b]52;c;x\x07b\x9b\u202ec", Style()), Segment("plain", Style())]
    assert "".join(each.text for each in Net().apply(dirty, Color(0, 0, 0))) == "a]52;c;xbcplain"


def frame_of(*rows: str) -> LayoutUpdate:
    width = max(len(each) for each in rows)
    return LayoutUpdate([[Strip([Segment(each)])] for each in rows], Region(0, 0, width, len(rows)))


def test_only_cells_that_changed_are_sent_again() -> None:
    frame, console = Frame(), Console(color_system=None)
    first = Patch(frame_of("one", "two"), frame).render_segments(console)
    assert first == "\x1b[1;1Hone\x1b[2;1Htwo"
    assert Patch(frame_of("one", "two"), frame).render_segments(console) == ""
    assert Patch(frame_of("one", "tWo"), frame).render_segments(console) == "\x1b[2;2HW"
    frame.forget()
    assert "one" in Patch(frame_of("one", "tWo"), frame).render_segments(console)


def test_a_wide_character_is_sent_whole() -> None:
    frame, console = Frame(), Console(color_system=None)
    Patch(frame_of("a日b"), frame).render_segments(console)
    assert Patch(frame_of("a本b"), frame).render_segments(console) == "\x1b[1;2H本"
    assert Patch(frame_of("axyb"), frame).render_segments(console) == "\x1b[1;2Hxy"
    assert Patch(frame_of("a日b"), frame).render_segments(console) == "\x1b[1;2H日"
