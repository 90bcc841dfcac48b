"""An edge in memory: the contract of `cockpit.edge.base.Edge`, which `tests/edge/test_contract.py` holds both to."""

from __future__ import annotations

from collections import deque
from pathlib import Path, PurePosixPath

from cockpit.edge.base import EdgePlan, Hit, Pointer, Route
from cockpit.edge.servers import servers
from cockpit.errors import EdgeError, Fenced
from cockpit.model import PlacementKey


class FakeEdge:
    """`broken` makes changes and reads fail with it, `refuses` changes; `loses_reply` moves the pointer and fails."""

    def __init__(self) -> None:
        self.probe_socket = Path("no-socket")
        self.pointers: dict[PlacementKey, Pointer] = {}
        self.moves: list[str] = []  # "shop/production r42", in order
        self.plan = EdgePlan()
        self.open: dict[str, int] = {}
        self.customers: deque[Hit] = deque()
        self.broken = ""
        self.refuses = ""
        self.refuses_routes = ""
        self.loses_reply = ""
        self.tokens: dict[PlacementKey, str] = {}
        self.torn: set[PlacementKey] = set()  # pointers that cannot be read
        self.up = True
        self.closed = False

    @property
    def routes(self) -> tuple[Route, ...]:
        return self.plan.routes

    async def load(self, plan: EdgePlan | tuple[Route, ...]) -> bool:
        if self.refuses_routes:
            raise EdgeError(f"the edge refused its routes: {self.refuses_routes}")
        plan = plan if isinstance(plan, EdgePlan) else EdgePlan(plan)
        servers(plan, PurePosixPath("/edge"))  # refuses what clashes
        changed = self.up and plan != self.plan
        self.plan = plan
        return changed

    async def guard(self, key: PlacementKey, token: str) -> None:
        if self.broken or self.refuses:
            raise EdgeError(self.broken or self.refuses)
        self.tokens[key] = token

    async def guarded(self, key: PlacementKey, token: str) -> bool:
        if self.broken:
            raise EdgeError(self.broken)
        return self.tokens.get(key) == token

    async def point(self, key: PlacementKey, pointer: Pointer, token: str = "") -> None:
        if token and self.tokens.get(key) != token:
            raise Fenced(f"{key} was taken over")
        if self.broken or self.refuses:
            raise EdgeError(self.broken or self.refuses)
        if Pointer.parse(pointer.line()) != pointer:
            raise EdgeError(f"{key} cannot be switched: not a pointer: {pointer.line()}")
        self.pointers[key] = pointer
        self.moves.append(f"{key} r{pointer.release}")
        if self.loses_reply:
            raise EdgeError(self.loses_reply)

    async def pointer(self, key: PlacementKey) -> Pointer | None:
        if self.broken or key in self.torn:
            raise EdgeError(self.broken or f"the pointer of {key} is damaged")
        return self.pointers.get(key)

    async def in_flight(self) -> dict[str, int]:
        return dict(self.open)

    async def answers(self) -> bool:
        return self.up

    async def close(self) -> None:
        self.closed = True

    async def hits(self) -> tuple[Hit, ...]:
        hits = tuple(self.customers)
        self.customers.clear()
        return hits
