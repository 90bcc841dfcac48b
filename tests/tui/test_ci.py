"""Images that come from CI, one-off commands and processes: what Pending, the sheets and the steps say of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cockpit.model import Operation, OperationKind, StepState
from cockpit.protocol import Event, RollbackSheet
from cockpit.tui.line import Line, cells, plain
from cockpit.tui.present import pending, sheets, steps
from cockpit.tui.screens.operations import as_command
from cockpit.tui.state import choose, fold
from tests.fakes.link import (
    CHECKOUT,
    CI_COMMITS,
    CI_STEPS,
    FIRST_RELEASE,
    NOW,
    PENDING_COMMITS,
    SHOP,
    WAITING_DEPLOY,
    FakeLink,
    adopted,
    ci_pending,
    ci_sheet,
    deploy_sheet,
    pending_of,
)
from tests.tui.harness import cockpit
from tests.tui.test_state import connected

NOT_THERE, THERE = "▢", "▣"


def text(lines: list[Line]) -> str:
    return "\n".join(plain(each) for each in lines)


def told(operation: Operation, room: int) -> str:
    state = fold(connected(adopted()), Event(operation=operation), NOW)
    return text(steps.lines(choose(state, SHOP), NOW, room))


# ---------------------------------------------------------------- Pending


def test_each_commit_says_whether_its_image_is_there() -> None:
    rows = [plain(pending.row(each, NOW, 52, selected=False, images=True)) for each in CI_COMMITS]
    assert [NOT_THERE in each for each in rows] == [True, False, False]
    assert [THERE in each for each in rows] == [False, True, True]


@pytest.mark.parametrize("room", [52, 80, 120])
def test_the_last_line_says_in_words_how_many_images_are_missing(room: int) -> None:
    last = plain(pending.footer(ci_pending(SHOP), room))
    assert last.endswith(f"{NOT_THERE} 1 image not there yet")
    assert cells(pending.footer(ci_pending(SHOP), room)) <= room


def test_nothing_is_said_of_images_where_they_are_built_here() -> None:
    assert not pending.from_ci(pending_of(CHECKOUT))
    row = plain(pending.row(PENDING_COMMITS[0], NOW, 80, selected=False))
    assert not set(row + plain(pending.footer(pending_of(CHECKOUT), 80))) & {THERE, NOT_THERE}


def test_nothing_is_missing_when_all_images_are_there() -> None:
    there = replace(ci_pending(SHOP), commits=tuple(replace(each, image=True) for each in CI_COMMITS))
    assert "image" not in plain(pending.footer(there, 80))


def test_an_image_of_which_nothing_is_known_yet_keeps_the_columns() -> None:
    rows = [replace(CI_COMMITS[0], image=known) for known in (None, True, False)]
    widths = {cells(pending.row(each, NOW, 52, selected=False, images=True)) for each in rows}
    assert widths == {52}


async def test_the_pending_pane_marks_images() -> None:
    link = FakeLink()
    link.answers["pending"] = lambda params: ci_pending(params.key)
    async with cockpit(link) as it:
        await it.sees(f"9e01c2d {NOT_THERE} fix: VAT")
        await it.sees(f"41bb7e0 {THERE} add index")


# ---------------------------------------------------------------- sheets


def test_the_deploy_sheet_says_that_it_would_wait_for_the_image() -> None:
    shown = text(sheets.deploy(ci_sheet(SHOP), 120))
    assert "The image of 9e01c2d is not there yet: pull waits for it." in shown
    assert f"9e01c2d {NOT_THERE} fix: VAT" in shown
    assert "pull · migrate · start · verify ~4 s · switch · confirm · processes" in shown


def test_the_deploy_sheet_of_an_image_that_is_there_waits_for_nothing() -> None:
    sheet = replace(ci_sheet(SHOP), commit=CI_COMMITS[1], image_exists=True)
    shown = text(sheets.deploy(sheet, 78))
    assert "waits for it" not in shown
    assert "the image of this commit is there" in shown
    assert "no build" not in shown


async def test_what_pending_knows_of_an_image_is_said_in_the_sheet_too() -> None:
    link = FakeLink()
    link.answers["pending"] = lambda params: ci_pending(params.key)
    unmarked = ci_sheet(CHECKOUT)
    link.answers["deploy.sheet"] = replace(unmarked, commit=PENDING_COMMITS[0], commits=PENDING_COMMITS)
    async with cockpit(link) as it:
        await it.until(lambda: CHECKOUT in it.app.state.pending, "pending")
        await it.sheet("D", "The image of 9e01c2d is not there yet: pull waits for it.")
        await it.sees(f"41bb7e0 {THERE} add index")


def test_an_image_that_is_built_here_is_no_word_of_ci() -> None:
    shown = text(sheets.deploy(replace(deploy_sheet(CHECKOUT), image_exists=True), 78))
    assert "the image of this commit exists: no build" in shown
    assert not set(shown) & {THERE, NOT_THERE}


@pytest.mark.parametrize("room", [34, 74, 78])
def test_without_an_earlier_release_the_sheet_says_what_the_way_back_is(room: int) -> None:
    why, blank, *rest = sheets.rollback(RollbackSheet(SHOP, None, refused=FIRST_RELEASE), None, room)
    assert plain(why).startswith("✖ r1 is the first release")
    said = " ".join(plain(each) for each in (blank, *rest))
    assert "put the line in nginx back as it was" in " ".join(said.split())
    assert all(tone != "bad" for each in rest[1:] for _, tone in each)
    assert max(cells(each) for each in (why, *rest)) <= room


def test_a_refusal_of_one_sentence_is_one_remark() -> None:
    refused = RollbackSheet(SHOP, None, refused="v1.2.3 cannot be reached (e.g. no route)")
    assert text(sheets.rollback(refused, None, 78)) == "✖ v1.2.3 cannot be reached (e.g. no route)"


async def test_b_after_the_first_release_shows_the_former_way() -> None:
    link = FakeLink(adopted())
    link.answers["rollback.sheet"] = RollbackSheet(SHOP, None, refused=FIRST_RELEASE)
    async with cockpit(link, size=(80, 24)) as it:
        it.app.choose(SHOP)
        await it.sheet("B", "there is no earlier one to go back to.")
        await it.sees("The former way is the way back")
        await it.sees("Esc close")


# ---------------------------------------------------------------- steps


@pytest.mark.parametrize("room", [36, 64, 78, 120])
def test_a_deploy_that_waits_for_its_image_shows_until_when_at_every_width(room: int) -> None:
    shown = " ".join(told(WAITING_DEPLOY, room).split())
    assert "◐ pull 46 s registry/shop:9e01c2d is not there yet; gives up at 14:13" in shown


@pytest.mark.parametrize("room", [36, 64, 78, 120])
def test_no_step_is_wider_than_its_room(room: int) -> None:
    long = replace(WAITING_DEPLOY.steps[2], detail="word " * 200)
    lines = told(replace(WAITING_DEPLOY, steps=(*WAITING_DEPLOY.steps[:2], long)), room).splitlines()
    assert max(map(len, lines)) <= room
    assert len(lines) < 12


def test_steps_that_not_every_deploy_has_say_what_they_are_for() -> None:
    shown = told(WAITING_DEPLOY, 100)
    assert "· migrate    once, in a container of the new image" in shown
    assert "· processes  those without customers are replaced" in shown
    assert "build" not in shown


def test_steps_that_are_over_say_what_they_did_instead() -> None:
    migrated = replace(WAITING_DEPLOY.steps[3], state=StepState.DONE, started_at=NOW - 9, ended_at=NOW - 5)
    shown = told(replace(WAITING_DEPLOY, steps=(*WAITING_DEPLOY.steps[:2], migrated)), 100)
    assert "✔ migrate" in shown
    assert "once, in a container" not in shown


def test_every_step_name_fits_its_column() -> None:
    assert max(map(len, CI_STEPS)) < steps.STEP_NAME


# ---------------------------------------------------------------- the lines that do the same


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (OperationKind.DEPLOY, "cockpit deploy shop production --commit 9e01c2d9e01c"),
        (OperationKind.ROLLBACK, "cockpit rollback shop production --to r13"),
        (OperationKind.RESTART, "cockpit restart shop production"),
    ],
)
def test_the_line_to_copy_is_one_that_the_command_line_takes(kind: OperationKind, line: str) -> None:
    from cockpit.cli.verbs import cockpit as command

    assert as_command(replace(WAITING_DEPLOY, kind=kind)) == line
    verb, *arguments = line.split()[1:]
    command.commands[verb].make_context(verb, arguments)  # raises when it does not
