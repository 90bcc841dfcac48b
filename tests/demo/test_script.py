"""The whole story on a real host, and that the script notices when it goes otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.demo import main, script
from cockpit.demo.script import Witness
from cockpit.demo.tally import Answer, Outcome


def answer(release: str, at: float, status: int = 200, outcome: Outcome = Outcome.ANSWERED) -> Answer:
    return Answer("1", "http://checkout.localhost:1/echo", at, at, at + 0.01, outcome, status, "checkout", release)


def test_a_witness_counts_only_what_was_asked_after_the_moment() -> None:
    witness = Witness()
    for each in (answer("r1", 1), answer("r2", 2), answer("r2", 3, 500), answer("r1", 4), answer("r1", 5)):
        witness.see(each)
    assert len(witness.of("r1", since=4)) == 2
    assert len(witness.errors(since=2)) == 1
    assert witness.errors(since=3.5) == []
    assert witness.share_of_errors(since=2) == 1 / 4


def test_a_witness_does_not_take_the_edges_502_for_the_applications_own_error() -> None:
    witness = Witness()
    witness.see(answer("", 1, 502, Outcome.LOST))
    assert witness.errors(since=0) == []


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.blocking("the process's own edge: it prints, and starts the engine")
def test_the_story_goes_as_told(capsys: pytest.CaptureFixture[str], own_home: Path) -> None:
    status = main.run(script=True)
    said = capsys.readouterr().out
    assert status == 0, said
    assert said.count("✔") == 5
    assert "STRIPE_KEY" in said
    assert "0 lost" in said


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.blocking("the process's own edge: it prints, and starts the engine")
def test_a_story_that_goes_otherwise_ends_with_status_1(
    capsys: pytest.CaptureFixture[str], own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits until the release turns bad, so it is not seen to."""
    monkeypatch.setattr(script, "TURNS_BAD", 5.0)
    assert main.run(script=True) == 1
    assert "✖ turns bad" in capsys.readouterr().out


def test_without_a_terminal_the_demo_says_how_to_play_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run() == 2
    assert "--script" in capsys.readouterr().err
