"""The release log's rows, as the engine works with them: read again when something changed, kept in the world."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from cockpit.config.settings import PlacementSettings
from cockpit.edge.base import Pointer
from cockpit.engine import plan, spec, views
from cockpit.engine.ports import Ports
from cockpit.engine.world import Seen, World
from cockpit.errors import StoreError, UsageError
from cockpit.model import OperationKind, PlacementKey, Tier
from cockpit.store.base import ReleaseRecord

RECORDS = 50  # releases of a placement kept in memory
FIRST = 5  # … of each at a start; the others follow, or when they are asked for
AT_ONCE = 20  # placements whose others are read in one go


class Rows:
    def __init__(self, ports: Ports, world: World) -> None:
        self._ports = ports
        self._world = world

    async def load(self) -> None:
        """Of what is configured, and of what serves without being so; and the locks."""
        self._world.locks.load(await self._ports.store.locks())
        limit = RECORDS if self._world.placements else FIRST  # `complete` is only called at the start
        await self._read([each.key for each in self._world.settings.placements], limit)
        for row in await self._ports.store.placements():
            if row.live is not None and row.key not in self._world.known:
                await self.keep(row.key)

    async def complete(self) -> None:
        """What `load` has left out. Others use the log in between."""
        keys = [key for key, seen in self._world.placements.items() if not seen.whole]
        for start in range(0, len(keys), AT_ONCE):
            with suppress(StoreError):  # whatever is done next reads it again
                await self._read(keys[start : start + AT_ONCE], RECORDS)

    async def whole(self, key: PlacementKey) -> Seen:
        """With all that is kept of it, unless the log cannot say."""
        if not self.seen(key).whole:
            with suppress(StoreError):
                await self.reload(key)
        return self.seen(key)

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
        await self._read([key], RECORDS)

    async def _read(self, keys: Sequence[PlacementKey], limit: int) -> None:
        """In one go: each question to the log by itself would make a start of many placements slow."""
        for found in await self._ports.store.rows(keys, limit, self._world.moves):
            row, operations = self._world.as_moved(found.row), found.operations
            seen = self._world.placements.setdefault(row.key, Seen(row))
            seen.whole = limit == RECORDS
            seen.row, seen.records, seen.newest = row, found.releases, next(iter(operations), None)
            seen.switched_at = max((each.switched_at or 0.0 for each in operations), default=0.0)
            seen.newest_move = next((each for each in operations if each.kind is not OperationKind.RESTART), None)

    def settings_changed(self, placement: PlacementSettings) -> bool:
        """What is configured, or what its env files say, is not what runs."""
        seen = self.seen(placement.key)
        if seen.live is None or not self._world.configured(placement.key):
            return False
        live, keyed_by = spec.from_text(seen.live.spec), self._ports.secrets.keyed_by
        return spec.settings_changed(placement, live, seen.files, keyed_by)

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
