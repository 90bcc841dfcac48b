from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cockpit.model import Health, OperationState
from cockpit.protocol import Event, Operations
from cockpit.tui import keys
from cockpit.tui.keys import KEYS, Where
from cockpit.tui.log import LogView
from cockpit.tui.panes.list_pane import ListPane
from cockpit.tui.screens.main import MainScreen
from cockpit.tui.screens.sheet import Sheet
from tests.fakes.link import CHECKOUT, FAILED_DEPLOY, LEDGER, LEDGER_DEPLOY, NOW, WEB, FakeLink, failing_checkout
from tests.tui.harness import cockpit

OWNER = {Where.ALL: MainScreen, Where.LISTS: ListPane, Where.LOGS: LogView, Where.SHEETS: Sheet, Where.DEPLOY: Sheet}


def test_each_key_of_the_table_has_an_action_where_it_says() -> None:
    for each in KEYS:
        name = each.action.split("(")[0]
        assert hasattr(OWNER[each.where], f"action_{name}"), each.id


def test_no_key_means_two_things_in_one_place() -> None:
    for where in Where:
        own = [key for each in KEYS if each.where is where for key in each.keys.split(",")]
        assert len(own) == len(set(own)), where


def test_the_keys_that_open_production_sheets_mean_the_same_in_every_pane() -> None:
    for each in KEYS:
        if each.where is not Where.ALL:
            assert not set(each.keys.split(",")) & set("DBPXI")


def test_ids_are_unique() -> None:
    assert len({each.id for each in KEYS}) == len(KEYS)


def test_the_page_about_keys_is_the_table() -> None:
    page = Path(__file__).parents[2] / "docs" / "keys.md"
    assert page.read_text(encoding="utf-8") == keys.markdown(), "python -m cockpit.tui.keys > docs/keys.md"


def test_the_law_of_keys_is_in_the_table() -> None:
    wanted = {"help", "palette", "find", "back", "detach", "zoom", "diff", "next.failing", "environments", "deploy"}
    wanted |= {"rollback", "promote", "cancel", "incident", "actions", "refresh", "copy", "action.log", "mouse"}
    wanted |= {"suspend", "log.follow", "log.only", "log.wrap", "log.time", "log.save", "sheet.go", "sheet.no"}
    assert wanted <= set(keys.BY_ID)


def test_glyphs_and_names_both_remap() -> None:
    assert keys.keymap({"refresh": "F5", "help": "?,f2", "nope": "x"}) == {"refresh": "F5", "help": "question_mark,f2"}
    assert keys.unknown({"refresh": "F5", "nope": "x"}) == ["nope"]


async def test_a_remapped_key_acts_and_its_old_one_no_longer() -> None:
    async with cockpit(keys={"deploy": "f5"}) as it:
        await it.press("D")
        assert it.on_top == "MainScreen"
        await it.press("f5")
        assert it.on_top == "DeployScreen"


async def test_an_unknown_action_in_the_configuration_is_said() -> None:
    async with cockpit(keys={"fly": "f"}) as it:
        assert "there is no action 'fly'" in it.notices


async def test_numbers_choose_panes_and_tabs() -> None:
    async with cockpit() as it:
        main = it.app.main_screen
        for number, name in (("2", "pending"), ("3", "releases"), ("1", "services"), ("0", "main")):
            await it.press(number)
            assert main.focused_pane == name
        for number, tab in (("5", "steps"), ("6", "build"), ("7", "service"), ("8", "truth"), ("4", "health")):
            await it.press(number)
            assert main.main.tab == tab
        await it.press("right_square_bracket", "full_stop", "left_square_bracket")
        assert main.main.tab == "steps"


async def test_tab_goes_round_the_panes() -> None:
    async with cockpit() as it:
        seen = []
        for _ in range(4):
            await it.press("tab")
            seen.append(it.app.main_screen.focused_pane)
        assert seen == ["pending", "releases", "main", "services"]


