"""Which containers a host has: one list, and an inspection only of those whose status text moved on."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from cockpit.model import PlacementKey
from cockpit.targets import labels
from cockpit.targets.base import Container
from cockpit.targets.containers import inspected
from cockpit.targets.daemon import Daemon

_SLOW_CLOCK = re.compile(r"minute|hour|day|week|month|year")


@dataclass(frozen=True, slots=True)
class _Seen:
    """An inspected container, and Docker's status text of that moment ("Up 3 minutes (healthy)")."""

    status: str
    container: Container


class Observing:
    """Of one installation's releases."""

    def __init__(self, daemon: Daemon, installation: str) -> None:
        self._daemon = daemon
        self._filters = labels.releases_of(installation)
        self._seen: dict[str, _Seen] = {}

    def __contains__(self, container: str) -> bool:
        return container in self._seen

    def forget(self, container: str) -> None:
        """It is inspected again at the next look."""
        self._seen.pop(container, None)

    async def look(self) -> tuple[Container, ...]:
        found = await listed(self._daemon, self._filters)
        now = {each["Id"]: str(each.get("Status", "")) for each in found}
        stale = [each for each, status in now.items() if not self._fresh(each, status)]
        fresh = zip(stale, await asyncio.gather(*map(self._inspect, stale)), strict=True)
        known = {each: seen for each, seen in self._seen.items() if each in now and each not in stale}
        self._seen = known | {each: _Seen(now[each], seen) for each, seen in fresh if seen is not None}
        return tuple(sorted((seen.container for seen in self._seen.values()), key=_order))

    def _fresh(self, identifier: str, status: str) -> bool:
        seen = self._seen.get(identifier)
        return seen is not None and seen.status == status and settled(status)

    async def _inspect(self, identifier: str) -> Container | None:
        return await self._daemon.call("inspect a container", partial(inspected, identifier=identifier))


async def listed(daemon: Daemon, filters: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """As `docker ps --all` has them."""
    return await daemon.call("list containers", lambda client: client.api.containers(all=True, filters=filters))


def settled(status: str) -> bool:
    """Whether the same status text later means that nothing happened in between.

    Docker counts seconds for a minute and then minutes, so a container that restarted says "Up 2 seconds" where it
    said "Up 5 minutes"; "Created" never changes, not even when a start fails."""
    return _SLOW_CLOCK.search(status) is not None


def _order(each: Container) -> tuple[PlacementKey, int, str, int, int]:
    return each.key, each.release, each.process, each.slot, each.index
