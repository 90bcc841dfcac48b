"""Six steps from nothing to a shop with customers. Each is done again without harm, and quickly when it was done."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from cockpit.client import Client, connect
from cockpit.demo import crowd, play, repo, runtime
from cockpit.demo.repo import Shop
from cockpit.demo.world import PRODUCTION, STAGING, World
from cockpit.errors import CockpitError
from cockpit.model import OperationState, PlacementKey

Say = Callable[[str], None]

# Seconds on 2 cores, for a first start; later ones are compared with the last start of that world.
USUAL = {
    "runtime image": 2.0,
    "repository": 0.1,
    "engine": 2.0,
    "first releases in staging": 8.0,
    "first releases in production": 7.0,
    "customers": 1.5,
}
FIRST = {"web": "gift", "checkout": "express"}  # in production; what came later is pending
AHEAD = {"web": "headers", "checkout": "declined"}  # in staging
NO_CUSTOMER = 20.0  # seconds until a first answer


@dataclass
class Steps:
    """Says each step as it ends: `1/6 runtime image  3.1 s (usually 4 s)`."""

    usual: dict[str, float]
    say: Say
    took: dict[str, float] = field(default_factory=dict)

    @asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[None]:
        started = time.monotonic()
        yield
        self.took[name] = time.monotonic() - started
        number = list(USUAL).index(name) + 1
        usual = self.usual.get(name, USUAL[name])
        self.say(f"{number}/{len(USUAL)} {name:<30}{self.took[name]:5.1f} s  (usually {usual:.1f} s)")


def usual(world: World) -> dict[str, float]:
    """What the last start of this world took, step by step."""
    try:
        read = json.loads((world.root / "usual.json").read_text())
        return {str(name): float(seconds) for name, seconds in read.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


async def set_up(world: World, say: Say, *, customers: bool = True) -> tuple[Client, Shop]:
    """Raises CockpitError when something is missing; `cockpit demo --clean` undoes also half of it."""
    steps = Steps(await asyncio.to_thread(usual, world), say)
    await asyncio.to_thread(world.prepare)
    async with steps.step("runtime image"):
        await asyncio.to_thread(world.configure, await asyncio.to_thread(runtime.build, world.installation))
    async with steps.step("repository"):
        shop = await asyncio.to_thread(repo.make, world.shop, time.time())
    async with steps.step("engine"):
        client = await connect(world.paths, client="cli")
    try:
        async with steps.step("first releases in staging"):
            await _deploy_all(client, {key: shop[AHEAD[key.service]] for key in STAGING})
        async with steps.step("first releases in production"):
            await _deploy_all(client, {key: shop[FIRST[key.service]] for key in PRODUCTION})
        async with steps.step("customers"):
            if customers:
                await _bring_customers(world)
        await asyncio.to_thread((world.root / "usual.json").write_text, json.dumps(steps.took))
    except BaseException:  # also ctrl+c: the client is the caller's only when this returns
        await client.close()
        raise
    return client, shop


async def _deploy_all(client: Client, commits: dict[PlacementKey, str]) -> None:
    """Side by side; when one fails the others are seen to their end first."""
    missing = [(key, commit) for key, commit in commits.items() if await play.live(client, key) is None]
    ends = await asyncio.gather(*(_deploy_first(client, *each) for each in missing), return_exceptions=True)
    for end in ends:
        if end is not None:
            raise end


async def _deploy_first(client: Client, key: PlacementKey, commit: str) -> None:
    operation = await play.once_ready(lambda: play.deploy(client, key, commit))
    if operation.state is not OperationState.SUCCEEDED:
        failure = operation.failure
        why = f"{failure.summary} {failure.line}".strip() if failure else operation.state.value
        raise CockpitError(f"The first release of {key} failed: {why}", "cockpit demo --clean, then start again")


async def _bring_customers(world: World) -> None:
    """Until one was answered."""
    if await asyncio.to_thread(crowd.running, world):
        return
    await asyncio.to_thread(world.status.unlink, missing_ok=True)
    await asyncio.to_thread(crowd.start, world)
    deadline = time.monotonic() + NO_CUSTOMER
    while not await asyncio.to_thread(_answered, world):
        if time.monotonic() > deadline:
            raise CockpitError("No customer was answered", f"See {world.root / 'customers.log'}")
        await asyncio.sleep(0.05)


def _answered(world: World) -> bool:
    try:
        counts = json.loads(world.status.read_text())
        return int(counts["requests"]) > int(counts["lost"])
    except (OSError, ValueError, KeyError):
        return False