async def test_j_and_k_move_the_selection_and_drive_the_other_panes() -> None:
    async with cockpit() as it:
        await it.press("k")
        assert it.app.state.selected == WEB
        await it.sees("2 Pending · web")
        await it.press("G")
        assert it.app.state.selected == LEDGER
        assert it.app.main_screen.main.tab == "steps"
        await it.press("g", "j")
        assert it.app.state.selected == CHECKOUT
        assert it.app.main_screen.main.tab == "health"


async def test_slash_filters_a_list_and_escape_clears_it() -> None:
    async with cockpit() as it:
        await it.press("slash", *"led", "enter")
        services = it.app.main_screen.services
        assert it.app.state.selected == LEDGER
        assert [each.key for each in services.listed] == [LEDGER]
        await it.press("escape")
        assert len(services.listed) == 5


async def test_a_filter_with_markup_in_it_is_only_text() -> None:
    async with cockpit() as it:
        await it.press("slash", "left_square_bracket", "slash", "x", "right_square_bracket", "enter")
        assert it.app.main_screen.services.listed == ()
        assert it.on_top == "MainScreen"


async def test_enter_on_a_commit_shows_its_diff() -> None:
    async with cockpit() as it:
        await it.sees("fix: VAT for gifts")
        await it.press("2", "enter")
        await it.sees("+vat = 0.0 if gift")
        await it.press("q")
        assert it.on_top == "MainScreen"


@pytest.mark.parametrize(
    ("key", "screen"),
    [
        ("question_mark", "HelpScreen"),
        ("E", "EnvironmentsScreen"),
        ("at", "OperationsScreen"),
        ("x", "MenuScreen"),
        ("colon", "CommandPalette"),
    ],
)
async def test_each_of_these_opens_a_screen_that_escape_closes(key: str, screen: str) -> None:
    async with cockpit() as it:
        await it.press(key)
        await it.until(lambda: it.on_top == screen, screen)
        await it.press("escape")
        await it.until(lambda: it.on_top == "MainScreen", "the main screen")


async def test_help_is_searched_by_typing() -> None:
    async with cockpit() as it:
        await it.press("question_mark", *"rollback")
        await it.sees("Rollback sheet, last good preselected")
        assert "Deploy sheet" not in it.screen


async def test_what_comes_later_says_so_when_pressed() -> None:
    async with cockpit() as it:
        await it.press("P", "I")
        assert "promotion between environments comes later" in it.notices
        assert "the incident screen comes later" in it.notices


async def test_z_zooms_the_focused_pane_and_escape_goes_back() -> None:
    async with cockpit() as it:
        await it.press("0", "z")
        assert "1 Services" not in it.screen
        await it.press("escape")
        await it.sees("1 Services")


async def test_r_asks_the_engine_to_look_now() -> None:
    async with cockpit() as it:
        await it.press("R")
        await it.until(lambda: bool(it.link.requests("refresh")), "the request")


async def test_q_leaves_and_says_what_goes_on() -> None:
    async with cockpit() as it:
        await it.press("q")
        assert "deploy r31 of ledger (production) goes on" in it.app.farewell


async def test_one_ctrl_c_only_warns_and_two_leave() -> None:
    async with cockpit() as it:
        await it.press("ctrl+c")
        assert it.app.farewell == ""
        assert "ctrl+c again leaves" in it.notices
        await it.press("ctrl+c")
        assert "goes on" in it.app.farewell


async def test_the_card_goes_away_with_any_key_and_comes_back_from_the_palette() -> None:
    async with cockpit(card="1  D  deploy\n2  B  roll back") as it:
        await it.sees("1  D  deploy")
        await it.press("j")
        await it.until(lambda: "1  D  deploy" not in it.screen, "no card")
        it.app.bring_card_back()
        await it.sees("1  D  deploy")


