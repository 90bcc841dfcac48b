"""A release log that knows less than the hosts do: new, set aside as damaged, or from a backup.

What a host remembers of its releases, its containers and the pointers are entered into the log as they are found. A
pointer that is gone is written first, because until then its customers get 503.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from cockpit.edge.base import EdgePlan, Pointer
from cockpit.engine import memory, plan, spec
from cockpit.engine.host import Host
from cockpit.engine.ports import Ports
from cockpit.engine.spec import ReleaseSpec
from cockpit.errors import ConfigError, EdgeError, TargetDown, TargetError
from cockpit.model import Actor, AuditRow, Hold, PlacementKey
from cockpit.store.base import ReleaseRecord
from cockpit.store.rebuilding import Found
from cockpit.targets.base import Container, Remembered, Standing
from cockpit.targets.orders import ContainerSpec
from cockpit.targets.subnet import Subnet

log = logging.getLogger(__name__)

UNKNOWN = "found on the host; its configuration was lost with the release log"
Has = Callable[[str], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a host has of one placement. `known` are the log's own releases, `remembered` the host's, by number."""

    key: PlacementKey
    remembered: Mapping[int, ReleaseRecord]
    containers: tuple[Container, ...]
    pointer: Pointer | None
    known: Collection[int]

    @property
    def all(self) -> frozenset[int]:
        return frozenset({*self.known, *self.remembered, *(each.release for each in self.containers)})

    @property
    def lacking(self) -> tuple[int, ...]:
        return tuple(sorted(self.all - set(self.known)))

    def of(self, number: int, *, running: bool = False) -> tuple[Container, ...]:
        return tuple(each for each in self.containers if each.release == number and (each.running or not running))


def live(scene: Scene) -> int | None:
    """Where the customers are: the pointer knows, else the restart policies, else it is the newest that runs and
    served before. Pure."""
    if scene.pointer is not None and scene.pointer.release in scene.all:
        return scene.pointer.release
    running = [each for each in scene.containers if each.running]
    told = {each.release for each in running if each.standing is Standing.LIVE}
    served = {number for number, each in scene.remembered.items() if each.took_traffic_at is not None}
    served |= {each.release for each in running} - set(scene.remembered)
    return max(told or {each.release for each in running if each.release in served}, default=None)


def slot(scene: Scene, number: int, frozen: ReleaseSpec, subnet: Subnet) -> int | None:
    """The pointer's; without it the one that serves or runs, the newest of them. Pure."""
    mine = scene.of(number)
    ranked = sorted(mine, key=lambda each: (each.standing is Standing.LIVE, each.running, each.started_at or 0.0))
    if scene.pointer is not None and scene.pointer.release == number and frozen.routed:
        named = (each.slot for each in mine if frozen.pointer(number, each.slot, subnet) == scene.pointer)
        return next(named, ranked[-1].slot if ranked else None)
    return ranked[-1].slot if ranked else None


def release(scene: Scene, number: int, serves: int | None, now: float, subnet: Subnet) -> ReleaseRecord:
    """As it goes into the log: `serves` itself becomes live there. Pure."""
    record = scene.remembered.get(number) or bare(scene, number, now)
    frozen, runs = spec.from_text(record.spec), bool(scene.of(number, running=True))
    served = record.took_traffic_at is not None or number == serves
    return replace(
        record,
        slot=slot(scene, number, frozen, subnet),
        took_traffic_at=(record.took_traffic_at or now) if served else None,
        left_traffic_at=now if served and number != serves else None,
        hot_until=now + plan.SERVED_GOOD if served and runs and number != serves and frozen.routed else None,
        stopped=served and not runs and bool(scene.of(number)),
        failed=not served,  # it died on its way: what there is of it is taken away
    )


def bare(scene: Scene, number: int, now: float) -> ReleaseRecord:
    """Of a release that nobody remembers: what its containers say, which is enough to send customers there. Pure."""
    mine = scene.of(number)
    processes: dict[str, ContainerSpec] = {}
    for each in mine:
        count = len({other.index for other in mine if other.process == each.process})
        processes[each.process] = ContainerSpec(each.image, port=each.port, replicas=count)
    return ReleaseRecord(
        key=scene.key,
        number=number,
        operation=max(each.operation for each in mine),
        commit="",
        tree="",
        subject=UNKNOWN,
        author="",
        by="cockpit",
        created_at=min((each.started_at for each in mine if each.started_at), default=now),
        image=mine[0].image,
        spec=spec.to_text(ReleaseSpec(processes, host="")),
        took_traffic_at=now,
    )


