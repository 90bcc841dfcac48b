from __future__ import annotations

from dataclasses import replace

from cockpit.model import Actor, Health, OperationState, Traffic
from cockpit.protocol import Connected, Event, LogChunk, Lost, Snapshot, Welcome
from cockpit.tui.state import State, choose, choose_environment, fold, is_routine, next_failing
from tests.fakes.link import CHECKOUT, LEDGER, LEDGER_DEPLOY, NOW, WEB, key, placement, world

WELCOME = Welcome("0.1.0", 1, 4711, Actor("you"), True)


def connected(snapshot: Snapshot | None = None, *, restarted: bool = False, state: State | None = None) -> State:
    return fold(state or State(), Connected(WELCOME, snapshot or world(), restarted), NOW)


def test_at_start_the_failing_placement_is_selected_wherever_it_stands() -> None:
    assert connected().selected == CHECKOUT


def test_a_failing_protected_placement_comes_before_a_failing_unprotected_one() -> None:
    staging = replace(placement(key("a", "staging"), 1, "abc", 60, health=Health.FAILING), protected=False)
    shot = replace(world(), placements=(staging, *world().placements))
    assert connected(shot).selected == CHECKOUT


def test_with_nothing_failing_the_first_placement_is_selected() -> None:
    shot = replace(world(), placements=(placement(WEB, 1, "abc", 60), placement(LEDGER, 1, "abc", 60)))
    assert connected(shot).selected == WEB


def test_the_selection_stays_when_something_else_starts_to_fail() -> None:
    state = choose(connected(), WEB)
    state = fold(state, Event(placement=placement(LEDGER, 30, "abc", 60, health=Health.FAILING)), NOW)
    assert state.selected == WEB


def test_rows_keep_their_order_when_an_engine_comes_back_with_another() -> None:
    before = connected()
    shot = replace(world(), placements=tuple(reversed(world().placements)))
    after = connected(shot, restarted=True, state=before)
    assert [each.key for each in after.placements] == [each.key for each in before.placements]
    assert after.restarted_at == NOW


def test_an_event_replaces_what_was_known_and_twice_does_no_harm() -> None:
    event = Event(placement=placement(CHECKOUT, 41, "77d01be", 60))
    once = fold(connected(), event, NOW)
    assert once.find(CHECKOUT) == event.placement
    assert fold(once, event, NOW) == once


def test_a_lost_engine_keeps_every_value_and_the_moment_it_went() -> None:
    state = fold(connected(), Lost("connection refused"), NOW)
    again = fold(state, Lost("still"), NOW + 5)
    assert (again.lost, again.lost_at) == ("still", NOW)
    assert again.placements == connected().placements
    assert connected(state=again, restarted=True).lost is None


def test_a_removed_placement_gives_its_selection_to_the_first() -> None:
    state = fold(connected(), Event(removed=CHECKOUT), NOW)
    assert state.find(CHECKOUT) is None
    assert state.selected == WEB


def test_next_failing_goes_round_all_environments() -> None:
    shot = replace(
        world(), placements=(*world().placements, placement(key("x", "staging"), 1, "abc", 60, health=Health.FAILING))
    )
    state = connected(shot)
    there = next_failing(state)
    assert there.selected == key("x", "staging")
    assert next_failing(there).selected == CHECKOUT


def test_next_failing_says_there_is_none_by_changing_nothing() -> None:
    state = connected(replace(world(), placements=(placement(WEB, 1, "abc", 60),)))
    assert next_failing(state) is state


def test_choosing_an_environment_keeps_the_service() -> None:
    assert choose_environment(connected(), "staging").selected == key("checkout", "staging")
    assert choose_environment(connected(), "nowhere").selected == CHECKOUT


def test_only_running_operations_and_the_newest_of_each_placement_are_kept() -> None:
    state = connected()
    for number in range(100, 400):
        ended = replace(LEDGER_DEPLOY, id=number, state=OperationState.SUCCEEDED)
        state = fold(state, Event(operation=ended), NOW)
    assert [each for each in state.operations if each >= 100] == [399]
    assert state.running_of(LEDGER) is not None


def test_an_operation_that_ends_is_no_longer_running() -> None:
    state = fold(connected(), Event(operation=replace(LEDGER_DEPLOY, state=OperationState.FAILED)), NOW)
    assert state.running_of(LEDGER) is None
    assert state.operation_of(LEDGER) is not None


def test_an_old_event_of_an_older_operation_does_not_hide_the_newest() -> None:
    newest = replace(LEDGER_DEPLOY, id=50, state=OperationState.SUCCEEDED)
    state = fold(connected(), Event(operation=newest), NOW)
    state = fold(state, Event(operation=replace(LEDGER_DEPLOY, id=3, state=OperationState.FAILED)), NOW)
    assert 3 not in state.operations
    assert 50 in state.operations


def test_log_lines_change_nothing_in_the_state() -> None:
    state = connected()
    assert fold(state, LogChunk(1, ()), NOW) is state


def test_when_nothing_fails_the_first_protected_placement_is_selected() -> None:
    shot = world()
    well = tuple(replace(each, health=Health.HEALTHY) for each in shot.placements)
    staging_first = tuple(sorted(well, key=lambda each: each.protected))
    state = fold(State(), Connected(WELCOME, replace(shot, placements=staging_first)), NOW)
    assert state.environment == "production"
    open_to_all = tuple(replace(each, protected=False) for each in staging_first)
    state = fold(State(), Connected(WELCOME, replace(shot, placements=open_to_all)), NOW)
    assert state.selected == open_to_all[0].key


def test_numbers_that_change_all_the_time_are_routine_and_a_judgement_is_not() -> None:
    state = connected()
    web = state.find(WEB)
    assert web is not None
    assert is_routine(state, Event(placement=replace(web, seen_at=NOW + 5, traffic=Traffic(99.0, 0.0, 7.0, 10))))
    assert not is_routine(state, Event(placement=replace(web, health=Health.FAILING)))
    assert not is_routine(state, Event(placement=placement(key("new"), 1, "abc", 60)))
    assert not is_routine(state, Event(placement=web, operation=LEDGER_DEPLOY))