async def test_y_offers_what_can_be_copied_and_y_again_takes_the_first() -> None:
    async with cockpit(FakeLink()) as it:
        await it.sees("fix: VAT for gifts")
        await it.press("2", "y")
        await it.sees("9e01c2d")
        await it.press("y")
        assert it.app.clipboard.startswith("9e01c2d")


async def test_enter_on_a_release_opens_the_log_of_the_deploy_that_made_it() -> None:
    link = FakeLink()
    made = replace(FAILED_DEPLOY, id=3, key=CHECKOUT, to_release=41)
    link.answers["operations"] = Operations((replace(made, id=5, to_release=42), made))
    async with cockpit(link) as it:
        await it.until(lambda: CHECKOUT in it.app.state.releases, "releases")
        await it.press("3", "j", "enter")
        await it.until(lambda: bool(link.requests("logs.open")), "the log")
        assert link.requests("logs.open")[-1].operation == 3
        await it.sees("deploy r41")
        await it.press("1", "j")
        await it.until(lambda: it.app.main_screen.main.asked_for is None, "the selection's own log again")


async def test_trouble_that_began_after_a_deploy_ended_is_shown_and_not_the_deploy() -> None:
    link = FakeLink()
    done = replace(FAILED_DEPLOY, key=CHECKOUT, id=20, state=OperationState.SUCCEEDED, failure=None)
    async with cockpit(link) as it:
        link.push(Event(operation=replace(done, ended_at=NOW - 30)))
        await it.settled()
        assert it.app.main_screen.main.tab == "steps"
        link.push(Event(placement=replace(failing_checkout(), health=Health.DEGRADED, since=NOW - 10)))
        await it.settled()
        assert it.app.main_screen.main.tab == "health"


async def test_e_jumps_to_the_line_that_the_failure_names() -> None:
    link = FakeLink()
    async with cockpit(link) as it:
        it.app.choose(WEB)
        await it.press("5", "e")
        await it.until(lambda: bool(link.requests("logs.open")), "the log")
        link.lines(["error: noise", "ModuleNotFoundError: No module named 'httpx2'", "fatal: more noise", "end"])
        view: Any = it.app.main_screen.main.content
        await it.until(lambda: view.at is not None, "the jump")
        assert view.at == 1
        await it.pilot.pause()
        strip = view.render_line(1 - view.scroll_offset.y)
        assert all(each.style.bgcolor == view._current.bgcolor for each in strip if each.style), "the line is lit"


async def test_greyed_actions_of_help_give_their_reason() -> None:
    async with cockpit() as it:
        await it.press("question_mark", *"cancel")
        await it.sees("not now: nothing runs here")


async def test_the_load_generators_counters_are_always_on_the_screen(tmp_path: Path) -> None:
    banner = tmp_path / "load.json"
    banner.write_text('{"per_second": 100, "lost": 0, "errors": 12}')
    async with cockpit(banner=banner) as it:
        await it.sees("load 100/s · lost 0 · 5xx 12")
        banner.write_text('{"per_second": 1')  # half-written: the last good values stay
        await it.app._tick()
        assert "load 100/s · lost 0 · 5xx 12" in it.screen


async def test_a_fault_in_the_link_is_said_and_the_values_count_as_old() -> None:
    link = FakeLink()
    async with cockpit(link) as it:
        link.push(object())  # type: ignore[arg-type]  # nothing that a link may say
        await it.until(lambda: it.app.state.lost is not None, "the fault")
        assert "a fault in cockpit itself" in it.notices


async def test_an_operation_that_ends_has_its_releases_read_again() -> None:
    link = FakeLink()
    async with cockpit(link) as it:
        await it.until(lambda: CHECKOUT in it.app.state.releases, "the first releases")
        before = len(link.requests("releases"))
        link.push(Event(operation=LEDGER_DEPLOY))
        await it.settled()
        assert len(link.requests("releases")) == before
        link.push(Event(operation=FAILED_DEPLOY))
        await it.until(lambda: len(link.requests("releases")) > before, "a second look")
