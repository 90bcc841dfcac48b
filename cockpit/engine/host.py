"""One Docker host: the ways to it, and what was last seen there."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Protocol

from cockpit.build.base import Builder
from cockpit.edge.base import Edge
from cockpit.engine import ownership, views
from cockpit.errors import Refused
from cockpit.health.probe import Probe
from cockpit.model import HostStatus, PlacementKey
from cockpit.store.base import ReleaseRecord
from cockpit.targets.base import Claim, Container, Target
from cockpit.targets.host_lock import HostLock
from cockpit.targets.subnet import Subnet

FRESH = 5.0  # seconds: an older probe verifies nothing
NEEDED = 3  # good answers in a row
NOT_ASKED = "not asked yet"
SILENT = "Docker is silent: it hangs, or the host is overloaded"
STARTING = "started, and does not answer yet"


class Prober(Protocol):
    async def probe(self, address: str, path: str, host: str | None, timeout: float) -> Probe:
        """`address` is "10.231.0.6:8080"; asked through the edge's private listener. Never raises."""

    async def public(self, listen: str, path: str, host: str | None, timeout: float, *, tls: bool = False) -> Probe:
        """As a customer asks, at the edge's own listener."""

    async def close(self) -> None: ...


class Closable(Protocol):
    async def close(self) -> None: ...


@dataclass(slots=True)
class Probed:
    """The last answers of one address."""

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


@dataclass(frozen=True, slots=True)
class EdgePlace:
    """Where the edge lives: its directory on the host, and how this machine reaches its admin socket."""

    directory: PurePath
    admin: Path | None = None  # None: in the directory, which is on this machine
    owner: int | None = None  # the host's user whose directory it is; None: look


@dataclass(slots=True, eq=False)
class Host:
    """`name` is what the configuration calls it: "local", "ssh://deploy@shop-1". Addresses mean something on it alone.

    `subnet` is as last known: a rollback must not have to ask Docker for it."""

    name: str
    target: Target
    edge: Edge
    prober: Prober
    builder: Builder
    subnet: Subnet
    docker_url: str  # for a docker command on this machine: "unix:///run/docker.sock"
    edge_place: Callable[[], Awaitable[EdgePlace]]  # raises CockpitError while the host was never reached
    line: Closable | None = None  # the way to a host elsewhere
    containers: tuple[Container, ...] = ()
    locks: tuple[HostLock, ...] = ()  # of placements that are being changed, by whichever engine
    asked_at: float = 0.0  # for `containers`, by the monotonic clock
    docker_error: str = NOT_ASKED
    docker_hint: str = ""  # what to do about it
    docker_seen_at: float | None = None
    edge_error: str = NOT_ASKED
    edge_note: str = ""  # what wants doing to an edge that serves: it is outdated
    caught_up: bool = False  # the release log was compared with what the host has
    owner: Claim | None = None  # another cockpit's: then it is only looked at
    memory: dict[PlacementKey, dict[int, str]] = field(default_factory=dict)  # what it remembers of releases
    kept: dict[PlacementKey, tuple[ReleaseRecord, ...]] = field(default_factory=dict)  # those that `memory` is of
    memory_read_at: float | None = None  # monotonic
    memory_note: str = ""  # why it cannot remember
    probed: dict[str, Probed] = field(default_factory=dict)  # by address and port
    _sorted: tuple[Container, ...] = ()  # `containers` as they were when they were put in order,
    _by_key: dict[PlacementKey, tuple[Container, ...]] = field(default_factory=dict)  # … and by placement

    @property
    def docker_ok(self) -> bool:
        return not self.docker_error

    @property
    def starting(self) -> bool:
        """Its edge has not answered yet since this engine began, and nothing stands against it."""
        return self.docker_error in ("", NOT_ASKED) and self.edge_error in (NOT_ASKED, STARTING)

    def of(self, key: PlacementKey) -> tuple[Container, ...]:
        """The containers of one placement, in the order of all."""
        if self._sorted is not self.containers:
            found: defaultdict[PlacementKey, list[Container]] = defaultdict(list)
            for each in self.containers:
                found[each.key].append(each)
            self._sorted, self._by_key = self.containers, {name: tuple(mine) for name, mine in found.items()}
        return self._by_key.get(key, ())

    def saw(self, containers: tuple[Container, ...], asked_at: float) -> None:
        """Of two looks under way at once the one that began later knows more."""
        if asked_at >= self.asked_at:
            self.containers, self.asked_at = containers, asked_at

    def falls_silent(self) -> None:
        """It was asked a while ago; what is known to be wrong with it says more."""
        if self.docker_error in ("", NOT_ASKED):
            self.docker_error = SILENT
            self.docker_hint = "See `systemctl status docker` on the host; containers that run go on running."

    def answers_at(self, address: str) -> Probed:
        return self.probed.setdefault(address, Probed())

    def forget_gone(self) -> None:
        here = {views.address(each) for each in self.containers}
        self.probed = {address: probed for address, probed in self.probed.items() if address in here}

    @property
    def anothers(self) -> str:
        """Whose it is instead of ours, and what to do; "" when we may change it."""
        return "" if self.owner is None else " · ".join(ownership.words(self.name, self.owner))

    def must_be_ours(self) -> None:
        """Raises Refused on a host of another cockpit: whoever has the customers there knows nothing of us."""
        if self.owner is not None:
            raise Refused(*ownership.words(self.name, self.owner))

    def status(self) -> HostStatus:
        return HostStatus(
            name=self.name,
            docker=self.docker_error or "ok",
            docker_ok=self.docker_ok,
            docker_seen_at=self.docker_seen_at,
            edge=self.edge_error or "ok",
            edge_ok=not self.edge_error,
            note=self.edge_note,
        )

    async def close(self) -> None:
        for port in (self.prober, self.edge, self.builder, self.target):
            await port.close()
        if self.line is not None:
            await self.line.close()
