"""Every link of the chain that a deploy needs, looked at before anything changes."""

from __future__ import annotations

import asyncio
import shutil

from cockpit.engine import spec
from cockpit.engine.host import Host
from cockpit.engine.ports import Ports
from cockpit.engine.scene import Scene
from cockpit.engine.starting import Values
from cockpit.engine.steps import FREE_SPACE
from cockpit.errors import CockpitError
from cockpit.model import Health
from cockpit.protocol import Check, CheckState

SECRETS_TIMEOUT = 3.0
EDGE_WAIT, EDGE_LOOK = 4.0, 0.2  # seconds that an edge gets to come up, and between two looks


async def preflight(ports: Ports, scene: Scene) -> tuple[Check, ...]:
    host = scene.host
    return tuple(await asyncio.gather(_docker(host), _edge(host), _secrets(ports, scene), _disk(ports), _live(scene)))


async def _docker(of: Host) -> Check:
    try:
        host = await of.target.ping()
    except CockpitError as error:
        return Check("docker", CheckState.FAIL, error.message, error.hint)
    return Check("docker", CheckState.PASS, f"{host.version} on {host.name}")


async def _edge(host: Host) -> Check:
    """One that the engine is just bringing up is waited for."""
    if await host.edge.answers() or (host.starting and await _soon(host)):
        return Check("edge", CheckState.PASS, "answers")
    return Check("edge", CheckState.FAIL, "the edge does not answer", "`cockpit doctor` says why")


async def _soon(host: Host) -> bool:
    for _ in range(round(EDGE_WAIT / EDGE_LOOK)):
        await asyncio.sleep(EDGE_LOOK)
        if await host.edge.answers():
            return True
    return False


async def _secrets(ports: Ports, scene: Scene) -> Check:
    """Of every process, with what its env files say."""
    processes = spec.freeze(scene.placement, "", {}, {}).processes
    if not any(each.secrets or each.env_files for each in processes.values()):
        return Check("secrets", CheckState.PASS, "none configured")
    values: dict[str, str] = {}
    try:
        async with asyncio.timeout(SECRETS_TIMEOUT):
            known = Values(ports.secrets)
            for each in processes.values():
                values |= await known.of(each)
    except TimeoutError:
        return Check("secrets", CheckState.UNKNOWN, f"no answer within {SECRETS_TIMEOUT:.0f} s")
    except CockpitError as error:
        return Check("secrets", CheckState.FAIL, error.message, error.hint)
    secret = {name for each in processes.values() for name in each.secrets}
    empty = sorted(name for name in secret if not values[name].strip())
    if empty:
        return Check("secrets", CheckState.WARN, f"empty: {', '.join(empty)}", "check where they come from")
    return Check("secrets", CheckState.PASS, f"{len(values)} resolve")


async def _disk(ports: Ports) -> Check:
    free = (await asyncio.to_thread(shutil.disk_usage, ports.paths.state)).free
    state = CheckState.PASS if free >= FREE_SPACE else CheckState.FAIL
    return Check("disk", state, f"{free / 2**30:.1f} GB free", "" if state is CheckState.PASS else "free space first")


async def _live(scene: Scene) -> Check:
    if scene.live is None:
        return Check("live", CheckState.PASS, "first release")
    if scene.seen.health is Health.HEALTHY:
        return Check("live", CheckState.PASS, f"{scene.live.name} is healthy")
    return Check("live", CheckState.WARN, f"{scene.live.name} is {scene.seen.health.value}: {scene.seen.why}")
