"""An event loop in which time passes only when nobody has anything to do, and chance says who goes next.

The same seed gives the same trace, in whatever process. No sockets, no threads: what would run in a thread runs here,
between two delays. An engine is a `Process`: killing it is never to step its tasks again, so that none of its `finally`
and `except` runs, as with SIGKILL. One that is paused, as with SIGSTOP, takes its steps when it goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import heapq
import itertools
import warnings
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any, TypeVar, cast

T = TypeVar("T")

PATIENCE = 200_000  # turns in one instant: more, and something spins
THREAD = 0.02  # seconds, at most, that something in a thread waits for its turn, and then for its result to be taken


class Process:
    """All tasks, timers and threads that began in it; `die` ends them between two of their steps."""

    def __init__(self, name: str, sender: Process | None = None) -> None:
        self.name = name
        self.sender = sender  # whose requests these are: sent ones are done while it is paused, and end with it
        if sender is not None:
            sender.on_death.append(self.die)
        self.alive = True
        self.steps = 0
        self.last_step: int | None = None  # it dies when it has taken that many
        self.paused = False
        self._held: list[asyncio.Handle] = []  # steps that wait until it goes on
        self._tasks: list[asyncio.Task[Any]] = []
        self._kept = 100
        self.on_death: list[Callable[[], None]] = []
        self.on_going_on: list[Callable[[], None]] = []

    def die(self) -> None:
        if self.alive:
            self.alive = False
            for each in self.on_death:
                each()

    def pause(self) -> None:
        self.paused = True

    def go_on(self) -> None:
        self.paused, held, self._held = False, self._held, []
        cast(SimulatedLoop, asyncio.get_running_loop()).again(held)
        called, self.on_going_on = self.on_going_on, []
        for each in called:
            each()

    def hold(self, handle: asyncio.Handle) -> None:
        self._held.append(handle)

    async def going_on(self) -> None:
        """Returns when it is not paused."""
        if self.paused:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.on_going_on.append(lambda: future.set_result(None) if not future.done() else None)
            await future

    def begin(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        context = copy_context()
        context.run(_PROCESS.set, self)
        return asyncio.get_running_loop().create_task(work, name=name, context=context)

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Referred to while the process is remembered: a coroutine that is collected runs its `finally`."""
        self._tasks.append(task)
        if len(self._tasks) > self._kept:
            self.forget_ended()

    def forget_ended(self) -> None:
        self._tasks = [each for each in self._tasks if not each.done()]
        self._kept = 2 * len(self._tasks) + 100

    def bury(self) -> None:
        """Only when nothing that its last words could change matters any more."""
        self.alive = False
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # of what its last words would await
            self._close_all()
        self._tasks.clear()

    def _close_all(self) -> None:
        for task in self._tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is meant to be pending
            work = task.get_coro()
            with contextlib.suppress(BaseException):  # a coroutine that cannot end here would say so
                if isinstance(work, Coroutine) and not task.done():
                    work.close()

    def stepped(self) -> None:
        if self.sender is not None:
            self.sender.stepped()
        self.steps += 1
        if self.steps == self.last_step:
            self.die()


_PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


def current_process() -> Process | None:
    return _PROCESS.get()


class SimulatedLoop(asyncio.BaseEventLoop):
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = Random(seed)
        self.trace: list[str] | None = None  # a list keeps who took each step
        self._now = 0.0
        self._turns = 0
        self.numbers = itertools.count()
        self.set_task_factory(lambda loop, work, **more: _Task(work, self, **more))

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        if not self._ready:
            self._pass_time()
        while self._scheduled and self._scheduled[0].when() <= self._now:
            timer = heapq.heappop(self._scheduled)
            timer._scheduled = False  # type: ignore[attr-defined]  # as the loop's own _run_once does
            self._ready.append(timer)
        self._turns += 1
        if self._turns > PATIENCE:
            raise AssertionError(f"time stands still at {self._now:.3f} s: something spins")
        if self._ready:
            self._ready.rotate(-self.random.randrange(len(self._ready)))
            self._turn(self._ready.popleft())

    def _pass_time(self) -> None:
        while self._scheduled and self._scheduled[0].cancelled():
            heapq.heappop(self._scheduled)._scheduled = False  # type: ignore[attr-defined]  # as above
        if not self._scheduled:
            raise AssertionError("everybody waits for ever")
        if self._scheduled[0].when() > self._now:
            self._now, self._turns = self._scheduled[0].when(), 0

    def _turn(self, handle: asyncio.Handle) -> None:
        process = handle._context.get(_PROCESS)  # type: ignore[attr-defined]  # what the handle runs in
        if handle.cancelled() or (process is not None and not process.alive):
            return
        if process is not None and process.paused:
            process.hold(handle)
            return
        if self.trace is not None:
            self.trace.append(f"{self._now:.6f} {process.name if process else '-'} {_who(handle)}")
        handle._run()
        if process is not None:
            process.stepped()

    def again(self, handles: list[asyncio.Handle]) -> None:
        """Steps that were due while nobody could take them."""
        self._ready.extend(handles)

    def run_in_executor(self, _: Any, function: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]  # the only executor is chance
        """As a thread does it: cancelling the one who waits does not keep it from happening."""
        future: asyncio.Future[T] = self.create_future()
        self.later(self.finish, future, functools.partial(function, *args))
        return future

    def finish(self, future: asyncio.Future[T], function: Callable[[], T]) -> None:
        """Done now; who waits for it hears so later."""
        try:
            result = function()
        except BaseException as error:
            self.later(_unless_done, future, future.set_exception, error)
        else:
            self.later(_unless_done, future, future.set_result, result)

    def later(self, callback: Callable[..., object], *args: Any) -> None:
        """As soon as a thread gets to it."""
        self.call_later(self.random.uniform(0.0, THREAD) if self.random.random() < 0.3 else 0.0, callback, *args)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """There is none."""

    def _process_events(self, _: object) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps."""


class _Task(asyncio.Task[T]):
    """Its hash is its number, so that a set of tasks is walked through in the same order in each run."""

    def __init__(self, work: Any, loop: SimulatedLoop, **more: Any) -> None:
        self._number = next(loop.numbers)
        super().__init__(work, loop=loop, **more)
        context: Context | None = more.get("context")
        process = _PROCESS.get() if context is None else context.get(_PROCESS)
        if process is not None:
            process.keep(self)

    def __hash__(self) -> int:
        return self._number


@contextlib.contextmanager
def simulated(seed: int) -> Generator[SimulatedLoop]:
    """The loop for synchronous callers: `loop.run_until_complete(...)`."""
    loop = SimulatedLoop(seed)
    asyncio.set_event_loop(loop)
    try:
        yield loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _unless_done(future: asyncio.Future[Any], settle: Callable[[Any], None], value: Any) -> None:
    if not future.done():
        settle(value)


def _who(handle: asyncio.Handle) -> str:
    """The task's name, or the callback's."""
    callback = handle._callback  # type: ignore[attr-defined]  # there is no other way to it
    task = getattr(callback, "__self__", None)
    if not isinstance(task, asyncio.Task):
        return str(getattr(callback, "__qualname__", type(callback).__qualname__))
    named = not task.get_name().startswith("Task-")  # those are counted through the whole run of the tests
    return task.get_name() if named else str(getattr(task.get_coro(), "__qualname__", "task"))
