"""What the engine has seen: kept in memory, rebuilt by looking, never written down."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from cockpit.config.settings import PlacementSettings, Settings
from cockpit.edge.base import Pointer
from cockpit.engine import spec, views
from cockpit.engine.host import Host
from cockpit.engine.locks import Locks
from cockpit.engine.run import Run
from cockpit.errors import UsageError
from cockpit.model import Health, Operation, OperationState, Pending, Placement, PlacementKey, Replica
from cockpit.store.base import PlacementRecord, ReleaseRecord
from cockpit.targets.base import Container
from cockpit.text import clean


@dataclass(slots=True)
class Seen:
    """One placement: its rows as last read, and how it is."""

    row: PlacementRecord
    records: tuple[ReleaseRecord, ...] = ()  # newest first
    whole: bool = False  # all that is kept of them, not only the first ones
    newest: Operation | None = None
    switched_at: float = 0.0  # when customers were last moved, as far as the newest operations say
    newest_move: Operation | None = None  # the newest deploy or rollback
    pending: Pending | None = None
    health: Health = Health.UNKNOWN
    why: str = ""
    since: float | None = None
    failing_since: float | None = None  # when it was last seen failing
    left_at: float | None = None  # when customers were last rolled back, also while the log cannot say so
    auto: str = ""  # as Placement.auto
    files: dict[str, dict[str, str]] = field(default_factory=dict)  # what its env files say now: ReleaseSpec.files
    slots_looked_at: object = None  # what was compared with the leases last, and found to agree (`slots.py`)
    behind: bool = False  # customers were found where no operation moved them, and its workers may have to follow
    settled: int | None = None  # the release whose containers are known to come back by themselves
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
    """`known` has what is configured, in its order, and then what still serves although it is not any more.

    `recovering` holds placements that an engine before this one left in the middle of something."""

    def __init__(self, settings: Settings, now: float, locks: Locks) -> None:
        self.settings = settings
        self.locks = locks
        self.started_at = now
        self.known: dict[PlacementKey, PlacementSettings] = {each.key: each for each in settings.placements}
        self.hosts: dict[str, Host] = {}
        self.placements: dict[PlacementKey, Seen] = {}
        self.runs: dict[PlacementKey, Run] = {}
        self.recovering: set[PlacementKey] = set()
        self.tries: dict[PlacementKey, asyncio.Task[Any]] = {}  # of recoveries, under way
        self._first: set[PlacementKey] = set()
        self.at_work: set[int] = set()  # operations that this engine runs, also those that only clean up
        self._indexed: Settings | None = None
        self._keys: frozenset[PlacementKey] = frozenset()
        self.moves: dict[PlacementKey, int] = {}  # the release that customers are on, as the edge was last told
        self._stopping: dict[tuple[PlacementKey, int], asyncio.Event] = {}

    def find(self, key: PlacementKey) -> PlacementSettings:
        placement = self.known.get(key)
        if placement is None:
            known = ", ".join(map(str, self.known))
            raise UsageError(f"there is no {clean(str(key))}", f"there are: {known or 'none'}")
        return placement

    def ours(self, key: PlacementKey) -> PlacementSettings:
        """Raises UsageError when there is no such placement, Refused when its host is another cockpit's."""
        placement = self.find(key)
        self.host(key).must_be_ours()
        return placement

    def host(self, key: PlacementKey) -> Host:
        return self.hosts[self.known[key].environment.host]

    def on(self, host: Host) -> tuple[PlacementSettings, ...]:
        """The placements of one host."""
        return tuple(each for each in self.known.values() if each.environment.host == host.name)

    def configured(self, key: PlacementKey) -> bool:
        if self._indexed is not self.settings:  # asked of each placement twice a second: no search through all
            self._indexed, self._keys = self.settings, frozenset(each.key for each in self.settings.placements)
        return key in self._keys

    def busy(self, key: PlacementKey) -> bool:
        run = self.runs.get(key)
        return run is not None and not run.ended.is_set()

    def as_it_is(self, operation: Operation) -> Operation:
        """What nobody works at was interrupted, whatever the log says still."""
        if operation.state is not OperationState.RUNNING or operation.id in self.at_work:
            return operation
        return replace(
            operation, state=OperationState.RECOVERING, summary="the engine died in it: finding out how it is"
        )

    @contextmanager
    def before_recovery(self, key: PlacementKey) -> Iterator[None]:
        """A rollback waits for no recovery, and the two never act at once: the recovery begins again after it."""
        self._first.add(key)
        if key in self.tries:
            self.tries[key].cancel()
        try:
            yield
        finally:
            self._first.discard(key)

    def may_recover(self, key: PlacementKey) -> bool:
        return not self.busy(key) and key not in self._first

    def of(self, key: PlacementKey) -> tuple[Container, ...]:
        return self.host(key).of(key)

    def running(self, key: PlacementKey) -> frozenset[int]:
        """Releases that run and go on running. Until Docker was seen once, the rows are all that is known."""
        records = self._records(key)
        if self.host(key).docker_seen_at is None:
            found = {each.number for each in records if _should_run(each)}
        else:
            here = [each for each in self.of(key) if each.running]
            numbers = {each.release for each in here}
            leading = {each.number: spec.from_text(each.spec).leading for each in records if each.number in numbers}
            up = {number: {each.process for each in here if each.release == number} for number in numbers}
            found = {number for number, names in leading.items() if names and up[number].issuperset(names)}
        return frozenset(number for number in found if (key, number) not in self._stopping)

    def addresses(self, record: ReleaseRecord) -> dict[str, tuple[str, ...]]:
        """Where customers reach each process of a release: "10.231.0.6:8080"; {} without a port or a slot."""
        if record.slot is None:
            return {}
        return spec.from_text(record.spec).addresses(record.slot, self.host(record.key).subnet)

    def pointer(self, record: ReleaseRecord) -> Pointer | None:
        """What sends customers to that release; None when nothing can."""
        frozen = spec.from_text(record.spec)
        if record.slot is None or not frozen.routed:
            return None
        return frozen.pointer(record.number, record.slot, self.host(record.key).subnet)

    # ------------------------------------------------------------ where customers are

    def moved(self, key: PlacementKey, number: int) -> None:
        """Customers are on that release now: true at once, whatever the log says and whenever it is read again."""
        self.moves[key] = number
        seen = self.placements.get(key)
        if seen is not None:
            seen.row = self.as_moved(seen.row)

    def as_moved(self, row: PlacementRecord) -> PlacementRecord:
        return replace(row, live=self.moves.get(row.key, row.live))

    # ------------------------------------------------------------ stopping a release

    @contextmanager
    def stopping(self, key: PlacementKey, number: int) -> Iterator[bool]:
        """True: it may be stopped now, and from here on no rollback takes it for hot. False: somebody needs it."""
        seen = self.placements.get(key)
        if self.busy(key) or seen is None or seen.row.live == number:
            yield False
            return
        done = self._stopping[key, number] = asyncio.Event()
        try:
            yield True
        finally:
            del self._stopping[key, number]
            done.set()

    async def stopped(self, key: PlacementKey, number: int) -> None:
        """Returns when nothing is stopping that release any more."""
        stopping = self._stopping.get((key, number))
        if stopping is not None:
            await stopping.wait()

    # ------------------------------------------------------------ replicas

    def serving(self, key: PlacementKey) -> tuple[Replica, ...]:
        """The live release's, without what a restart has left behind or not brought up yet."""
        seen = self.placements.get(key)
        live = seen.live if seen else None
        if live is None:
            return ()
        here = {each.name for each in self.of(key) if (each.release, each.slot) == (live.number, live.slot)}
        return tuple(each for each in self.replicas(key) if each.container in here)

    def replicas(self, key: PlacementKey) -> tuple[Replica, ...]:
        """Live ones first, then hot ones, each in order."""
        seen = self.placements.get(key)
        live = seen.row.live if seen else None
        containers = sorted(
            self.of(key),
            key=lambda each: (each.release != live, -each.release, not each.port, each.process, each.index),
        )
        return tuple(self._replica(each) for each in containers)

    def _replica(self, container: Container) -> Replica:
        probed = self.host(container.key).probed.get(views.address(container))
        last = probed.recent[-1] if probed and probed.recent else None
        return views.replica(container, last, probed.failed_in_row if probed else 0)

    def _records(self, key: PlacementKey) -> tuple[ReleaseRecord, ...]:
        seen = self.placements.get(key)
        return seen.records if seen else ()


def _should_run(record: ReleaseRecord) -> bool:
    return record.slot is not None and (record.live_since is not None or record.hot_until is not None)
