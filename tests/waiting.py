"""The one way in which tests wait: for a condition, with a deadline."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

LOOK_EVERY = 0.005  # seconds


async def until(condition: Callable[[], bool | Awaitable[bool]], within: float = 15, what: str = "") -> None:
    """Fails the test when it does not come true within that many seconds; `what` says what was waited for."""
    try:
        async with asyncio.timeout(within):
            while not await _holds(condition):  # noqa: ASYNC110 it happens elsewhere, often in another process
                await asyncio.sleep(LOOK_EVERY)
    except TimeoutError:
        raise AssertionError(f"not within {within:g} s: {what or 'what was waited for'}") from None


async def _holds(condition: Callable[[], bool | Awaitable[bool]]) -> bool:
    answer = condition()
    return await answer if inspect.isawaitable(answer) else answer
