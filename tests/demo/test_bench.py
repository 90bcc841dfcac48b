"""The benches' own judgement: what is held against what, and what is written down."""

from __future__ import annotations

import importlib
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import adopt, daemon, long, loss, overhead, rollback, startup, world
from bench import all as every
from bench.report import Limit, median, p95
from bench.screen import first_seen
from cockpit.config.load import load
from cockpit.errors import CockpitError, UsageError
from cockpit.model import Actor, Operation, OperationKind, OperationState, Step, StepState


@pytest.mark.parametrize(
    ("limit", "figure", "holds"),
    [
        (Limit("a", "<=", 5), 5, True),
        (Limit("a", "<=", 5), 5.1, False),
        (Limit("a", ">=", 25), 25, True),
        (Limit("a", ">=", 25), 24.9, False),
        (Limit("a", "<=", 5), None, False),
        (Limit("b", "<=", 5), 1, False),
    ],
)
def test_a_limit_holds_only_for_a_figure_that_was_measured(limit: Limit, figure: float | None, holds: bool) -> None:
    assert limit.holds({"a": figure}) is holds


def test_medians_and_percentiles_of_nothing_are_nothing() -> None:
    assert median([]) is None
    assert p95([]) is None
    assert median([3.0, 1.0, 2.0]) == 2.0
    assert p95([float(n) for n in range(1, 101)]) == 95.0


def test_the_page_names_machine_and_date_and_says_what_does_not_hold() -> None:
    outcomes = [
        every.Outcome("one", "About one.", (Limit("lost", "<=", 0),), {"lost": 3, "requests": 10}),
        every.Outcome("two", "About two.", (), None, "ended with status 2"),
    ]
    page = every.page(outcomes, "2 cores", datetime(2026, 11, 23, tzinfo=UTC))
    assert "Measured 2026-11-23 on 2 cores" in page
    assert "| lost | 3 | ≤ 0 ✖ |" in page
    assert "| requests | 10 |  |" in page
    assert "Not measured: ended with status 2." in page
    assert not any(every.holds(each) for each in outcomes)


def test_the_limits_are_those_of_the_design() -> None:
    held = {str(limit) for bench in (loss, long, adopt, rollback, startup, overhead) for limit in bench.LIMITS}
    for line in (
        "lost ≤ 0",
        "cut ≤ 0",
        "hot_ms_p95 ≤ 250",
        "ratio ≥ 25",
        "ratio ≤ 1.5",
        "status_s ≤ 0.25",
        "own_s ≤ 1.5",
    ):
        assert line in held


def test_every_bench_of_the_page_is_there_and_has_the_short_form_that_is_asked_of_it() -> None:
    modules = {name: importlib.import_module(f"bench.{name}") for name in every.NAMES}
    assert {"scale", "race", "chaos", "soak"} <= modules.keys()
    assert all(module.LIMITS for module in modules.values())
    assert all(callable(modules[name].quick) for name in every.QUICK)


def test_a_bench_that_does_not_hold_ends_with_status_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = every.Outcome("one", "", (Limit("lost", "<=", 0),), {"lost": 1})
    monkeypatch.setattr(every, "run", lambda name: broken)
    monkeypatch.setattr(every, "ROOT", tmp_path)
    monkeypatch.setattr(every, "PAGE", tmp_path / "docs" / "benchmarks.md")
    assert every.main(("one",)) == 1
    assert "✖" in (tmp_path / "docs" / "benchmarks.md").read_text()


@pytest.mark.parametrize("module", [loss, long, rollback, startup, overhead])
def test_each_benchs_world_is_configured_validly(module: object, tmp_path: Path) -> None:
    services = [each for name in dir(module) for each in _services(getattr(module, name))]
    file = tmp_path / "cockpit.yaml"
    file.write_text(world.configuration(services, tmp_path / "shop", "runtime:1", 8123))
    file.chmod(0o600)
    assert {each.key for each in load(file).placements} == {service.key for service in services}


def _services(value: object) -> list[world.Service]:
    if isinstance(value, world.Service):
        return [value]
    return list(value) if isinstance(value, tuple) and value and isinstance(value[0], world.Service) else []


def test_the_engines_own_time_leaves_out_build_boot_and_the_probes_waits() -> None:
    steps = (
        Step("build", StepState.DONE, 100.0, 104.0),
        Step("verify", StepState.DONE, 105.0, 108.0),
        Step("settle", StepState.RUNNING, 109.0),
    )
    key, actor = world.Service("web").key, Actor("root")
    operation = Operation(
        1, OperationKind.DEPLOY, key, actor, OperationState.SUCCEEDED, 100.0, ended_at=109.0, steps=steps
    )
    assert overhead.own_seconds(operation, boot=1.0) == pytest.approx(9.0 - 4.0 - 1.0 - 2.0)


def test_a_rollback_is_seen_by_its_first_and_last_answers() -> None:
    from tests.demo.test_script import answer

    watch = rollback.Watch([answer("r2", 1.0), answer("r1", 2.0), answer("r2", 2.5), answer("r1", 3.0)])
    assert watch.first("r1", since=1.5) == pytest.approx(2.01)
    assert watch.last("r2", since=1.5) == pytest.approx(2.51)
    assert watch.first("r3", since=0.0) is None


def test_a_word_on_the_screen_is_seen_through_escape_sequences() -> None:
    program = "import sys; sys.stdout.write('\\x1b[1;31mre\\x1b[0mady'); sys.stdout.flush(); sys.stdin.read()"
    assert first_seen([sys.executable, "-c", program], "ready", os.environ) < 20


def test_a_program_that_ends_without_the_word_is_said() -> None:
    with pytest.raises(CockpitError, match="oops"):
        first_seen([sys.executable, "-c", "print('oops')"], "ready", os.environ)


def test_without_its_programs_no_private_engine_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "missing", lambda: ["unshare"])
    with pytest.raises(UsageError, match="root, unshare"), daemon.swarm():
        pass
