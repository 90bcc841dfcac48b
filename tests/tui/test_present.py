from __future__ import annotations

import time
from dataclasses import replace

import pytest

from cockpit.model import (
    Health,
    Hold,
    OperationKind,
    OperationState,
    Placement,
    PlacementKey,
    Role,
    Tier,
    Traffic,
    Trend,
)
from cockpit.protocol import CheckState, Connected, Event, Lost, PlannedStep
from cockpit.tui.line import cells, fit, paragraph, plain
from cockpit.tui.present import absent, health, menu, pending, releases, services, sheets, status, steps, truth
from cockpit.tui.present.copies import offered
from cockpit.tui.present.reasons import reason
from cockpit.tui.present.words import milliseconds, percent, sparkline
from cockpit.tui.state import State, choose, fold
from tests.fakes.link import (
    CHECKOUT,
    CHECKOUT_RELEASES,
    FAILED_DEPLOY,
    LEDGER,
    LEDGER_DEPLOY,
    NOW,
    PENDING_COMMITS,
    WEB,
    deploy_sheet,
    failing_checkout,
    key,
    pending_of,
    placement,
    replica,
    rollback_sheet,
    world,
)
from tests.tui.test_state import WELCOME, connected

STATE = connected()


def text(lines: object) -> str:
    assert isinstance(lines, list)
    return "\n".join(plain(each) for each in lines)


def clock(at: float) -> str:
    return time.strftime("%H:%M", time.localtime(at))


def test_the_first_line_counts_the_failing_of_all_environments() -> None:
    sick = placement(key("web", "staging"), 90, "abc", 60, health=Health.FAILING)
    state = choose(fold(STATE, Event(placement=replace(sick, protected=False)), NOW), CHECKOUT)
    first = plain(status.header(state, NOW, 120))
    assert first.startswith(" PRODUCTION  1 failing · 1 deploying")
    assert "staging 1 failing" in first
    assert clock(NOW) in first


def test_an_unprotected_environment_is_not_in_capitals() -> None:
    state = choose(STATE, key("web", "staging"))
    assert plain(status.header(state, NOW, 120)).startswith(" staging  all well")


def test_an_environment_in_which_nothing_was_deployed_is_not_called_well() -> None:
    state = _staging(NEVER, replace(NEVER, key=key("web", "staging")))
    assert "staging 2 not deployed yet" in plain(status.header(state, NOW, 120))
    half = plain(status.header(_staging(NEVER), NOW, 120))
    assert "staging 1 well · 1 not deployed yet" in half


def test_a_service_that_was_live_and_does_not_run_is_not_called_well() -> None:
    stopped = replace(placement(key("web", "staging"), 90, "abc", 60, health=Health.STOPPED), protected=False)
    assert "staging 1 stopped" in plain(status.header(_staging(stopped), NOW, 120))


def test_what_was_never_deployed_says_so_and_which_key_deploys_it() -> None:
    state = choose(_staging(NEVER), NEVER.key)
    for room in (52, 80):
        assert "not deployed" in plain(services.row(NEVER, state, NOW, room, selected=True))
    assert "D  deploys the first release" in text(health.lines(state, NOW, 78))
    assert "D deploys the first release" in absent.service(NEVER)
    assert NEVER not in services.tiny(_staging(NEVER))


def test_docker_has_no_age_while_its_last_word_is_fresh() -> None:
    silent = fold(STATE, Event(engine=replace(world().engine, docker_seen_at=NOW - 90)), NOW)
    assert "docker ok " in plain(status.header(silent, NOW, 120)).replace("docker ok   ", "docker ok ")
    assert "docker ok 1m" not in plain(status.header(silent, NOW, 120))
    assert "docker ok 12s ago" in plain(status.header(silent, NOW + 11, 120))


def test_oneself_is_not_counted_among_those_who_look_unless_one_is_there_twice() -> None:
    alone = fold(STATE, Event(engine=replace(world().engine, connected=("you",))), NOW)
    assert "with you" not in plain(status.header(alone, NOW, 140))
    twice = fold(STATE, Event(engine=replace(world().engine, connected=("ana", "you", "you"))), NOW)
    assert "with you: ana, you" in plain(status.header(twice, NOW, 140))


