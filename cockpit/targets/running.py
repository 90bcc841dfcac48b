"""The target's one-off containers: begun, watched, given up, found again, removed."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial

from cockpit.clock import Clock
from cockpit.errors import TargetDown, TargetError
from cockpit.model import PlacementKey
from cockpit.targets import labels, removal
from cockpit.targets.base import ContainerState, OneOff, RawLine
from cockpit.targets.cleanups import Cleanups
from cockpit.targets.daemon import Daemon
from cockpit.targets.one_offs import GRACE, Work, begin, listed, look, why_not_done
from cockpit.targets.orders import RunOrder
from cockpit.targets.watching import ended

FIRST_LINES = 2  # of a log, to tell a command that never ran from one that says so itself
_STOP_REQUEST = 30.0  # seconds beyond the grace


class OneOffs:
    def __init__(
        self,
        daemon: Daemon,
        installation: str,
        follow: Callable[[str], AsyncIterator[RawLine]],
        cleanups: Cleanups,
        clock: Clock,
    ) -> None:
        self._daemon, self._installation, self._follow = daemon, installation, follow
        self._cleanups, self._clock = cleanups, clock

    async def run(self, order: RunOrder, emit: Callable[[RawLine], None]) -> int:
        first: list[str] = []

        def tell(line: RawLine) -> None:
            if len(first) < FIRST_LINES:
                first.append(line.text)
            emit(line)

        identifier = await self._begin(order)
        try:
            last = await ended(self._follow(identifier), tell, partial(self._look, identifier), self._clock)
        except TargetDown:
            raise  # it may still run, and must not be stopped by one who cannot see it
        except BaseException:  # also a cancellation: who gave up on it does not leave it running
            await self._cleanups.finish(self._give_up(identifier))
            raise
        if (error := why_not_done(order, last, tuple(first))) is not None:
            raise error
        return last.exit_code or 0

    async def found(self, key: PlacementKey, release: int) -> tuple[OneOff, ...]:
        work = partial(listed, installation=self._installation, key=key, release=release)
        return await self._daemon.call("list containers", work)

    async def remove(self, key: PlacementKey, release: int) -> None:
        found = await self.found(key, release)
        await asyncio.gather(*(self._remove(each.id) for each in found))

    async def remove_ended(self, key: PlacementKey, release: int) -> None:
        found = await self.found(key, release)
        await asyncio.gather(*(self._remove(each.id) for each in found if each.state is not ContainerState.RUNNING))

    async def _begin(self, order: RunOrder) -> str:
        network = labels.network_name(self._installation)
        work = Work(self._installation, network, order, threading.Event())
        doing = f"run the migration of {order.key} r{order.release}"
        job = asyncio.ensure_future(self._daemon.labour(doing, partial(begin, work=work)))
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            work.abandoned.set()
            await self._cleanups.finish(self._give_up_start(job))
            raise

    async def _give_up_start(self, job: asyncio.Future[str]) -> None:
        await asyncio.wait({job})
        if not job.cancelled() and job.exception() is None:
            await self._give_up(job.result())

    async def _give_up(self, identifier: str) -> None:
        """Best effort: one that Docker does not stop now stays for the recovery, under its labels."""
        with contextlib.suppress(TargetError):
            await self._remove(identifier)

    async def _look(self, identifier: str) -> OneOff | None:
        return await self._daemon.call("inspect a container", partial(look, identifier=identifier))

    async def _remove(self, identifier: str) -> None:
        """Stopped first, so that it may undo what it has begun."""
        work = partial(removal.stop, identifier=identifier, grace=GRACE, remove=True)
        await self._daemon.labour("stop a migration", work, request=_STOP_REQUEST, deadline=GRACE + 3 * _STOP_REQUEST)
