"""An engine that is killed at a named point while customers ask, and what is so afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.world import Application, Bench, Service, bench
from cockpit import points
from cockpit.demo import play, runtime
from cockpit.demo.exchange import Connection
from cockpit.demo.load import Load
from cockpit.demo.world import World
from cockpit.errors import CockpitError, EngineUnreachable, Refused
from cockpit.model import Operation, OperationState, Tier
from cockpit.protocol import (
    CANCEL,
    DEPLOY,
    OPERATION,
    RELEASES,
    RESTART,
    ROLLBACK,
    STATUS,
    UNHOLD,
    DeployRequest,
    For,
    Nothing,
    OperationRequest,
    Releases,
    RestartRequest,
    RollbackRequest,
    UnholdRequest,
)
from cockpit.targets.labels import INSTALLATION, LOCK, RELEASE, SLOT

if TYPE_CHECKING:
    from docker import DockerClient

RATE = 40.0  # requests a second
LONGEST = 30.0  # seconds for an operation to reach its point, or its end
RESTORED = 30.0  # seconds after which a run counts as not recovered
LOOK = 0.02  # seconds
LATE = 4  # releases that may have containers longer than they need to before a run begins
TIDIED = 60.0  # seconds for the clean-up to take the others away
SAID = 40  # lines of the engine's log that are shown when a run cannot go on
SICK = 1  # the number of the commit whose release never becomes healthy
REPLICAS = 2
SHOP = Service(
    "shop",
    REPLICAS,
    (
        "healthcheck: {interval: 100ms, timeout: 1s, retries: 2}",
        "deploy_timeout: 20s",
        "drain_timeout: 1s",
        "stop_grace_period: 1s",
        "keep_hot: 2s",
        "bake: 0",
        'migrate: ["true"]',
        "processes:",
        "  web: {}",
        "  worker:",
        "    command: [sh, -c, \"trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done\"]",
        '    healthcheck: {test: [CMD, "true"], interval: 200ms}',  # without one it is watched for 10 s
    ),
)
_DOCKERFILE = 'ARG RUNTIME\nFROM $RUNTIME\nWORKDIR /app\nCOPY . ./\nCMD ["sh", "/app/start"]\n'
_START = "exec caddy run --config /app/Caddyfile --adapter caddyfile\n"
_CADDYFILE = """{
	admin off
	auto_https off
	persist_config off
	grace_period 1s
}

http://:8000 {
	header X-Release {env.COCKPIT_RELEASE}
	import health
	respond "{env.COCKPIT_SERVICE} {env.COCKPIT_RELEASE} {env.COCKPIT_COMMIT} {http.request.uri.query.id}
