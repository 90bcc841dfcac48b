"""Which release has which block of addresses: rows are hypotheses, containers are facts.

Another bastion may have brought, moved or taken away a release, or a restart was given up between its lease and its
containers. Nothing that runs is changed here: only what this log says of it.
"""

from __future__ import annotations

from collections.abc import Iterable

from cockpit.engine.ports import Ports
from cockpit.engine.world import Seen, World
from cockpit.model import PlacementKey
from cockpit.store.base import SlotLease
from cockpit.store.slots import Correction
from cockpit.targets.base import Container


def correction(seen: Seen, leases: Iterable[SlotLease], containers: Iterable[Container]) -> Correction:
    """The live release keeps its slot without containers as well: customers are sent there. Pure."""
    mine = [each for each in containers if each.key == seen.row.key]
    there = {each.slot: each.release for each in mine}
    held = {each.slot: each for each in leases if each.freed_at is None}
    ours = {slot: each.release for slot, each in held.items() if each.key == seen.row.key}
    rows = {each.number: each.slot for each in seen.records}
    known = {slot: release for slot, release in there.items() if release in rows}
    newest = {each.release: each.slot for each in sorted(mine, key=lambda each: each.started_at or 0.0)}
    return Correction(
        freed=tuple(
            slot
            for slot, release in ours.items()
            if there.get(slot) != release and (release, slot) != (seen.row.live, rows.get(release))
        ),
        held=tuple(
            (slot, release)
            for slot, release in known.items()
            if slot not in held or (slot in ours and ours[slot] != release)
        ),
        moved=tuple(
            (newest[release], release)
            for release in set(known.values())
            if (rows[release], release) not in known.items()
        ),
    )


async def correct(ports: Ports, world: World, key: PlacementKey) -> bool:
    """True when the log was corrected. Nobody else may be at work at the placement."""
    seen, containers = world.placements[key], world.of(key)
    looked_at = (
        frozenset((each.slot, each.release) for each in containers),
        tuple((each.number, each.slot) for each in seen.records),
        (seen.newest.id, seen.newest.state) if seen.newest is not None else None,
    )
    if looked_at == seen.slots_looked_at:  # each placement is asked about every few seconds
        return False
    found = correction(seen, await ports.store.leases(), containers)
    if found == Correction():
        seen.slots_looked_at = looked_at
        return False
    if world.busy(key):
        return False  # an operation began meanwhile, and knows better
    await ports.store.correct_slots(key, found)
    return True
