"""What clients see of a release and a placement, made from rows and observations. Pure."""

from __future__ import annotations

from cockpit.engine.spec import WEB
from cockpit.health.probe import Probe
from cockpit.model import Release, Replica, Tier
from cockpit.store.base import ReleaseRecord
from cockpit.targets.base import Container


def tier(record: ReleaseRecord, live: int | None, running: frozenset[int]) -> Tier:
    """`running`: numbers of this placement's releases that have a running container."""
    if record.number == live:
        return Tier.LIVE
    if record.failed:
        return Tier.FAILED
    if not record.took_traffic_at:
        return Tier.STARTING
    if record.stopped:
        return Tier.STOPPED
    if record.number in running:
        return Tier.HOT
    return Tier.GONE if record.image_removed else Tier.RETAINED


def release(record: ReleaseRecord, live: int | None, running: frozenset[int], now: float) -> Release:
    served = record.served_seconds + (max(0.0, now - record.live_since) if record.live_since else 0.0)
    return Release(
        key=record.key,
        number=record.number,
        commit=record.commit,
        subject=record.subject,
        author=record.author,
        by=record.by,
        created_at=record.created_at,
        image=record.image,
        tier=tier(record, live, running),
        commits=record.commits,
        good=record.good_at is not None and record.rolled_back_at is None,
        baking_until=record.baking_until if record.number == live else None,
        live_since=record.live_since,
        served_seconds=served,
        hot_until=record.hot_until,
        took_traffic=record.took_traffic_at is not None,
        rolled_back=record.rolled_back_at is not None,
        note=record.bad_reason,
    )


def address(container: Container) -> str:
    return f"{container.address}:{container.port}" if container.port else ""


def replica_source(container: Container) -> str:
    """Names a replica in an operation's log."""
    return f"replica {container.index}" if container.process == WEB else f"{container.process} {container.index}"


def exited(container: Container) -> str:
    if container.oom_killed:
        return "killed: out of memory"
    if container.running:
        return ""
    if container.exit_code is None:
        return container.state.value
    return f"exited {container.exit_code}"


def replica(container: Container, last: Probe | None, failed_in_row: int) -> Replica:
    return Replica(
        container=container.name,
        release=container.release,
        index=container.index,
        address=address(container),
        running=container.running,
        status=last.status if last else 0,
        latency_ms=last.ms if last else None,
        probed_at=last.at if last else None,
        error=exited(container) or container.error or (last.error if last else ""),
        failed_in_row=failed_in_row,
        started_at=container.started_at,
        restarts=container.restarts,
        process=container.process,
    )
