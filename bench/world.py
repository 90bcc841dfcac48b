"""A throw-away engine with placements to measure on: the demo's runtime and application, a history made to order."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import time

from cockpit.client import Client, connect
from cockpit.demo import play, repo, runtime
from cockpit.demo.clean import clean
from cockpit.demo.history import HOUR, MAYA, Change, base
from cockpit.demo.repo import Shop
from cockpit.demo.world import World
from cockpit.errors import CockpitError
from cockpit.model import Operation, OperationState, PlacementKey
from cockpit.protocol import UNHOLD, UnholdRequest

ENVIRONMENT = "bench"
PATH = "web"  # of the application in its repository
START = 0  # index of the first commit; the others follow


@dataclass(frozen=True, slots=True)
class Service:
    """`more` are further lines of its configuration, `key: value`."""

    name: str
    replicas: int = 1
    more: tuple[str, ...] = ()

    @property
    def key(self) -> PlacementKey:
        return PlacementKey(self.name, ENVIRONMENT)


@dataclass(frozen=True, slots=True)
class Application:
    """What is deployed: its files at first, below PATH, and the image of Docker's that they are built on.

    `changes` are what single commits change besides, by their number."""

    files: Mapping[str, str]
    image: str | None = None  # the Dockerfile's RUNTIME, where it asks for one
    changes: Mapping[int, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bench:
    world: World
    client: Client
    shop: Shop
    port: int

    def url(self, service: Service) -> str:
        return f"http://{service.name}.localhost:{self.port}/echo"

    async def deploy(self, service: Service, number: int) -> Operation:
        """Commit `number` of the history. Raises CockpitError unless it succeeds."""
        done = await play.once_ready(lambda: play.deploy(self.client, service.key, self.shop[f"c{number}"]))
        return succeeded(done)

    async def roll_back(self, service: Service, to: int) -> Operation:
        done = succeeded(await play.roll_back(self.client, service.key, to))
        await self.client.call(UNHOLD, UnholdRequest(service.key, "bench"))
        return done


def succeeded(operation: Operation) -> Operation:
    if operation.state is not OperationState.SUCCEEDED:
        why = f": {operation.failure.summary} {operation.failure.line}" if operation.failure else ""
        raise CockpitError(f"{operation.kind} of {operation.key} {operation.state}{why}")
    return operation


@asynccontextmanager
async def bench(
    services: Sequence[Service], commits: int, make: Callable[[World], Application] | None = None
) -> AsyncIterator[Bench]:
    """An engine of its own; nothing of it is left afterwards. `make` blocks; without it the demo's is deployed."""
    with tempfile.TemporaryDirectory(prefix="cockpit-bench-", ignore_cleanup_errors=True) as directory:
        world = World(Path(directory).resolve() / "world")
        try:
            world.prepare()
            application = await asyncio.to_thread(make or _demo, world)
            shop = await asyncio.to_thread(repo.make, world.shop, time(), history(commits, application))
            port = world.ports()[0]
            await asyncio.to_thread(_configure, world, configuration(services, world.shop, application.image, port))
            client = await connect(world.paths, client="cli")
            try:
                yield Bench(world, client, shop, port)
            finally:
                await client.close()
        finally:
            await clean(world)


def _demo(world: World) -> Application:
    return Application(demo_files(), runtime.build(world.installation))


def demo_files() -> dict[str, str]:
    return {path.removeprefix(f"{PATH}/"): text for path, text in base(PATH).items() if text is not None}


def _configure(world: World, text: str) -> None:
    world.paths.config.write_text(text)
    world.paths.config.chmod(0o600)


def history(commits: int, application: Application) -> tuple[Change, ...]:
    """All of the same size: each changes one price."""
    placed: dict[str, str | None] = {f"{PATH}/{path}": text for path, text in application.files.items()}
    first = Change("c0", MAYA, (commits + 1) * HOUR, "Change price 0", placed)
    rest = (
        Change(f"c{n}", MAYA, (commits - n) * HOUR, f"Change price {n}", _changed(n, application))
        for n in range(1, commits)
    )
    return (first, *rest)


def _changed(number: int, application: Application) -> dict[str, str | None]:
    files = {"prices.csv": f"mug,{number}.50\n", **application.changes.get(number, {})}
    return {f"{PATH}/{path}": text for path, text in files.items()}


def configuration(services: Sequence[Service], shop: Path, image: str | None, port: int) -> str:
    blocks = "\n".join(_block(each, shop, image) for each in services)
    return f'environments:\n  {ENVIRONMENT}:\n    edge: {{listen: "127.0.0.1:{port}"}}\nservices:\n{blocks}\n'


def _block(service: Service, shop: Path, image: str | None) -> str:
    lines = (
        f'repo: "{shop}"',
        f"path: {PATH}",
        f'build: {{args: {{RUNTIME: "{image}"}}}}' if image else "build: .",
        f"hosts: [{service.name}.localhost]",
        f"replicas: {service.replicas}",
        *service.more,
    )
    return f"  {service.name}:\n" + "\n".join(f"    {line}" for line in lines)
