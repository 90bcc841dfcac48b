"""The steps that move customers: start, verify, switch, confirm, processes, settle. All operations share them.

Up to the switch nothing that customers see has changed; from it on the operation only goes forward.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cockpit.edge.base import Pointer
from cockpit.engine import memory, plan, spec
from cockpit.engine.confirming import confirm
from cockpit.engine.processes import take_over
from cockpit.engine.run import Run, Skip, StepWork
from cockpit.engine.settling import settle
from cockpit.engine.spec import ReleaseSpec
from cockpit.engine.starting import start_process
from cockpit.engine.verifying import verify_hot, verify_process, verify_started
from cockpit.errors import CockpitError, TargetError
from cockpit.model import OperationKind
from cockpit.store.base import ReleaseRecord
from cockpit.targets.base import Standing
from cockpit.targets.subnet import ADDRESS_REST

UNDO_GRACE = 5.0  # seconds that a release which never had customers gets to stop


async def start(run: Run) -> str:
    if run.was_hot:
        raise Skip("already running")
    release = run.bringing
    await run.world.stopped(release.key, release.number)
    frozen = spec.from_text(release.spec)
    await _say_changed_secrets(run, frozen)
    await _lease(run)
    await memory.note(run.host, run.bringing)
    run.started_here = True
    started = 0
    for name in frozen.leading:
        started += await _start(run, name)
    if not frozen.leading:
        raise Skip("nothing runs beside the old ones: they stop first")
    return f"{started} replica{'' if started == 1 else 's'}"


async def _start(run: Run, process: str) -> int:
    """How many containers that made."""
    release = run.bringing
    made_by = release.operation if run.operation.kind is OperationKind.ROLLBACK else run.operation.id
    started = await start_process(run.host, run.values, release, process, made_by)
    for container in started:
        where = f" on {container.address}:{container.port}" if container.port else ""
        run.say(f"{container.name}{where}")
    return len(started)


async def _say_changed_secrets(run: Run, frozen: ReleaseSpec) -> None:
    if run.operation.kind is not OperationKind.ROLLBACK or not any(map(frozen.fingerprints, frozen.processes)):
        return
    if not frozen.comparable(run.ports.secrets.keyed_by):
        run.say("the key that fingerprints secrets was lost; comparisons start anew")
        return
    now = await run.values.fingerprints(frozen)
    changed = sorted(
        {
            variable
            for name in frozen.processes
            for variable, fingerprint in frozen.fingerprints(name).items()
            if now[name].get(variable) != fingerprint
        }
    )
    if changed:
        run.say(f"not as it was with {run.bringing.name}: {', '.join(changed)} changed since")


async def _lease(run: Run) -> None:
    """The release has a block of addresses; one that restarts gets a second one, and keeps the first until it moved."""
    release, ports = run.bringing, run.ports
    if release.slot is not None and run.operation.kind is not OperationKind.RESTART:
        return
    subnet = run.host.subnet = await run.host.target.prepare()
    taken = frozenset(container.slot for container in await run.host.target.observe())
    lease = ports.store.lease_spare if run.operation.kind is OperationKind.RESTART else ports.store.lease_slot
    slot = await lease(release.key, release.number, subnet.slots, rest=ADDRESS_REST, avoid=taken)
    run.release = replace(release, slot=slot)
    await run.moved()  # where it is, is known at the very moment when customers are


async def verify(run: Run) -> str:
    if run.was_hot:
        return await verify_hot(run)
    return await verify_started(run)


async def switch(run: Run) -> str:
    """The pointer is the commit point; for a release without a port, the log's own word is."""
    ports, release = run.ports, run.bringing
    pointer = run.world.pointer(release)
    await _come_back(run)
    if pointer is not None:
        await run.claim.guard()
        run.committed = True
        await _point(run, pointer)
    at = ports.clock.now()
    await _written_live(run, at, at + _stays_hot(run) if pointer is not None else None)
    run.committed = True
    run.world.moved(release.key, release.number)
    await run.row(lambda: ports.store.switched(run.operation.id, at))
    await run.moved()
    run.now_about(switched_at=at)
    run.switched.set()
    if run.operation.kind is OperationKind.RESTART:
        return f"customers are on the new containers of {release.name}"
    return f"customers are on {release.name}"


