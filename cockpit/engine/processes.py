"""Processes without customers take over from their predecessors: after the switch, one after the other.

`overlap`: the new ones run, and only then the old ones stop. `recreate`: the old ones stop first, for what must not run
twice. Repeating it does no harm, so that the recovery may.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from cockpit.engine import spec
from cockpit.engine.host import Host
from cockpit.store.base import ReleaseRecord

Bring = Callable[[str], Awaitable[None]]  # starts a process of the new release, and returns when it runs


async def take_over(host: Host, release: ReleaseRecord, former: ReleaseRecord | None, bring: Bring) -> tuple[str, ...]:
    """The names of the processes that took over. What the former release has and this one has not stops as well."""
    new = spec.from_text(release.spec)
    old = spec.from_text(former.spec) if former is not None else None
    for name in new.trailing:
        stop = partial(_stop, host, former, old, name)
        if new.processes[name].replace == "recreate":
            await stop()
            await bring(name)
        else:
            await bring(name)
            await stop()
    for name in old.trailing if old is not None else ():
        if name not in new.trailing:
            await _stop(host, former, old, name)
    return new.trailing


async def _stop(host: Host, former: ReleaseRecord | None, old: spec.ReleaseSpec | None, name: str) -> None:
    """The stopped containers stay: they hold the environment for a rollback."""
    if former is None or old is None or name not in old.processes or name not in old.trailing:
        return
    grace = old.processes[name].stop_grace
    await host.target.stop(former.key, former.number, process=name, slot=former.slot, grace=grace, remove=False)
