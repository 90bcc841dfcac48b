"""What can be gone back to and what that undoes, for the sheet that asks whether to. Changes nothing."""

from __future__ import annotations

import asyncio

from cockpit.engine import plan
from cockpit.engine.ports import Ports
from cockpit.engine.scene import Scene
from cockpit.engine.steps import repository
from cockpit.errors import CockpitError
from cockpit.model import Commit, Health, OperationKind
from cockpit.protocol import RollbackOption, RollbackSheet
from cockpit.store.base import ReleaseRecord
from cockpit.text import age, took

SECOND_ROLLBACK = 600.0  # seconds in which another rollback opens unarmed
WAY_BACK = "What served before the cockpit still can: put the line in nginx or Traefik back"
HEARD = 10.0  # seconds: an older answer is not "now"
OPTIONS = 8  # releases that a rollback sheet offers


async def rollback_sheet(ports: Ports, scene: Scene) -> RollbackSheet:
    key, live = scene.placement.key, scene.live
    if scene.host.anothers:
        return RollbackSheet(key, scene.release(live) if live else None, refused=scene.host.anothers)
    if live is None:
        return RollbackSheet(key, None, refused="nothing is live here: there is nothing to roll back")
    records = plan.returnable(scene.records, live.number)[:OPTIONS]
    if not records:
        return RollbackSheet(
            key,
            scene.release(live),
            refused=f"{live.name} is the first release: there is none to go back to. {WAY_BACK}",
        )
    options = tuple(await asyncio.gather(*(_option(ports, scene, record) for record in records)))
    undoes = tuple(await asyncio.gather(*(_undone(ports, scene, live, record) for record in records)))
    default = plan.rollback_default(records, live.number)
    unarmed = _unarmed_because(scene, default)
    return RollbackSheet(
        key=key,
        live=scene.release(live),
        options=options,
        selected=records.index(default) if default else None,
        undoes=undoes,
        armed=not unarmed,
        unarmed_because=unarmed,
        warnings=_warnings(scene, live),
    )


async def _option(ports: Ports, scene: Scene, record: ReleaseRecord) -> RollbackOption:
    release = scene.release(record)
    answering = [
        each for each in scene.seen.replicas if each.release == record.number and each.running and each.address
    ]
    fresh = [each for each in answering if each.probed_at is not None and scene.now - each.probed_at <= HEARD]
    answers = all(200 <= each.status < 300 for each in fresh) if fresh else None
    said = [f"served {age(release.served_seconds)}"]
    if release.rolled_back:
        said.append("rolled back from")
    seconds = await ports.store.usual_rollback(record.key, release.tier.value)
    return RollbackOption(release, release.tier, seconds, ", ".join(said), answers)


async def _undone(ports: Ports, scene: Scene, live: ReleaseRecord, to: ReleaseRecord) -> tuple[Commit, ...]:
    """The commits that going back takes away. A repository that does not answer must not hold up a rollback."""
    try:
        async with asyncio.timeout(1.0):
            taken = await ports.source.between(
                repository(scene.placement), to.commit, live.commit, scene.placement.service.path, limit=50
            )
    except (CockpitError, TimeoutError):
        return ()
    return taken.commits


def _unarmed_because(scene: Scene, default: ReleaseRecord | None) -> str:
    """Why the service's name must be typed; "" when `y` is enough."""
    last = max((at for at in (scene.left_at, *(each.rolled_back_at for each in scene.records)) if at), default=None)
    if last is not None and scene.now - last < SECOND_ROLLBACK:
        who = f" by {scene.row.hold.by}" if scene.row.hold else ""
        return f"rolled back {age(scene.now - last)} ago{who}"
    if scene.seen.health is Health.HEALTHY and scene.failing_elsewhere:
        elsewhere = scene.failing_elsewhere[0]
        return f"{scene.placement.key.service} is healthy. {elsewhere} fails: ! goes there"
    if default is None:
        return "no release is known to be good: choose one with j k"
    return ""


def _warnings(scene: Scene, live: ReleaseRecord) -> tuple[str, ...]:
    said = []
    if scene.operation is not None and scene.operation.kind is OperationKind.DEPLOY:
        said.append(f"cancels the deploy that {scene.operation.actor.name} started")
    said += [f"overrides the {each} · the record will say so" for each in scene.overrides]
    if (other := scene.seen.elsewhere) is not None:
        deploys = other.kind == OperationKind.DEPLOY.value
        way = "it is ended where it is" if deploys else "this is refused while it lives"
        said.append(f"{other.by} on {other.bastion} began a {other.kind} {age(scene.now - other.since)} ago: {way}")
    served = scene.release(live).served_seconds
    if scene.seen.health is Health.FAILING and served > 86400:
        said.append(f"{live.name} was fine for {age(served)}: the cause may be elsewhere")
    if live.took_traffic_at is not None:
        said.append(f"not restored: data written since {took(scene.now - (live.live_since or scene.now))} ago")
    return tuple(said)
