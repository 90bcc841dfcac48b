"""Whatever commits, logs, names and errors carry, no pane crashes and nothing of it is obeyed."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from cockpit.errors import Refused
from cockpit.model import Elsewhere, Hold, HostStatus, Lock, OtherContainer, PlacementKey, ProcessState
from cockpit.protocol import Diff, Event, LogChunk, Others, ProbeAddress, Releases
from cockpit.tui.screens.chooser import Rows
from tests.fakes.link import (
    CHECKOUT,
    CHECKOUT_RELEASES,
    FAILED_DEPLOY,
    NOW,
    PENDING_COMMITS,
    FakeLink,
    deploy_sheet,
    failing_checkout,
    pending_of,
    rollback_sheet,
    world,
)
from tests.tui.harness import Cockpit, cockpit

CORPUS = {
    "markup": "[fix] close [/api] leak [/x] [@click=app.exit]press me[/] $(reboot) {x} %s $success",
    "escapes": "\x1b]52;c;cm0gLXJmIC8=\x07clip \x1b[2J\x1b[Hgone\x1b]0;title\x07 \x9b31mC1\x9d52;c;AA\x9c",
    "unicode": "user\u202egnp.exe\u200b\u2066x \ud800 surrogate " + "日本語" * 30 + "e\u0301",
    "long": "z" * 1_000_000,
}
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def poisoned(text: str) -> FakeLink:
    """An engine that cleans nothing: the TUI must stand on its own."""
    link = FakeLink()
    commits = tuple(replace(each, subject=text, author=text) for each in PENDING_COMMITS)
    pending = replace(pending_of(CHECKOUT), commits=commits, note="")
    releases = tuple(replace(each, subject=text, by=text, image=text) for each in CHECKOUT_RELEASES)
    sick = failing_checkout()
    replicas = tuple(replace(each, error=text, container=text) for each in sick.replicas)
    processes = (ProcessState(text, 1, 0, True, text), ProcessState("worker", 2, 2, False, text))
    sick = replace(sick, why=text, replicas=replicas, hosts=(text,), hold=Hold(text, NOW, text))
    sick = replace(sick, processes=processes, host=text, auto=text)
    locked = Lock(text, NOW, text, NOW + 3600)
    sick = replace(sick, lock=locked, elsewhere=Elsewhere(text, text, text, NOW, text))
    assert FAILED_DEPLOY.failure is not None
    failure = replace(FAILED_DEPLOY.failure, line=text, means=text, next=text, summary=text)
    failed = replace(FAILED_DEPLOY, key=CHECKOUT, failure=failure, summary=text, reason=text, overrides=(text,))
    rows = tuple(sick if each.key == CHECKOUT else each for each in world().placements)
    hosts = tuple(HostStatus(text + str(n), text, n == 1, NOW, text, n == 2, text) for n in range(3))
    engine = replace(world().engine, connected=(text,), log_note=text, hosts=hosts, config_note=text, freeze=locked)
    others = Others((OtherContainer(text, text, text, text, text, text, text, text, (text, text)),), (text,))
    address = ProbeAddress(releases[0], text, text, (text, text), text, text)
    strange = replace(rows[0], key=PlacementKey(text[:300], "production"), configured=False)
    link.snapshot = replace(world(), engine=engine, placements=(*rows, strange), operations=(failed,))
    link._changes.get_nowait()
    link.connect()
    link.answers |= {
        "pending": pending,
        "releases": Releases(CHECKOUT, releases),
        "deploy.sheet": deploy_sheet(CHECKOUT, commits=commits, warnings=(text,), lock=locked, freeze=locked),
        "unlock": Refused(text, text),
        "rollback.sheet": replace(rollback_sheet(CHECKOUT), warnings=(text,), undoes=(commits, commits)),
        "rollback": Refused(text, text),
        "others": others,
        "open": address,
        "exec": Refused(text, text),
        "restart": Refused(text, text),
        "diff": Diff(commits[0], f"+{text}\n-{text}"),
    }
    return link


def assert_clean(it: Cockpit) -> None:
    """No control character is on the screen (the compositor's own strips, after the filters)."""
    strips = it.app.screen._compositor.render_strips()
    for strip in strips:
        for segment in strip:
            assert segment.control or not RAW.search(segment.text), repr(segment.text[:80])
            assert "@click" not in str(segment.style.meta if segment.style else "")


@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)
async def test_foreign_text_is_only_text_in_every_pane(text: str) -> None:
    link = poisoned(text)
    async with cockpit(link) as it:
        for key in ("4", "5", "8", "2", "3", "1"):
            await it.press(key)
            assert_clean(it)
        for key in ("at", "x"):
            await it.press(key)
            assert_clean(it)
            await it.press("escape")
        await it.press("2", "v")
        await it.until(lambda: bool(link.requests("diff")), "the diff")
        assert_clean(it)
        await it.press("escape", "7", "0")
        await it.until(lambda: bool(link.requests("logs.open")), "the log")
        link.lines([text, f"\x1b[31m{text}\x1b[0m"])
        view: Any = it.app.main_screen.main.content
        await it.until(lambda: view.window.end == 2, "the lines")
        await it.press("w", "t")
        assert_clean(it)


