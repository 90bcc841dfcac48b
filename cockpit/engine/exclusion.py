"""Who may change a placement: of all engines that reach its host, the one whose lock stands there.

A lock never outlives its holder: who died is seen by the kernel on the same machine, else by a heart that stands still.
Whoever was taken over is fenced: each change asks for the lock first, and the pointer is moved from a directory that
the new holder has removed.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial

from cockpit.engine.acting import Fence
from cockpit.engine.audit import ENGINE, Audit
from cockpit.engine.host import Host
from cockpit.engine.ports import Ports
from cockpit.errors import CockpitError, EdgeError, Fenced, Refused, TargetError
from cockpit.model import Actor, OperationKind, PlacementKey
from cockpit.targets.host_lock import Holder, HostLock, LockOrder
from cockpit.text import age

log = logging.getLogger(__name__)

BEAT = 1.5  # seconds between beats
SILENT = 7.0  # seconds without one, by our own watch: its holder is gone
DEAF = 5.0  # seconds without a look, after which we could not have heard one either
TRIES = 10  # at a lock that others take and give up meanwhile
AGAIN = 0.05  # seconds between them
PATIENCE = 1.0  # seconds that a rollback waits for a lock before it goes on without
ROLLBACK, RECOVERY, TIDYING = OperationKind.ROLLBACK.value, "recovery", "clean-up"


class Claim:
    """The right to change one placement. Operations of this engine share it: one that gave way still cleans up."""

    def __init__(self, host: Host, key: PlacementKey, lock: HostLock | None) -> None:
        self.lock = lock  # None: Docker was away, and a rollback does not wait for it
        self.users = 1
        self.host, self.key = host, key
        self._beating: asyncio.Task[None] | None = None

    @property
    def token(self) -> str:
        return self.lock.short if self.lock is not None else ""

    def fence(self, *, must: bool) -> Fence:
        """Raises Fenced when somebody else has the lock. What `must` hold it also raises when nobody can tell."""
        return partial(self._check, must)

    async def _check(self, must: bool) -> None:
        if self.lock is None:
            return
        try:
            async with asyncio.timeout(None if must else PATIENCE):
                held = await self.host.target.lock_of(self.key)
        except (TargetError, TimeoutError):
            if must:
                raise
            return
        if held is None and must:
            raise Fenced(
                f"the lock of {self.key} is gone from its host: nothing more is done here",
                "somebody took the placement over, or pruned containers: look at what serves, then try again",
            )
        if held is not None and held.id != self.lock.id:
            raise Fenced(
                f"{held.order.by} on {held.order.holder.bastion} has taken {self.key} over: nothing more is done here",
                "look there what is going on",
            )

    def keep(self, ports: Ports) -> None:
        self._beating = asyncio.create_task(self._beat(ports), name=f"lock of {self.key}")

    def stop(self) -> None:
        if self._beating is not None:
            self._beating.cancel()

    async def _beat(self, ports: Ports) -> None:
        beats = 0
        while self.lock is not None:
            await ports.clock.sleep(BEAT)
            beats += 1
            try:
                await self.host.target.beat_lock(self.lock, beats)  # one that is gone is found by the next change
            except CockpitError as error:
                log.info("the lock of %s: %s", self.key, error.message)
            except Exception:  # a heart that stops by our own defect would hand the placement to others
                log.exception("the lock of %s", self.key)


class Exclusion:
    def __init__(self, ports: Ports, audit: Audit) -> None:
        self._ports = ports
        self._audit = audit
        self._claims: dict[PlacementKey, Claim] = {}
        self._taking: set[PlacementKey] = set()
        self._going: dict[PlacementKey, asyncio.Task[None]] = {}  # locks that are being let go of
        self._seen: dict[str, frozenset[str]] = {}  # by host: the ids of its locks
        self._hearts: dict[str, tuple[int, float]] = {}  # lock id: its beats, and since when they are so many
        self._heard: dict[str, float] = {}  # by host: when its locks were last looked at

    # ------------------------------------------------------------ taking and giving back

    async def claim(self, host: Host, key: PlacementKey, operation: int, kind: str, actor: Actor) -> Claim:
        """`kind` is an operation's, RECOVERY or TIDYING. Raises Refused when another is at it; a rollback takes over
        from anything but a rollback."""
        if key in self._claims:
            self._claims[key].users += 1
            return self._claims[key]
        must = kind != ROLLBACK
        order = LockOrder(key, operation, kind, actor.name, self._ports.clock.now(), self._ports.me)
        self._taking.add(key)
        try:
            if key in self._going:
                await asyncio.wait({self._going[key]}, timeout=PATIENCE)
            lock = await self._lock(host, order, actor, must=must)
        finally:
            self._taking.discard(key)
        if key in self._claims:  # a rollback and a recovery asked at the same time
            return self._share(self._claims[key], lock)
        made = self._claims[key] = Claim(host, key, lock)
        made.keep(self._ports)
        return made

    def _share(self, claim: Claim, lock: HostLock | None) -> Claim:
        """One claim for both, with the lock that was taken last: the edge's guard is of that one."""
        claim.users += 1
        if lock is not None:
            claim.stop()
            claim.lock = lock
            claim.keep(self._ports)
        return claim

    async def release(self, claim: Claim) -> None:
        """What cannot be let go of now, because Docker is away, is let go of by `look`."""
        claim.users -= 1
        if claim.users:
            return
        claim.stop()
        del self._claims[claim.key]
        if claim.lock is not None:
            going = self._going[claim.key] = asyncio.create_task(claim.host.target.release_lock(claim.lock))
            try:
                with suppress(CockpitError):
                    await going
            finally:
                self._going.pop(claim.key, None)

    async def _lock(self, host: Host, order: LockOrder, actor: Actor, *, must: bool) -> HostLock | None:
        if must:
            return await self._locked(host, order, actor)
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._locked(host, order, actor)
        except (TargetError, TimeoutError):
            return None

    async def _locked(self, host: Host, order: LockOrder, actor: Actor) -> HostLock:
        for _ in range(TRIES):
            lock = await host.target.take_lock(order)
            if lock is not None:
                with suppress(EdgeError):  # then it cannot be pointed either
                    await host.edge.guard(order.key, lock.short)
                return lock
            other = await host.target.lock_of(order.key)
            if other is None:  # Docker is still removing it
                await self._ports.clock.sleep(AGAIN)
                continue
            why = self._may_take(host, other, order)
            if not why:
                raise self.refusal(other)
            await self._take_over(host, other, actor, why)
        raise Refused(f"{order.key} is being changed by others again and again", "try again in a moment")

    def _may_take(self, host: Host, other: HostLock, order: LockOrder) -> str:
        """Why, or "" when its holder has to be asked."""
        if self._gone(host, other):
            return "its holder is gone"
        over = order.kind == ROLLBACK != other.order.kind
        return f"a rollback does not wait for a {other.order.kind}" if over else ""

    async def _take_over(self, host: Host, other: HostLock, actor: Actor, why: str) -> None:
        await host.target.release_lock(other)
        with suppress(EdgeError):  # a deploy would find out at its switch
            await host.edge.guard(other.order.key, "")
        was = other.order
        text = f"the lock {other.short} of {was.by} on {was.holder.bastion}, who began a {was.kind}: {why}"
        log.warning("%s: %s", was.key, text)
        row = self._audit.row(actor, "takeover", "done", was.key, text=text, reason=why)
        await self._audit.record_anyway(row)

    async def take_over(self, host: Host, key: PlacementKey, typed: str, actor: Actor, reason: str) -> HostLock:
        """From a holder that lives: what it has under way ends where it is. Raises Refused unless its id was typed."""
        lock = await host.target.lock_of(key)
        if lock is None or key in self._claims:
            raise Refused(f"nobody else holds {key}", "cockpit status says what runs")
        if typed != lock.short:
            raise Refused(f"the lock of {key} is {lock.short}, not {typed}", self.refusal(lock).message)
        await self._take_over(host, lock, actor, reason)
        return lock

    def refusal(self, other: HostLock) -> Refused:
        key = other.order.key
        take = f"cockpit takeover {key.service} {key.environment} {other.short} --reason …"
        hint = f"follow it on {other.order.holder.bastion} (cockpit status), or take over from it: {take}"
        return Refused(at_it(other, self._ports.clock.now()), hint)

    # ------------------------------------------------------------ watching others

    async def look(self, host: Host) -> None:
        """Locks whose holder is gone go. Raises what Docker or the log raise."""
        host.locks = await host.target.locks()
        for lock in host.locks:
            if lock.order.key in self._taking:
                continue
            if lock.order.holder == self._ports.me:
                if lock.order.key not in self._claims:
                    await host.target.release_lock(lock)
            elif self._gone(host, lock):
                await self._take_over(host, lock, ENGINE, "its holder is gone")
                host.locks = tuple(each for each in host.locks if each is not lock)
        self._heard[host.name] = self._ports.clock.monotonic()
        here = frozenset(lock.id for lock in host.locks)
        gone, self._seen[host.name] = self._seen.get(host.name, frozenset()) - here, here
        self._hearts = {each: heart for each, heart in self._hearts.items() if each not in gone}

    def _gone(self, host: Host, lock: HostLock) -> bool:
        holder, me = lock.order.holder, self._ports.me
        if holder == me:
            return lock.order.key not in self._claims
        living = self._ports.lives(holder)
        return self._silent(host, lock) if living is None else not living

    def _silent(self, host: Host, lock: HostLock) -> bool:
        """Judged by our own watch since the heart last moved, because nobody's clock is everybody's. While Docker was
        away, or we were stopped, no heart could be heard: then it begins again."""
        now = self._ports.clock.monotonic()
        beats, since = self._hearts.get(lock.id, (-1, now))
        if beats != lock.beats or now - self._heard.get(host.name, now) > DEAF:
            self._hearts[lock.id] = (lock.beats, now)
            return False
        return now - since >= SILENT


def at_it(lock: HostLock, now: float) -> str:
    was = lock.order
    return f"{was.by} on {was.holder.bastion} began a {was.kind} {age(now - was.since)} ago (lock {lock.short})"


def elsewhere(host: Host, key: PlacementKey, me: Holder) -> HostLock | None:
    """Which other engine changes that placement, as last seen."""
    return next((lock for lock in host.locks if lock.order.key == key and lock.order.holder != me), None)
