"""What the engine has seen: kept in memory, rebuilt by looking, never written down."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from cockpit.config.settings import Settings
from cockpit.engine import views
from cockpit.engine.run import Run
from cockpit.health.probe import Probe
from cockpit.model import Health, Operation, OperationState, Pending, Placement, PlacementKey, Replica
from cockpit.store.base import PlacementRecord, ReleaseRecord
from cockpit.targets.base import Container, Subnet

FRESH = 5.0  # seconds: an older probe verifies nothing
NEEDED = 3  # good answers in a row


@dataclass(slots=True)
class Probed:
    """The last answers of one container."""

    recent: deque[Probe] = field(default_factory=lambda: deque(maxlen=NEEDED))
    failed_in_row: int = 0

    def add(self, probe: Probe) -> None:
        """An edge that is silent says nothing about the replica."""
        if probe.reached:
            self.recent.append(probe)
            self.failed_in_row = 0 if probe.good else self.failed_in_row + 1

    def verifies(self, now: float) -> bool:
        """Enough good answers, the newest of them fresh."""
        good = [probe for probe in self.recent if probe.good]
        return len(good) == NEEDED and now - self.recent[-1].at <= FRESH


@dataclass(slots=True)
class Seen:
    """One placement: its rows as last read, and how it is."""

    row: PlacementRecord
    records: tuple[ReleaseRecord, ...] = ()
    newest: Operation | None = None
    pending: Pending | None = None
    health: Health = Health.UNKNOWN
    why: str = ""
    since: float | None = None
    failing_since: float | None = None  # when it was last seen failing
    sent: Placement | None = None  # as clients know it
    sent_at: float = 0.0

    @property
    def stuck(self) -> bool:
        """Recovery gave up on the last operation: nothing is stopped or removed until a person has looked."""
        return self.newest is not None and self.newest.state is OperationState.STUCK

    @property
    def live(self) -> ReleaseRecord | None:
        return next((each for each in self.records if each.number == self.row.live), None)


class World:
    def __init__(self, settings: Settings, now: float) -> None:
        self.settings = settings
        self.started_at = now
        self.subnet: Subnet | None = None
        self.containers: tuple[Container, ...] = ()
        self.docker_error = "not asked yet"
        self.docker_seen_at: float | None = None
        self.edge_error = "not asked yet"
        self.placements: dict[PlacementKey, Seen] = {}
        self.probed: dict[str, Probed] = {}  # by container id
        self.runs: dict[PlacementKey, Run] = {}
        self.repository_notes: dict[PlacementKey, str] = {}

    @property
    def docker_ok(self) -> bool:
        return not self.docker_error

    def of(self, key: PlacementKey) -> tuple[Container, ...]:
        return tuple(each for each in self.containers if each.key == key)

    def running(self, key: PlacementKey) -> frozenset[int]:
        return views.running_releases(self.containers, key)

    def answers_for(self, container: Container) -> Probed:
        return self.probed.setdefault(container.id, Probed())

    def forget_gone(self) -> None:
        here = {container.id for container in self.containers}
        self.probed = {name: probed for name, probed in self.probed.items() if name in here}

    def replicas(self, key: PlacementKey) -> tuple[Replica, ...]:
        """Live ones first, then hot ones, each in order."""
        seen = self.placements.get(key)
        live = seen.row.live if seen else None
        containers = sorted(self.of(key), key=lambda each: (each.release != live, -each.release, each.index))
        return tuple(self._replica(each) for each in containers)

    def _replica(self, container: Container) -> Replica:
        probed = self.probed.get(container.id)
        last = probed.recent[-1] if probed and probed.recent else None
        return views.replica(container, last, probed.failed_in_row if probed else 0)
