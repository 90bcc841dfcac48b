"""A Docker host in memory, under the same contract as the real one (`tests/targets/test_contract.py` runs on both)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

from cockpit.clock import Clock, SystemClock
from cockpit.errors import TargetDown, TargetError
from cockpit.model import PlacementKey
from cockpit.targets.base import (
    Claim,
    Container,
    ContainerState,
    HostInfo,
    OneOff,
    OtherContainer,
    RawLine,
    Remembered,
    Standing,
)
from cockpit.targets.edge_spec import EdgeSpec, EdgeState
from cockpit.targets.host_lock import HostLock, LockOrder
from cockpit.targets.labels import container_name, slot_name
from cockpit.targets.orders import ContainerSpec, RunOrder, StartOrder
from cockpit.targets.replicas import replica_addresses
from cockpit.targets.subnet import Subnet
from tests.fakes.one_offs import FakeOneOffs, Migration

_LOOK = 0.01  # seconds between two looks of a follower


@dataclass(frozen=True, slots=True)
class Program:
    """What the containers of a release do."""

    exits: int | None = None  # with this status,
    after: float = 0.0  # so many seconds after the start; below 0, Docker notes the end before the start
    oom: bool = False  # and that is why
    lines: tuple[tuple[str, str], ...] = ()  # (stream, text), written at the start
    listens: tuple[str, ...] = ()
    refuses: str = ""  # Docker's reason why it cannot start
    starts_in: float = 0.0  # seconds that `start` takes
    health: str = ""


@dataclass(slots=True)
class _Box:
    container: Container
    program: Program
    log: list[RawLine] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)


class FakeTarget:
    """Tests say what happens: `programs[43] = Program(exits=1)`, `down = "…"`, `foreign.add(name)`, `write`, `die`."""

    def __init__(self, installation: str = "test", *, clock: Clock | None = None, cidr: str = "10.231.0.0/18") -> None:
        self.installation = installation
        self.programs: dict[int, Program] = {}  # by release; others run for ever and say nothing
        self.process_programs: dict[tuple[int, str], Program] = {}  # by release and process; these come first
        self.down = ""  # when set, each call raises TargetDown with it
        self.foreign: set[str] = set()  # names of containers that are not the cockpit's
        self.migrations: dict[int, Migration] = {}  # by release; others exit with 0 at once
        self.strangers: list[OtherContainer] = []  # besides those of `foreign`
        self.networks: set[str] = set()  # of the host, that specs may join
        self.missing_paths: set[str] = set()  # of the host, that specs cannot mount
        self.pruned: set[str] = set()  # images that are not on the host; all others are
        self.terminals: dict[str, RunOrder] = {}  # made for somebody to sit in front of, by name
        self.calls: list[str] = []  # "start shop/production r42", in order
        self.edge_runs = False
        self.taken_ports: set[int] = set()  # by somebody else
        self.edge_outdated = ""
        self.closed = False
        self.records: dict[tuple[PlacementKey, int], str] = {}  # what it remembers
        self.forgetful = ""  # why it cannot remember anything
        self.owners: dict[str, Claim] = {}  # by installation
        self._stops: asyncio.Event | None = None
        self._looks: asyncio.Event | None = None
        self._seen_dead: set[str] = set()
        self._taking_back: asyncio.Event | None = None
        self._clock = clock or SystemClock()
        self._subnet = Subnet(cidr)
        self._boxes: dict[str, _Box] = {}  # by name
        self._ids = itertools.count(1)
        self._one_offs = FakeOneOffs(self._clock)
        self.held: dict[PlacementKey, HostLock] = {}

    async def ping(self) -> HostInfo:
        await self._reach("ping")
        return HostInfo("FAKE:HOST", "fake", "20.10.24", True, "amd64", "linux", "1.41", self._clock.now(), True)

    async def prepare(self) -> Subnet:
        await self._reach("prepare")
        return self._subnet

    async def ensure_edge(self, spec: EdgeSpec) -> EdgeState:
        await self._reach("ensure_edge")
        started, self.edge_runs = not self.edge_runs, True
        return EdgeState(started, "" if started else self.edge_outdated)

    async def check_ports(self, spec: EdgeSpec) -> None:
        await self._reach("check_ports")
        for port in spec.ports:
            if port in self.taken_ports:
                raise TargetError(f"port {port} is taken by nginx (pid 7)", "…")

    async def edge_address(self) -> str:
        await self._reach("edge_address")
        return "10.231.0.2" if self.edge_runs else ""

    async def edge_image_made(self) -> float | None:
        await self._reach("edge_image_made")
        return self._clock.now() if self.edge_runs else None

    async def upgrade_edge(self, spec: EdgeSpec) -> None:
        await self._reach("upgrade_edge")
        self.edge_runs, self.edge_outdated = True, ""

    async def observe(self) -> tuple[Container, ...]:
        await self._reach("observe")
        if self._looks is not None:
            await self._looks.wait()
        found = self.containers
        self._seen_dead |= {each.id for each in found if not each.running}
        return found

    @property
    def containers(self) -> tuple[Container, ...]:
        """What `observe` would say, for a test to look at while the host is down."""
        boxes = [self._now(box).container for box in self._boxes.values()]
        return tuple(sorted(boxes, key=lambda each: (each.key, each.release, each.process, each.slot, each.index)))

    async def start(self, order: StartOrder) -> tuple[Container, ...]:
        await self._reach(f"start {order.key} r{order.release}")
        addresses = replica_addresses(self._subnet, order)
        names = [self._name(order, index) for index in range(1, len(addresses) + 1)]
        before = {name: self._now(self._boxes[name]).container for name in names if name in self._boxes}
        try:
            for index, (name, address) in enumerate(zip(names, addresses, strict=True), start=1):
                await self._between()
                self._start_one(order, name, index, address)
            await self._clock.sleep(self._program(order).starts_in)
        except (TargetError, asyncio.CancelledError):
            if self._taking_back is not None:
                await self._taking_back.wait()
            self._take_back(names, before)
            raise
        return tuple(self._now(self._boxes[name]).container for name in names)

    async def others(self) -> tuple[OtherContainer, ...]:
        await self._reach("others")
        named = [OtherContainer("f00", name, "other", "running", "Up 5 minutes") for name in sorted(self.foreign)]
        return (*self.strangers, *named)

    async def missing(self, spec: ContainerSpec) -> tuple[str, ...]:
        await self._reach("missing")
        absent = [name for name in spec.networks if name not in self.networks]
        return tuple(f"the network {name} does not exist on the host: …" for name in absent)

    async def run(self, order: RunOrder, emit: Callable[[RawLine], None]) -> int:
        await self._reach(f"run {order.key} r{order.release}")
        self._has_all(order.key, order.spec)
        migration = self.migrations.get(order.release, Migration())
        return await self._one_offs.run(order, migration, emit, self._up)

    async def one_offs(self, key: PlacementKey, release: int) -> tuple[OneOff, ...]:
        await self._reach(f"one_offs {key} r{release}")
        return self._one_offs.found(key, release)

    async def remove_one_offs(self, key: PlacementKey, release: int) -> None:
        await self._reach(f"remove_one_offs {key} r{release}")
        self._one_offs.remove(key, release, running=True)

    async def create_terminal(self, order: RunOrder, *, tty: bool) -> str:
        await self._reach("create_terminal")
        name = f"terminal-{len(self.terminals) + 1}"
        self.terminals[name] = order
        return name

    async def remove_terminal(self, name: str) -> None:
        await self._reach("remove_terminal")
        self.terminals.pop(name, None)

    async def activate(
        self,
        key: PlacementKey,
        release: int,
        standing: Standing,
        *,
        process: str | None = None,
        slot: int | None = None,
    ) -> None:
        await self._reach(f"activate {key} r{release} {standing.name.lower()}")
        boxes = self._release(key, release, process, slot)
        if standing is not Standing.OFF and not boxes:
            raise TargetError(f"{key} r{release} has no containers on the host", "Deploy it again.")
        for box in boxes:
            box.container = replace(box.container, standing=standing)

    async def stop(
        self,
        key: PlacementKey,
        release: int,
        *,
        grace: float,
        remove: bool,
        process: str | None = None,
        slot: int | None = None,
    ) -> None:
        await self._reach(f"{'remove' if remove else 'stop'} {key} r{release}")
        if self._stops is not None:
            await self._stops.wait()
        for box in self._release(key, release, process, slot):
            await self._between()
            box.container = replace(box.container, standing=Standing.OFF)
            self._end(box, 0)
            if remove and self._boxes.get(box.container.name) is box:
                del self._boxes[box.container.name]
        if remove and process is None and slot is None:
            self._one_offs.remove(key, release, running=False)

    async def logs(
        self, container: str, *, tail: int | None = None, since: float | None = None, follow: bool = False
    ) -> AsyncIterator[RawLine]:
        await self._reach(f"logs {container}")
        if any(container == each.id for each in self.strangers):
            return
        box = self._find(container)
        lines = [line for line in box.log if since is None or line.at >= since]
        for line in lines if tail is None else lines[len(lines) - min(tail, len(lines)) :]:
            yield line
        seen = len(box.log)
        while follow and (self._now(box).container.running or seen < len(box.log)):
            for line in box.log[seen:]:
                yield line
                seen += 1
            await asyncio.sleep(_LOOK)

    async def has_image(self, image: str) -> bool:
        await self._reach(f"has_image {image}")
        return image not in self.pruned

    async def remove_image(self, image: str) -> None:
        await self._reach(f"remove_image {image}")
        if all(box.container.image != image for box in self._boxes.values()):
            self.pruned.add(image)

    async def remember(self, key: PlacementKey, release: int, text: str) -> None:
        await self._reach(f"remember {key} r{release}")
        if self.forgetful:
            raise TargetError(f"Docker refused to remember {key} r{release}: {self.forgetful}", "…")
        self.records[key, release] = text

    async def remembered(self) -> tuple[Remembered, ...]:
        await self._reach("remembered")
        return tuple(Remembered(*each, self.records[each]) for each in sorted(self.records))

    async def forget(self, key: PlacementKey, release: int) -> None:
        await self._reach(f"forget {key} r{release}")
        self.records.pop((key, release), None)

    async def claim(self, claim: Claim) -> None:
        await self._reach("claim")
        self.owners[claim.installation] = claim

    async def claims(self) -> tuple[Claim, ...]:
        await self._reach("claims")
        mine = frozenset(key for key, _ in self.records)
        return tuple(
            replace(each, placements=mine) if name == self.installation else each
            for name, each in sorted(self.owners.items())
        )

    async def environment(self, container: str) -> dict[str, str]:
        await self._reach(f"environment {container}")
        boxes = self._boxes.values()
        return next((dict(box.environment) for box in boxes if container in (box.container.id, box.container.name)), {})

    async def listeners(self, container: str) -> tuple[str, ...]:
        await self._reach(f"listeners {container}")
        found = next((box for box in self._boxes.values() if container in (box.container.id, box.container.name)), None)
        return found.program.listens if found and self._now(found).container.running else ()

    async def take_lock(self, order: LockOrder) -> HostLock | None:
        await self._reach(f"take_lock {order.key}")
        if order.key in self.held:
            return None
        return self.held.setdefault(order.key, HostLock(f"{next(self._ids):012x}{0:052x}", order, 0))

    async def lock_of(self, key: PlacementKey) -> HostLock | None:
        await self._reach(f"lock_of {key}")
        return self.held.get(key)

    async def locks(self) -> tuple[HostLock, ...]:
        await self._reach("locks")
        return tuple(self.held.values())

    async def beat_lock(self, lock: HostLock, beats: int) -> bool:
        await self._reach(f"beat_lock {lock.order.key}")
        held = self.held.get(lock.order.key)
        if held is None or held.id != lock.id:
            return False
        self.held[lock.order.key] = replace(held, beats=beats)
        return True

    async def release_lock(self, lock: HostLock) -> None:
        await self._reach(f"release_lock {lock.order.key}")
        held = self.held.get(lock.order.key)
        if held is not None and held.id == lock.id:
            del self.held[lock.order.key]

    async def close(self) -> None:
        self.closed = True

    def hold_stops(self) -> asyncio.Event:
        """Containers take until this is set to end."""
        self._stops = asyncio.Event()
        return self._stops

    def hold_take_back(self) -> asyncio.Event:
        """A start that was cancelled cleans up behind itself until this is set."""
        self._taking_back = asyncio.Event()
        return self._taking_back

    def hold_looks(self) -> asyncio.Event:
        """Nothing is seen until this is set."""
        self._looks = asyncio.Event()
        return self._looks

    def write(self, container: str, line: str, stream: str = "out") -> None:
        """The container says something now."""
        self._find(container).log.append(RawLine(self._clock.now(), line, stream))

    def die(self, container: str, status: int = 1, *, oom: bool = False) -> None:
        """Its process ends now; when it serves or is hot another begins at once."""
        self._exit(self._find(container), status, oom)

    def looked_since_death(self, container: str) -> bool:
        """Somebody has observed the host since that container ended."""
        return self._find(container).container.id in self._seen_dead

    def tell_out_of_memory(self, container: str) -> None:
        """What killed it comes out only now."""
        box = self._find(container)
        box.container = replace(box.container, oom_killed=True)

    def always(self, container: str) -> bool:
        """Whether its restart policy is `always`."""
        return self._find(container).container.standing is Standing.LIVE

    async def _reach(self, call: str) -> None:
        await asyncio.sleep(0)
        self.calls.append(call)
        self._up()

    async def _between(self) -> None:
        """Each container is a request of its own: a simulation lets time pass here, or the engine die."""

    def _up(self) -> None:
        if self.down:
            raise TargetDown(self.down, "Is Docker running?")

    def _name(self, order: StartOrder, index: int) -> str:
        """With its slot, while the same replica runs in another; one that stands there stopped gives way."""
        plain = container_name(self.installation, order.key, order.release, index, order.process)
        slotted = slot_name(plain, order.slot)
        for name in (plain, slotted):
            if name in self._boxes and self._boxes[name].container.slot == order.slot:
                return name
        elsewhere = [box for box in self._replica(order, index) if box.container.slot != order.slot]
        for box in elsewhere:
            if not self._now(box).container.running:
                del self._boxes[box.container.name]
        return slotted if plain in self._boxes else plain

    def _replica(self, order: StartOrder, index: int) -> list[_Box]:
        boxes = self._release(order.key, order.release, order.process, None)
        return [box for box in boxes if box.container.index == index]

    def _has_all(self, key: PlacementKey, spec: ContainerSpec) -> None:
        for network in spec.networks:
            if network not in self.networks:
                raise TargetError(f"the network {network} does not exist on the host", "…")
        if spec.image in self.pruned:
            raise TargetError(f"Docker refused to start {key}: the image is not on the host", "Deploy it again.")
        for volume in spec.volumes:
            path = volume.partition(":")[0]
            if path in self.missing_paths:
                raise TargetError(
                    f"Docker refused to start {key}: a path of `volumes` is not on the host ({path})", "…"
                )

    def _start_one(self, order: StartOrder, name: str, index: int, address: str) -> None:
        if name in self.foreign:
            raise TargetError(f"the name {name} is taken by container f00 (other), which belongs to no cockpit", "…")
        self._has_all(order.key, order.spec)
        box = self._boxes.get(name)
        if box is not None and self._now(box).container.running:
            return
        if refusal := self._program(order).refuses:
            raise TargetError(f"Docker refused to start {order.key}: {refusal}", "…")
        self._address_is_free(name, address)
        if box is None or box.container.address != address:
            box = self._boxes[name] = _Box(
                self._made(order, name, index, address), self._program(order), environment=dict(order.environment)
            )
        self._begin(box)

    def _made(self, order: StartOrder, name: str, index: int, address: str) -> Container:
        return Container(
            id=f"{next(self._ids):064x}",
            name=name,
            key=order.key,
            release=order.release,
            operation=order.operation,
            slot=order.slot,
            index=index,
            address=address,
            port=order.spec.port,
            process=order.process,
            image=order.spec.image,
            state=ContainerState.CREATED,
        )

    def _address_is_free(self, name: str, address: str) -> None:
        for box in self._boxes.values():
            same = address and box.container.address == address
            if box.container.name != name and same and self._now(box).container.running:
                raise TargetError(f"Docker refused to start {name}: another container has its address", "…")

    def _take_back(self, names: list[str], before: dict[str, Container]) -> None:
        for name in names:
            if name not in before:
                self._boxes.pop(name, None)
            elif not before[name].running:
                self._end(self._boxes[name], 0)

    def _begin(self, box: _Box) -> None:
        now = self._clock.now()
        box.program = self.programs.get(box.container.release, box.program)
        box.container = replace(
            box.container,
            state=ContainerState.RUNNING,
            started_at=now,
            finished_at=None,
            exit_code=None,
            oom_killed=False,
            health=box.program.health,
        )
        box.log += [RawLine(now, words, stream) for stream, words in box.program.lines]

    def _now(self, box: _Box) -> _Box:
        """The box, with all that its program did by now."""
        program, started = box.program, box.container.started_at
        due = program.exits is not None and started is not None and self._clock.now() >= started + program.after
        if due and box.container.running:
            self._exit(box, program.exits or 0, program.oom)
        return box

    def _exit(self, box: _Box, status: int, oom: bool) -> None:
        self._end(box, status, oom)
        if box.program.after < 0 and box.container.started_at is not None:
            box.container = replace(box.container, finished_at=box.container.started_at + box.program.after)
        if box.container.standing is not Standing.OFF:
            box.container = replace(box.container, restarts=box.container.restarts + 1)
            self._begin(box)

    def _end(self, box: _Box, status: int, oom: bool = False) -> None:
        if box.container.running:
            box.container = replace(
                box.container,
                state=ContainerState.EXITED,
                exit_code=status,
                oom_killed=oom,
                finished_at=self._clock.now(),
            )

    def _release(self, key: PlacementKey, release: int, process: str | None, slot: int | None) -> list[_Box]:
        return [
            self._now(box)
            for box in self._boxes.values()
            if (box.container.key, box.container.release) == (key, release)
            and process in (None, box.container.process)
            and slot in (None, box.container.slot)
        ]

    def _find(self, container: str) -> _Box:
        for box in self._boxes.values():
            if container in (box.container.id, box.container.name):
                return box
        raise TargetError(f"Docker refused to show {container}: no such container")

    def _program(self, order: StartOrder) -> Program:
        return self.process_programs.get((order.release, order.process)) or self.programs.get(order.release, Program())
