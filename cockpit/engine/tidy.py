"""What time brings by itself: releases become good, hot ones stop, old images go. Repeating it does no harm.

Never touched: what the pointer names, what an operation needs, and the last good release while the live one is not.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from cockpit.clock import Evenly
from cockpit.config.settings import PlacementSettings
from cockpit.engine import memory, plan, recover, slots, spec
from cockpit.engine.acting import doing
from cockpit.engine.audit import ENGINE
from cockpit.engine.exclusion import TIDYING, Exclusion
from cockpit.engine.host import Host
from cockpit.engine.pointed import put_back
from cockpit.engine.ports import Ports
from cockpit.engine.rows import Rows
from cockpit.engine.world import Seen, World
from cockpit.errors import Refused, TargetError
from cockpit.model import Health, PlacementKey
from cockpit.store.base import ReleaseRecord
from cockpit.targets.base import Container, Standing, Target

MOVED = 5.0  # seconds after a switch in which a request that read the pointer before it may still dial


class Tidy:
    def __init__(self, ports: Ports, world: World, rows: Rows, exclusion: Exclusion) -> None:
        self._ports = ports
        self._world = world
        self._rows = rows
        self._exclusion = exclusion
        self._evenly = Evenly(ports.clock, world.started_at)

    async def one(self, placement: PlacementSettings) -> bool:
        """True when something is other than before. Raises what the edge, Docker or the log raise."""
        key, ports, world = placement.key, self._ports, self._world
        await put_back(world, key)
        changed = await recover.believe_pointer(ports, world, key)
        if changed:
            await self._rows.reload(key)
        seen = self._rows.seen(key)
        if seen.health in (Health.HEALTHY, Health.DEGRADED):
            changed |= await mark_good(ports, seen, self._evenly.since())
        if world.host(key).docker_ok and not seen.stuck:
            changed |= await slots.correct(ports, world, key)
            changed |= await self._containers(placement, seen)
        return changed

    async def _containers(self, placement: PlacementSettings, seen: Seen) -> bool:
        ports, world = self._ports, self._world
        host = world.host(placement.key)
        if seen.row.live is not None and seen.settled != seen.row.live:
            with suppress(TargetError):  # it has no containers: that is for health to say
                slot = seen.live.slot if seen.live is not None else None
                await host.target.activate(placement.key, seen.row.live, Standing.LIVE, slot=slot)
                seen.settled = seen.row.live
        await _stand(host, seen)
        await memory.keep(host, ports.clock, placement.key, seen.records)
        now = ports.clock.now()
        stops, removes = to_stop(host.containers, seen, now), to_remove(host.containers, seen, now)
        if not (stops or removes or left_by_restart(world, seen)):
            return False
        try:
            claim = await self._exclusion.claim(host, placement.key, 0, TIDYING, ENGINE)
        except Refused:  # another bastion is at it
            return False
        try:
            with doing(TIDYING, claim.fence(must=True)):
                return await self._clean(seen, stops, removes)
        finally:
            await self._exclusion.release(claim)

    async def _clean(self, seen: Seen, stops: tuple[ReleaseRecord, ...], removes: tuple[ReleaseRecord, ...]) -> bool:
        ports, world, changed = self._ports, self._world, False
        spare = plan.rollback_default(seen.records, seen.row.live)
        for record in stops:
            changed |= await stop(ports, world, record, keep=record is spare)
        for record in removes:
            changed |= await remove(ports, world, record)
        return await clear(ports, world, seen) or changed


async def _stand(host: Host, seen: Seen) -> None:
    """One release says that it serves: the others that run give way to it, also after a crash in between."""
    key, live = seen.row.key, seen.row.live
    mine = [each for each in host.containers if each.key == key and each.standing is Standing.LIVE]
    if live is None or all(each.release != live for each in mine):
        return
    for number in {each.release for each in mine} - {live}:
        with suppress(TargetError):
            await host.target.activate(key, number, Standing.HOT)


async def mark_good(ports: Ports, seen: Seen, known_since: float) -> bool:
    """A live release is good once it baked, or served 10 min, without failing meanwhile.

    What was before this engine started, or before the clock jumped, is not known, so a bake that was not seen from its
    begin does not count."""
    live = seen.live
    if live is None or live.good_at is not None or live.live_since is None or live.rolled_back_at is not None:
        return False
    now = ports.clock.now()
    calm_since = max(live.live_since, seen.failing_since or 0.0, known_since)
    baked = live.baking_until is not None and now >= live.baking_until and calm_since == live.live_since
    if not baked and now - calm_since < plan.SERVED_GOOD:
        return False
    await ports.store.update_release(seen.row.key, live.number, good_at=now)
    return True


def to_stop(containers: tuple[Container, ...], seen: Seen, now: float) -> tuple[ReleaseRecord, ...]:
    """Releases that run and no longer need to. Pure."""
    running = _running(containers, seen)
    spare, live = plan.rollback_default(seen.records, seen.row.live), seen.live
    return tuple(
        record
        for record in seen.records
        if record.number in running
        and record.number != seen.row.live
        and not plan.hot(record, now)
        and not (record is spare and live is not None and live.good_at is None and record.hot_until is not None)
        and not _works_for(live, record, containers)
    )


def to_remove(containers: tuple[Container, ...], seen: Seen, now: float) -> tuple[ReleaseRecord, ...]:
    """Releases that serve no purpose: they have stopped, also when the log refused to say so, or they never had
    customers, as when the edge could not be asked what became of their switch. All but where `B` would go. Pure."""
    running, spare = _running(containers, seen), plan.rollback_default(seen.records, seen.row.live)
    return tuple(
        record
        for record in seen.records
        if record.number != seen.row.live
        and record is not spare
        and (record.stopped or (record.slot is not None and (_never_served(record) or record.number not in running)))
        and not plan.hot(record, now)
        and not _works_for(seen.live, record, containers)
    )


def _never_served(record: ReleaseRecord) -> bool:
    return record.failed or record.took_traffic_at is None


def _running(containers: tuple[Container, ...], seen: Seen) -> frozenset[int]:
    return frozenset(each.release for each in containers if each.key == seen.row.key and each.running)


def _works_for(live: ReleaseRecord | None, record: ReleaseRecord, containers: tuple[Container, ...]) -> bool:
    """Some worker runs in `record` and not in the live release: its successor did not come up."""
    if live is None:
        return False
    works = {(each.release, each.process) for each in containers if each.key == live.key and each.running}
    trailing = spec.from_text(live.spec).trailing
    return any((record.number, name) in works and (live.number, name) not in works for name in trailing)


async def stop(ports: Ports, world: World, record: ReleaseRecord, *, keep: bool) -> bool:
    """Drained first: open requests are given `drain` seconds, then SIGTERM and the grace period. True when it is done.

    With `keep` the stopped containers stay: they hold the image, the addresses and the environment for a rollback."""
    frozen, target = spec.from_text(record.spec), world.host(record.key).target
    since = record.hot_until if record.hot_until is not None else record.left_traffic_at or 0.0
    if not await _drained(ports, world, record, since) or await _named(world, record):
        return False
    grace = max(process.stop_grace for process in frozen.processes.values())
    with world.stopping(record.key, record.number) as allowed:
        if not allowed:
            return False
        await target.stop(record.key, record.number, grace=grace, remove=not keep)
        await ports.store.update_release(record.key, record.number, hot_until=None, stopped=keep)
        if not keep:
            await _free(ports, record)
    return True


async def remove(ports: Ports, world: World, record: ReleaseRecord) -> bool:
    if await _named(world, record):
        return False
    with world.stopping(record.key, record.number) as allowed:
        if not allowed:
            return False
        await world.host(record.key).target.stop(record.key, record.number, grace=0.0, remove=True)
        failed = _never_served(record)
        await ports.store.update_release(record.key, record.number, stopped=False, hot_until=None, failed=failed)
        await _free(ports, record)
    return True


async def _free(ports: Ports, record: ReleaseRecord) -> None:
    """All its blocks of addresses, also one that a restart left."""
    for slot in await recover.held(ports, record):
        await ports.store.free_slot(slot, ports.clock.now())


def left_by_restart(world: World, seen: Seen) -> frozenset[int]:
    """Slots of the live release's containers that it is in no longer."""
    live = seen.live
    if live is None or live.slot is None:
        return frozenset()
    return frozenset(each.slot for each in world.of(live.key) if each.release == live.number) - {live.slot}


