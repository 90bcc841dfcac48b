"""How long the lock of a holder that is gone stands although somebody could see it: never more than ten seconds."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import Context

from cockpit.targets.host_lock import HostLock
from tests.simulation.bastion import Bastion
from tests.simulation.scene import Scene

LOOKS = 0.5  # seconds between two looks
LATEST = 10.0  # seconds in which a lock goes over


class Takeovers:
    """Seconds count in which the holder is gone, Docker answers, and an engine elsewhere looks."""

    def __init__(self, scene: Scene, bastions: Sequence[Bastion]) -> None:
        self.late: list[str] = []
        self._scene = scene
        self._bastions = bastions
        self._since: dict[str, float] = {}  # by lock: when its holder was gone and everybody could see it
        self._look()

    def _look(self) -> None:
        now, held = self._scene.loop.time(), self._scene.target.held.values()
        self._since = {each.id: self._since.get(each.id, now) for each in held if self._gone(each) and self._seen(each)}
        for each in held:
            if now - self._since.get(each.id, now) > LATEST:
                self.late.append(f"the holder of {each.order} has been gone for {LATEST:.0f} s")
        self._scene.loop.call_later(LOOKS, self._look, context=Context())

    def _gone(self, lock: HostLock) -> bool:
        holder = lock.order.holder
        return not any(each.lives(holder) for each in self._bastions)

    def _seen(self, lock: HostLock) -> bool:
        faults, target = self._scene.faults, self._scene.target
        if target.down or faults.hung or faults.lost:
            return False
        return any(each.looks and each.name != lock.order.holder.bastion for each in self._bastions)
