"""Workers follow customers whom no operation moved: somebody moved the pointer by hand, or nobody could tell what
became of a switch. As after any switch, and checked as then: one that does not run leaves its predecessor working.
"""

from __future__ import annotations

from cockpit.clock import Clock
from cockpit.engine import spec
from cockpit.engine.host import Host
from cockpit.engine.ports import Ports
from cockpit.engine.processes import WORKING, take_over
from cockpit.engine.starting import Values, start_process
from cockpit.engine.verifying import LOOK, facts_of
from cockpit.engine.world import World
from cockpit.errors import Failed, Refused
from cockpit.health.verify import Expected, Verification
from cockpit.store.base import ReleaseRecord
from cockpit.targets.base import Standing


def behind(world: World, live: ReleaseRecord) -> bool:
    """As last seen: one works elsewhere, or not where the customers are."""
    working = [each for each in world.of(live.key) if each.port is None and each.state in WORKING]
    here = {each.process for each in working if (each.release, each.slot) == (live.number, live.slot)}
    elsewhere = any((each.release, each.slot) != (live.number, live.slot) for each in working)
    return elsewhere or not here.issuperset(spec.from_text(live.spec).trailing)


async def follow(ports: Ports, world: World, live: ReleaseRecord) -> str:
    """In words what was done. Raises Refused when customers are elsewhere by now, Failed for a worker that does not
    run, and what the edge, Docker, the log or the secrets raise."""
    host = world.host(live.key)
    if await host.edge.pointer(live.key) != world.pointer(live):
        raise Refused(f"customers of {live.key} were moved again", "the next look finds them")
    values = Values(ports.secrets)

    async def bring(name: str) -> None:
        await start_process(host, values, live, name, live.operation)
        await _runs(host, ports.clock, live, name)
        await host.target.activate(live.key, live.number, Standing.LIVE, process=name, slot=live.slot)

    names = await take_over(host, live, lambda number: ports.store.release(live.key, number), bring)
    return f"{', '.join(names) or 'no process'} took over on {live.name}, where customers were found"


async def _runs(host: Host, clock: Clock, live: ReleaseRecord, name: str) -> None:
    process = spec.from_text(live.spec).processes[name]
    expected = Expected(process.replicas, port=None, deadline=process.health.deadline)
    verification = Verification(expected, clock.monotonic())
    wanted = (live.key, live.number, name, live.slot)
    while (verdict := verification.verdict(clock.monotonic())) is None:
        await clock.sleep(LOOK)
        for each in await host.target.observe():
            if (each.key, each.release, each.process, each.slot) == wanted:
                verification.observed(clock.monotonic(), each.index, facts_of(each, ()))
    if verdict.failure is not None:
        raise Failed(verdict.failure)
