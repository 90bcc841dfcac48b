"""A story: what happens to a placement, one step after another, each a word that can be written down and replayed.

    start deploy:good wait:0.5 crash:40 docker:down b/rollback docker

There are two bastions, `a` and `b`; what is said of neither happens to `a`, or to the host that both use.

After every step, and at every effect between, the invariants hold; `settle` heals everything and wants an end of all.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, TypeVar
from unittest.mock import patch

from cockpit.config.settings import Environment, Healthcheck, PlacementSettings, Process, Service, Settings
from cockpit.engine import watch
from cockpit.errors import CockpitError
from cockpit.model import Actor, OperationState, PlacementKey
from cockpit.protocol import (
    CANCEL,
    DEPLOY,
    RESTART,
    ROLLBACK,
    TAKEOVER,
    UNHOLD,
    Call,
    DeployRequest,
    OperationRequest,
    RestartRequest,
    RollbackRequest,
    TakeoverRequest,
    UnholdRequest,
)
from tests.simulation import loop
from tests.simulation.bastion import Bastion
from tests.simulation.loop import simulated
from tests.simulation.scene import Scene
from tests.simulation.takeovers import Takeovers
from tests.simulation.witness import Witness, log_problems

P = TypeVar("P")

SHOP = PlacementKey("shop", "production")
ANA = Actor("ana", 1000, "ana")

HEALED = 45.0  # seconds in which everything has come to its end, but for what stays hot
LONG = 900.0  # … and that too
AGREED = 20.0  # seconds in which all bastions know of what one of them did
PAUSED = 15.0  # seconds that an engine is paused at an effect, which is past its takeover


def settings() -> Settings:
    """Short times, so that what time brings is brought."""
    health = Healthcheck(interval=0.5, timeout=1.0, retries=2)
    web = Process(port=8000, replicas=2, healthcheck=health, stop_grace_period=1.0)
    worker = Process(command=("work",), healthcheck=health, stop_grace_period=1.0)
    shop = Service(
        repo="git@example.com:shop.git",
        branch="main",
        processes={"web": web, "worker": worker},
        deploy_timeout=8.0,
        drain_timeout=2.0,
        bake=30.0,
        keep_hot=40.0,
        retain=2,
    )
    environment = Environment(protected=True)
    return Settings(
        environments={SHOP.environment: environment},
        placements=(PlacementSettings(key=SHOP, environment=environment, service=shop),),
    )


class Broken(AssertionError):
    """An invariant does not hold; the text says which, what was done, and how to see it again."""


class Story:
    def __init__(self, seed: int, *, trace: bool = False) -> None:
        self.seed = seed
        self.steps: list[str] = []
        self.failed = False
        self._stack = ExitStack()
        directory = Path(self._stack.enter_context(TemporaryDirectory(prefix="cockpit-simulation-")))
        self.loop = self._stack.enter_context(simulated(seed))
        if trace:
            self.loop.trace = []
        self._stack.enter_context(_quiet())
        self._stack.enter_context(patch.object(watch, "TELL", 5.0))  # nobody listens, and telling is what costs most
        self.witness = Witness(self.loop)
        self.scene = Scene(self.loop, Random(self.loop.random.random()), self.witness)
        self.bastions = [Bastion(name, directory, self.scene, settings(), self._about) for name in "ab"]
        self.takeovers = Takeovers(self.scene, self.bastions)
        for each in self.bastions:
            each.disk.after_commit.append(lambda db, name=each.name: self.witness.committed(name, db))  # type: ignore[misc]  # the default binds the name
        self._due: dict[str, tuple[int, Callable[[], None]]] = {}  # by bastion: so many effects, and then this
        self._clients = loop.Process("clients")
        self._asked: list[asyncio.Task[None]] = []
        self.answers: list[str] = []

    def __enter__(self) -> Story:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._clients.bury()
        for each in self.bastions:
            each.bury()
        self._stack.close()

    # ------------------------------------------------------------ steps

    def take(self, step: str) -> None:
        """Raises Broken when an invariant does not hold after it."""
        self.steps.append(step)
        where, _, what = step.rpartition("/")
        verb, _, argument = what.partition(":")
        self._run(self._step(next(each for each in self.bastions if where in ("", each.name)), verb, argument))
        self.check()

    async def _step(self, bastion: Bastion, verb: str, argument: str) -> None:
        of_bastion = getattr(self, f"_on_{verb}", None)
        done = of_bastion(bastion, argument) if of_bastion is not None else getattr(self, f"_{verb}")(argument)
        if asyncio.iscoroutine(done):
            await done

    def _on_deploy(self, bastion: Bastion, flavour: str) -> None:
        request = DeployRequest(SHOP, self.scene.commit(flavour), force=True)
        self._ask(bastion, f"deploy {flavour}", DEPLOY, request)

    def _on_rollback(self, bastion: Bastion, _: str) -> None:
        self._ask(bastion, "rollback", ROLLBACK, RollbackRequest(SHOP, reason="5xx"))

    def _on_restart(self, bastion: Bastion, _: str) -> None:
        self._ask(bastion, "restart", RESTART, RestartRequest(SHOP))

    def _on_cancel(self, bastion: Bastion, _: str) -> None:
        engine = bastion.engine
        run = engine.world.runs.get(SHOP) if engine is not None and bastion.alive else None
        if run is not None:
            self._ask(bastion, "cancel", CANCEL, OperationRequest(run.operation.id))

    def _on_takeover(self, bastion: Bastion, _: str) -> None:
        """From whoever holds the placement, with the words that its refusal shows."""
        held = self.scene.target.held.get(SHOP)
        if held is not None:
            self._ask(bastion, "takeover", TAKEOVER, TakeoverRequest(SHOP, held.short, "it hangs"))

    async def _wait(self, seconds: str) -> None:
        await asyncio.sleep(float(seconds))

    def _on_crash(self, bastion: Bastion, after: str) -> None:
        """`crash`, `crash:40` after so many steps of the engine's tasks, `crash:e3` at its third effect from now."""
        process = bastion.process
        if not after:
            bastion.kill()
        elif after.startswith("e"):
            self._due[bastion.name] = int(after[1:]), bastion.kill
        elif process is not None:
            process.last_step = process.steps + int(after)

    def _on_pause(self, bastion: Bastion, how: str) -> None:
        """`pause:9` for so many seconds from now, `pause:e3` past its takeover, from its third effect on."""
        if how.startswith("e"):
            self._due[bastion.name] = int(how[1:]), lambda: bastion.pause(PAUSED)
        else:
            bastion.pause(float(how))

    def _on_start(self, bastion: Bastion, _: str) -> None:
        bastion.start()

    async def _on_stop(self, bastion: Bastion, _: str) -> None:
        await bastion.stop()

    def _on_power(self, bastion: Bastion, how: str) -> None:
        bastion.power(how != "off")

    def _docker(self, how: str) -> None:
        target, faults = self.scene.target, self.scene.faults
        target.down = "connection refused" if how in ("down", "killed") else ""
        faults.hung = how == "hung"
        if how == "rebooted":
            target.reboot()

    def _edge(self, how: str) -> None:
        edge = self.scene.edge
        edge.refuses = "no space left on device" if how == "refuses" else ""
        edge.loses_reply = "the connection was lost" if how == "loses" else ""
        edge.broken = "it cannot be read" if how == "broken" else ""
        edge.up = how != "silent"

    def _on_disk(self, bastion: Bastion, how: str) -> None:
        bastion.disk.full = how == "full"
        bastion.disk.broken = "disk I/O error" if how == "broken" else ""

    def _on_clock(self, bastion: Bastion, ahead: str) -> None:
        bastion.clock.ahead = float(ahead)

    def _lossy(self, probability: str) -> None:
        self.scene.faults.lost = float(probability)

    # ------------------------------------------------------------ requests

    def _ask(self, bastion: Bastion, what: str, call: Call[P, Any], request: P) -> None:
        """Not waited for: the next step may come in the middle of it."""
        what = f"{bastion.name}/{what}"

        async def asking() -> None:
            try:
                self.answers.append(f"{what}: {_told(await bastion.ask(call, request, ANA))}")
            except CockpitError as error:
                self.answers.append(f"{what}: {type(error).__name__} {error.message}")

        self._asked.append(self._clients.begin(asking(), f"client {what}"))

    def _about(self, bastion: Bastion, name: str, given: tuple[Any, ...]) -> None:
        if given:
            self.witness.called(bastion.life, name, given)
        if bastion.name in self._due and name in ("start", "stop", "activate", "point", "build"):
            effects, what = self._due.pop(bastion.name)
            if effects > 1:
                self._due[bastion.name] = effects - 1, what
            else:
                what()

    # ------------------------------------------------------------ what must hold

    def check(self) -> None:
        for each in self.bastions:
            for problem in [*(self._read(each, log_problems) or []), *(self._read(each, _defects) or [])]:
                self.witness.breach(problem)
        for late in self.takeovers.late:
            self.witness.breach(late)
        if self.witness.breaches:
            self.broken(self.witness.breaches[0])

    def settle(self, seconds: float = HEALED) -> None:
        """Everything is healed: all comes to an end, log, pointer and containers agree, and the next deploy works."""
        self._run(self._heal())
        self._run(asyncio.sleep(seconds))
        self.check()
        self._all_answered()
        self._all_ended()
        self._all_agree("after everything was healed")
        self._next_deploy_works()

    async def _heal(self) -> None:
        self._due.clear()
        self.scene.faults.heal()
        self._docker("")
        self._edge("")
        for each in self.bastions:
            self._on_disk(each, "")
            each.clock.ahead = 0.0
            if each.process is not None:
                each.process.last_step = None
                each.process.go_on()
            each.power(on=True)

    def _all_answered(self) -> None:
        open_requests = [each.get_name() for each in self._asked if not each.done()]
        if open_requests:
            self.broken(f"no answer to {', '.join(open_requests)}")
        for each in self._asked:
            each.result()

    def _all_ended(self) -> None:
        for bastion in self.bastions:
            if not bastion.alive or bastion.engine is None:
                self.broken(f"no engine runs on {bastion.name}: {bastion.said[-1:]}")
            for row in self._read(bastion, _unended) or []:
                self.broken(f"operation {row[0]} ({row[1]}) of {bastion.name} is still running")
            assert bastion.engine is not None
            if bastion.engine.world.runs or bastion.engine.world.recovering or not bastion.engine.idle():
                self.broken(f"the engine of {bastion.name} says that something still runs")

    def _all_agree(self, when: str) -> None:
        """Logs, pointer and containers say the same, nothing runs that nobody needs, and no slot is held for nothing.

        What one bastion takes away the other is told of by its next look."""
        until = self.loop.time() + AGREED
        while (problem := next(self._differences(), None)) and self.loop.time() < until:
            self._run(asyncio.sleep(1.0))
        if problem:
            self.broken(f"{when}: {problem}")

    def _differences(self) -> Iterator[str]:
        if self.scene.target.held:
            yield f"nobody is at work, and there is {self.scene.target.held[SHOP].order}"
        for each in self.bastions:
            yield from self._differs(each)
            yield from self._misnames(each)
        yield from self._not_needed()

    def _differs(self, bastion: Bastion) -> Iterator[str]:
        assert bastion.engine is not None
        pointer, seen = self.scene.edge.pointers.get(SHOP), bastion.engine.world.placements[SHOP]
        live, containers = self._read(bastion, _live), self.scene.target.containers
        if live != (pointer.release if pointer else None) or live != seen.row.live:
            yield f"the log of {bastion.name} says r{live}, its engine r{seen.row.live}, the edge {pointer}"
        leased = {slot: release for slot, release, freed in self._read(bastion, _leases) or [] if freed is None}
        held = {each.slot: each.release for each in containers}
        if leased != held and not seen.stuck:  # then a person looks first
            yield f"slots are leased in the log of {bastion.name} to {leased}, and containers are in {held}"

    def _misnames(self, bastion: Bastion) -> Iterator[str]:
        """A release's number means the same commit everywhere."""
        commits = dict(self._read(bastion, _commits) or [])
        for each in self.scene.target.containers:
            if (said := commits.get(each.release)) != (shipped := self.scene.target.commit(each)):
                yield f"{each.name} is of {shipped[:7]}, and r{each.release} in the log of {bastion.name} is {said}"

    def _not_needed(self) -> Iterator[str]:
        seen = [each.engine.world.placements[SHOP] for each in self.bastions if each.engine is not None]
        pointer, containers = self.scene.edge.pointers.get(SHOP), self.scene.target.containers
        there = {f"{each.address}:{each.port}" for each in containers if each.running}
        if pointer is not None and not (there & set(pointer.addresses)):
            yield f"customers are sent to {pointer.addresses}, and none of them runs"
        live = pointer.release if pointer is not None else None
        kept = {each.number for one in seen for each in one.records if each.stopped or each.hot_until is not None}
        orphans = [each.name for each in containers if each.release not in kept | {live}]
        if orphans and not any(each.stuck for each in seen):
            yield f"nobody needs {', '.join(orphans)}"
        if live is not None and not any(each.process == "worker" and each.running for each in containers):
            yield f"r{live} is live, and no worker runs"

    def _next_deploy_works(self) -> None:
        for bastion in self.bastions:
            self.steps.append(f"({bastion.name}: the next deploy)")
            self._run(self._deployed(bastion, self.scene.commit("good")))
            self.check()
            found = self._read(bastion, _newest)
            if found is None or found[1] != OperationState.SUCCEEDED:
                self.broken(f"the next deploy on {bastion.name} did not work: {found}; {self.answers[-1:]}")
            self._all_agree(f"after the next deploy on {bastion.name}")

    async def _deployed(self, bastion: Bastion, commit: str) -> None:
        self._ask(bastion, "unhold", UNHOLD, UnholdRequest(SHOP, "the cause is known"))
        await asyncio.sleep(2.0)
        self._ask(bastion, "next deploy", DEPLOY, DeployRequest(SHOP, commit, force=True))
        await asyncio.sleep(30.0)

    def broken(self, why: str) -> None:
        self.failed = True
        steps = " ".join(each for each in self.steps if not each.startswith("("))
        done = "\n".join(self.witness.effects[-60:])
        raise Broken(
            f"{why}\n\n{done}\n\nanswers: {self.answers}\n\n"
            f"to see it again: .venv/bin/python -m tests.simulation {self.seed} {steps}"
        )

    # ------------------------------------------------------------

    def _run(self, work: Coroutine[Any, Any, Any]) -> None:
        self.loop.run_until_complete(work)

    def _read(self, bastion: Bastion, query: Callable[[sqlite3.Connection], Any]) -> Any:
        """As somebody else reads the file, who does not disturb."""
        if not bastion.paths.database.exists():
            return None
        db = sqlite3.connect(bastion.paths.database)
        try:
            return query(db)
        except sqlite3.OperationalError:
            return None  # it was not made yet
        finally:
            db.close()