def test_the_return_of_the_engine_is_said_also_where_little_fits() -> None:
    back = fold(fold(STATE, Lost("gone"), NOW), Connected(WELCOME, world(), True), NOW)
    assert f"engine restarted {clock(NOW)}" in plain(status.header(back, NOW, 88))


def test_docker_down_takes_the_place_of_the_counts() -> None:
    engine = replace(world().engine, docker="connection refused", docker_ok=False, docker_seen_at=NOW - 12)
    first = plain(status.header(fold(STATE, Event(engine=engine), NOW), NOW, 120))
    assert "unknown for 12s · Docker does not answer (connection refused)" in first
    assert "last seen" in first


def test_a_lost_engine_is_said_in_the_first_line_and_so_is_its_return() -> None:
    lost = fold(STATE, Lost("gone"), NOW)
    assert "engine restarting …" in plain(status.header(lost, NOW + 3, 120))
    back = fold(lost, Connected(WELCOME, world(), True), NOW + 5)
    assert f"engine restarted {clock(NOW + 5)}" in plain(status.header(back, NOW + 6, 120))


def test_the_load_of_the_demo_stays_on_the_screen_when_the_other_news_no_longer_fits() -> None:
    load = status.Load(100.0, 0, 12)
    for room in (120, 80):
        assert "load 100/s · lost 0 · 5xx 12" in plain(status.header(STATE, NOW, room, load))


@pytest.mark.parametrize("room", range(0, 130, 7))
def test_no_line_is_wider_than_its_room(room: int) -> None:
    known = fold(STATE, Event(pending=pending_of(CHECKOUT)), NOW)
    assert cells(status.header(known, NOW, room)) <= max(1, room)
    assert cells(status.hints(known, room)) <= max(8, room)


@pytest.mark.parametrize("room", [50, 52, 58, 60, 74, 80, 120])
def test_rows_fill_their_columns_exactly(room: int) -> None:
    for each in STATE.rows:
        assert cells(services.row(each, STATE, NOW, room, selected=False)) <= room
    widths = {cells(services.row(each, STATE, NOW, room, selected=True)) for each in STATE.rows}
    assert len(widths) == 1
    assert cells(pending.row(PENDING_COMMITS[0], NOW, room, selected=True)) == room
    assert cells(releases.row(CHECKOUT_RELEASES[0], NOW, room, selected=False)) == room


def test_each_state_is_a_glyph_and_a_word() -> None:
    said = {each: plain(services.row(_in(each), _with(_in(each)), NOW, 80, selected=False)) for each in Health}
    assert "● healthy" in said[Health.HEALTHY]
    assert "✖ failing 2m" in said[Health.FAILING]
    assert "▲ degraded" in said[Health.DEGRADED]
    assert "■ stopped" in said[Health.STOPPED]
    assert "? unknown" in said[Health.UNKNOWN]


def test_a_row_whose_news_are_old_says_how_old_and_is_faint() -> None:
    old = replace(_in(Health.HEALTHY), seen_at=NOW - 40)
    row = services.row(old, _with(old), NOW, 80, selected=False)
    assert "◌ stale 40s" in plain(row)
    assert {tone for _, tone in row} == {"faint"}


def test_a_running_deploy_shows_its_step_in_place_of_the_health() -> None:
    ledger = STATE.find(LEDGER)
    assert ledger is not None
    assert "◐ push" in plain(services.row(ledger, STATE, NOW, 80, selected=False))


def test_a_big_batch_is_marked() -> None:
    assert " 11!" in plain(services.row(_named("search"), STATE, NOW, 80, selected=False))


