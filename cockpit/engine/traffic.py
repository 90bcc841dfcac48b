"""The five steps that move customers: start, verify, switch, confirm, settle. Deploys and rollbacks share them.

Up to the switch nothing that customers see has changed; from it on the operation only goes forward.
"""

from __future__ import annotations

from cockpit.edge.base import Pointer
from cockpit.engine import plan
from cockpit.engine.run import Run, Skip
from cockpit.engine.verifying import verify_hot, verify_started
from cockpit.errors import EdgeError, Failed, TargetDown, TargetError
from cockpit.model import Failure, Hold, OperationKind, Side
from cockpit.store.base import ReleaseRecord
from cockpit.targets.base import ADDRESS_REST, ContainerSpec, StartOrder

CONFIRM_TIMEOUT = 2.0  # seconds for one answer through the public route
CONFIRM_TRIES = 3
CONFIRM_PAUSE = 0.1
UNDO_GRACE = 5.0  # seconds that a release which never had customers gets to stop


async def start(run: Run) -> str:
    if run.was_hot:
        raise Skip("already running")
    ports, release = run.ports, run.bringing
    await run.world.stopped(release.key, release.number)
    spec = plan.from_text(release.spec)
    secrets = await ports.secrets.resolve(spec.secrets)
    _say_changed_secrets(run, spec, ports.secrets.fingerprints(secrets))
    release = await _leased(run, release)
    run.started_here = True
    order = StartOrder(
        key=release.key,
        release=release.number,
        operation=run.operation.id if run.operation.kind is OperationKind.DEPLOY else release.operation,
        slot=_slot(release),
        spec=spec,
        environment=plan.container_environment(release.key, release.number, release.commit, spec, secrets),
    )
    started = await ports.target.start(order)
    for container in started:
        where = f" on {container.address}:{container.port}" if container.port else ""
        run.say(f"{container.name}{where}")
    return f"{len(started)} replica{'' if len(started) == 1 else 's'}"


def _say_changed_secrets(run: Run, spec: ContainerSpec, now: dict[str, str]) -> None:
    changed = [name for name, source in spec.secrets.items() if source.fingerprint != now[name]]
    if changed and run.operation.kind is OperationKind.ROLLBACK:
        run.say(f"not as it was with {run.bringing.name}: {', '.join(changed)} changed since")


async def _leased(run: Run, release: ReleaseRecord) -> ReleaseRecord:
    if release.slot is not None:
        return release
    ports = run.ports
    subnet = run.world.subnet = await ports.target.prepare()
    taken = frozenset(container.slot for container in await ports.target.observe())
    slot = await ports.store.lease_slot(release.key, release.number, subnet.slots, rest=ADDRESS_REST, avoid=taken)
    found = await ports.store.release(release.key, release.number)
    run.release = found
    assert found is not None, "a lease belongs to a release"
    assert found.slot == slot, "the lease and the release's row are one transaction"
    return found


def _slot(release: ReleaseRecord) -> int:
    assert release.slot is not None, "leased before"
    return release.slot


async def verify(run: Run) -> str:
    if run.was_hot:
        return await verify_hot(run)
    return await verify_started(run)


async def switch(run: Run) -> str:
    """The pointer is the commit point; for a release without a port, the log's own word is."""
    ports, release = run.ports, run.bringing
    spec = plan.from_text(release.spec)
    if spec.port is not None:
        run.committed = True
        await _point(run, Pointer(release.number, run.world.addresses(release)))
    at = ports.clock.now()
    hot_until = None if spec.port is None else at + _stays_hot(run)
    await run.fact(
        lambda: ports.store.set_live(
            release.key, release.number, at, hot_until=hot_until, baking_until=_baking_until(run, at)
        )
    )
    run.committed = True
    run.world.moved(release.key, release.number)
    await run.row(lambda: ports.store.switched(run.operation.id, at))
    await run.moved()
    run.now_about(switched_at=at)
    run.switched.set()
    return f"customers are on {release.name}"


def _stays_hot(run: Run) -> float:
    """Seconds that the release which had the customers goes on running."""
    return plan.ROLLED_BACK_HOT if run.operation.kind is OperationKind.ROLLBACK else run.placement.service.hot_seconds


async def _point(run: Run, pointer: Pointer) -> None:
    key = run.operation.key
    try:
        await run.ports.edge.point(key, pointer)
    except EdgeError:
        if await run.ports.edge.pointer(key) != pointer:
            run.committed = False
            raise
    run.world.moved(key, pointer.release)


