"""A story: what happens to a placement, one step after another, each a word that can be written down and replayed.

    deploy:good wait:0.5 crash:40 docker:down rollback docker

After every step, and at every effect between, the invariants hold; `settle` heals everything and wants an end of all.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any
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
    UNHOLD,
    DeployRequest,
    OperationRequest,
    RestartRequest,
    RollbackRequest,
    UnholdRequest,
)
from tests.simulation import loop
from tests.simulation.bastion import Bastion
from tests.simulation.loop import simulated
from tests.simulation.scene import Scene
from tests.simulation.witness import Witness, log_problems

SHOP = PlacementKey("shop", "production")
ANA = Actor("ana", 1000, "ana")

HEALED = 45.0  # seconds in which everything has come to its end, but for what stays hot
LONG = 900.0  # … and that too


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
        self.bastions = [Bastion("a", directory, self.scene, settings(), self._about)]
        for each in self.bastions:
            each.disk.after_commit.append(lambda db, name=each.name: self.witness.committed(name, db))  # type: ignore[misc]  # the default binds the name
        self._countdown: int | None = None  # effects until the engine dies
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

    @property
    def bastion(self) -> Bastion:
        return self.bastions[0]

    # ------------------------------------------------------------ steps

    def take(self, step: str) -> None:
        """Raises Broken when an invariant does not hold after it."""
        self.steps.append(step)
        verb, _, argument = step.partition(":")
        self._run(self._step(verb, argument))
        self.check()

    async def _step(self, verb: str, argument: str) -> None:
        done = getattr(self, f"_{verb}")(argument)
        if asyncio.iscoroutine(done):
            await done

    def _deploy(self, flavour: str) -> None:
        commit = self.scene.commit(flavour)
        self._ask(f"deploy {flavour}", lambda: self.bastion.ask(DEPLOY, DeployRequest(SHOP, commit, force=True), ANA))

    def _rollback(self, _: str) -> None:
        self._ask("rollback", lambda: self.bastion.ask(ROLLBACK, RollbackRequest(SHOP, reason="5xx"), ANA))

    def _restart(self, _: str) -> None:
        self._ask("restart", lambda: self.bastion.ask(RESTART, RestartRequest(SHOP), ANA))

    def _cancel(self, _: str) -> None:
        engine = self.bastion.engine
        run = engine.world.runs.get(SHOP) if engine is not None and self.bastion.alive else None
        if run is not None:
            request = OperationRequest(run.operation.id)
            self._ask("cancel", lambda: self.bastion.ask(CANCEL, request, ANA))

    async def _wait(self, seconds: str) -> None:
        await asyncio.sleep(float(seconds))

    def _crash(self, after: str) -> None:
        """`crash`, `crash:40` after so many steps of the engine's tasks, `crash:e3` at its third effect from now."""
        process = self.bastion.process
        if not after:
            self.bastion.kill()
        elif after.startswith("e"):
            self._countdown = int(after[1:])
        elif process is not None:
            process.last_step = process.steps + int(after)

    def _start(self, _: str) -> None:
        self.bastion.start()

    async def _stop(self, _: str) -> None:
        await self.bastion.stop()

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

    def _disk(self, how: str) -> None:
        self.bastion.disk.full = how == "full"
        self.bastion.disk.broken = "disk I/O error" if how == "broken" else ""

    def _clock(self, ahead: str) -> None:
        self.bastion.clock.ahead = float(ahead)

    def _lossy(self, probability: str) -> None:
        self.scene.faults.lost = float(probability)

    # ------------------------------------------------------------ requests

    def _ask(self, what: str, ask: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Not waited for: the next step may come in the middle of it."""

        async def asking() -> None:
            try:
                self.answers.append(f"{what}: {_told(await ask())}")
            except CockpitError as error:
                self.answers.append(f"{what}: {type(error).__name__} {error.message}")

        self._asked.append(self._clients.begin(asking(), f"client {what}"))

    def _about(self, bastion: Bastion, name: str, given: tuple[Any, ...]) -> None:
        if given:
            self.witness.called(bastion.life, name, given)
        if self._countdown is not None and name in ("start", "stop", "activate", "point", "build"):
            self._countdown -= 1
            if self._countdown <= 0:
                self._countdown = None
                bastion.kill()

    # ------------------------------------------------------------ what must hold

    def check(self) -> None:
        for each in self.bastions:
            for problem in [*(self._read(each, log_problems) or []), *(self._read(each, _defects) or [])]:
                self.witness.breach(problem)
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
        self._countdown = None
        self.scene.faults.heal()
        for how in (self._docker, self._edge, self._disk):
            how("")
        for each in self.bastions:
            each.clock.ahead = 0.0
            if each.process is not None:
                each.process.last_step = None
            each.start()

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
                self.broken(f"operation {row[0]} ({row[1]}) is still running")
            assert bastion.engine is not None
            if bastion.engine.world.runs or bastion.engine.world.recovering or not bastion.engine.idle():
                self.broken("the engine says that something still runs")

    def _all_agree(self, when: str) -> None:
        """Log, pointer and containers say the same, nothing runs that nobody needs, and no slot is held for nothing."""
        engine = self.bastion.engine
        assert engine is not None
        pointer, seen = self.scene.edge.pointers.get(SHOP), engine.world.placements[SHOP]
        containers = self.scene.target.containers
        live = self._read(self.bastion, _live)
        if live != (pointer.release if pointer else None) or live != seen.row.live:
            self.broken(f"{when}: the log says r{live}, the engine r{seen.row.live}, the edge {pointer}")
        there = {f"{each.address}:{each.port}" for each in containers if each.release == live and each.running}
        if pointer is not None and not (there & set(pointer.addresses)):
            self.broken(f"{when}: customers are sent to {pointer.addresses}, and none of them runs")
        leased = {release for release, freed in self._read(self.bastion, _leases) or [] if freed is None}
        held = {each.release for each in containers}
        if leased != held:  # the second slot of a restart goes with its release at the latest
            self.broken(f"{when}: slots of {sorted(leased)} are leased, containers are of {sorted(held)}")
        kept = {live, *(each.number for each in seen.records if each.stopped)}
        hot = {each.number for each in seen.records if each.hot_until is not None}
        orphans = [each.name for each in containers if each.release not in kept | hot]
        if orphans and not seen.stuck:  # then a person looks first
            self.broken(f"{when}: nobody needs {', '.join(orphans)}")
        if live is not None and not any(each.process == "worker" and each.running for each in containers):
            self.broken(f"{when}: r{live} is live, and no worker runs")

    def _next_deploy_works(self) -> None:
        self.steps.append("(the next deploy)")
        commit = self.scene.commit("good")
        self._run(self._deployed(commit))
        self.check()
        found = self._read(self.bastion, _newest)
        if found is None or found[1] != OperationState.SUCCEEDED:
            self.broken(f"the next deploy did not work: {found}; {self.answers[-1:]}")
        self._all_agree("after the next deploy")

    async def _deployed(self, commit: str) -> None:
        held = UnholdRequest(SHOP, "the cause is known")
        self._ask("unhold", lambda: self.bastion.ask(UNHOLD, held, ANA))
        await asyncio.sleep(2.0)
        self._ask("next deploy", lambda: self.bastion.ask(DEPLOY, DeployRequest(SHOP, commit, force=True), ANA))
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


def _leases(db: sqlite3.Connection) -> list[tuple[int, float | None]]:
    return db.execute("SELECT release, freed_at FROM slots").fetchall()


class _quiet:
    """Thousands of crashes are warned of, and nobody reads it."""

    def __enter__(self) -> None:
        self._before = logging.root.manager.disable
        logging.disable(logging.CRITICAL)

    def __exit__(self, *_: object) -> None:
        logging.disable(self._before)
