"""What the TUI knows, and the one way it changes: `fold(state, change)`. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from cockpit.model import (
    SEVERITY,
    Actor,
    EngineStatus,
    Health,
    Lock,
    Operation,
    OperationState,
    Pending,
    Placement,
    PlacementKey,
    Release,
    Role,
)
from cockpit.protocol import Change, Connected, Event, LogChunk, Lost, Snapshot

LEFT = (OperationState.RECOVERING, OperationState.STUCK)
STALE_AFTER = 15.0  # seconds without news of a placement before its values count as old


@dataclass(frozen=True, slots=True)
class State:
    """Placements keep the order of the snapshot: rows never move by themselves."""

    placements: tuple[Placement, ...] = ()
    operations: dict[int, Operation] = field(default_factory=dict)
    pending: dict[PlacementKey, Pending] = field(default_factory=dict)
    releases: dict[PlacementKey, tuple[Release, ...]] = field(default_factory=dict)
    engine: EngineStatus | None = None
    me: Actor | None = None
    role: Role = Role.ADMIN  # the most that this client may anywhere
    only: tuple[PlacementKey, ...] | None = None  # a deployer's placements; None: all of them
    read_only: bool = False  # this connection asked to be, whatever its role would be
    selected: PlacementKey | None = None
    lost: str | None = None  # why the engine does not answer; None while it does
    lost_at: float | None = None
    restarted_at: float | None = None

    @property
    def environment(self) -> str:
        return self.selected.environment if self.selected else ""

    @property
    def environments(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each.key.environment for each in self.placements))

    @property
    def rows(self) -> tuple[Placement, ...]:
        """The placements of the chosen environment, as listed."""
        return tuple(each for each in self.placements if each.key.environment == self.environment)

    @property
    def placement(self) -> Placement | None:
        return self.find(self.selected)

    @property
    def may_change(self) -> bool:
        """The selected placement, as far as the engine said; it asks again by itself."""
        return self.role.covers(Role.DEPLOYER) and (self.only is None or self.selected in self.only)

    @property
    def freeze(self) -> Lock | None:
        return self.engine.freeze if self.engine else None

    @property
    def running(self) -> tuple[Operation, ...]:
        """Those with a living engine behind them."""
        return tuple(each for each in self.operations.values() if each.state is OperationState.RUNNING)

    @property
    def left(self) -> tuple[Operation, ...]:
        """Those that an engine died in: being recovered, or stuck and not followed by another one."""
        newest = (self.operation_of(each.key) for each in self.placements)
        return tuple(each for each in newest if each and each.state in LEFT)

    def find(self, key: PlacementKey | None) -> Placement | None:
        return next((each for each in self.placements if each.key == key), None)

    def operation_of(self, key: PlacementKey | None) -> Operation | None:
        """What goes on at a placement, else its newest operation."""
        own = [each for each in self.operations.values() if each.key == key]
        return max(own, key=lambda each: (not each.state.ended, each.id), default=None)

    def running_of(self, key: PlacementKey | None) -> Operation | None:
        operation = self.operation_of(key)
        return operation if operation and operation.state is OperationState.RUNNING else None

    def left_of(self, key: PlacementKey | None) -> Operation | None:
        operation = self.operation_of(key)
        return operation if operation and operation.state in LEFT else None


def fold(state: State, change: Change, now: float) -> State:
    """The state after a change. Log lines live in the log panes, so a LogChunk changes nothing here."""
    match change:
        case Connected():
            return _connected(state, change, now)
        case Lost(reason=reason):
            return replace(state, lost=reason or "no answer", lost_at=state.lost_at or now)
        case Event():
            return _event(state, change)
        case LogChunk():
            return state
    raise TypeError(f"not a change: {type(change).__name__}")


def is_routine(state: State, change: Change) -> bool:
    """Only numbers that change all the time: the next second is soon enough for them."""
    if not isinstance(change, Event) or change.placement is None or change != Event(placement=change.placement):
        return False
    known = state.find(change.placement.key)
    return known is not None and _judgement(known) == _judgement(change.placement)


def choose(state: State, key: PlacementKey) -> State:
    return replace(state, selected=key) if state.find(key) else state


def choose_environment(state: State, environment: str) -> State:
    """The worst failing placement there, else the same service, else the first."""
    there = [each for each in state.placements if each.key.environment == environment]
    if not there:
        return state
    service = state.selected.service if state.selected else ""
    same = next((each for each in there if each.key.service == service), there[0])
    return replace(state, selected=(_worst(there) or same).key)


def next_failing(state: State) -> State:
    """The failing placement after the selected one, in any environment; the state itself when none fails."""
    failing = [each.key for each in state.placements if each.health is Health.FAILING]
    if not failing:
        return state
    keys = [each.key for each in state.placements]
    here = keys.index(state.selected) if state.selected in keys else -1
    after = [key for key in failing if keys.index(key) > here]
    return replace(state, selected=(after or failing)[0])


def _connected(state: State, change: Connected, now: float) -> State:
    shot = change.snapshot
    placements = _in_known_order(state.placements, shot.placements)
    fresh = replace(
        state,
        placements=placements,
        operations={each.id: each for each in shot.operations},
        engine=shot.engine,
        me=change.welcome.actor,
        role=change.welcome.role,
        only=change.welcome.only,
        lost=None,
        lost_at=None,
        restarted_at=now if change.restarted else state.restarted_at,
    )
    return fresh if fresh.find(state.selected) else replace(fresh, selected=_first(shot))


def _in_known_order(known: tuple[Placement, ...], fresh: tuple[Placement, ...]) -> tuple[Placement, ...]:
    """An engine that comes back may not shuffle the rows under the cursor."""
    rank = {each.key: place for place, each in enumerate(known)}
    return tuple(sorted(fresh, key=lambda each: rank.get(each.key, len(rank))))


def _event(state: State, event: Event) -> State:
    if event.engine:
        state = replace(state, engine=event.engine)
    if event.placement:
        state = replace(state, placements=_put(state.placements, event.placement))
        if state.selected is None:
            state = replace(state, selected=event.placement.key)
    if event.operation:
        state = replace(state, operations=_remember(state.operations, event.operation))
    if event.pending:
        state = replace(state, pending={**state.pending, event.pending.key: event.pending})
    if event.releases:
        state = replace(state, releases={**state.releases, event.releases.key: event.releases.releases})
    return _remove(state, event.removed) if event.removed else state


def _remember(known: dict[int, Operation], new: Operation) -> dict[int, Operation]:
    """All that runs, and the newest ended one of each placement: memory stays flat over weeks."""
    newest = max((each.id for each in known.values() if each.key == new.key), default=new.id)
    latest = max(newest, new.id)
    kept = {
        each.id: each
        for each in known.values()
        if each.key != new.key or each.id == latest or (not each.state.ended and each.id != new.id)
    }
    if new.id == latest or not new.state.ended:
        kept[new.id] = new
    return kept


def _judgement(each: Placement) -> tuple[object, ...]:
    """All of it but latencies, rates and ages."""
    live = each.live and (each.live.number, each.live.tier, each.live.good)
    replicas = [(one.container, one.running, one.status, one.error) for one in each.replicas]
    pending = each.pending_count, each.pending_note
    runs = each.processes, each.configured, each.host, each.auto
    barred = each.hold, each.lock, each.elsewhere
    return each.health, each.why, each.since, live, each.last_good, each.operation, barred, pending, replicas, runs


def _put(placements: tuple[Placement, ...], new: Placement) -> tuple[Placement, ...]:
    if any(each.key == new.key for each in placements):
        return tuple(new if each.key == new.key else each for each in placements)
    return (*placements, new)


def _remove(state: State, key: PlacementKey) -> State:
    left = tuple(each for each in state.placements if each.key != key)
    selected = state.selected if state.selected != key else (left[0].key if left else None)
    return replace(state, placements=left, selected=selected)


def _first(shot: Snapshot) -> PlacementKey | None:
    """What fails; when nothing does, the first placement whose customers matter."""
    chosen = _worst(shot.placements) or next((each for each in shot.placements if each.protected), None)
    chosen = chosen or next(iter(shot.placements), None)
    return chosen.key if chosen else None


def _worst(placements: Iterable[Placement]) -> Placement | None:
    """Of what fails or is degraded: protected environments first, then severity, then the order of the file."""
    bad = [each for each in placements if each.health in (Health.FAILING, Health.DEGRADED)]
    return min(bad, key=lambda each: (SEVERITY[each.health], not each.protected), default=None)
