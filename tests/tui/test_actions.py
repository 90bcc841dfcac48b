"""The menu of `x`: probe address, shell, restart, and the containers that are not the cockpit's."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from typing import Any

import pytest

from cockpit.errors import CockpitError, Refused
from cockpit.model import OperationKind, OperationState
from cockpit.protocol import Event, LogKind, Lost, Others
from cockpit.tui.line import cells, plain
from cockpit.tui.panes.log_pane import LogPane
from cockpit.tui.present import containers, menu, running, steps
from cockpit.tui.state import State, choose, fold
from tests.fakes.link import (
    CHECKOUT,
    LEDGER,
    LEDGER_DEPLOY,
    NOW,
    OTHERS,
    SHOP,
    SHOP_1,
    SHOP_2,
    FakeLink,
    address,
    adopted,
    failing_checkout,
    other,
    shop,
)
from tests.tui.harness import Cockpit, cockpit
from tests.tui.test_state import connected

CONTAINER = next(each for each in OTHERS.containers if each.name == "shop-nginx-1")


@pytest.fixture(autouse=True)
def docker_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")


async def take(it: Cockpit, action: str, shows: str) -> None:
    """Open the menu, go to the action by its name, and wait until its sheet takes keys."""
    await it.press("x")
    screen: Any = it.app.screen
    screen.rows.chosen = action
    if action == "others":  # a list, which has no quiet time
        await it.press("enter")
        await it.sees(shows)
    else:
        await it.sheet("enter", shows)


def whys(state: State, *, docker_here: bool = True) -> dict[str, str]:
    assert state.placement is not None
    return {each.id: each.why for each in menu.actions(state.placement, state, docker_here=docker_here)}


# ---------------------------------------------------------------- the menu


def test_the_menu_is_in_the_order_of_the_key_table_safe_things_first() -> None:
    ids = list(whys(connected()))
    order = ["open", "exec", "restart", "unhold", "freeze", "maintenance"]
    assert [each for each in ids if each in order] == order


def test_what_cannot_be_done_has_its_reason_in_the_menu() -> None:
    assert whys(connected())["exec"] == ""
    assert whys(connected(), docker_here=False)["exec"] == "there is no docker command on this machine"
    assert whys(choose(connected(), LEDGER))["restart"] == "deploy 7 runs"
    nothing = fold(connected(), Event(placement=replace(failing_checkout(), live=None, replicas=())), NOW)
    assert whys(nothing)["open"] == "nothing of it runs"
    assert whys(nothing)["exec"] == whys(nothing)["restart"] == "no release is live"


async def test_a_greyed_action_says_its_reason_and_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    async with cockpit() as it:
        await it.press("x")
        await it.sees("there is no docker command on this machine")
        screen: Any = it.app.screen
        screen.rows.chosen = "exec"
        await it.press("enter")
        assert it.on_top == "MenuScreen"
        assert "shell in a container: there is no docker command" in it.notices


async def test_the_palette_has_what_the_menu_has() -> None:
    async with cockpit() as it:
        await it.press("colon", *"other containers")
        await it.sees("other containers: checkout/production")
        await it.press("enter")
        await it.until(lambda: it.on_top == "ContainersScreen", "the list")


# ---------------------------------------------------------------- probe address


async def test_the_probe_address_is_shown_with_lines_to_copy() -> None:
    async with cockpit() as it:
        await take(it, "open", "http://10.231.0.6:8000/")
        for wanted in ("▲ customers are not on it", "ask for shop.example.test", "customers  http://127.0.0.1:8100"):
            assert wanted in it.screen
        await it.sees("y copy · j k choose · Esc close")
        await it.press("j", "y")
        assert it.app.clipboard == "ssh -L 8000:10.231.0.6:8000 deploy@shop-1"
        assert it.on_top == "OpenScreen"


async def test_the_release_under_the_cursor_is_the_one_that_is_looked_at() -> None:
    async with cockpit() as it:
        await it.until(lambda: CHECKOUT in it.app.state.releases, "releases")
        await it.press("3", "j")
        await take(it, "open", "r41 77d01be")
        assert [each.release for each in it.link.requests("open")] == [41]


async def test_from_services_the_engine_chooses_the_release_to_look_at() -> None:
    async with cockpit() as it:
        await take(it, "open", "r42 9f3c1ab")
        assert [each.release for each in it.link.requests("open")] == [None]


async def test_a_release_that_answers_nowhere_is_said_in_the_sheet() -> None:
    link = FakeLink()
    link.answers["open"] = Refused("nothing of checkout runs", "deploy it first")
    async with cockpit(link) as it:
        await take(it, "open", "nothing of checkout runs · deploy it first")


def test_a_line_to_copy_is_shown_whole() -> None:
    long = replace(address(CHECKOUT, 42), commands=("curl " + "--header 'X: y' " * 12,))
    shown = "".join(plain(each).strip() + " " for each in running.address(long, 0, 40))
    assert shown.count("--header 'X: y'") == 12


# ---------------------------------------------------------------- shell


async def test_a_shell_is_asked_for_in_the_container_that_serves() -> None:
    async with cockpit() as it:
        await take(it, "exec", "in one that serves customers")
        await it.press("y")
        await it.until(lambda: bool(it.link.requests("exec.ended")), "the end")  # this terminal cannot be lent
        (asked,) = it.link.requests("exec")
        assert (asked.key, asked.command, asked.process, asked.one_off, asked.tty) == (CHECKOUT, (), "", False, True)
        assert it.link.requests("exec.ended")[0].id == 5


async def test_each_process_has_a_shell_and_a_container_of_ones_own() -> None:
    async with cockpit(FakeLink(adopted())) as it:
        it.app.choose(SHOP)
        await take(it, "exec", "worker")
        await it.press("j", "j", "j", "y")
        await it.until(lambda: bool(it.link.requests("exec")), "the request")
        asked = it.link.requests("exec")[0]
        assert (asked.process, asked.one_off) == ("worker", True)


async def test_a_shell_that_is_refused_leaves_the_sheet_with_the_reason() -> None:
    link = FakeLink()
    link.answers["exec"] = Refused("web does not run")
    async with cockpit(link) as it:
        await take(it, "exec", "y open the shell")
        await it.press("y")
        await it.sees("✖ web does not run")
        assert link.requests("exec.ended") == []


async def test_enter_opens_no_shell() -> None:
    async with cockpit() as it:
        await take(it, "exec", "y open the shell")
        await it.press("enter")
        await it.until(lambda: it.on_top == "MainScreen", "the sheet to close")
        assert it.link.requests("exec") == []


# ---------------------------------------------------------------- restart


async def test_a_restart_says_what_it_does_and_wants_the_name_where_it_is_protected() -> None:
    async with cockpit() as it:
        await take(it, "restart", "New containers of r42 start beside those that serve")
        await it.press("y", "enter")
        assert it.link.requests("restart") == []
        await it.press(*"checkout", "enter")
        await it.until(lambda: it.on_top == "MainScreen", "the sheet to close")
        (asked,) = it.link.requests("restart")
        assert (asked.key, asked.seen_live) == (CHECKOUT, 42)
        await it.sees("Restart of r42, production")


async def test_an_unprotected_restart_goes_on_y_alone() -> None:
    async with cockpit() as it:
        await it.press("E", "j", "enter")
        await take(it, "restart", "Restart checkout, staging")
        await it.press("y")
        await it.until(lambda: bool(it.link.requests("restart")), "the request")


async def test_a_restart_that_is_refused_says_why_in_the_sheet() -> None:
    link = FakeLink(replace(adopted(), placements=(replace(shop(), protected=False),)))
    link.answers["restart"] = Refused("r13 is live now", "ana deployed it 2 s ago")
    async with cockpit(link) as it:
        await take(it, "restart", "After the switch worker, clock are replaced.")
        await it.press("y")
        await it.sees("✖ r13 is live now · ana deployed it 2 s ago")


def test_a_restart_in_its_steps_never_speaks_of_another_release() -> None:
    moved = replace(LEDGER_DEPLOY, kind=OperationKind.RESTART, from_release=30, to_release=30, switched_at=NOW - 2)
    shown = "\n".join(plain(each) for each in steps.lines(_ledger(moved), NOW, 100))
    assert "Restart of r30, production" in shown
    assert "customers are on the new containers since" in shown
    assert "B goes back" not in shown
    failed = replace(moved, state=OperationState.FAILED, switched_at=None, summary="r30 serves")
    shown = "\n".join(plain(each) for each in steps.lines(_ledger(failed), NOW, 100))
    assert "The containers that serve were not touched." in shown
    assert "A rollback is not needed." not in shown


# ---------------------------------------------------------------- other containers


async def test_other_containers_are_listed_by_project_and_their_log_is_read_and_left() -> None:
    async with cockpit() as it:
        await take(it, "others", "Other containers: 4, 1 not running · looked at, never touched")
        for wanted in ("− shop   3 containers, 1 not running", "● shop-db-1", "Up 3 hours (healthy)", "postgres:16"):
            assert wanted in it.screen
        assert "shop-2 did not answer" in it.screen
        await it.press("down", "down", "enter")
        await it.until(lambda: bool(it.link.requests("logs.open")), "the log")
        asked = it.link.requests("logs.open")[-1]
        assert (asked.kind, asked.host, asked.container) == (LogKind.CONTAINER, SHOP_1, CONTAINER.id)
        pane = it.app.screen.query_one(LogPane)
        await it.until(lambda: pane.subscription is not None, "the answer")
        it.link.lines(["GET / 200"], subscription=pane.subscription)
        await it.sees("GET / 200")
        await it.press("escape")
        await it.until(lambda: it.on_top == "ContainersScreen", "the list")
        await it.until(
            lambda: pane.subscription in [each.subscription for each in closed(it)], "its subscription's end"
        )
        await it.press("escape")
        await it.until(lambda: it.on_top == "MainScreen", "the main screen")


async def test_enter_folds_a_project_and_unfolds_it() -> None:
    async with cockpit() as it:
        await take(it, "others", "shop-db-1")
        await it.press("enter")
        await it.until(lambda: "shop-db-1" not in it.screen, "folded")
        await it.sees("+ shop   3 containers, 1 not running")
        await it.press("enter")
        await it.sees("shop-db-1")


async def test_a_host_with_many_containers_shows_its_projects_folded() -> None:
    link = FakeLink()
    link.answers["others"] = Others(tuple(other(f"c{n}", project=f"p{n % 3}") for n in range(60)))
    async with cockpit(link) as it:
        await take(it, "others", "+ p1   20 containers")
        assert "c10" not in it.screen


async def test_typing_finds_containers_in_folded_projects_too() -> None:
    link = FakeLink()
    link.answers["others"] = Others(tuple(other(f"c{n}", project=f"p{n % 3}") for n in range(60)))
    async with cockpit(link) as it:
        await take(it, "others", "+ p1   20 containers")
        await it.press(*"c31")
        await it.sees("● c31")
        assert "p0" not in it.screen
        await it.press("escape")
        await it.sees("+ p0   20 containers")


async def test_the_log_of_a_container_goes_on_when_the_engine_comes_back() -> None:
    async with cockpit() as it:
        await take(it, "others", "shop-db-1")
        await it.press("down", "enter")
        await it.until(lambda: len(it.link.requests("logs.open")) == 1, "the log")
        it.link.push(Lost("gone"))
        it.link.connect(restarted=True)
        await it.until(lambda: len(it.link.requests("logs.open")) > 1, "the log again")


async def test_a_host_with_nothing_else_says_so() -> None:
    link = FakeLink()
    link.answers["others"] = Others(())
    async with cockpit(link) as it:
        await take(it, "others", "there is none beside those of the cockpit")
        await it.press("enter")
        assert it.on_top == "ContainersScreen"


async def test_looking_at_other_containers_leaves_the_main_screen_as_it_was() -> None:
    async with cockpit() as it:
        before, tab = it.app.state.selected, it.app.main_screen.main.tab
        await take(it, "others", "shop-db-1")
        await it.press("down", "enter", "escape", "escape")
        await it.until(lambda: it.on_top == "MainScreen", "the main screen")
        assert (it.app.state.selected, it.app.main_screen.main.tab) == (before, tab)


def test_several_hosts_are_told_apart() -> None:
    both = Others((other("db"), replace(other("db"), host=SHOP_2)))
    rows = [plain(each.text) for each in containers.rows(both, (), 100)]
    assert rows == ["+ shop-1 · shop   1 container", "+ shop-2 · shop   1 container"]


@pytest.mark.parametrize("room", [28, 60, 100])
def test_container_rows_stay_in_their_room(room: int) -> None:
    long = other("n" * 90, status="Up " + "9" * 90, image="i" * 300, ports=("0.0.0.0:80→80/tcp",) * 9)
    unfolded = set(containers.groups(Others((long,))))
    rows = containers.rows(Others((long,)), unfolded, room)
    assert cells(rows[1].text) <= max(room, 30)


async def test_a_slow_docker_leaves_the_screen_usable() -> None:
    link = FakeLink()
    answer = asyncio.Event()

    async def slowly(_params: Any) -> Any:
        await answer.wait()
        return OTHERS

    link.answers["others"] = slowly
    async with cockpit(link) as it:
        await take(it, "others", "asking Docker …")
        await it.press("escape")
        await it.until(lambda: it.on_top == "MainScreen", "the main screen")
        answer.set()
        await it.pilot.pause()


async def test_a_list_that_cannot_be_had_says_why() -> None:
    link = FakeLink()
    link.answers["others"] = CockpitError("Docker does not answer")
    async with cockpit(link) as it:
        await take(it, "others", "not known")
        assert "Docker does not answer" in it.notices
        assert "there is none" not in it.screen


def closed(it: Cockpit) -> list[Any]:
    return it.link.requests("logs.close")


def _ledger(operation: Any) -> State:
    return choose(fold(connected(), Event(operation=operation), NOW), LEDGER)
