"""Pending commits: each repository is fetched once a minute and on demand, each placement counted when that changed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

from cockpit.config.settings import PlacementSettings
from cockpit.engine.hub import Hub
from cockpit.engine.images import Images
from cockpit.engine.ports import Ports
from cockpit.engine.rows import Rows
from cockpit.engine.starting import file_fingerprints
from cockpit.engine.steps import repository
from cockpit.engine.world import World
from cockpit.errors import CockpitError, ConfigError
from cockpit.model import Commit, Pending, PlacementKey
from cockpit.protocol import Event
from cockpit.source.base import Fetched, Repository
from cockpit.store.base import ReleaseRecord

AT_ONCE = 4  # fetches
LISTED = 200  # commits that clients are sent unasked


class Repositories:
    def __init__(self, ports: Ports, world: World, rows: Rows, hub: Hub) -> None:
        self._ports = ports
        self._world = world
        self._rows = rows
        self._hub = hub
        self._images = Images(ports, world)
        self._due: dict[Repository, float] = {}
        self._notes: dict[Repository, str] = {}
        self._room = asyncio.Semaphore(AT_ONCE)

    async def tick(self) -> None:
        """Fetch what is due. The first time, what the mirror has already is shown before the network is asked."""
        now = self._ports.clock.monotonic()
        wanted = {repository(each) for each in self._world.settings.placements}
        new = [each for each in wanted if each not in self._due]
        for where in new:
            self._due[where] = now
        if new:
            await self.recount()
        due = [each for each in wanted if self._due[each] <= now]
        for where in due:
            self._due[where] = now + self._world.settings.fetch_every
        await asyncio.gather(*(self._fetch(each) for each in due))

    async def fetch(self, key: PlacementKey) -> None:
        placement = self._world.settings.placement(key)
        if placement is not None:
            await self._fetch(repository(placement))

    async def _fetch(self, where: Repository) -> None:
        async with self._room:
            try:
                fetched = await self._ports.source.fetch(where)
            except CockpitError as error:
                self._notes[where] = error.message
            else:
                self._notes[where] = fetched.note
        for placement in self._world.settings.placements:
            if repository(placement) == where:
                await self.recount(placement.key)
                await self._ask_for_images(placement)

    async def _ask_for_images(self, placement: PlacementSettings) -> None:
        seen = self._world.placements.get(placement.key)
        pending = seen.pending if seen else None
        if pending is not None and placement.service.from_ci:
            await self._images.look(placement, pending.commits)
            await self.recount(placement.key)

    async def recount(self, key: PlacementKey | None = None) -> None:
        """Of one placement, or of all; clients hear of it only when something is different."""
        for placement in self._world.settings.placements:
            if key is None or placement.key == key:
                await self._recount(placement)

    async def _recount(self, placement: PlacementSettings) -> None:
        await self._read_env_files(placement)
        pending = await self.pending(placement.key, LISTED)
        seen = self._world.placements.get(placement.key)
        if seen is not None and pending != seen.pending:
            seen.pending = pending
            self._hub.publish(Event(pending=pending))

    def marked(self, placement: PlacementSettings, commits: tuple[Commit, ...]) -> tuple[Commit, ...]:
        """With what is known of their images, where those come from CI."""
        return self._images.marked(placement, commits)

    async def _read_env_files(self, placement: PlacementSettings) -> None:
        """A file that cannot be read is no news here: the deploy's checks say so."""
        seen = self._world.placements.get(placement.key)
        if seen is not None:
            with suppress(ConfigError):
                seen.files = await file_fingerprints(self._ports.secrets, placement.service)

    async def pending(self, key: PlacementKey, limit: int) -> Pending:
        placement = self._world.settings.placement(key)
        if placement is None:
            return Pending(key)
        seen = self._world.placements.get(key)
        where, live = repository(placement), seen.live if seen else None
        note = self._notes.get(where, "")
        nothing = Pending(key, note=note, branch=where.branch or "")
        try:
            known = await self._ports.source.known(where)
            if known is None:
                return replace(nothing, note=note or "not fetched yet")
            return await self._count(placement, known, live, limit, note)
        except CockpitError as error:
            return replace(nothing, note=error.message)

    async def _count(
        self, placement: PlacementSettings, known: Fetched, live: ReleaseRecord | None, limit: int, note: str
    ) -> Pending:
        where, path = repository(placement), placement.service.path
        found = await self._ports.source.pending(where, live.commit if live else None, path, limit)
        return Pending(
            key=placement.key,
            commits=self._images.marked(placement, found.commits),
            count=found.count,
            authors=found.authors,
            added=found.added,
            removed=found.removed,
            oldest_at=found.oldest_at,
            head=known.head,
            branch=known.branch,
            fetched_at=known.at,
            note=" · ".join(filter(None, (note, found.note))),
            settings_changed=self._rows.settings_changed(placement),
        )