async def _come_back(run: Run) -> None:
    """A Docker that is restarted before `settle` starts the new containers again. A rollback does not depend on it."""
    release = run.bringing
    if not run.started_here or not spec.from_text(release.spec).leading:
        return
    try:
        await run.host.target.activate(release.key, release.number, Standing.HOT, slot=release.slot)
    except TargetError as error:
        if run.operation.kind is not OperationKind.ROLLBACK:
            raise
        run.say(f"could not set the restart policy yet: {error.message}")


async def _written_live(run: Run, at: float, hot_until: float | None) -> None:
    store, release = run.ports.store, run.bringing
    if run.operation.kind is OperationKind.RESTART:
        await run.fact(lambda: store.update_release(release.key, release.number, slot=release.slot))
        return
    baking = _baking_until(run, at)
    await run.fact(lambda: store.set_live(release.key, release.number, at, hot_until=hot_until, baking_until=baking))


def _stays_hot(run: Run) -> float:
    """Seconds that the release which had the customers goes on running."""
    return plan.ROLLED_BACK_HOT if run.operation.kind is OperationKind.ROLLBACK else run.placement.service.hot_seconds


async def _point(run: Run, pointer: Pointer) -> None:
    key = run.operation.key
    try:
        await run.host.edge.point(key, pointer, run.claim.token)
    except CockpitError:
        if await run.host.edge.pointer(key) != pointer:
            run.committed = False
            raise
    run.world.moved(key, pointer.release)


def _baking_until(run: Run, at: float) -> float | None:
    """A release that is good already is not watched again."""
    return None if run.bringing.good_at is not None else at + run.placement.service.bake


async def processes(run: Run) -> str:
    """Workers and the like follow the customers. A new one that does not run leaves its predecessor running."""

    async def bring(name: str) -> None:
        run.progress(name)
        await _start(run, name)
        await verify_process(run, name)
        release = run.bringing
        await run.host.target.activate(release.key, release.number, Standing.LIVE, process=name, slot=release.slot)

    await _lease_again(run)
    key, store = run.operation.key, run.ports.store
    names = await take_over(run.host, run.bringing, lambda number: store.release(key, number), bring)
    return f"{', '.join(names)} took over" if names else "none any more"


async def _lease_again(run: Run) -> None:
    """A hot release has its slot; one that only has workers may have lost it when it was removed."""
    if run.bringing.slot is None:
        await _lease(run)


async def undo_start(run: Run) -> str:
    """Nothing that this operation started stays running; what others started is left alone."""
    release, ports = run.release, run.ports
    if release is None or not run.started_here:
        return "nothing was started"
    if await _sent_there(run, release):
        return f"{release.name} is left running: somebody has sent customers to it meanwhile"
    await run.host.target.stop(release.key, release.number, slot=release.slot, grace=UNDO_GRACE, remove=True)
    if run.operation.kind is not OperationKind.RESTART:
        await ports.store.update_release(release.key, release.number, stopped=False, hot_until=None)
    if release.slot is not None:
        await ports.store.free_slot(release.slot, ports.clock.now())
    return f"{release.name} taken away"


async def _sent_there(run: Run, release: ReleaseRecord) -> bool:
    """By a rollback of another bastion, which waits for no lock when Docker is away. Raises EdgeError."""
    wanted = run.world.pointer(release)
    return wanted is not None and await run.host.edge.pointer(release.key) == wanted


MOVE: Mapping[str, StepWork] = {
    "start": start,
    "verify": verify,
    "switch": switch,
    "confirm": confirm,
    "processes": processes,
    "settle": settle,
}