def _told(answer: Any) -> str:
    return f"operation {answer.id}" if hasattr(answer, "id") else str(answer)


def _unended(db: sqlite3.Connection) -> list[tuple[int, str]]:
    return db.execute("SELECT id, kind FROM operations WHERE state = 'running'").fetchall()


def _defects(db: sqlite3.Connection) -> list[str]:
    found = db.execute("SELECT id, failure FROM operations WHERE failure LIKE '%the cockpit itself failed%'")
    return [f"operation {operation}: {failure}" for operation, failure in found]


def _newest(db: sqlite3.Connection) -> tuple[int, str, str] | None:
    found: tuple[int, str, str] | None = db.execute(
        "SELECT id, state, summary FROM operations ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return found


def _live(db: sqlite3.Connection) -> int | None:
    row = db.execute("SELECT number FROM releases WHERE live_since IS NOT NULL").fetchone()
    return int(row[0]) if row else None


def _commits(db: sqlite3.Connection) -> list[tuple[int, str]]:
    return db.execute("SELECT number, commit_sha FROM releases").fetchall()


def _leases(db: sqlite3.Connection) -> list[tuple[int, int, float | None]]:
    return db.execute("SELECT slot, release, freed_at FROM slots").fetchall()


class _quiet:
    """Thousands of crashes are warned of, and nobody reads it."""

    def __enter__(self) -> None:
        self._before = logging.root.manager.disable
        logging.disable(logging.CRITICAL)

    def __exit__(self, *_: object) -> None:
        logging.disable(self._before)
