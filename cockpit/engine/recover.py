"""After a crash: rows are hypotheses, containers and the pointer are facts (DESIGN.md 4, the table).

An operation found without an outcome is taken forward when its release has the customers, and back when it has not.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from cockpit.edge.base import Pointer
from cockpit.engine import plan, spec
from cockpit.engine.audit import ENGINE
from cockpit.engine.host import Host
from cockpit.engine.ports import Ports
from cockpit.engine.processes import take_over
from cockpit.engine.starting import Values, start_process
from cockpit.engine.traffic import UNDO_GRACE
from cockpit.engine.world import World
from cockpit.errors import CockpitError, EdgeError, Refused, StoreError, StoreRejected, TargetDown
from cockpit.model import AuditRow, Hold, Operation, OperationKind, OperationState, PlacementKey, StepState
from cockpit.store.base import ReleaseRecord
from cockpit.targets.base import Standing

log = logging.getLogger(__name__)

TRIES = 5  # then the operation is parked as stuck
WAIT = 2.0  # seconds between tries


async def until_done(
    ports: Ports, host: Host, operation: Operation, attempt: Callable[[], Awaitable[None]], say: Callable[[str], None]
) -> None:
    """An operation that the last engine left open gets its end, however long Docker, the log or its lock are away.
    What it waits for is said once."""
    failures, waits_for = 0, ""
    while True:
        try:
            return await (attempt() if failures < TRIES else _park(ports, operation))
        except (TargetDown, Refused) as error:
            if error.code != waits_for:
                waits_for = error.code
                say(f"it waits: {error.message}")
        except CockpitError as error:
            waits = isinstance(error, StoreError) and not isinstance(error, StoreRejected)  # for its disk
            failures += not (waits or (isinstance(error, EdgeError) and await _away(host)))
            log.warning("recovery of operation %d: %s", operation.id, error.message)
        except Exception:  # a process edge: a row that nobody foresaw must not keep the engine from working
            failures += 1
            log.exception("recovery of operation %d", operation.id)
        await ports.clock.sleep(WAIT)


async def _away(host: Host) -> bool:
    """Then its pointers cannot be read either."""
    try:
        await host.target.ping()
    except TargetDown:
        return True
    except CockpitError:
        return False
    return False


async def once(ports: Ports, host: Host, operation: Operation) -> None:
    """By the table. Repeating it does no harm, also when a try was cut short while its last row was written."""
    now = await ports.store.operation(operation.id)
    if now is not None and now.state not in (OperationState.RUNNING, OperationState.STUCK):
        return
    release = await _release(ports, operation)
    if operation.kind is OperationKind.RESTART and release is not None:
        await _restarted(ports, host, operation, release)
    elif release is not None and await _has_customers(ports, host, release):
        await _forward(ports, host, operation, release)
    else:
        await _back(ports, host, operation, release)


async def _release(ports: Ports, operation: Operation) -> ReleaseRecord | None:
    if operation.to_release is not None:
        return await ports.store.release(operation.key, operation.to_release)
    made = await ports.store.releases(operation.key, limit=5)
    return next((each for each in made if each.operation == operation.id), None)


async def _has_customers(ports: Ports, host: Host, release: ReleaseRecord) -> bool:
    if not release.image:
        return False  # it died before there was anything to start
    if not spec.from_text(release.spec).routed:
        return (await ports.store.placement(release.key)).live == release.number
    pointer = await host.edge.pointer(release.key)
    return pointer is not None and pointer.release == release.number


async def _forward(ports: Ports, host: Host, operation: Operation, release: ReleaseRecord) -> None:
    now = ports.clock.now()
    row = await ports.store.placement(release.key)
    if row.live != release.number:
        await ports.store.set_live(
            release.key, release.number, now, hot_until=now + plan.SERVED_GOOD, baking_until=now + plan.SERVED_GOOD
        )
    if operation.switched_at is None:
        await ports.store.switched(operation.id, now)
    left = operation.from_release
    if operation.kind is OperationKind.ROLLBACK and left is not None and left > release.number:
        await _hold(ports, operation, left)
    await _finish(ports, host, release)
    summary = f"the engine died in it; customers were found on {release.name} and it was finished"
    await ports.store.end_operation(operation.id, OperationState.SUCCEEDED, summary, None, now, recovered=True)


async def _finish(ports: Ports, host: Host, release: ReleaseRecord) -> None:
    """Workers follow the customers, and all of it comes back by itself after a reboot."""
    values, made_by = Values(ports.secrets), release.operation

    async def bring(name: str) -> None:
        await start_process(host, values, release, name, made_by)

    for name in await _stopped(host, release):
        await bring(name)
    await take_over(host, release, lambda number: ports.store.release(release.key, number), bring)
    await host.target.activate(release.key, release.number, Standing.LIVE, slot=release.slot)


async def _stopped(host: Host, release: ReleaseRecord) -> tuple[str, ...]:
    """Processes of which some replica does not run: Docker may have been restarted when its engine was not there."""
    frozen = spec.from_text(release.spec)
    runs = [
        each.process
        for each in await host.target.observe()
        if (each.key, each.release, each.slot) == (release.key, release.number, release.slot) and each.running
    ]
    return tuple(name for name in frozen.leading if runs.count(name) < frozen.processes[name].replicas)


async def _restarted(ports: Ports, host: Host, operation: Operation, release: ReleaseRecord) -> None:
    """The same release in two blocks of addresses: the one that the pointer names is it.

    New containers that never had customers go now; old ones may still be answering, and `tidy.py` clears them."""
    frozen, mine = spec.from_text(release.spec), await held(ports, release)
    moved = await _pointed(host, release, mine) if frozen.routed else release.slot
    serves = await _has_customers(ports, host, release)
    now = ports.clock.now()
    where = "new" if operation.switched_at is not None or moved != release.slot else "old"
    if moved != release.slot:
        await ports.store.update_release(release.key, release.number, slot=moved)
        await ports.store.switched(operation.id, now)
    release = replace(release, slot=moved)
    if await _has_customers(ports, host, release):  # and nobody rolled back meanwhile
        await _finish(ports, host, release)
    seen = {each.slot for each in await host.target.observe()}
    for slot in mine:
        if slot != moved and ((serves and where == "old") or slot not in seen):
            await host.target.stop(release.key, release.number, slot=slot, grace=UNDO_GRACE, remove=True)
            await ports.store.free_slot(slot, now)
    summary = f"the engine died in it; customers are on the {where} containers of {release.name}"
    await ports.store.end_operation(operation.id, OperationState.INTERRUPTED, summary, None, now, recovered=True)


async def held(ports: Ports, release: ReleaseRecord) -> tuple[int, ...]:
    """All its blocks of addresses: two in the middle of a restart."""
    leases = await ports.store.leases()
    return tuple(
        each.slot
        for each in leases
        if (each.key, each.release) == (release.key, release.number) and each.freed_at is None
    )


async def _pointed(host: Host, release: ReleaseRecord, slots: tuple[int, ...]) -> int | None:
    """Which of them the pointer names; when it names none, the one that the log has."""
    frozen, pointer = spec.from_text(release.spec), await host.edge.pointer(release.key)
    named = (slot for slot in slots if pointer == frozen.pointer(release.number, slot, host.subnet))
    return next(named, release.slot)


async def _hold(ports: Ports, operation: Operation, left: int) -> None:
    bad = await ports.store.release(operation.key, left)
    if bad is None or bad.rolled_back_at is not None:
        return
    now = ports.clock.now()
    reason = operation.reason or f"rolled back from r{left}"
    await ports.store.update_release(operation.key, left, rolled_back_at=now, bad_reason=reason)
    await ports.store.set_hold(operation.key, Hold(operation.actor.name, now, reason, (bad.commit,)))


async def _back(ports: Ports, host: Host, operation: Operation, release: ReleaseRecord | None) -> None:
    now = ports.clock.now()
    migrated = await _migration(host, operation, release)
    served = release is not None and release.took_traffic_at is not None  # and somebody rolled back meanwhile
    if release is not None and not served and operation.kind is OperationKind.DEPLOY:
        await host.target.stop(release.key, release.number, grace=UNDO_GRACE, remove=True)
        await ports.store.update_release(release.key, release.number, failed=True)
        if release.slot is not None:
            await ports.store.free_slot(release.slot, now)
    row = await ports.store.placement(operation.key)
    serves = f"r{row.live} serves" if row.live else "nothing serves"
    was = "customers have left it since" if served else "customers were never on it"
    summary = " · ".join(filter(None, (f"the engine died in it; {was}", serves, migrated)))
    await ports.store.end_operation(operation.id, OperationState.INTERRUPTED, summary, None, now, recovered=True)


async def _migration(host: Host, operation: Operation, release: ReleaseRecord | None) -> str:
    """What became of the migration that it died in: it is never run again by itself. One that still runs is left to."""
    step = operation.step("migrate")
    if release is None or step is None or step.state not in (StepState.RUNNING, StepState.FAILED):
        return ""
    found = await host.target.one_offs(release.key, release.number)
    if not found:
        return "its migration may have run: look before you deploy again"
    if any(each.running for each in found):
        return "its migration still runs: wait for its end before you deploy again"
    code = found[-1].exit_code
    said = "ended well" if code == 0 else f"exited with status {code}" if code is not None else "never began"
    return f"its migration {said}"


async def _park(ports: Ports, operation: Operation) -> None:
    """Both releases stay as they are until a person has looked."""
    summary = f"recovery gave up after {TRIES} tries; engine.log says why · next: cockpit recover {operation.id}"
    now = ports.clock.now()
    await ports.store.end_operation(operation.id, OperationState.STUCK, summary, None, now, recovered=True)


async def believe_pointer(ports: Ports, world: World, key: PlacementKey) -> bool:
    """Where the log and the edge disagree about who is live, the edge is right: somebody moved the pointer by hand, or
    an engine died. True when the log was corrected. Raises EdgeError for a pointer that cannot be read."""
    pointer = await world.host(key).edge.pointer(key)
    release = await ports.store.release(key, pointer.release) if pointer is not None else None
    if pointer is None or release is None:
        if pointer is not None:
            world.host(key).caught_up = False  # another bastion deployed it: the next look learns it
        return False
    row = await ports.store.placement(key)
    if world.busy(key):
        return False  # an operation began meanwhile, and knows better
    world.moved(key, pointer.release)
    if pointer.release == row.live:
        believed = await _believe_slot(ports, world, release, pointer)
        world.placements[key].behind |= believed
        return believed
    now = ports.clock.now()
    await ports.store.set_live(key, pointer.release, now, hot_until=now + plan.SERVED_GOOD, baking_until=None)
    text = f"the log said r{row.live or '–'}, customers were found on r{pointer.release}"
    world.placements[key].behind = True
    await ports.store.record(AuditRow(0, now, ENGINE, "recovery", "done", key, text=text))
    return True


async def _believe_slot(ports: Ports, world: World, release: ReleaseRecord, pointer: Pointer) -> bool:
    """A restart whose switch was made and not written."""
    if world.pointer(release) in (None, pointer):
        return False
    moved = await _pointed(world.host(release.key), release, await held(ports, release))
    if moved == release.slot or world.busy(release.key):
        return False
    await ports.store.update_release(release.key, release.number, slot=moved)
    return True
