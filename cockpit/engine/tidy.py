"""What time brings by itself: releases become good, hot ones stop, old images go. Repeating it does no harm.

Never touched: the live release, a running operation's, and the last good one while the live one is not good.
"""

from __future__ import annotations

from cockpit.engine import plan
from cockpit.engine.ports import Ports
from cockpit.errors import TargetError
from cockpit.model import PlacementKey
from cockpit.store.base import PlacementRecord, ReleaseRecord
from cockpit.targets.base import Container


async def mark_good(ports: Ports, row: PlacementRecord, live: ReleaseRecord, failing_since: float | None) -> bool:
    """A live release is good once it baked, or served 10 min, without failing meanwhile."""
    if live.good_at is not None or live.live_since is None or live.rolled_back_at is not None:
        return False
    now = ports.clock.now()
    calm_since = max(live.live_since, failing_since or 0.0)
    baked = live.baking_until is not None and now >= live.baking_until and calm_since == live.live_since
    if not baked and now - calm_since < plan.SERVED_GOOD:
        return False
    await ports.store.update_release(row.key, live.number, good_at=now)
    return True


def to_stop(
    containers: tuple[Container, ...],
    key: PlacementKey,
    records: tuple[ReleaseRecord, ...],
    live: int | None,
    now: float,
) -> tuple[ReleaseRecord, ...]:
    """Releases of `key` that run and no longer need to. Pure."""
    running = {each.release for each in containers if each.key == key and each.running}
    by_number = {each.number: each for each in records}
    serving = by_number.get(live) if live is not None else None
    spare = plan.rollback_default(records, live)
    return tuple(
        record
        for number, record in by_number.items()
        if number in running
        and number != live
        and (record.hot_until is None or record.hot_until <= now)
        and not (record is spare and serving is not None and serving.good_at is None and record.hot_until is not None)
    )


async def stop(ports: Ports, record: ReleaseRecord, *, keep: bool) -> bool:
    """Drained first: open requests are given `drain` seconds, then SIGTERM and the grace period. True when it is done.

    With `keep` the stopped containers stay: they hold the image, the addresses and the environment for a rollback."""
    spec = plan.from_text(record.spec)
    if not await _drained(ports, record, spec.drain):
        return False
    try:
        await ports.target.stop(record.key, record.number, grace=spec.stop_grace, remove=not keep)
    except TargetError:
        return False
    await ports.store.update_release(record.key, record.number, hot_until=None, stopped=keep)
    if not keep and record.slot is not None:
        await ports.store.free_slot(record.slot, ports.clock.now())
    return True


async def _drained(ports: Ports, record: ReleaseRecord, drain: float) -> bool:
    """Nothing is open, or it had its time: that began when the release stopped being hot."""
    since = record.hot_until if record.hot_until is not None else record.left_traffic_at or 0.0
    if ports.clock.now() - since >= drain or record.slot is None:
        return True
    spec = plan.from_text(record.spec)
    if spec.port is None:
        return True
    subnet = await ports.target.prepare()
    open_requests = await ports.edge.in_flight()
    where = [f"{each}:{spec.port}" for each in subnet.addresses(record.slot, spec.replicas)]
    return sum(open_requests.get(each, 0) for each in where) == 0


def to_remove(records: tuple[ReleaseRecord, ...], live: int | None) -> tuple[ReleaseRecord, ...]:
    """Stopped releases whose containers no longer serve a purpose: only where `B` would go keeps its own. Pure."""
    spare = plan.rollback_default(records, live)
    return tuple(record for record in records if record.stopped and record is not spare and record.number != live)


async def remove(ports: Ports, record: ReleaseRecord) -> None:
    await ports.target.stop(record.key, record.number, grace=0.0, remove=True)
    await ports.store.update_release(record.key, record.number, stopped=False)
    if record.slot is not None:
        await ports.store.free_slot(record.slot, ports.clock.now())


async def prune(ports: Ports, key: PlacementKey, keep: int) -> None:
    """Images of releases that nothing may go back to any more."""
    for record in await ports.store.retained(key, keep):
        try:
            await ports.target.remove_image(plan.from_text(record.spec).image)
        except TargetError:
            continue
        await ports.store.update_release(key, record.number, image_removed=True)


def spare(records: tuple[ReleaseRecord, ...], live: int | None) -> ReleaseRecord | None:
    """Where `B` goes: that one keeps its containers when it stops."""
    return plan.rollback_default(records, live)