async def clear(ports: Ports, world: World, seen: Seen) -> bool:
    """What a restart left: containers of the live release that customers are no longer sent to."""
    live, since, left = seen.live, seen.switched_at, left_by_restart(world, seen)
    if live is None or not left or world.busy(live.key) or ports.clock.now() - since < MOVED:
        return False
    frozen, host, changed = spec.from_text(live.spec), world.host(live.key), False
    grace = max(process.stop_grace for process in frozen.processes.values())
    pointer = await host.edge.pointer(live.key) if frozen.routed else None
    for slot in left:
        old = replace(live, slot=slot)
        named = pointer is not None and pointer == world.pointer(old)
        if named or _works_alone(world, live, slot) or not await _drained(ports, world, old, since):
            continue
        if world.busy(live.key) or seen.live is None or seen.live.slot != live.slot:
            return changed  # it moved once more meanwhile
        await host.target.stop(live.key, live.number, slot=slot, grace=grace, remove=True)
        await ports.store.free_slot(slot, ports.clock.now())
        changed = True
    return changed


def _works_alone(world: World, live: ReleaseRecord, slot: int) -> bool:
    """Some worker runs there and not where the release is now: its successor did not come up."""
    works = {(each.process, each.slot) for each in world.of(live.key) if each.release == live.number and each.running}
    trailing = spec.from_text(live.spec).trailing
    return any((name, slot) in works and (name, live.slot) not in works for name in trailing)


async def _named(world: World, record: ReleaseRecord) -> bool:
    """The pointer sends customers there, whatever the log says. Raises EdgeError when it cannot be read."""
    pointer = await world.host(record.key).edge.pointer(record.key)
    return pointer is not None and pointer.release == record.number


async def _drained(ports: Ports, world: World, record: ReleaseRecord, since: float) -> bool:
    """Nothing is open, or it had its time: that began at `since`."""
    where = [address for each in world.addresses(record).values() for address in each]
    if ports.clock.now() - since >= spec.from_text(record.spec).drain or not where:
        return True
    open_requests = await world.host(record.key).edge.in_flight()
    return sum(open_requests.get(each, 0) for each in where) == 0


async def prune(ports: Ports, target: Target, key: PlacementKey, keep: int) -> bool:
    """Images of releases that nothing may go back to any more. True when one went."""
    gone = False
    for record in await ports.store.retained(key, keep):
        try:
            await target.remove_image(spec.from_text(record.spec).image)
        except TargetError:
            continue
        await ports.store.update_release(key, record.number, image_removed=True)
        gone = True
    return gone
