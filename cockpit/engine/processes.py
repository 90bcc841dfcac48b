"""Processes without customers take over from their predecessors: after the switch, one after the other.

`overlap`: the new ones run, and only then the old ones stop. `recreate`: the old ones stop first, for what must not run
twice. The old ones are whatever runs: also what an operation left that was cut short. Repeating it does no harm, so
that the recovery may.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cockpit.engine import spec
from cockpit.engine.host import Host
from cockpit.store.base import ReleaseRecord
from cockpit.targets.base import ContainerState
from cockpit.targets.orders import ContainerSpec

Bring = Callable[[str], Awaitable[None]]  # starts a process of the new release, and returns when it runs
Former = Callable[[int], Awaitable[ReleaseRecord | None]]  # another release of the same placement, by its number

WORKING = (ContainerState.RUNNING, ContainerState.RESTARTING)


async def take_over(host: Host, release: ReleaseRecord, former: Former, bring: Bring) -> tuple[str, ...]:
    """The names of the processes that took over. What other releases have and this one has not stops as well."""
    new = spec.from_text(release.spec)
    for name in new.trailing:
        if new.processes[name].replace == "recreate":
            await _stop(host, release, former, name)
            await bring(name)
        else:
            await bring(name)
            await _stop(host, release, former, name)
    await _stop(host, release, former)
    return new.trailing


async def _stop(host: Host, release: ReleaseRecord, former: Former, process: str | None = None) -> None:
    """All that customers do not reach and that isn't the release where it is now; with `process`, only those.

    The stopped containers stay: they hold the environment for a rollback."""
    old = {
        (each.release, each.process, each.slot)
        for each in await host.target.observe()
        if each.key == release.key
        and each.port is None
        and process in (None, each.process)
        and (each.release, each.slot) != (release.number, release.slot)
        and each.state in WORKING
    }
    for number, name, slot in sorted(old):
        record = await former(number)
        known = spec.from_text(record.spec).processes.get(name) if record is not None else None
        grace = (known or ContainerSpec(image="")).stop_grace
        await host.target.stop(release.key, number, process=name, slot=slot, grace=grace, remove=False)
