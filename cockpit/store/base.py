"""The release log's records. `cockpit.store.log.ReleaseLog` has the named reads and writes; here is what they carry.

Rows are hypotheses: containers and the pointer are facts. `spec` is the frozen configuration as JSON text; the store
does not look into it. Times are seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.model import Hold, Operation, PlacementKey
from cockpit.model import Minute as Minute  # its readers expect it beside the other records


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    key: PlacementKey
    number: int
    operation: int  # the deploy that made it
    commit: str
    tree: str
    subject: str
    author: str
    by: str
    created_at: float
    commits: int = 1
    image: str = ""  # id or name@digest; "" before it was built
    spec: str = "{}"
    slot: int | None = None  # leased now
    took_traffic_at: float | None = None  # first time
    live_since: float | None = None  # this time; None when not live
    left_traffic_at: float | None = None  # last time
    served_seconds: float = 0.0  # before `live_since`
    good_at: float | None = None
    baking_until: float | None = None
    hot_until: float | None = None  # None: not hot
    stopped: bool = False  # its containers are kept, stopped
    rolled_back_at: float | None = None
    bad_reason: str = ""
    failed: bool = False  # never took traffic, and never will
    image_removed: bool = False

    @property
    def name(self) -> str:
        return f"r{self.number}"


@dataclass(frozen=True, slots=True)
class PlacementRecord:
    key: PlacementKey
    live: int | None = None
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class PlacementRows:
    """What the engine keeps in memory of one placement: both newest first, the live and the last good release last.

    Only the newest operation comes with its steps."""

    row: PlacementRecord
    releases: tuple[ReleaseRecord, ...]
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class SlotLease:
    slot: int
    key: PlacementKey
    release: int
    leased_at: float
    freed_at: float | None = None  # rests until freed_at + ADDRESS_REST


@dataclass(frozen=True, slots=True)
class Intent:
    """A step whose effect may or may not have happened: intent without outcome."""

    operation: int
    step: str
    inputs: str  # JSON
    at: float
