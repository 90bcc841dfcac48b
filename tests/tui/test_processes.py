"""Services of several processes, on several hosts, in and out of the configuration: what is said of them where."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cockpit.model import (
    EngineStatus,
    Health,
    HostStatus,
    OperationKind,
    OperationState,
    PlacementKey,
    ProcessState,
    Replica,
)
from cockpit.protocol import Event, Lost
from cockpit.tui.line import Line, cells, plain
from cockpit.tui.panes.bars import NoteBar
from cockpit.tui.present import health, notes, pending, running, services, status, steps, truth
from cockpit.tui.present.listing import Shown
from cockpit.tui.present.reasons import reason
from cockpit.tui.state import State, choose, fold, is_routine
from tests.fakes.link import (
    CHECKOUT,
    CHECKOUT_RELEASES,
    FAILED_DEPLOY,
    LEDGER_DEPLOY,
    NOW,
    OLD,
    PROCESSES,
    SHOP,
    SHOP_1,
    SHOP_2,
    WEB,
    FakeLink,
    address,
    adopted,
    pending_of,
    placement,
    shop,
    world,
)
from tests.tui.harness import cockpit
from tests.tui.test_state import connected

ROOMS = (36, 44, 50, 52, 58, 60, 74, 80, 120)
RUNNING = tuple(replace(each, running=each.wanted, why="") for each in PROCESSES)


def text(lines: list[Line]) -> str:
    return "\n".join(plain(each) for each in lines)


def row(of: State, room: int) -> str:
    assert of.placement is not None
    return plain(services.row(of.placement, of, NOW, room, selected=True))


def at(key: PlacementKey, **changed: Any) -> State:
    state = choose(connected(adopted()), key)
    assert state.placement is not None
    return fold(state, Event(placement=replace(state.placement, **changed)), NOW)


@pytest.mark.parametrize("room", [52, 80])
def test_a_service_of_several_processes_is_one_row_that_says_how_many(room: int) -> None:
    assert "▸ shop +2" in row(at(SHOP), room)
    assert "+" not in row(choose(connected(), WEB), room)


@pytest.mark.parametrize("room", [52, 80])
def test_a_worker_that_does_not_run_is_seen_in_the_row_though_web_is_well(room: int) -> None:
    assert "worker 0/1" in row(at(SHOP), room)
    assert "▲" in row(at(SHOP), room)
    assert "worker" not in row(at(SHOP, processes=RUNNING), room)


def test_what_is_worse_than_a_missing_worker_is_said_in_its_place() -> None:
    assert "✖ failing 1h" in row(at(SHOP, health=Health.FAILING), 80)


def test_a_missing_worker_counts_in_the_first_line_and_on_the_smallest_screen() -> None:
    assert "1 degraded" in plain(status.header(at(SHOP), NOW, 120))
    (shop,) = (each for each in services.tiny(at(WEB)) if each.key == SHOP)
    (shown,), _ = services.tiny_listing(at(WEB), NOW, Shown((shop,), cursor=None, room=40, focused=False))
    assert plain(shown) == " ▲ shop          prod r12  worker 0/1  "


def test_the_process_without_any_container_is_named_first() -> None:
    half = ProcessState("api", 3, 2, True)
    assert "worker 0/1" in row(at(SHOP, processes=(half, *PROCESSES)), 80)


def test_health_groups_the_replicas_by_process_and_says_why_one_does_not_run() -> None:
    shown = text(health.lines(at(SHOP), NOW, 78)).splitlines()
    web, worker, clock = (next(n for n, each in enumerate(shown) if each.startswith(f"  {name} ")) for name in NAMES)
    assert shown[web + 1].startswith("  r12·1  10.231.0.17:8000")
    assert "answers, kept hot" in shown[web + 3]
    assert "▲ 0 of 1   exited 1 three times" in shown[worker]
    assert "exited 1" in shown[worker + 1]
    assert "not running" in shown[worker + 1]
    assert "● 1 of 1 runs   up 1h" in shown[clock]
    assert "r12·1" not in "".join(shown[clock + 1 :])


def test_a_workers_age_is_that_of_the_live_releases_running_one() -> None:
    _, _, _, clock, _ = shop().replicas
    young = replace(clock, started_at=NOW - 40)
    old = replace(clock, release=11, started_at=NOW - 240, running=False)
    stopped = replace(clock, started_at=NOW - 900, running=False)
    shown = text(health.lines(at(SHOP, processes=RUNNING, replicas=(young, old, stopped)), NOW, 78)).splitlines()
    (said,) = [each for each in shown if each.startswith("  clock ")]
    assert said.endswith("up 40s")


WELL = tuple(replace(each, running=True, error="") for each in shop().replicas[:4])
WORKER_11 = replace(WELL[2], release=11, running=False, error="exited 0")


def verdict(*others: Replica, own: tuple[Replica, ...] = WELL, processes: tuple[ProcessState, ...] = RUNNING) -> str:
    state = at(SHOP, processes=processes, replicas=(*own, *others))
    hot = replace(CHECKOUT_RELEASES[1], key=SHOP, number=11)
    return text(truth.lines(replace(state, releases={SHOP: (hot,)}), NOW, 78))


@pytest.mark.parametrize(
    "others",
    [
        (shop().replicas[4], WORKER_11),
        (replace(WORKER_11, release=10),),
        (replace(WELL[2], running=False),),
    ],
    ids=["the worker of a hot release", "an older release", "the live one's before its restart"],
)
def test_containers_that_are_kept_stopped_are_as_they_should_be(others: tuple[Replica, ...]) -> None:
    shown = verdict(*others)
    assert "record, pointer and containers agree" in shown
    assert "▲" not in shown


@pytest.mark.parametrize(
    ("others", "own", "processes"),
    [
        ((replace(WORKER_11, running=True),), WELL, RUNNING),
        ((replace(shop().replicas[4], release=10),), WELL, RUNNING),
        ((), WELL[:2], PROCESSES),
        ((), (), ()),
        ((), (replace(WELL[0], running=False),), ()),
    ],
    ids=["a hot release's worker", "an old release", "a missing worker", "nothing at all", "stopped"],
)
def test_what_runs_and_should_not_or_is_missing_disagrees(
    others: tuple[Replica, ...], own: tuple[Replica, ...], processes: tuple[ProcessState, ...]
) -> None:
    assert "▲ what runs is not what is recorded" in verdict(*others, own=own, processes=processes)


def test_after_a_rollback_only_what_has_a_port_answers() -> None:
    done = replace(FAILED_DEPLOY, key=SHOP, kind=OperationKind.ROLLBACK, state=OperationState.SUCCEEDED, failure=None)
    done = replace(done, id=20, from_release=13, to_release=12, switched_at=NOW - 5, steps=())
    state = fold(at(SHOP, processes=RUNNING, replicas=WELL), Event(operation=done), NOW)
    assert "both replicas answer 200" in text(steps.lines(choose(state, SHOP), NOW, 78))


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (OperationKind.DEPLOY, "1 deploying"),
        (OperationKind.ROLLBACK, "1 rolling back"),
        (OperationKind.RESTART, "1 restarting"),
    ],
)
def test_what_is_under_way_is_called_by_its_name_in_the_first_line(kind: OperationKind, word: str) -> None:
    state = fold(connected(), Event(operation=replace(LEDGER_DEPLOY, kind=kind)), NOW)
    assert word in plain(status.header(state, NOW, 120))


def test_the_address_of_customers_on_another_host_names_the_host() -> None:
    found = address(CHECKOUT, None)
    assert "http://127.0.0.1:8100 on shop-2" in text(running.address(found, 0, 78, SHOP_2))
    assert " on shop" not in text(running.address(found, 0, 78, "local"))


def test_a_replica_without_a_port_runs_or_does_not_and_has_no_failed_probes() -> None:
    alone = replace(shop().replicas[3], process="web")
    shown = text(health.lines(at(SHOP, processes=(), replicas=(alone,)), NOW, 78))
    assert "no port" in shown
    assert "runs" in shown
    assert "probes" not in shown


def test_a_replica_that_only_starts_has_not_answered_yet_and_has_failed_nothing() -> None:
    fresh = replace(shop().replicas[0], status=0, latency_ms=None, failed_in_row=0, error="")
    lines = health.lines(at(SHOP, replicas=(fresh,)), NOW, 78)
    (said,) = [each for each in lines if "no answer yet" in plain(each)]
    assert "bad" not in {tone for _, tone in said}


@pytest.mark.parametrize("room", ROOMS)
def test_rows_of_every_kind_are_as_wide_as_each_other(room: int) -> None:
    state = fold(connected(adopted()), Event(placement=replace(shop(), key=replace(SHOP, service="s" * 60))), NOW)
    state = fold(state, Event(placement=placement(OLD, 3, "aa1", 60, health=Health.FAILING, configured=False)), NOW)
    widths = {cells(services.row(each, state, NOW, room, selected=False)) for each in state.rows}
    assert len(widths) == 1
    assert widths.pop() <= room


@pytest.mark.parametrize("room", [52, 60, 80])
def test_what_left_the_configuration_says_so_in_words(room: int) -> None:
    gone = at(OLD).placement
    assert gone is not None
    line = services.row(gone, at(OLD), NOW, room, selected=False)
    assert any("not in config" in part and tone == "muted" for part, tone in line)


def test_what_left_the_configuration_is_still_called_failing() -> None:
    assert "✖ failing 9d" in row(at(OLD, health=Health.FAILING, since=NOW - 9 * 86400), 80)


def test_what_left_the_configuration_cannot_be_deployed_and_can_go_back() -> None:
    assert "not in the configuration" in reason("deploy", at(OLD))
    assert reason("rollback", at(OLD)) == ""
    assert "it goes on running as it is. B works" in text(health.lines(at(OLD), NOW, 200))


async def test_d_on_what_left_the_configuration_says_why_not_and_b_opens() -> None:
    async with cockpit(FakeLink(adopted())) as it:
        it.app.choose(OLD)
        await it.press("D")
        assert it.on_top == "MainScreen"
        assert "D: not in the configuration any more" in it.notices
        assert it.link.requests("deploy.sheet") == []
        await it.press("B")
        assert it.on_top == "RollbackScreen"


def test_a_placement_whose_commits_are_deployed_by_themselves_says_so() -> None:
    assert "auto      each new commit is deployed by itself" in text(health.lines(at(WEB), NOW, 78))
    assert pending.title(at(WEB).placement) == "Pending · web · auto"
    assert pending.fold(pending_of(WEB), at(WEB).placement) == "Pending 0 · auto"


def test_why_nothing_is_deployed_by_itself_any_more_is_said() -> None:
    off = at(WEB, auto="r88 was rolled back: deploy by hand starts it again")
    assert "auto off  r88 was rolled back: deploy by hand starts it again" in text(health.lines(off, NOW, 78))
    assert pending.title(off.placement) == "Pending · web · auto off"


def test_no_word_of_automatic_deploys_where_a_person_deploys() -> None:
    assert "auto" not in text(health.lines(connected(), NOW, 78))
    assert pending.title(connected().placement) == "Pending · checkout"


def test_with_several_hosts_the_worst_is_named_in_the_first_line_and_explained_below() -> None:
    state = connected(adopted())
    assert "engine ok · local: no docker · 2 ok" in plain(status.header(state, NOW, 120))
    down, old, _ = (plain(each) for each in notes.lines(state, NOW, 120, most=3))
    assert down == " ✖ local: connection refused · Docker seen 12s ago"
    assert old == " ▲ shop-1: the edge is older than this cockpit: cockpit edge upgrade"


def test_why_a_host_is_lost_is_read_at_80_columns() -> None:
    why = "the host key of shop-2 has changed: another machine may answer"
    lost = HostStatus(
        SHOP_2, f"the line to deploy@shop-2:22 is down for 40 s: {why}", False, NOW - 40, "unknown", False
    )
    well = HostStatus(SHOP_1, "ok", True, NOW, "ok", True)
    state = fold(connected(), Event(engine=replace(world().engine, hosts=(well, lost))), NOW)
    (said,) = [plain(each) for each in notes.lines(state, NOW, 80, most=3)]
    assert said.startswith(f" ✖ shop-2: {why}")


def test_one_host_of_several_that_is_down_does_not_hide_the_others() -> None:
    assert "1 degraded" in plain(status.header(connected(adopted()), NOW, 120))
    engine = replace(adopted().engine, hosts=tuple(replace(each, docker_ok=False) for each in adopted().engine.hosts))
    everything = fold(connected(adopted()), Event(engine=engine), NOW)
    assert "Docker does not answer (connection refused)" in plain(status.header(everything, NOW, 120))


def test_hosts_that_are_all_well_are_only_counted() -> None:
    well = tuple(HostStatus(name, "ok", True, NOW, "ok", True) for name in (SHOP_1, SHOP_2))
    state = fold(connected(), Event(engine=replace(world().engine, hosts=well)), NOW)
    assert "engine ok · 2 hosts ok" in plain(status.header(state, NOW, 120))
    assert notes.lines(state, NOW, 120, most=3) == []


def test_a_host_without_an_edge_is_named() -> None:
    well = HostStatus(SHOP_1, "ok", True, NOW, "ok", True)
    sick = HostStatus(SHOP_2, "ok", True, NOW, "no answer", False)
    state = fold(connected(), Event(engine=replace(world().engine, hosts=(well, sick))), NOW)
    assert "shop-2: no edge · 1 ok" in plain(status.header(state, NOW, 120))
    assert [plain(each) for each in notes.lines(state, NOW, 120, most=3)] == [" ✖ shop-2: edge: no answer"]


def test_the_only_host_has_its_note_shown_without_a_name() -> None:
    noted = HostStatus("local", "ok", True, NOW, "ok", True, "the edge is outdated")
    state = fold(connected(), Event(engine=replace(world().engine, hosts=(noted,))), NOW)
    assert [plain(each) for each in notes.lines(state, NOW, 120, most=3)] == [" ▲ the edge is outdated"]


def test_an_edge_that_is_gone_and_a_log_that_cannot_be_written_are_said_at_every_width() -> None:
    sick = replace(world().engine, edge="no answer", edge_ok=False, log_note="the disk is full")
    wanted = [" ✖ edge: no answer", " ▲ release log: the disk is full"]
    for hosts in ((), (HostStatus("local", "ok", True, NOW, "no answer", False),)):
        state = fold(connected(), Event(engine=replace(sick, hosts=hosts)), NOW)
        assert [plain(each) for each in notes.lines(state, NOW, 60, most=3)] == wanted


def test_docker_down_on_the_only_host_is_said_once() -> None:
    host = HostStatus("local", "refused", False, NOW - 12, "unknown", False)
    engine = replace(world().engine, docker="refused", docker_ok=False, docker_seen_at=NOW - 12, hosts=(host,))
    state = fold(connected(), Event(engine=engine), NOW)
    assert "Docker does not answer (refused)" in plain(status.header(state, NOW, 120))
    assert notes.lines(state, NOW, 120, most=3) == []


def test_an_engine_that_is_gone_has_no_notes_that_may_be_old() -> None:
    assert notes.lines(fold(connected(adopted()), Lost("gone"), NOW), NOW, 120, most=3) == []


@pytest.mark.parametrize("most", [2, 3])
def test_a_bad_edit_of_the_configuration_is_said_with_file_and_line_however_many_hosts_are_down(most: int) -> None:
    found = [plain(each) for each in notes.lines(connected(adopted()), NOW, 120, most=most)]
    assert len(found) == most
    assert found[-1].startswith(" ▲ config.yaml:12:5 unknown key 'servces'")
    assert found[-1].endswith("the last good one is used")


async def test_the_line_of_notes_is_there_only_while_there_is_something_to_say() -> None:
    async with cockpit() as it:
        bar = it.app.main_screen.query_one(NoteBar)
        assert bar.size.height == 0
        it.link.push(Event(engine=replace(world().engine, config_note="config.yaml:3:1 bad")))
        await it.settled()
        await it.sees("▲ config.yaml:3:1 bad")
        it.link.push(Event(engine=world().engine))
        await it.settled()
        await it.until(lambda: bar.size.height == 0, "the line to go")


async def test_an_environment_of_one_service_is_said_to_have_one() -> None:
    alone = replace(world(), placements=(placement(WEB, 88, "1c9d022", 60),), operations=())
    async with cockpit(FakeLink(alone)) as it:
        await it.press("E")
        await it.sees("1 service ")


async def test_at_80_by_24_trouble_of_hosts_leaves_the_services_on_the_screen() -> None:
    async with cockpit(FakeLink(adopted()), size=(80, 24)) as it:
        await it.sees("config.yaml:12:5")
        for service in ("web", "shop +2", "reports", "search", "emails", "ledger"):
            assert service in it.screen


def test_the_host_is_named_where_there_are_several() -> None:
    assert "· on shop-2" in text(health.lines(at(SHOP), NOW, 78))
    assert "shop-2" in text(truth.lines(at(SHOP), NOW, 78))
    assert "on local" not in text(health.lines(connected(), NOW, 78))


@pytest.mark.parametrize("changed", [{"processes": RUNNING}, {"configured": False}, {"auto": "on"}, {"host": SHOP_1}])
def test_a_change_of_what_runs_where_is_painted_at_once(changed: dict[str, Any]) -> None:
    state = at(SHOP)
    assert not is_routine(state, Event(placement=replace(shop(), **changed)))


def test_an_engine_that_says_nothing_of_hosts_looks_as_before() -> None:
    engine: EngineStatus = world().engine
    assert engine.hosts == ()
    assert "engine ok · docker ok" in plain(status.header(choose(connected(), CHECKOUT), NOW, 120))


NAMES = ("web", "worker", "clock")