def test_health_names_the_suspect_and_the_way_back() -> None:
    state = fold(STATE, Event(releases=None), NOW)
    state = replace(state, releases={CHECKOUT: CHECKOUT_RELEASES})
    shown = text(health.lines(state, NOW, 78))
    assert f"✖ failing since {clock(NOW - 120)} · 2m" in shown
    assert f"suspect   r42, live since {clock(NOW - 720)}: 10m before the first failure" in shown
    assert "B  roll back to r41 · hot for 18m more · instant" in shown
    assert "503" in shown


def test_an_old_release_is_not_the_first_suspect() -> None:
    old = replace(failing_checkout(), live=replace(CHECKOUT_RELEASES[0], live_since=NOW - 9 * 86400))
    assert "r42 was fine for 8d: look for a change elsewhere" in text(
        health.lines(fold(STATE, Event(placement=old), NOW), NOW, 78)
    )


def test_before_the_switch_the_time_line_says_that_customers_saw_nothing() -> None:
    shown = text(steps.lines(choose(STATE, LEDGER), NOW, 78))
    assert "◐ push" in shown
    assert "███████░░░░░  61 %" in shown
    assert "nothing has changed for customers yet" in shown
    assert "X cancel" in shown


def test_after_the_switch_the_time_line_says_where_customers_are() -> None:
    switched = replace(LEDGER_DEPLOY, switched_at=NOW - 5)
    shown = text(steps.lines(choose(fold(STATE, Event(operation=switched), NOW), LEDGER), NOW, 100))
    assert "customers are on r31 since" in shown
    assert "X cancel" not in shown


def test_a_failed_deploy_says_whose_problem_it_is_and_what_to_do() -> None:
    shown = text(steps.lines(choose(STATE, WEB), NOW, 78))
    assert "Deploy r89" in shown
    for wanted in (
        "Side     application",
        "Line     ModuleNotFoundError: No module named 'httpx2'",
        "Means    the image lacks",
        "Next     add it to the lock file",
        "A rollback is not needed.",
        "customers were never on it · r88 serves",
    ):
        assert wanted in shown


def test_after_a_rollback_one_can_go_back_to_bed() -> None:
    done = replace(
        FAILED_DEPLOY,
        id=20,
        key=CHECKOUT,
        kind=OperationKind.ROLLBACK,
        state=OperationState.SUCCEEDED,
        failure=None,
        from_release=42,
        to_release=41,
        switched_at=NOW - 5,
        steps=(),
    )
    well = placement(CHECKOUT, 41, "77d01be", 5, hold=Hold("ana", NOW, "", ("a", "b")))
    state = fold(fold(STATE, Event(operation=done), NOW), Event(placement=well), NOW)
    shown = text(steps.lines(choose(state, CHECKOUT), NOW, 78))
    assert "checkout is on r41 since" in shown
    assert "the replica answers 200" in shown
    assert "held: D is off until a reason is given (x)" in shown
    assert "r42 is not offered" in shown


def test_after_a_rollback_the_numbers_before_and_after_stand_side_by_side() -> None:
    done = replace(
        FAILED_DEPLOY,
        key=CHECKOUT,
        id=20,
        kind=OperationKind.ROLLBACK,
        state=OperationState.SUCCEEDED,
        failure=None,
        from_release=42,
        to_release=41,
        switched_at=NOW - 40,
        actor=WELCOME.actor,
    )
    errors = (0.0, 61.0, 20.0)
    hot = replace(failing_checkout().replicas[0], release=42)
    well = replace(
        placement(CHECKOUT, 41, "77d01be", 40),
        traffic=Traffic(5.0, 0.0, 9.0, 210),
        trend=Trend(60, errors_percent=errors),
        replicas=(replica(41, 1), replica(41, 2), hot),
    )
    waiting = replace(pending_of(CHECKOUT), commits=(replace(PENDING_COMMITS[0], sha=CHECKOUT_RELEASES[0].commit),))
    state = fold(fold(STATE, Event(operation=done), NOW), Event(placement=well, pending=waiting), NOW)
    state = replace(choose(state, CHECKOUT), releases={CHECKOUT: CHECKOUT_RELEASES})
    shown = text(steps.lines(state, NOW, 78))
    assert "61 % → 0 %   for 40s, 210 requests" in shown
    assert "both replicas answer 200" in shown
    assert "· you" in shown
    assert "next: git revert 9f3c1ab  (y copies it)" in shown
    assert ("undo in git", "git revert 9f3c1ab") in offered(state, None)


