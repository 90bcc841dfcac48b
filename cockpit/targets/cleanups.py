"""Work that undoes something and runs to its end, also when the one who waits for it is cancelled again."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


class Cleanups:
    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    async def finish(self, cleanup: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(cleanup)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def settled(self) -> None:
        """None is under way any more."""
        if self._tasks:
            await asyncio.wait(self._tasks)
