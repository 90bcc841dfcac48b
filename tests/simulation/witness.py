"""The invariants, held against every effect at the moment when it happens.

A breach is remembered and not raised: it happens in an engine's task, which would make a failed step of it.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from typing import TYPE_CHECKING, Any

from cockpit.edge.base import Pointer
from cockpit.model import PlacementKey
from cockpit.targets.base import Container
from cockpit.targets.orders import StartOrder

if TYPE_CHECKING:
    from tests.simulation.host import SimulatedEdge, SimulatedProber, SimulatedTarget

UNDER_WAY = 6.0  # seconds that what was asked of Docker may take to get there, and the fence's answer before it
FRESH = 10.0  # seconds that a good answer is a reason to send customers there
_ACTS = re.compile(r"(?:steps of operation|recovery of) (\S+)")
_EFFECTS = frozenset({"start", "stop", "activate", "run", "point"})


class Witness:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.breaches: list[str] = []
        self.effects: list[str] = []  # what was done to the host, in order, for who reads a failure
        self._acting: dict[PlacementKey, str] = {}
        self._retired: dict[tuple[PlacementKey, str], float] = {}  # operations in whose place another acts, since when
        self._had_live: set[tuple[str, int]] = set()
        self._target: SimulatedTarget
        self._edge: SimulatedEdge
        self._prober: SimulatedProber

    def sees(self, target: SimulatedTarget, edge: SimulatedEdge, prober: SimulatedProber) -> None:
        self._target, self._edge, self._prober = target, edge, prober

    def breach(self, what: str) -> None:
        self.breaches.append(f"{self._loop.time():.2f} s: {what}")

    # ------------------------------------------------------------ effects

    def called(self, bastion: str, name: str, given: tuple[Any, ...]) -> None:
        """Never two operations on a placement: once another one has acted, the former does not act any more."""
        if name not in _EFFECTS:
            return
        task = asyncio.current_task()
        doing = task.get_name() if task else ""
        key = given[0] if isinstance(given[0], PlacementKey) else given[0].key
        self.effects.append(f"{self._loop.time():9.3f} {bastion} [{doing}] {name} {_short(given)}")
        if (acts := _ACTS.fullmatch(doing)) is not None:
            self._acts(key, f"{bastion} {acts[1]}", name)

    def _acts(self, key: PlacementKey, operation: str, effect: str) -> None:
        """Once another operation acts, what the former has asked Docker for may still come; it moves no customers."""
        now, before = self._loop.time(), self._acting.get(key)
        retired = self._retired.get((key, operation))
        if retired is not None and not operation.endswith(str(key)):  # a recovery may begin again
            if effect == "point" or now - retired > UNDER_WAY:
                self.breach(f"operation {operation} acts on {key} although {before} has acted since")
            return
        self._retired.pop((key, operation), None)
        if before not in (None, operation):
            self._retired[key, str(before)] = now
        self._acting[key] = operation

    def ended(self, container: Container) -> None:
        """Never no live release: what customers are sent to is not stopped."""
        self.effects.append(f"{self._loop.time():9.3f} ends {container.name}")
        pointer = self._edge.pointers.get(container.key)
        where = f"{container.address}:{container.port}"
        if pointer is not None and container.port and where in pointer.addresses:
            self.breach(f"{container.name} was stopped, and customers are sent to it")

    def moved(self, key: PlacementKey, pointer: Pointer) -> None:
        """Never a live release that did not verify."""
        now, there = self._target._clock.now(), []
        for each in self._target.containers:
            if f"{each.address}:{each.port}" not in pointer.addresses or each.release != pointer.release:
                continue
            good, at = self._prober.streaks.get(each.id, (0, 0.0))
            there.append(each.running and good > 0 and now - at <= FRESH)
            if not self._target.flavour(each).serves:
                self.breach(f"customers were sent to r{pointer.release}, which never was well")
        if not any(there):
            self.breach(f"customers were sent to r{pointer.release}, which nobody had verified")

    # ------------------------------------------------------------ the log

    def committed(self, bastion: str, db: sqlite3.Connection) -> None:
        """Once a placement has a live release, the log always names one."""
        live = {row[0] for row in db.execute("SELECT placement FROM releases WHERE live_since IS NOT NULL")}
        had = {placement for name, placement in self._had_live if name == bastion}
        for placement in had - live:
            self.breach(f"the log of {bastion} names no live release any more (placement {placement})")
        self._had_live |= {(bastion, each) for each in live}


def log_problems(db: sqlite3.Connection) -> list[str]:
    """What is not in order in the events of a log: begin, then each step's intent and outcome in turn, then the end."""
    found: list[str] = []
    order: dict[int, list[tuple[str, str, str]]] = {}
    for operation, *event in db.execute("SELECT operation, kind, step, state FROM events ORDER BY id"):
        order.setdefault(operation, []).append(tuple(event))
    for operation, events in order.items():
        kinds = [kind for kind, *_ in events]
        if kinds[0] != "begin" or kinds.count("begin") != 1:
            found.append(f"operation {operation} does not begin once, and first: {kinds}")
        if "end" in kinds[:-1]:
            found.append(f"operation {operation} ended, and then came {kinds[kinds.index('end') + 1 :]}")
        opened: str | None = None
        for kind, step, state in events:
            if kind == "intent":
                opened = step
            elif kind == "outcome" and step != opened and state != "failed":  # the disk may have refused the intent
                found.append(f"operation {operation}: an outcome of {step} without its intent before it")
    return found


def _short(given: tuple[Any, ...]) -> str:
    first = given[0]
    if isinstance(first, PlacementKey):
        return " ".join(map(str, given))
    where = f"slot {first.slot} {first.process}" if isinstance(first, StartOrder) else ""
    return f"{first.key} r{first.release} op{first.operation} {where}"
