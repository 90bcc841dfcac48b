"""All that an engine is given: with other ones, the same engine runs in a test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cockpit.clock import Clock
from cockpit.config.settings import Settings
from cockpit.engine.host import Host
from cockpit.engine.secrets import Secrets
from cockpit.paths import Paths
from cockpit.source.base import Source
from cockpit.store.log import ReleaseLog
from cockpit.targets.host_lock import Holder

OpenHost = Callable[[str, Settings], Awaitable[Host]]  # answers at once, also for a host that is away


@dataclass(frozen=True, slots=True)
class Ports:
    installation: str
    paths: Paths
    clock: Clock
    store: ReleaseLog
    source: Source
    secrets: Secrets
    open_host: OpenHost
    me: Holder
    lives: Callable[[Holder], bool | None]  # None: that cannot be seen from here
