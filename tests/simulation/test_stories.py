"""No crash, no fault and no clock can break a deploy: Hypothesis tells stories, `witness.py` and `story.py` look on.

A story that breaks something prints the command that tells it again.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.simulation import schedule
from tests.simulation.story import LONG, Broken, Story

pytestmark = [
    pytest.mark.blocking("what would run in a thread runs on the loop here"),
    pytest.mark.timeout(900),
]

BASTION = st.sampled_from(schedule.BASTIONS)
MANY = 250  # stories of the long form


class Production(RuleBasedStateMachine):
    """Customers are served by r2, r1 is there to go back to, and two bastions see to them; then anything happens."""

    @initialize(seed=st.integers(0, 2**16))
    def customers_come(self, seed: int) -> None:
        self.story = Story(seed)
        for step in schedule.BEGINNING:
            self.story.take(step)

    @rule(bastion=BASTION, flavour=st.sampled_from(schedule.FLAVOURS))
    def deploy(self, bastion: str, flavour: str) -> None:
        self.story.take(f"{bastion}deploy:{flavour}")

    @rule(bastion=BASTION)
    def rollback(self, bastion: str) -> None:
        self.story.take(f"{bastion}rollback")

    @rule(bastion=BASTION, what=st.sampled_from(("restart", "cancel", "stop", "takeover")))
    def something_else_is_asked(self, bastion: str, what: str) -> None:
        self.story.take(f"{bastion}{what}")

    @rule(seconds=st.sampled_from(schedule.WAITS))
    def time_passes(self, seconds: str) -> None:
        self.story.take(f"wait:{seconds}")

    @rule(seconds=st.sampled_from(schedule.WAITS))
    def more_time_passes(self, seconds: str) -> None:
        self.story.take(f"wait:{seconds}")

    @rule(bastion=BASTION, steps=st.integers(1, 400))
    def an_engine_dies_after_some_steps(self, bastion: str, steps: int) -> None:
        self.story.take(f"{bastion}crash:{steps}")

    @rule(bastion=BASTION, effects=st.integers(1, 5))
    def an_engine_dies_at_an_effect(self, bastion: str, effects: int) -> None:
        self.story.take(f"{bastion}crash:e{effects}")

    @rule(bastion=BASTION, how=st.sampled_from(schedule.PAUSES))
    def an_engine_gets_no_time(self, bastion: str, how: str) -> None:
        self.story.take(f"{bastion}pause:{how}")

    @rule(bastion=BASTION, how=st.sampled_from(schedule.POWER))
    def a_bastion_is_switched(self, bastion: str, how: str) -> None:
        self.story.take(f"{bastion}power:{how}")

    @rule(how=st.sampled_from(schedule.DOCKER))
    def docker(self, how: str) -> None:
        self.story.take(f"docker:{how}")

    @rule(how=st.sampled_from(schedule.EDGE))
    def edge(self, how: str) -> None:
        self.story.take(f"edge:{how}")

    @rule(bastion=BASTION, how=st.sampled_from(schedule.DISK))
    def a_disk(self, bastion: str, how: str) -> None:
        self.story.take(f"{bastion}disk:{how}")

    @rule(bastion=BASTION, ahead=st.sampled_from(schedule.CLOCK))
    def a_clock_is_set(self, bastion: str, ahead: str) -> None:
        self.story.take(f"{bastion}clock:{ahead}")

    @rule(probability=st.sampled_from(schedule.LOSSY))
    def replies_are_lost(self, probability: str) -> None:
        self.story.take(f"lossy:{probability}")

    def teardown(self) -> None:
        if not hasattr(self, "story"):
            return
        with self.story:
            if not self.story.failed:
                self.story.settle()


TestProduction = Production.TestCase
TestProduction.settings = settings(
    max_examples=50,
    stateful_step_count=20,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),  # an example is a whole story
    phases=(Phase.generate, Phase.shrink),
)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_a_thousand_things_happen_and_every_story_ends_well(part: int) -> None:
    for seed in range(part, MANY, 4):
        with Story(seed) as story:
            for step in schedule.stories(seed, 30):
                story.take(step)
            story.settle(LONG if seed % 10 == 0 else 45.0)


def test_a_story_that_breaks_something_says_how_to_tell_it_again() -> None:
    with Story(5) as story:
        for step in ("start", "wait:5", "deploy:good", "wait:15"):
            story.take(step)
        (web, *_) = story.scene.running()
        story.witness.ended(web)
        with pytest.raises(Broken, match=r"python -m tests.simulation 5 start wait:5 deploy:good wait:15 wait:1"):
            story.take("wait:1")
