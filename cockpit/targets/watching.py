"""A one-off container watched to its end: its lines as they come, and what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from cockpit.clock import Clock
from cockpit.errors import TargetDown, TargetError
from cockpit.targets.base import ContainerState, OneOff, RawLine

LOOK = 1.0  # seconds between two looks
PATIENCE = 5  # looks at a container that still runs although its log ended
LAST_WORDS = 5.0  # seconds for the log's end to arrive after the container's
_KILLED = 137
_DONE = (ContainerState.EXITED, ContainerState.DEAD)

Look = Callable[[], Awaitable[OneOff | None]]


async def ended(lines: AsyncIterator[RawLine], emit: Callable[[RawLine], None], look: Look, clock: Clock) -> OneOff:
    """Returns it when it has ended and all its lines are emitted. Raises TargetDown when Docker goes away.

    The container is looked at beside its log: a dying engine ends the log just as an ending container does."""
    follower = asyncio.ensure_future(_tell(lines, emit))
    try:
        seen = await _watched(follower, look, clock)
        await asyncio.wait({follower}, timeout=LAST_WORDS)
        if follower.done():
            follower.result()
        return seen
    finally:
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)


async def _watched(follower: asyncio.Task[None], look: Look, clock: Clock) -> OneOff:
    looks_after_log = 0
    while looks_after_log <= PATIENCE:
        if follower.done():
            follower.result()
            await clock.sleep(LOOK if looks_after_log else 0)
            looks_after_log += 1
        else:
            await asyncio.wait({follower}, timeout=LOOK)
        seen = await look()
        if seen is None:
            raise TargetError("its container was removed while it ran", "By whom? `docker events --since 10m` tells.")
        if seen.state in _DONE:
            return await _with_cause(seen, look, clock)
    raise TargetDown("Docker ended the log of a container that still runs", "Did the engine restart just now?")


async def _with_cause(seen: OneOff, look: Look, clock: Clock) -> OneOff:
    """On a busy host Docker tells of a kill a moment before it tells that memory was the reason."""
    if seen.exit_code != _KILLED or seen.oom_killed:
        return seen
    await clock.sleep(LOOK)
    return await look() or seen


async def _tell(lines: AsyncIterator[RawLine], emit: Callable[[RawLine], None]) -> None:
    async for line in lines:
        emit(line)
