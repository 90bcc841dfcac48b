"""What containers were given as secrets, asked of Docker before their log is shown.

After a start of the engine nobody has resolved anything, and what a source says today need not be what a container got
when it was started.
"""

from __future__ import annotations

from collections.abc import Iterable

from cockpit.engine import spec
from cockpit.engine.host import Host
from cockpit.engine.ports import Ports
from cockpit.targets.base import Container


class Learning:
    """Each container is asked once."""

    def __init__(self, ports: Ports) -> None:
        self._store = ports.store
        self._known = ports.secrets.known
        self._asked: set[str] = set()

    async def of(self, host: Host, containers: Iterable[Container]) -> None:
        """Raises TargetError, StoreError: then nothing of their log should be shown."""
        for container in containers:
            if container.id not in self._asked:
                await self._ask(host, container)
                self._asked.add(container.id)

    async def _ask(self, host: Host, container: Container) -> None:
        record = await self._store.release(container.key, container.release)
        frozen = spec.from_text(record.spec) if record is not None else None
        if frozen is None or container.process not in frozen.processes:
            return
        given = await host.target.environment(container.id)
        for name in frozen.fingerprints(container.process).keys() & given.keys():
            self._known.learn((container.key, container.process, name), given[name])
