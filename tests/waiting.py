"""Waiting for a condition instead of for a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool], within: float = 10) -> None:
    """Raises TimeoutError when it does not come true within that many seconds."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 what is waited for happens in another process
            await asyncio.sleep(0.005)
