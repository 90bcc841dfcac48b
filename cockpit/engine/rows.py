"""The release log's rows, as the engine works with them: read again when something changed, kept in the world."""

from __future__ import annotations

from cockpit.config.settings import PlacementSettings
from cockpit.edge.base import Pointer
from cockpit.engine import plan, spec, views
from cockpit.engine.ports import Ports
from cockpit.engine.world import Seen, World
from cockpit.errors import UsageError
from cockpit.model import OperationKind, PlacementKey, Tier
from cockpit.store.base import ReleaseRecord

OPERATIONS = 5  # of a placement that are looked through for its newest deploy or rollback,
MANY = 500  # … and when all of those are restarts
RECORDS = 50  # releases of a placement kept in memory


class Rows:
    def __init__(self, ports: Ports, world: World) -> None:
        self._ports = ports
        self._world = world

    async def load(self) -> None:
        """Of what is configured, and of what serves without being so; and the locks."""
        self._world.locks.load(await self._ports.store.locks())
        for placement in self._world.settings.placements:
            await self.reload(placement.key)
        for row in await self._ports.store.placements():
            if row.live is not None and row.key not in self._world.known:
                await self.keep(row.key)

    async def keep(self, key: PlacementKey) -> None:
        """A placement that the configuration has no longer goes on as its live release says."""
        await self.reload(key)
        live = self.seen(key).live
        if live is not None:
            frozen, known = spec.from_text(live.spec), self._world.known.get(key)
            configured = self._world.settings.environments.get(key.environment)
            last = known.environment if known is not None else None
            environment = next((each for each in (configured, last) if each and each.host == frozen.host), None)
            self._world.known[key] = spec.left_behind(key, frozen, environment)

    def seen(self, key: PlacementKey) -> Seen:
        found = self._world.placements.get(key)
        if found is None:
            raise UsageError(f"there is no {key}", "cockpit status lists what there is")
        return found

    async def reload(self, key: PlacementKey) -> None:
        """The rows, without asking anyone but the log."""
        store = self._ports.store
        row = self._world.as_moved(await store.placement(key))
        records = await store.releases(key, limit=RECORDS)
        older = [row.live, getattr(await store.last_good(key, excluding=row.live), "number", None)]
        for number in older:  # many failed deploys must not hide them
            if number is not None and all(each.number != number for each in records):
                found = await store.release(key, number)
                records += (found,) if found else ()
        operations = await store.operations(key, limit=OPERATIONS)
        if operations and all(each.kind is OperationKind.RESTART for each in operations):
            operations = await store.operations(key, limit=MANY)
        seen = self._world.placements.setdefault(key, Seen(row))
        seen.row, seen.records, seen.newest = row, records, next(iter(operations), None)
        seen.switched_at = max((each.switched_at or 0.0 for each in operations), default=0.0)
        seen.newest_move = next((each for each in operations if each.kind is not OperationKind.RESTART), None)

    def settings_changed(self, placement: PlacementSettings) -> bool:
        """What is configured, or what its env files say, is not what runs."""
        seen = self.seen(placement.key)
        if seen.live is None or not self._world.configured(placement.key):
            return False
        return spec.settings_changed(placement, spec.from_text(seen.live.spec), seen.files)

    def tier(self, record: ReleaseRecord) -> Tier:
        return views.tier(record, self.seen(record.key).row.live, self._world.running(record.key))

    def ways_back(self) -> tuple[tuple[PlacementKey, Pointer], ...]:
        """Where each placement's customers could go at once: to the hot release that a rollback would choose."""
        found = []
        for key, seen in self._world.placements.items():
            back = plan.rollback_default(seen.records, seen.row.live)
            pointer = self._world.pointer(back) if back is not None else None
            if pointer is not None and pointer.release in self._world.running(key):
                found.append((key, pointer))
        return tuple(found)
