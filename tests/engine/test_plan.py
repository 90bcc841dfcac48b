"""Where a rollback goes, decided from the releases alone."""

from __future__ import annotations

from typing import Any

import pytest

from cockpit.engine import plan
from cockpit.errors import Refused
from cockpit.model import PlacementKey
from cockpit.store.base import ReleaseRecord

SHOP = PlacementKey("shop", "production")


def record(number: int, **changes: Any) -> ReleaseRecord:
    return ReleaseRecord(
        SHOP, number, number, f"c{number}", "t", "subject", "author", "ana", 1.0, took_traffic_at=1.0, **changes
    )


def test_without_a_wish_a_rollback_goes_to_the_newest_good_release_before_the_live_one() -> None:
    records = [record(5, good_at=2.0), record(4), record(3), record(2, good_at=2.0), record(1, good_at=2.0)]
    assert plan.rollback_target(records, 4, None).number == 2


def test_a_rollback_may_be_asked_to_go_forward_again_and_to_what_was_rolled_back_from() -> None:
    records = [record(3, rolled_back_at=2.0), record(2), record(1)]
    assert plan.rollback_target(records, 2, 3).number == 3


@pytest.mark.parametrize(
    ("live", "wanted", "message", "hint"),
    [
        (None, None, "nothing is live here: there is nothing to roll back", ""),
        (2, 2, "r2 is not a release to go back to", "releases to go back to: r3"),
        (2, 9, "r9 is not a release to go back to", "releases to go back to: r3"),
        (2, 1, "r1 is not a release to go back to", "releases to go back to: r3"),  # its image is gone
        (2, None, "no release is known good", "releases to go back to: r3"),
    ],
)
def test_a_rollback_without_a_target_is_refused_with_what_there_is(
    live: int | None, wanted: int | None, message: str, hint: str
) -> None:
    records = [record(3, rolled_back_at=2.0), record(2), record(1, image_removed=True)]
    with pytest.raises(Refused) as refused:
        plan.rollback_target(records, live, wanted)
    assert (refused.value.message, refused.value.hint) == (message, hint)