def _baking_until(run: Run, at: float) -> float | None:
    """A release that is good already is not watched again."""
    return None if run.bringing.good_at is not None else at + run.placement.service.bake


async def confirm(run: Run) -> str:
    release, key = run.bringing, run.operation.key
    spec = plan.from_text(release.spec)
    if spec.port is None:
        raise Skip("nothing to ask: no port")
    acted = await run.ports.edge.pointer(key)
    if acted is None or acted.release != release.number:
        raise Failed(_not_through(run, f"the edge says {acted.release if acted else 'nothing'}"))
    listen = run.placement.environment.edge.listen
    host = run.placement.service.hosts[0] if run.placement.service.hosts else None
    said = ""
    for _ in range(CONFIRM_TRIES):
        probe = await run.ports.prober.public(listen, spec.health.path, host, CONFIRM_TIMEOUT)
        if 200 <= probe.status < 400 and probe.release in ("", release.name):
            return f"{probe.status} through the edge in {probe.ms:.0f} ms"
        said = f"{probe.release} answers" if probe.release else f"it answers {probe.status or probe.error}"
        await run.ports.clock.sleep(CONFIRM_PAUSE)
    raise Failed(_not_through(run, f"{said} through the edge"))


def _not_through(run: Run, what: str) -> Failure:
    name = run.bringing.name
    return Failure(
        "confirm",
        Side.INFRASTRUCTURE,
        f"customers are on {name}, and {what}",
        means="the release passed its checks, but not on the way that customers take",
        next="roll back with B; then compare the health path and the host names with the edge's listener",
    )


async def settle(run: Run) -> str:
    """The new release comes back by itself after a reboot; what it replaced stays hot, or is held against coming back.

    Docker may be away: then it is done later (`watch.py`), because customers were moved already."""
    release, done = run.bringing, []
    try:
        await run.ports.target.activate(release.key, release.number, live=True)
    except TargetDown as error:
        done.append(f"switched; Docker is down, not verified ({error.message})")
    except TargetError as error:
        run.say(f"could not set the restart policy yet: {error.message}")
    if run.operation.kind is OperationKind.DEPLOY:
        done.append(await _former(run, run.live) if run.live else "nothing was replaced")
    elif run.live is not None and run.live.number < release.number:
        await _reinstate(run)
        done.append("the hold is released")
    elif run.live is not None:
        await _hold(run, run.live)
        if plan.from_text(release.spec).port is None:
            done.append(await _former(run, run.live))
        done.append("held until someone gives a reason")
    return " · ".join(done)


async def _reinstate(run: Run) -> None:
    """Forward again, to what a mistaken rollback left: it is not bad after all."""
    ports, release = run.ports, run.bringing
    await run.fact(lambda: ports.store.update_release(release.key, release.number, rolled_back_at=None, bad_reason=""))
    await run.fact(lambda: ports.store.set_hold(release.key, None))


async def _former(run: Run, former: ReleaseRecord) -> str:
    spec = plan.from_text(former.spec)
    if spec.port is not None:
        return f"{former.name} stays hot"
    try:
        await run.ports.target.stop(former.key, former.number, grace=spec.stop_grace, remove=False)
    except TargetError as error:
        return f"{former.name} could not be stopped: {error.message}"
    await run.fact(lambda: run.ports.store.update_release(former.key, former.number, hot_until=None, stopped=True))
    return f"{former.name} stopped"


async def _hold(run: Run, bad: ReleaseRecord) -> None:
    """The release that was left is marked, and what it shipped is not offered until someone gives a reason."""
    ports, actor, at = run.ports, run.operation.actor.name, run.ports.clock.now()
    reason = run.operation.reason or f"rolled back from {bad.name}"
    hold = Hold(actor, at, reason, bad_commits=(bad.commit,))
    run.world.placements[bad.key].left_at = at
    await run.fact(lambda: ports.store.update_release(bad.key, bad.number, rolled_back_at=at, bad_reason=reason))
    await run.fact(lambda: ports.store.set_hold(bad.key, hold))


async def undo_start(run: Run) -> str:
    """Nothing that this operation started stays running; what others started is left alone."""
    release, ports = run.release, run.ports
    if release is None or not run.started_here:
        return "nothing was started"
    await ports.target.stop(release.key, release.number, grace=UNDO_GRACE, remove=True)
    await ports.store.update_release(release.key, release.number, stopped=False, hot_until=None)
    if release.slot is not None:
        await ports.store.free_slot(release.slot, ports.clock.now())
    return f"{release.name} taken away"
