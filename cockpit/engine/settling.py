"""After customers were moved: the new release comes back by itself; the one they left stays hot, stops or is held."""

from __future__ import annotations

from contextlib import suppress

from cockpit.engine import spec
from cockpit.engine.run import Run
from cockpit.errors import TargetDown, TargetError
from cockpit.model import Hold, OperationKind
from cockpit.store.base import ReleaseRecord
from cockpit.targets.base import Standing


async def settle(run: Run) -> str:
    """The new release comes back by itself after a reboot; what it replaced stays hot, or is held against coming back.

    Docker may be away: then it is done later (`watch.py`), because customers were moved already."""
    release, kind, done = run.bringing, run.operation.kind, []
    try:
        await run.host.target.activate(release.key, release.number, Standing.LIVE, slot=release.slot)
    except TargetDown as error:
        run.world.placements[release.key].settled = None
        done.append(f"switched; Docker is down, not verified ({error.message})")
    except TargetError as error:
        run.world.placements[release.key].settled = None
        run.say(f"could not set the restart policy yet: {error.message}")
    if kind is OperationKind.RESTART:
        done.append("the old containers stop when their last request ends")
    elif kind is OperationKind.DEPLOY:
        done.append(await _former(run, run.live) if run.live else "nothing was replaced")
    elif run.live is not None and run.live.number < release.number:
        await _reinstate(run)
        done.append("the hold is released")
    elif run.live is not None:
        await _hold(run, run.live)
        if spec.from_text(release.spec).routed:
            await _stands_by(run, run.live)
        else:
            done.append(await _former(run, run.live))
        done.append("held until someone gives a reason")
    return " · ".join(done)


async def _reinstate(run: Run) -> None:
    """Forward again, to what a mistaken rollback left: it is not bad after all."""
    ports, release = run.ports, run.bringing
    await run.fact(lambda: ports.store.update_release(release.key, release.number, rolled_back_at=None, bad_reason=""))
    await run.fact(lambda: ports.store.set_hold(release.key, None))


async def _former(run: Run, former: ReleaseRecord) -> str:
    """What customers may still be sent back to at once goes on running."""
    frozen = spec.from_text(former.spec)
    if frozen.routed:
        await _stands_by(run, former)
        return f"{former.name} stays hot"
    grace = max(process.stop_grace for process in frozen.processes.values())
    try:
        await run.host.target.stop(former.key, former.number, grace=grace, remove=False)
    except TargetError as error:
        return f"{former.name} could not be stopped: {error.message}"
    await run.fact(lambda: run.ports.store.update_release(former.key, former.number, hot_until=None, stopped=True))
    return f"{former.name} stopped"


async def _stands_by(run: Run, former: ReleaseRecord) -> None:
    """It comes back after a reboot, and nobody takes it for the live one. `tidy.py` does it where Docker is away."""
    with suppress(TargetError):
        await run.host.target.activate(former.key, former.number, Standing.HOT)


async def _hold(run: Run, bad: ReleaseRecord) -> None:
    """The release that was left is marked, and what it shipped is not offered until someone gives a reason."""
    ports, actor, at = run.ports, run.operation.actor.name, run.ports.clock.now()
    reason = run.operation.reason or f"rolled back from {bad.name}"
    hold = Hold(actor, at, reason, bad_commits=(bad.commit,))
    run.world.placements[bad.key].left_at = at
    await run.fact(lambda: ports.store.update_release(bad.key, bad.number, rolled_back_at=at, bad_reason=reason))
    await run.fact(lambda: ports.store.set_hold(bad.key, hold))