@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)
async def test_foreign_text_is_only_text_in_every_sheet(text: str) -> None:
    link = poisoned(text)
    async with cockpit(link) as it:
        for key, shows in (("D", "Deploy checkout"), ("B", "Roll back checkout")):
            await it.sheet(key, shows)
            assert_clean(it)
            if key == "B":
                await it.press("y")
                await it.until(lambda: bool(link.requests("rollback")), "the request")
                await it.pilot.pause()
                assert_clean(it)
            await it.press("escape")


@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)
@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 10)])
async def test_foreign_text_is_only_text_in_everything_that_x_opens(text: str, size: tuple[int, int]) -> None:
    link = poisoned(text)
    async with cockpit(link, size=size) as it:
        for action, name in (
            ("open", "OpenScreen"),
            ("exec", "ExecScreen"),
            ("lock", "LockScreen"),
            ("unlock", "UnlockScreen"),
            ("unfreeze", "UnfreezeScreen"),
            ("takeover", "TakeoverScreen"),
        ):
            await it.press("x")
            screen: Any = it.app.screen
            screen.rows.chosen = action
            await it.sheet("enter", "y " if size != (40, 10) else "")
            assert it.on_top == name
            await it.press("j", "y")
            await it.pilot.pause()
            assert_clean(it)
            await it.press("escape")
            while it.on_top != "MainScreen":
                await it.press("escape")
        await it.press("x")
        screen = it.app.screen
        screen.rows.chosen = "others"
        await it.press("enter")
        await it.until(lambda: len(it.app.screen.query_one(Rows).items) > 1, "the list")
        assert_clean(it)
        await it.press(*(["enter"] if size == (40, 10) else []), "down", "enter")  # there it begins folded
        await it.until(lambda: it.on_top == "ContainerLogScreen", "the log")
        assert_clean(it)


@pytest.mark.parametrize("size", [(200, 60), (80, 24), (40, 10), (1, 1)])
async def test_no_size_crashes_any_screen(size: tuple[int, int]) -> None:
    async with cockpit(size=size) as it:
        for keys in ("457823", "Bx"):
            for key in keys:
                await it.press(key)
                if it.on_top != "MainScreen":
                    await it.press("escape")
                    while it.on_top != "MainScreen":
                        it.app.pop_screen()
                        await it.pilot.pause()
        it.link.push(LogChunk(1, ()))
        it.link.push(Event(placement=failing_checkout()))
        await it.settled()


async def test_the_terminal_may_change_its_size_at_any_time() -> None:
    async with cockpit() as it:
        for width, height in ((40, 10), (1, 1), (200, 60), (80, 24), (120, 40)):
            await it.pilot.resize_terminal(width, height)
            await it.pilot.pause()
        await it.sees("▸ checkout")


async def test_a_screen_of_40_by_10_shows_the_trouble_and_b_works() -> None:
    async with cockpit(size=(40, 10)) as it:
        await it.sees("✖ checkout")
        assert "ledger" in it.screen
        assert "search" not in it.screen
        await it.sheet("B", "Roll back")
        await it.press("y")
        await it.until(lambda: bool(it.link.requests("rollback")), "the request")


async def test_at_80_by_24_the_lists_fold_and_open_with_their_number() -> None:
    async with cockpit(size=(80, 24)) as it:
        await it.sees("2 Pending 3 · 3 Releases r42 live, r41 hot 18m")
        assert "fix: VAT" not in it.screen
        await it.press("2")
        await it.sees("fix: VAT")
        await it.press("1")
        await it.until(lambda: "fix: VAT" not in it.screen, "folded again")