"
}
"""
WELL, ILL = "respond /up 200\n", "respond /up 503\n"


@dataclass(frozen=True, slots=True)
class Death:
    """How the engine dies in an operation: at the `count`-th passing of a point; `then` its successor at another."""

    what: str  # "deploy", "rollback", "restart", "cancel"
    point: str
    count: int = 1
    how: str = "exit"  # or "stop", and then SIGKILL from outside
    then: tuple[str, int] | None = None

    def __str__(self) -> str:
        later = f", then at {self.then[0]}" if self.then else ""
        return f"{self.what} at {self.point} ({self.count}, {self.how}{later})"

    @property
    def lines(self) -> str:
        second = f"\nexit {self.then[1]} {self.then[0]}" if self.then else ""
        return f"{self.how} {self.count} {self.point}{second}"


@dataclass(frozen=True, slots=True)
class Run:
    """`recovery` is None when the point was never passed; `wrong` says what was not as it has to be."""

    death: Death
    recovery: float | None
    wrong: tuple[str, ...] = ()


class Crashes:
    """One service under load, whose engine is killed again and again."""

    def __init__(self, world: Bench, load: Load, directory: Path, docker: DockerClient) -> None:
        self.world = world
        self.load = load
        self._directory = directory
        self._docker = docker
        self._commit = SICK + 1  # the newest that was built
        self._turn = 0
        self._key = SHOP.key

    # ------------------------------------------------------------ operations

    async def deploys(self, number: int) -> Operation:
        request = DeployRequest(self._key, self.world.shop[f"c{number}"], force=True)
        return await play.once_ready(lambda: self.world.client.call(DEPLOY, request))

    def fresh(self) -> int:
        """A commit that was never built."""
        self._commit += 1
        return self._commit

    async def _begin(self, what: str, fresh: bool) -> None:
        """Returns at its end, or when the engine died in it."""
        client = self.world.client
        if what == "rollback":
            operation = await client.call(ROLLBACK, RollbackRequest(self._key))
        elif what == "restart":
            operation = await play.once_ready(lambda: client.call(RESTART, RestartRequest(self._key)))
        elif what == "cancel":
            operation = await self.deploys(SICK)
            await self._in_step(operation, "verify")
            await client.call(CANCEL, OperationRequest(operation.id))
        else:
            operation = await self.deploys(self.fresh() if fresh else self._other())
        await self._ended(operation)

    def _other(self) -> int:
        """One that was built before, so that a run is quick, and not the one that is live."""
        self._turn = 1 - self._turn
        return (0, SICK + 1)[self._turn]

    async def _in_step(self, operation: Operation, name: str) -> None:
        while (operation.current is None or operation.current.name != name) and not operation.state.ended:
            await asyncio.sleep(LOOK)
            operation = await self.world.client.call(OPERATION, OperationRequest(operation.id))

    async def _ended(self, operation: Operation) -> Operation:
        while not operation.state.ended:
            await asyncio.sleep(LOOK)
            operation = await self.world.client.call(OPERATION, OperationRequest(operation.id))
        return operation

    async def ready(self) -> None:
        """Good releases on both sides of a switch: one live, one hot."""
        with suppress(CockpitError):
            await self.world.client.call(UNHOLD, UnholdRequest(self._key, "bench"))
        done = await self._ended(await self.deploys(self._other()))
        if done.state is not OperationState.SUCCEEDED:
            raise CockpitError(f"the next deploy {done.state}: {done.summary}")
        await self._tidied()

    async def _tidied(self) -> None:
        """Until most releases whose time is over are gone. An engine that is killed every few seconds is late with it,
        and hundreds of containers are no world to measure in."""
        deadline = time.monotonic() + TIDIED
        while len(late := _late(await self.world.client.call(RELEASES, For(self._key)))) > LATE:
            if time.monotonic() > deadline:
                raise CockpitError(f"releases keep their containers: {sorted(late)}")
            await asyncio.sleep(LOOK)

    # ------------------------------------------------------------ points

    def passed(self) -> Counter[str]:
        try:
            return Counter((self._directory / points.PASSED).read_text().splitlines())
        except FileNotFoundError:
            return Counter()

    def _arm(self, lines: str) -> None:
        (self._directory / points.PASSED).unlink(missing_ok=True)
        (self._directory / points.DIE).write_text(lines)

    async def record(self, what: str, *, fresh: bool = False) -> Counter[str]:
        """The points of an operation that nobody disturbs."""
        await self.ready()
        self._arm("")
        await self._begin(what, fresh)
        return self.passed()

    # ------------------------------------------------------------ a death

    async def run(self, death: Death) -> Run:
        await self.ready()
        pid = self._pid()
        self._arm(death.lines)
        fresh = "build" in death.point or "fetch" in death.point
        begun = asyncio.create_task(self._begin(death.what, fresh))
        try:
            died = await self._dies(pid, begun)
        finally:
            begun.cancel()
            await asyncio.gather(begun, return_exceptions=True)
        if died is None:
            self._arm("")
            return Run(death, None)
        return await self._restored(death, died)

    async def at_random(self, what: str, after: float) -> Run:
        """SIGKILL so many seconds after the operation was asked for, wherever it is then."""
        await self.ready()
        self._arm("")
        pid, begun = self._pid(), asyncio.create_task(self._begin(what, fresh=False))
        await asyncio.sleep(after)
        os.kill(pid, signal.SIGKILL)
        died = time.monotonic()
        begun.cancel()
        await asyncio.gather(begun, return_exceptions=True)
        return await self._restored(Death(what, f"{after:.3f} s", how="kill"), died)

    async def _dies(self, pid: int, begun: asyncio.Task[None]) -> float | None:
        """When; None when the operation came to its end."""
        deadline = time.monotonic() + LONGEST
        while time.monotonic() < deadline:
            state = _state(pid)
            if state == "T":
                os.kill(pid, signal.SIGKILL)
                return time.monotonic()
            if state in ("", "Z"):
                return time.monotonic()
            if begun.done() and _alive(begun):
                return None
            await asyncio.sleep(LOOK)
        raise CockpitError(f"neither its point nor its end came within {LONGEST:g} s")

    async def _restored(self, death: Death, died: float) -> Run:
        wrong: tuple[str, ...] = ("nothing was looked at",)
        while wrong and time.monotonic() - died < RESTORED:
            try:
                wrong = tuple([each async for each in self._wrong()])
            except EngineUnreachable as error:  # it is dying, or its successor is only starting
                wrong = (error.message,)
            if wrong:
                await asyncio.sleep(LOOK)
        left = (self._directory / points.DIE).read_text()
        if death.then is not None and left:
            wrong += (f"the recovery never came to {death.then[0]}",)
        return Run(death, time.monotonic() - died, wrong)

    # ------------------------------------------------------------ the truth

    async def _wrong(self) -> AsyncIterator[str]:
        """A sentence for each thing that is not as all others say."""
        snapshot = await self.world.client.call(STATUS, Nothing())
        for operation in snapshot.operations:
            if not operation.state.ended or operation.state is OperationState.STUCK:
                yield f"operation {operation.id} is {operation.state}"
        releases = await self.world.client.call(RELEASES, For(self._key))
        live = [each.number for each in releases.releases if each.tier is Tier.LIVE]
        if len(live) != 1:
            yield f"live: {live}"
            return
        if (pointed := self._pointed()) != f"r{live[0]}":
            yield f"the pointer says {pointed}, the log r{live[0]}"
        if (answers := await self._answers()) != f"r{live[0]}":
            yield f"customers are answered by {answers}, the log says r{live[0]}"
        for each in await asyncio.to_thread(self._orphans, releases, live[0]):
            yield each

    def _orphans(self, releases: Releases, live: int) -> list[str]:
        kept = _kept(releases)
        listed = self._docker.api.containers(
            all=True, filters={"label": [f"{INSTALLATION}={self.world.world.installation}"]}
        )
        of_releases = [each for each in listed if RELEASE in each["Labels"]]
        here = {int(each["Labels"][RELEASE]) for each in of_releases}
        slot = self._slot(live)  # a restart leaves the old containers to their open requests, in another one
        running = sum(
            each["State"] == "running" and (int(each["Labels"][RELEASE]), each["Labels"][SLOT]) == (live, slot)
            for each in of_releases
        )
        workers = [
            each["Labels"][RELEASE]
            for each in of_releases
            if each["State"] == "running" and each["Labels"].get("deploy-cockpit.process") == "worker"
        ]
        said = [
            (here != kept, f"containers of {sorted(here)}, the log keeps {sorted(kept)}"),
            (running != REPLICAS + 1, f"{running} containers of r{live} run"),
            (workers != [str(live)], f"workers of {workers} run"),
            (any(LOCK in each["Labels"] for each in listed), "a lock is left"),
            (self._leased() != kept, f"slots of {sorted(self._leased())}, the log keeps {sorted(kept)}"),
            (self._scratch() != [], f"directories are left: {self._scratch()}"),
        ]
        return [why for wrong, why in said if wrong]

    def _pid(self) -> int:
        assert self.world.client.welcome is not None
        return self.world.client.welcome.pid

    def _pointed(self) -> str:
        paths = self.world.world.paths
        return (paths.edge / "pointers" / f"{self._key.service}@{self._key.environment}").read_text().split()[0]

    async def _answers(self) -> str:
        connection = await Connection.open("127.0.0.1", self.world.port)
        try:
            head = f"GET / HTTP/1.1\r\nHost: {SHOP.name}.localhost:{self.world.port}\r\nConnection: close\r\n\r\n"
            return (await connection.exchange(head.encode())).headers.get("x-release", "nobody")
        finally:
            connection.close()

    def _leased(self) -> set[int]:
        with closing(sqlite3.connect(f"file:{self.world.world.paths.database}?mode=ro", uri=True)) as db:
            return {int(number) for (number,) in db.execute("SELECT release FROM slots WHERE freed_at IS NULL")}

    def _slot(self, release: int) -> str:
        with closing(sqlite3.connect(f"file:{self.world.world.paths.database}?mode=ro", uri=True)) as db:
            (slot,) = db.execute("SELECT slot FROM releases WHERE number = ?", (release,)).fetchone()
            return str(slot)

    def _scratch(self) -> list[str]:
        directory = self.world.world.paths.state / "scratch"
        return sorted(each.name for each in directory.iterdir()) if directory.exists() else []


def _kept(releases: Releases) -> set[int]:
    return {each.number for each in releases.releases if each.tier in (Tier.LIVE, Tier.HOT, Tier.STOPPED)}


def _late(releases: Releases) -> set[int]:
    """Those that are kept, and neither serve nor are hot for a while."""
    now = time.time()
    return _kept(releases) - {
        each.number for each in releases.releases if each.tier is Tier.LIVE or (each.hot_until or 0.0) > now
    }


def _alive(begun: asyncio.Task[None]) -> bool:
    """It came to its end, and did not lose its engine."""
    error = begun.exception()
    if error is None or isinstance(error, Refused):
        return True
    if isinstance(error, EngineUnreachable):
        return False
    raise error


def _state(pid: int) -> str:
    """The kernel's letter; "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _application(world: World) -> Application:
    files = {"Dockerfile": _DOCKERFILE, "start": _START, "Caddyfile": _CADDYFILE, "health": WELL}
    return Application(files, runtime.build(world.installation), {SICK: {"health": ILL}, SICK + 1: {"health": WELL}})


@asynccontextmanager
async def crashes(commits: int, directory: Path) -> AsyncIterator[Crashes]:
    """`directory` is where points are told, and where the engine is told at which to die."""
    import docker

    os.environ[points.VARIABLE] = str(directory)  # for the engines that clients start
    client = docker.from_env()
    try:
        async with bench((SHOP,), commits, _application) as world:
            await world.deploy(SHOP, 0)
            async with Load((f"http://{SHOP.name}.localhost:{world.port}/",), RATE) as load:
                try:
                    yield Crashes(world, load, directory, client)
                except CockpitError as error:  # its log goes with the world
                    said = world.world.paths.engine_log.read_text(errors="replace").splitlines()[-SAID:]
                    raise CockpitError("\n".join((error.message, *said)), error.hint) from error
    finally:
        client.close()
        del os.environ[points.VARIABLE]