def test_what_a_failure_means_stands_above_the_steps() -> None:
    shown = text(steps.lines(choose(STATE, WEB), NOW, 78))
    assert shown.index("Next     add it") < shown.index("✔ start")


def test_a_hot_release_beside_the_live_one_is_as_it_should_be() -> None:
    both = replace(failing_checkout(), replicas=(replica(42, 1), replica(41, 1)))
    state = replace(fold(STATE, Event(placement=both), NOW), releases={CHECKOUT: CHECKOUT_RELEASES})
    assert "record, pointer and containers agree" in text(truth.lines(state, NOW, 78))
    assert "answers, kept hot" in text(health.lines(state, NOW, 78))


def test_an_empty_log_says_in_words_why() -> None:
    web = placement(WEB, 88, "1c9d022", 60)
    assert "r88 runs and has written nothing yet" in absent.service(web)
    gone = replace(web, health=Health.STOPPED, replicas=(), why="no container of r88 runs")
    assert "r88 does not run (no container of r88 runs)" in absent.service(gone)
    assert "Nothing was deployed to production yet" in absent.operation(web, None)


def test_what_cannot_be_done_now_has_a_reason() -> None:
    held = fold(STATE, Event(placement=replace(failing_checkout(), hold=Hold("ana", NOW, ""))), NOW)
    assert reason("deploy", held) == "held by ana: x releases the hold"
    assert reason("cancel", STATE) == "nothing runs here"
    assert reason("cancel", choose(STATE, LEDGER)) == ""
    assert "comes later" in reason("promote", STATE)
    assert "the engine does not answer" in reason("rollback", fold(STATE, Lost("gone"), NOW))
    assert reason("rollback", STATE) == ""


def seen_by(role: Role, only: tuple[PlacementKey, ...] | None = None) -> State:
    welcome = replace(WELCOME, role=role, only=only)
    return fold(choose(STATE, LEDGER), Connected(welcome, world()), NOW)


def test_who_may_only_look_is_told_so_on_every_key_that_changes_something() -> None:
    for action in ("deploy", "rollback", "cancel"):
        assert reason(action, seen_by(Role.VIEWER)) == "you may only look here"
    assert reason("refresh", seen_by(Role.VIEWER)) == ""


def test_a_deployer_of_some_services_is_told_so_on_the_others() -> None:
    theirs = seen_by(Role.DEPLOYER, (LEDGER,))
    assert reason("cancel", theirs) == ""
    assert reason("rollback", choose(theirs, CHECKOUT)) == "you may only look at this service"
    assert reason("rollback", choose(seen_by(Role.DEPLOYER), CHECKOUT)) == ""


def test_the_menu_offers_a_viewer_only_what_looks() -> None:
    placement = failing_checkout()
    usable = {each.id for each in menu.actions(placement, seen_by(Role.VIEWER), docker_here=True) if not each.why}
    assert usable.isdisjoint({"exec", "restart", "unhold", "lock", "freeze"})
    assert {"refresh", "others"} <= usable


def test_truth_says_when_what_runs_is_not_what_is_recorded() -> None:
    assert "record, pointer and containers agree" in text(truth.lines(STATE, NOW, 78))
    other = replace(failing_checkout(), live=replace(CHECKOUT_RELEASES[1], tier=Tier.LIVE))
    assert "what runs is not what is recorded" in text(truth.lines(fold(STATE, Event(placement=other), NOW), NOW, 78))


def test_the_deploy_sheet_lists_checks_and_explains_what_is_not_green() -> None:
    shown = text(sheets.deploy(deploy_sheet(CHECKOUT), 78))
    assert "r42 9f3c1ab  →  r43 9e01c2d" in shown
    assert "3 commits by mia, ola, bot · +61 −12" in shown
    assert "▲ migration: 41bb7e0 adds an index" in shown
    assert "After y you type the service's name: production is protected." in shown


