"""The sheets, and the rows of the 3 am path that are about the TUI."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from cockpit.errors import EngineUnreachable, Refused
from cockpit.model import Health
from cockpit.protocol import Event, Lost
from cockpit.tui.screens import sheet
from cockpit.tui.screens.sheet import QUIET
from tests.fakes.link import (
    CHECKOUT,
    HELD,
    LEDGER,
    NOW,
    PENDING_COMMITS,
    WEB,
    FakeLink,
    deploy_sheet,
    failing_checkout,
    key,
    placement,
    rollback_sheet,
    sha,
    world,
)
from tests.tui.harness import cockpit


def changed_production(link: FakeLink) -> list[str]:
    return [name for name, _ in link.asked if name in ("deploy", "rollback", "cancel", "unhold")]


async def test_b_and_y_roll_back_the_failing_service_to_the_last_good_release() -> None:
    async with cockpit() as it:
        await it.sheet("B", "Roll back checkout, production")
        await it.press("y")
        await it.until(lambda: it.on_top == "MainScreen", "the sheet to close")
        (request,) = it.link.requests("rollback")
        assert (request.key, request.to, request.seen_live) == (CHECKOUT, 41, 42)


async def test_a_rollback_of_a_protected_environment_wants_no_name() -> None:
    async with cockpit() as it:
        await it.sheet("B", "Roll back checkout")
        await it.press("y")
        await it.until(lambda: bool(it.link.requests("rollback")), "the request")


async def test_an_unarmed_rollback_wants_the_name_typed_after_y() -> None:
    link = FakeLink()
    why = "rolled back 4 s ago by you"
    link.answers["rollback.sheet"] = rollback_sheet(CHECKOUT, armed=False, unarmed_because=why)
    async with cockpit(link) as it:
        await it.sheet("B", why)
        await it.press("y", "y", "enter")
        assert changed_production(link) == []
        await it.press("backspace", *"checkout", "enter")
        await it.until(lambda: changed_production(link) == ["rollback"], "the request")


async def test_a_sheet_without_a_preselected_release_wants_a_choice_first() -> None:
    link = FakeLink()
    link.answers["rollback.sheet"] = replace(rollback_sheet(CHECKOUT), selected=None)
    async with cockpit(link) as it:
        await it.sheet("B", "Roll back checkout")
        await it.press("y")
        await it.sees("nothing is chosen")
        await it.press("j", "j", "y")
        await it.until(lambda: bool(link.requests("rollback")), "the request")
        assert link.requests("rollback")[0].to == 40


async def test_a_deploy_of_a_protected_environment_wants_the_name_and_says_what_was_seen() -> None:
    async with cockpit() as it:
        await it.sheet("D", "production is protected")
        await it.press("y")
        await it.press(*"checkou", "enter")
        await it.sees("that is not checkout")
        assert changed_production(it.link) == []
        await it.press("t", "enter")
        await it.until(lambda: changed_production(it.link) == ["deploy"], "the request")
        (request,) = it.link.requests("deploy")
        assert (request.key, request.commit, request.seen_live) == (CHECKOUT, PENDING_COMMITS[0].sha, 42)


async def test_while_the_name_is_typed_every_key_is_text() -> None:
    async with cockpit() as it:
        await it.sheet("D", "production is protected")
        await it.press("y", "n", "q", "y", "j", "D", "question_mark")
        screen: Any = it.app.screen
        assert screen.name_field.value == "nqyjD?"
        assert it.on_top == "DeployScreen"


async def test_an_unprotected_deploy_goes_on_y_alone() -> None:
    async with cockpit() as it:
        await it.press("E")
        await it.press("j", "enter")
        await it.sheet("D", "Deploy checkout to staging")
        await it.press("y")
        await it.until(lambda: changed_production(it.link) == ["deploy"], "the request")


@pytest.mark.parametrize("opener", ["B", "D"])
async def test_enter_presses_cancel(opener: str) -> None:
    async with cockpit() as it:
        await it.sheet(opener, "checkout")
        await it.press("enter")
        await it.until(lambda: it.on_top == "MainScreen", "the sheet to close")
        assert changed_production(it.link) == []


@pytest.mark.parametrize("closer", ["n", "q", "escape"])
async def test_n_q_and_escape_close_a_sheet(closer: str) -> None:
    async with cockpit() as it:
        await it.sheet("B", "Roll back checkout")
        await it.press(closer)
        await it.until(lambda: it.on_top == "MainScreen", "the sheet to close")
        assert changed_production(it.link) == []


async def test_keys_typed_ahead_are_dropped_and_the_sheet_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "QUIET", 5.0)  # this machine may be slow; people are not
    async with cockpit() as it:
        await it.press("B", "y", "enter", "y")
        await it.sees("too early: press y again")
        assert it.on_top == "RollbackScreen"
        assert changed_production(it.link) == []


async def test_a_key_that_is_held_down_never_fires(monkeypatch: pytest.MonkeyPatch) -> None:
    at = [100.0]
    monkeypatch.setattr(sheet, "time", SimpleNamespace(monotonic=lambda: at[0]))
    async with cockpit() as it:
        await it.press("B")
        await it.sees("▸ r41")
        for _ in range(20):
            at[0] += QUIET * 0.9  # keyboards repeat faster than this
            await it.press("y")
        assert changed_production(it.link) == []
        at[0] += QUIET * 1.1
        await it.press("y")
        await it.until(lambda: changed_production(it.link) == ["rollback"], "the request")


async def test_after_the_quiet_time_the_next_y_counts() -> None:
    async with cockpit() as it:
        await it.press("B")
        screen: Any = it.app.screen
        screen._quiet_since = time.monotonic() + 60
        await it.press("y")
        await it.sees("too early")
        await it.until(lambda: time.monotonic() - screen._quiet_since > QUIET, "quiet")
        await it.press("y")
        await it.until(lambda: changed_production(it.link) == ["rollback"], "the request")


async def test_two_people_at_once_the_second_reads_who_was_first() -> None:
    link = FakeLink()
    link.answers["rollback"] = Refused("ana did this 2 s ago", "the live release is r41 now")
    async with cockpit(link) as it:
        await it.sheet("B", "Roll back checkout")
        await it.press("y")
        await it.sees("ana did this 2 s ago · the live release is r41 now")
        assert it.on_top == "RollbackScreen"


async def test_an_engine_that_dies_under_a_sheet_is_said_in_the_sheet() -> None:
    link = FakeLink()
    link.answers["rollback"] = EngineUnreachable("no engine answers", "it is being started")
    async with cockpit(link) as it:
        await it.sheet("B", "Roll back checkout")
        await it.press("y")
        await it.sees("no engine answers")


async def test_a_sheet_opens_at_once_while_the_engine_is_slow_and_y_does_nothing_yet() -> None:
    link = FakeLink()
    answer = asyncio.Event()

    async def slowly(_params: Any) -> Any:
        await answer.wait()
        return rollback_sheet(CHECKOUT)

    link.answers["rollback.sheet"] = slowly
    async with cockpit(link) as it:
        await it.sheet("B", "asking the engine")
        await it.press("y")
        assert changed_production(link) == []
        answer.set()
        await it.sees("▸ r41")


async def test_a_refused_sheet_says_why_and_y_stays_without_effect() -> None:
    link = FakeLink()
    link.answers["deploy.sheet"] = deploy_sheet(CHECKOUT, refused="checkout is held", hold=HELD)
    async with cockpit(link) as it:
        await it.sheet("D", "checkout is held")
        await it.press("y")
        assert changed_production(link) == []
        await it.sees("releases the hold")


async def test_a_refused_sheet_offers_only_what_works() -> None:
    link = FakeLink()
    link.answers["rollback.sheet"] = rollback_sheet(CHECKOUT, refused="nothing was ever live", selected=None)
    async with cockpit(link) as it:
        await it.sheet("B", "nothing was ever live")
        await it.sees("Esc close")
        assert "Close" in it.screen
        assert "y roll back" not in it.screen
        assert "j k choose" not in it.screen


async def test_a_sheet_that_can_go_on_says_which_keys_work() -> None:
    async with cockpit() as it:
        await it.sheet("B", "y roll back · j k choose · v diff · Esc cancel")
        assert "Cancel" in it.screen


async def test_j_asks_again_for_the_older_commit() -> None:
    async with cockpit() as it:
        await it.until(lambda: CHECKOUT in it.app.state.pending, "pending")
        await it.sheet("D", "r43 9e01c2d")
        await it.press("j")
        await it.sees("r43 41bb7e0")
        assert it.link.requests("deploy.sheet")[-1].commit == PENDING_COMMITS[1].sha


async def test_v_in_a_sheet_shows_the_diff_and_escape_comes_back_to_the_sheet() -> None:
    async with cockpit() as it:
        await it.sheet("B", "Roll back checkout")
        await it.press("v")
        await it.sees("vat = 0.0 if gift")
        await it.press("escape")
        await it.until(lambda: it.on_top == "RollbackScreen", "the sheet")
        assert it.link.requests("range")[0].old == sha("77d01be")


async def test_x_cancels_the_running_operation_of_the_selection() -> None:
    async with cockpit() as it:
        it.app.choose(LEDGER)
        await it.sheet("X", "Customers were never on it: r30 goes on serving")
        await it.press("y")
        await it.until(lambda: changed_production(it.link) == ["cancel"], "the request")


async def test_x_with_nothing_running_says_so() -> None:
    async with cockpit() as it:
        await it.press("X")
        assert "nothing runs here" in it.notices


async def test_a_hold_is_released_from_the_menu_with_a_reason() -> None:
    link = FakeLink()
    async with cockpit(link) as it:
        link.push(Event(placement=replace(failing_checkout(), hold=HELD)))
        await it.settled()
        await it.press("x", "enter")  # it is what a held placement is opened for
        await it.until(lambda: it.on_top == "UnholdScreen", "the sheet")
        screen: Any = it.app.screen
        await it.until(lambda: time.monotonic() - screen._quiet_since > QUIET, "quiet")
        await it.press("y", *"fixed", "enter")
        await it.until(lambda: changed_production(link) == ["unhold"], "the request")
        assert link.requests("unhold")[0].reason == "fixed"


async def test_lower_case_d_and_b_only_say_which_keys_act() -> None:
    async with cockpit() as it:
        await it.press("d", "b")
        assert "D deploys" in it.notices
        assert "B rolls back" in it.notices
        assert changed_production(it.link) == []
        assert it.on_top == "MainScreen"


async def test_enter_in_no_list_ever_deploys() -> None:
    async with cockpit() as it:
        for pane in "123":
            await it.press(pane, "enter")
            if it.on_top != "MainScreen":
                await it.press("escape")
        assert changed_production(it.link) == []


async def test_the_failing_service_is_under_the_cursor_at_the_start() -> None:
    async with cockpit() as it:
        assert it.app.state.selected == CHECKOUT
        await it.sees("▸ checkout")


async def test_rows_do_not_move_when_another_service_starts_to_fail() -> None:
    async with cockpit() as it:
        it.app.choose(WEB)
        it.link.push(Event(placement=placement(key("emails"), 5, "abc", 60, health=Health.FAILING)))
        await it.settled()
        assert it.app.state.selected == WEB
        assert "2 failing" in it.screen
        await it.press("exclamation_mark")
        assert it.app.state.selected == CHECKOUT


async def test_a_lost_engine_dims_and_says_so_without_a_dialog_and_its_return_is_said() -> None:
    async with cockpit() as it:
        it.link.lose()
        await it.settled()
        await it.sees("engine restarting …")
        assert it.on_top == "MainScreen"
        assert "checkout" in it.screen
        it.link.connect(restarted=True)
        await it.settled()
        await it.sees("engine restarted")


async def test_docker_down_is_said_with_its_age_and_b_still_opens() -> None:
    async with cockpit() as it:
        engine = replace(world().engine, docker="connection refused", docker_ok=False, docker_seen_at=NOW - 12)
        it.link.push(Event(engine=engine))
        await it.settled()
        await it.sees("unknown for 12s · Docker does not answer (connection refused)")
        await it.sheet("B", "▸ r41")


async def test_a_cockpit_that_starts_without_an_engine_has_a_screen() -> None:
    link = FakeLink()
    link._changes.get_nowait()
    link.push(Lost("no socket"))
    async with cockpit(link) as it:
        await it.sees("engine starting …")
