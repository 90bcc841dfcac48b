"""What the sheets look at, and by which requests are refused: one placement and what goes on around it."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.config.settings import PlacementSettings
from cockpit.engine import views
from cockpit.engine.host import Host
from cockpit.model import Lock, Operation, Placement, Release
from cockpit.store.base import PlacementRecord, ReleaseRecord


@dataclass(frozen=True, slots=True)
class Scene:
    """What the sheets look at: rows, the placement as it is seen now, and what else is going on."""

    placement: PlacementSettings
    host: Host
    row: PlacementRecord
    records: tuple[ReleaseRecord, ...]  # newest first
    seen: Placement
    running: frozenset[int]  # releases of this placement with running containers
    operation: Operation | None  # running now
    failing_elsewhere: tuple[str, ...]
    left_at: float | None  # when customers were last rolled back
    configured: bool
    fetched_at: float | None  # when the repository was last asked
    settings_changed: bool  # what is configured, or what its env files say, is not what runs
    now: float
    locked: str  # why nothing may be deployed or restarted; "" when nothing forbids it
    overrides: tuple[str, ...]  # what a rollback goes through
    freeze: Lock | None

    @property
    def live(self) -> ReleaseRecord | None:
        return next((each for each in self.records if each.number == self.row.live), None)

    def release(self, record: ReleaseRecord) -> Release:
        return views.release(record, self.row.live, self.running, self.now)