def test_the_plan_names_seconds_only_where_they_are_felt_and_says_the_sum() -> None:
    plan = (PlannedStep("preflight", 0.02), PlannedStep("build", 2.2), PlannedStep("verify", 3.1))
    shown = text(sheets.deploy(deploy_sheet(CHECKOUT, steps=plan), 78))
    assert "preflight · build ~2 s · verify ~3 s (about 5 s in all)" in shown


def test_an_unknown_check_is_never_green() -> None:
    assert sheets.CHECK[CheckState.UNKNOWN][1] != "good"


def test_the_rollback_sheet_says_what_it_undoes_and_what_it_does_not_restore() -> None:
    shown = text(sheets.rollback(rollback_sheet(CHECKOUT), 0, 78))
    assert "▸ r41" in shown
    assert "Undoes 2 commits: fix: VAT for gifts · add index on orders" in shown
    assert "Not restored: data written since 13:51" in shown


def test_what_a_release_to_go_back_to_does_is_said_once_and_fits_80_columns() -> None:
    shown = text(sheets.rollback(rollback_sheet(CHECKOUT), 0, 72))
    assert shown.count("answers") == 1
    assert "● answers served 2 d\n" in shown


def test_a_step_that_takes_no_time_has_no_usual_time() -> None:
    quick, slow = (
        replace(each, usual_seconds=usual) for each, usual in zip(LEDGER_DEPLOY.steps, (0.04, 3.0), strict=False)
    )
    operation = replace(LEDGER_DEPLOY, steps=(quick, slow))
    shown = text(steps.lines(choose(fold(STATE, Event(operation=operation), NOW), LEDGER), NOW, 78))
    assert "usually 3.0 s" in shown
    assert "usually 0.0 s" not in shown


def test_an_unarmed_rollback_sheet_says_why() -> None:
    sheet = rollback_sheet(CHECKOUT, armed=False, unarmed_because="web is healthy. checkout fails: ! goes there")
    assert "web is healthy. checkout fails: ! goes there" in text(sheets.rollback(sheet, None, 78))


def test_a_sparkline_rises_with_its_values_and_leaves_gaps() -> None:
    assert sparkline((0.0, None, 10.0), 3) == "▁ █"
    assert sparkline((), 4) == "    "
    assert sparkline((0.0, 0.0), 2) == "▁▁"


def test_numbers_stay_short() -> None:
    assert [milliseconds(each) for each in (None, 0.4, 48.2, 12_000.0)] == ["–", "0ms", "48ms", "12s"]
    assert [percent(each) for each in (0.0, 0.25, 61.0)] == ["0 %", "0.2 %", "61 %"]


def test_cutting_a_line_never_splits_a_wide_character() -> None:
    assert cells(fit((("日本語テキスト", "bad"),), 6)) <= 6
    assert [plain(each) for each in paragraph("aa bb cc", 5)] == ["aa bb", "cc"]


def test_nothing_known_at_all_is_a_screen_too() -> None:
    empty = State()
    for lines in (health.lines(empty, NOW, 40), steps.lines(empty, NOW, 40), truth.lines(empty, NOW, 40)):
        assert lines
    assert "connecting" in plain(status.header(empty, NOW, 80))


NEVER = replace(
    placement(key("checkout", "staging"), 1, "abc", 60, health=Health.STOPPED),
    live=None,
    last_good=None,
    replicas=(),
    protected=False,
)


def _staging(*changed: Placement) -> State:
    state = STATE
    for each in changed:
        state = fold(state, Event(placement=each), NOW)
    return state


def _in(each: Health) -> Placement:
    return placement(key("solo"), 3, "abc", 60, health=each)


def _with(each: Placement) -> State:
    return fold(State(), Event(placement=each), NOW)


def _named(service: str) -> Placement:
    found = STATE.find(key(service))
    assert found is not None
    return found
