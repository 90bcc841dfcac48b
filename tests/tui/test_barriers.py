"""Locks, the freeze, roles, other bastions, and what an engine died in: seen in the full screen, and acted on there."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from cockpit.errors import Refused
from cockpit.model import Health, OperationState, Placement, PlacementKey, Role
from cockpit.protocol import Event
from cockpit.tui.line import cells, plain
from cockpit.tui.present import barriers, health, menu, notes, outcome, services, sheets, status, steps
from cockpit.tui.present.reasons import reason
from cockpit.tui.screens import sheet
from cockpit.tui.state import State, choose, fold, is_routine
from tests.fakes.link import (
    CHECKOUT,
    ELSEWHERE,
    FREEZE,
    LEDGER,
    LEFT_DEPLOY,
    LOCK,
    NOW,
    STUCK_DEPLOY,
    WEB,
    FakeLink,
    barred,
    deploy_sheet,
    failing_checkout,
    key,
    world,
)
from tests.tui.harness import Cockpit, cockpit
from tests.tui.test_state import connected

SEARCH, EMAILS = key("search"), key("emails")
STATE = connected(barred())
CHANGING = ("deploy", "rollback", "cancel")


def clock(at: float) -> str:
    return time.strftime("%H:%M", time.localtime(at))


def row(of: PlacementKey, room: int = 80, state: State = STATE) -> str:
    placement = state.find(of)
    assert placement is not None
    return plain(services.row(placement, state, NOW, room, selected=False))


def text(lines: list[Any]) -> str:
    return "\n".join(plain(each) for each in lines)


def health_of(of: PlacementKey, room: int = 78, state: State = STATE) -> str:
    return text(health.lines(choose(state, of), NOW, room))


def whys(state: State) -> dict[str, str]:
    assert state.placement is not None
    return {each.id: each.why for each in menu.actions(state.placement, state, docker_here=True)}


def seen_as(role: Role, *only: PlacementKey, state: State = STATE) -> State:
    return replace(choose(state, WEB), role=role, only=only or None)


@asynccontextmanager
async def at(of: PlacementKey, **more: Any) -> AsyncIterator[Cockpit]:
    async with cockpit(FakeLink(barred()), **more) as it:
        it.app.choose(of)
        yield it


async def take(it: Cockpit, action: str, shows: str) -> None:
    await it.press("x")
    screen: Any = it.app.screen
    screen.rows.chosen = action
    await it.sheet("enter", shows)


# ---------------------------------------------------------------- what is seen


@pytest.mark.parametrize("room", [60, 80, 120])
def test_a_freeze_stands_in_the_first_line_and_below_it_with_who_until_when_and_why(room: int) -> None:
    assert f"⏸ FROZEN until {clock(FREEZE.until)}" in plain(status.header(STATE, NOW, room))
    (said,) = notes.lines(STATE, NOW, 120, most=2)
    assert plain(said).startswith(f" ⏸ frozen until {clock(FREEZE.until)} (in 3h) by mia: sale until tomorrow")
    assert "FROZEN" in plain(status.header(STATE, NOW, 40))
    assert "FROZEN" not in plain(status.header(connected(), NOW, room))


def test_a_lock_is_a_glyph_and_a_word_in_its_row_at_every_width() -> None:
    for room in (40, 52, 80, 120):
        assert "⏸" in row(WEB, room)
        assert "locked" in row(WEB, room)
        assert "⏸" not in row(CHECKOUT, room)


def test_a_service_that_fails_shows_its_failing_and_the_lock_beside_its_name() -> None:
    state = fold(STATE, Event(placement=replace(failing_checkout(), lock=LOCK)), NOW)
    for room in (40, 52, 80):
        assert "checkout ⏸" in row(CHECKOUT, room, state).replace("check… ⏸", "checkout ⏸")
        assert "✖" in row(CHECKOUT, room, state)


def test_health_says_who_locked_it_since_until_why_and_how_to_unlock() -> None:
    said = health_of(WEB)
    whole = f"⏸ locked by ana since {clock(LOCK.at)}, until {clock(LOCK.until)} (in 3h 58m): the ledger is being moved"
    assert whole in " ".join(said.split())
    assert "B goes through it · x unlocks" in said


def test_an_operation_whose_engine_died_is_never_shown_as_running() -> None:
    state = choose(STATE, LEDGER)
    assert "▲ recovering" in row(LEDGER)
    assert "recovering: the engine died in deploy 7 of tom" in health_of(LEDGER)
    first, told = plain(status.header(state, NOW, 120)), text(steps.lines(state, NOW, 80))
    assert "1 recovering" in first
    assert "deploying" not in first
    assert "◐" not in row(LEDGER) + health_of(LEDGER) + told
    (push,) = [each for each in told.splitlines() if "push" in each]
    assert push.split() == ["▲", "push", *["the", "engine", "died", "in", "it"]]
    assert "nothing has changed for customers" not in told
    assert "X cancel" not in told
    assert state.running == ()
    assert "the engine died in deploy 7" in reason("cancel", state)


def test_an_operation_that_was_recovered_is_named_as_interrupted() -> None:
    ended = replace(LEFT_DEPLOY, state=OperationState.INTERRUPTED, summary="the engine died in it; r30 serves")
    state = fold(STATE, Event(operation=replace(ended, ended_at=NOW)), NOW)
    assert "▲ interrupted: deploy 7 of tom: the engine died in it; r30 serves" in health_of(LEDGER, state=state)
    assert "1 recovering" not in plain(status.header(state, NOW, 120))


def test_a_stuck_operation_names_the_next_command_and_the_key() -> None:
    state = choose(STATE, EMAILS)
    assert "✖ stuck" in row(EMAILS)
    assert "x tries again, once the cause is gone: cockpit recover 12" in health_of(EMAILS)
    assert "x tries again" in text(outcome.lines(STUCK_DEPLOY, state, NOW, 90))
    assert "x try to recover" in plain(status.hints(state, 120))
    assert "1 stuck" in plain(status.header(state, NOW, 120))


def test_another_bastion_at_work_is_named_with_its_lock_and_how_to_take_over() -> None:
    assert "◐ elsewhere" in row(SEARCH)
    said = health_of(SEARCH)
    assert "◐ deploy by tom on bastion-2 for 3m (lock 1a2b3c4d5e6f)" in said
    assert "B ends it · x takes over" in said


@pytest.mark.parametrize("room", [34, 40, 60, 78, 120])
def test_no_line_about_a_barrier_is_wider_than_its_room(room: int) -> None:
    for of in (WEB, SEARCH, EMAILS, LEDGER):
        placement = STATE.find(of)
        assert placement is not None
        assert all(cells(each) <= room for each in barriers.lines(placement, STATE, NOW, room))
        assert cells(services.row(placement, STATE, NOW, room, selected=True)) <= max(room, 36)
    assert cells(status.header(STATE, NOW, room)) <= room


def test_a_change_of_the_lock_is_painted_at_once() -> None:
    web = STATE.find(WEB)
    assert web is not None
    assert is_routine(STATE, Event(placement=replace(web, seen_at=NOW)))
    assert not is_routine(STATE, Event(placement=replace(web, lock=None)))
    assert not is_routine(STATE, Event(placement=replace(web, elsewhere=ELSEWHERE)))


# ---------------------------------------------------------------- who may


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (seen_as(Role.VIEWER), "you may only look here"),
        (seen_as(Role.DEPLOYER, SEARCH), "you may only look at this service"),
        (replace(seen_as(Role.VIEWER), read_only=True), "this connection is read-only"),
    ],
)
def test_every_key_that_changes_something_is_greyed_with_its_reason(state: State, why: str) -> None:
    found = whys(state)
    for action in ("exec", "restart", "lock", "unlock", "unhold"):
        assert found[action] == why
    assert found["freeze"] != ""
    assert [reason(each, state) for each in CHANGING] == [why] * len(CHANGING)
    assert "unlock" not in plain(status.hints(state, 120))


def test_the_role_stands_in_the_first_line_unless_it_is_an_admins() -> None:
    said = {role: plain(status.header(replace(STATE, role=role), NOW, 120)) for role in Role}
    assert "viewer" in said[Role.VIEWER]
    assert "deployer" in said[Role.DEPLOYER]
    assert "admin" not in said[Role.ADMIN]
    assert "read-only" in plain(status.header(replace(STATE, read_only=True), NOW, 80))


def test_a_deployer_locks_and_only_an_admin_freezes() -> None:
    found = whys(seen_as(Role.DEPLOYER, WEB))
    assert (found["lock"], found["unlock"]) == ("", "")
    assert found["freeze"] == found["unfreeze"] == "only an admin may"
    unlocked = whys(choose(connected(), CHECKOUT))
    assert unlocked["unlock"] == "it is not locked"
    assert unlocked["unfreeze"] == "nothing is frozen"
    assert "recover" not in unlocked
    assert "takeover" not in unlocked


def test_d_and_restart_are_greyed_with_the_lock_or_freeze_that_forbids_them_and_b_is_not() -> None:
    frozen = choose(STATE, WEB)
    assert "frozen by mia" in reason("deploy", frozen)
    assert "frozen by mia" in whys(frozen)["restart"]
    thawed = fold(frozen, Event(engine=world().engine), NOW)
    assert reason("deploy", thawed) == f"locked by ana until {clock(LOCK.until)}"
    assert reason("rollback", thawed) == reason("rollback", frozen) == ""


async def test_a_sheet_opens_for_who_may_only_look_and_y_is_off_in_it() -> None:
    async with cockpit(read_only=True) as it:
        await it.sheet("B", "y is off: this connection is read-only")
        assert "y roll back" not in it.screen
        await it.press("y")
        assert it.link.requests("rollback") == []
        await it.press("escape")
        await it.sheet("D", "y is off: this connection is read-only")
        await it.press("y")
        screen: Any = it.app.screen
        assert not screen.name_field.has_focus


# ---------------------------------------------------------------- what is done


async def test_a_lock_is_set_for_4_hours_with_a_reason_that_is_typed_after_y() -> None:
    async with at(CHECKOUT) as it:
        await take(it, "lock", "▸ 4h")
        await it.press("y", "enter")
        await it.sees("a reason is wanted")
        assert it.link.requests("lock") == []
        await it.press(*"db", "enter")
        await it.until(lambda: bool(it.link.requests("lock")), "the request")
        (asked,) = it.link.requests("lock")
        assert (asked.key, asked.reason, asked.seconds) == (CHECKOUT, "db", 4 * 3600)


@pytest.mark.parametrize(
    ("keys", "seconds"),
    [("j", 8 * 3600), ("kk", 1800), ("90m", 5400), ("2d", 2 * 86400), ("9m0j", 8 * 3600)],
)
async def test_how_long_is_chosen_with_j_and_k_or_typed(keys: str, seconds: float) -> None:
    async with at(CHECKOUT) as it:
        await take(it, "freeze", "▸ 4h")
        await it.press(*keys, "y", *"x", "enter")
        await it.until(lambda: bool(it.link.requests("freeze")), "the request")
        assert it.link.requests("freeze")[0].seconds == seconds


async def test_a_length_that_makes_no_sense_keeps_y_from_going_on() -> None:
    async with at(CHECKOUT) as it:
        await take(it, "lock", "▸ 4h")
        await it.press("9", "0", "y")
        await it.sees("for how long is 90? Type 90m, 4h or 2d")
        await it.press("d", "y")
        await it.sees("14 d at most")
        screen: Any = it.app.screen
        assert not screen.name_field.has_focus


async def test_what_is_typed_ahead_of_a_lock_sheet_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "QUIET", 5.0)
    async with at(CHECKOUT) as it:
        await it.press("x")
        screen: Any = it.app.screen
        screen.rows.chosen = "lock"
        await it.press("enter", "9", "y", "enter")
        await it.sees("too early")
        screen = it.app.screen
        assert screen.length == "4h"
        assert not screen.name_field.has_focus
        assert it.link.requests("lock") == []


async def test_x_on_a_locked_service_stands_on_unlock_which_wants_a_reason() -> None:
    async with at(WEB) as it:
        await it.press("x")
        await it.sheet("enter", "set by ana since")
        await it.press("y", *"moved", "enter")
        await it.until(lambda: bool(it.link.requests("unlock")), "the request")
        assert it.link.requests("unlock")[0].reason == "moved"


async def test_the_freeze_is_lifted_with_a_reason() -> None:
    async with at(CHECKOUT) as it:
        await take(it, "unfreeze", "set by mia since")
        await it.press("y", *"over", "enter")
        await it.until(lambda: bool(it.link.requests("unfreeze")), "the request")


async def test_enter_in_a_lock_sheet_is_cancel() -> None:
    async with at(CHECKOUT) as it:
        await take(it, "lock", "▸ 4h")
        await it.press("enter")
        await it.until(lambda: it.on_top == "MainScreen", "the sheet to close")
        assert it.link.requests("lock") == []


async def test_a_stuck_operation_is_tried_again_from_the_menu_with_the_name_typed() -> None:
    async with at(EMAILS) as it:
        await it.press("x")
        await it.sheet("enter", "deploy 12 of mia")
        await it.press("y", "enter")
        assert it.link.requests("recover") == []
        await it.press(*"emails", "enter")
        await it.until(lambda: it.on_top == "MainScreen", "the sheet to close")
        assert [each.id for each in it.link.requests("recover")] == [12]
        assert it.app.state.left_of(EMAILS) is None


async def test_a_living_bastion_is_taken_over_from_only_with_its_locks_id_and_a_reason() -> None:
    async with at(SEARCH) as it:
        await take(it, "takeover", "tom on bastion-2 began a deploy 3m ago")
        await it.press("y", *"1a2b", "enter")
        await it.sees("that is not the lock's id")
        await it.press(*"3c4d5e6f", "enter", "enter")
        await it.sees("a reason is wanted")
        assert it.link.requests("takeover") == []
        await it.press(*"hangs", "enter")
        await it.until(lambda: bool(it.link.requests("takeover")), "the request")
        (asked,) = it.link.requests("takeover")
        assert (asked.key, asked.lock, asked.reason) == (SEARCH, ELSEWHERE.lock, "hangs")


# ---------------------------------------------------------------- what refuses


def test_a_deploy_sheet_that_a_lock_or_freeze_refuses_names_the_keys_that_help() -> None:
    refused = "everything is frozen by mia 1h ago until 17:03 UTC: sale · lift it: cockpit unfreeze --reason …"
    said = text(sheets.deploy(deploy_sheet(WEB, refused=refused, freeze=FREEZE, lock=LOCK), 78))
    assert said.startswith("✖ everything is frozen by mia 1h ago until 17:03 UTC: sale\n")
    assert "lift it: cockpit unfreeze --reason …" in said
    assert "Esc, then x lifts the freeze, with a reason" in said
    assert "locked as well, by ana: the ledger is being moved" in said
    assert "Esc, then x unlocks it, with a reason" in said
    assert "B goes through it" in said


async def test_a_deploy_that_another_bastion_bars_says_who_and_how_to_take_over() -> None:
    link = FakeLink()
    hint = "follow it on bastion-2 (cockpit status), or take over from it: cockpit takeover checkout …"
    link.answers["deploy"] = Refused("tom on bastion-2 began a deploy 3m ago (lock 1a2b3c4d5e6f)", hint)
    async with cockpit(link) as it:
        await it.sheet("D", "production is protected")
        await it.press("y", *"checkout", "enter")
        await it.sees("tom on bastion-2 began a deploy 3m ago")
        await it.sees("cockpit takeover checkout")


async def test_b_and_y_still_roll_back_through_a_lock_and_a_freeze() -> None:
    async with at(CHECKOUT) as it:
        it.link.push(Event(placement=replace(failing_checkout(), lock=LOCK)))
        await it.settled()
        await it.sheet("B", "▸ r41")
        await it.press("y")
        await it.until(lambda: bool(it.link.requests("rollback")), "the request")


def test_a_rollback_says_afterwards_what_it_went_through() -> None:
    through = ("lock by ana: the ledger is being moved",)
    going = replace(LEFT_DEPLOY, state=OperationState.RUNNING, overrides=through)
    state = fold(choose(STATE, LEDGER), Event(operation=going), NOW)
    assert "⏸ overrides the lock by ana: the ledger is being moved" in text(steps.lines(state, NOW, 90))


@pytest.mark.parametrize(
    ("length", "refused"),
    [("1m", ""), ("14d", ""), ("15d", "14 d at most"), ("59s", "a minute at least"), ("4", "Type 90m, 4h or 2d")],
)
def test_a_lock_holds_for_a_minute_at_least_and_for_two_weeks_at_most(length: str, refused: str) -> None:
    said = barriers.wrong(length)
    assert refused in said
    assert bool(said) == bool(refused)


def test_a_failing_service_says_so_whatever_else_goes_on_there() -> None:
    sick: Placement = replace(failing_checkout(), elsewhere=ELSEWHERE, health=Health.FAILING)
    state = fold(STATE, Event(placement=sick), NOW)
    state = fold(state, Event(operation=replace(STUCK_DEPLOY, key=CHECKOUT)), NOW)
    assert "✖ failing 2m" in row(CHECKOUT, state=state)