def hold(records: Collection[ReleaseRecord], serves: int | None) -> Hold | None:
    """Customers were brought back from something newer: its commits wait for a reason again. Pure."""
    left = [each for each in records if each.rolled_back_at is not None and serves is not None and each.number > serves]
    newest = max(left, key=lambda each: each.number, default=None)
    if newest is None or newest.rolled_back_at is None:
        return None
    return Hold("cockpit", newest.rolled_back_at, newest.bad_reason or "rolled back", (newest.commit,))


# ---------------------------------------------------------------- doing it


async def rebuild(
    ports: Ports,
    host: Host,
    containers: tuple[Container, ...],
    edge: EdgePlan | None = None,
    only: PlacementKey | None = None,
) -> tuple[PlacementKey, ...]:
    """Placements of which the log learnt something; `edge` is what the host's serves, where it may have lost that.

    Raises what the host, the edge or the log raise."""
    scenes = [each for each in await _scenes(ports, host, containers, only) if each.lacking]
    if edge is not None and any(scene.pointer is None for scene in scenes):
        with suppress(ConfigError, EdgeError):
            await host.edge.load(edge)  # its directory may be gone as well
    for scene in scenes:
        await _point_again(host, scene)
    for scene in scenes:
        await _enter(ports, host, scene)
    return tuple(scene.key for scene in scenes)


async def _scenes(
    ports: Ports, host: Host, containers: tuple[Container, ...], only: PlacementKey | None
) -> list[Scene]:
    remembered: dict[PlacementKey, dict[int, ReleaseRecord]] = defaultdict(dict)
    for each in await _remembered(host):
        record = memory.record_of(each)
        if record is not None and record.image:  # without one it has only its number
            remembered[each.key][each.release] = record
    found = {*remembered, *(each.key for each in containers)}
    keys = sorted(found if only is None else found & {only})
    return [
        Scene(
            key,
            remembered[key],
            tuple(each for each in containers if each.key == key),
            await _pointer(host, key),
            await ports.store.numbers(key),
        )
        for key in keys
    ]


async def _remembered(host: Host) -> tuple[Remembered, ...]:
    """A host that cannot remember still has its containers."""
    try:
        return await host.target.remembered()
    except TargetDown:
        raise
    except TargetError as error:
        log.warning("%s: %s", host.name, error.message)
        return ()


async def _pointer(host: Host, key: PlacementKey) -> Pointer | None:
    """One that is torn or says `hold` is somebody's doing, and stays as it is."""
    try:
        return await host.edge.pointer(key)
    except EdgeError as error:
        log.warning("%s: %s", key, error.message)
        return None


async def _point_again(host: Host, scene: Scene) -> None:
    serves = live(scene)
    if scene.pointer is not None or serves is None:
        return
    record = scene.remembered.get(serves) or bare(scene, serves, 0.0)
    frozen = spec.from_text(record.spec)
    where = slot(scene, serves, frozen, host.subnet)
    if frozen.routed and where is not None and await _gone(host, scene.key):
        await host.edge.point(scene.key, frozen.pointer(serves, where, host.subnet))


async def _gone(host: Host, key: PlacementKey) -> bool:
    try:
        return await host.edge.pointer(key) is None
    except EdgeError:
        return False


async def _enter(ports: Ports, host: Host, scene: Scene) -> None:
    now, serves = ports.clock.now(), live(scene)
    records = [release(scene, number, serves, now, host.subnet) for number in scene.lacking]
    records = [await _with_image(host, each) for each in records]
    slots = sorted({(each.slot, each.release) for each in scene.containers})
    found = Found(scene.key, tuple(records), serves, tuple(slots), hold(records, serves))
    await ports.store.rebuild(found, now, now + plan.SERVED_GOOD)
    names = ", ".join(each.name for each in records)
    text = f"the release log lacked {names}: entered from what {host.name} has · " + (
        f"customers are on r{serves}" if serves is not None else "nothing serves"
    )
    log.warning("%s: %s", scene.key, text)
    await ports.store.record(AuditRow(0, now, Actor("cockpit"), "rebuild", "done", scene.key, text=text))


async def _with_image(host: Host, record: ReleaseRecord) -> ReleaseRecord:
    """Containers hold their image; of the others it may be gone."""
    frozen = spec.from_text(record.spec)
    if record.slot is not None or not frozen.processes:
        return record
    try:
        there = await host.target.has_image(frozen.image)
    except TargetError:
        there = True
    return record if there else replace(record, image_removed=True)
