"""Who may change a placement: of all engines that reach its host, the one whose lock stands there.

A lock never outlives its holder: who died is seen by the kernel on the same machine, else by a heart that stands still.
Whoever was taken over is fenced: each change asks for the lock first, and the pointer is moved from a directory that
the new holder has removed.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from cockpit.engine.acting import Fence
from cockpit.engine.audit import ENGINE, Audit
from cockpit.engine.holder import predecessor
from cockpit.engine.host import Host
from cockpit.engine.ports import Ports
from cockpit.errors import CockpitError, EdgeError, Fenced, Refused, TargetError
from cockpit.model import Actor, OperationKind, PlacementKey
from cockpit.targets.host_lock import Holder, HostLock, LockOrder
from cockpit.text import age

log = logging.getLogger(__name__)

Tell = Callable[[str], None]

LOST = "somebody took the placement over, or pruned containers"
BEAT = 1.5  # seconds between beats
SILENT = 7.0  # seconds without one, by our own watch: its holder is gone
DEAF = 5.0  # seconds without a look, after which we could not have heard one either
TRIES = 10  # at a lock that others take and give up meanwhile
AGAIN = 0.05  # seconds between them
PATIENCE = 1.0  # seconds that a rollback waits for a lock before it goes on without
ROLLBACK, RECOVERY, TIDYING = OperationKind.ROLLBACK.value, "recovery", "clean-up"


class Claim:
    """The right to change one placement. Operations of this engine share it: one that gave way still cleans up."""

    def __init__(self, host: Host, key: PlacementKey, lock: HostLock | None, token: str) -> None:
        self.lock = lock  # None: Docker is away, and a rollback does not wait for it
        self.token = token  # what the edge knows this claim by
        self.users = 1
        self.host, self.key = host, key
        self.tell: set[Tell] = set()  # called once, when the lock is found to be gone
        self._guarded = ""  # the token that the edge was told
        self._steady = asyncio.Event()  # not set while the lock is exchanged for another of ours
        self._steady.set()
        self._beating: asyncio.Task[None] | None = None
        self.coming: asyncio.Task[None] | None = None  # the lock of a rollback that went on without

    async def guard(self) -> None:
        """From here on the pointer is moved for this claim alone. Asked again before a switch, in case the edge could
        not do it when the lock was taken: what it has not done must not read as a takeover. Raises EdgeError."""
        if self._guarded != self.token:
            token = self.token
            await self.host.edge.guard(self.key, token)
            self._guarded = token

    def fence(self, *, must: bool) -> Fence:
        """Raises Fenced when somebody else has the lock. What `must` hold it also raises when nobody can tell."""
        return partial(self._check, must)

    async def _check(self, must: bool) -> None:
        if not must:
            await self._must_be_known_to_the_edge()
        if self.lock is None:
            return
        try:
            async with asyncio.timeout(None if must else PATIENCE):
                held = await self._found()
        except (TargetError, TimeoutError):
            if must:
                raise
            return
        if held is None and must:
            raise Fenced(
                f"the lock of {self.key} is gone from its host: nothing more is done here",
                f"{LOST}: look at what serves, then try again",
            )
        if held is not None and held.id != self.lock.id:
            raise Fenced(
                f"{held.order.by} on {held.order.holder.bastion} has taken {self.key} over: nothing more is done here",
                "look there what is going on",
            )

    async def _must_be_known_to_the_edge(self) -> None:
        """Whoever took the placement over told it, also those who are done with it: it is asked without Docker."""
        token = self._guarded
        try:
            async with asyncio.timeout(PATIENCE):
                there = not token or await self.host.edge.guarded(self.key, token)
        except (EdgeError, TimeoutError):
            return
        if not there and token == self._guarded:
            raise Fenced(f"somebody has taken {self.key} over: nothing more is done here", "look what serves now")

    async def _found(self) -> HostLock | None:
        """The lock that stands there, while ours stays the same."""
        while True:
            await self._steady.wait()
            mine = self.lock
            held = await self.host.target.lock_of(self.key)
            if self.lock is mine and self._steady.is_set():
                return held

    @contextmanager
    def exchanged(self, ports: Ports) -> Iterator[None]:
        """The lock may become another one of ours meanwhile, and nobody takes that for a takeover."""
        self.stop()
        self._steady.clear()
        try:
            yield
        finally:
            self._steady.set()
            self.keep(ports)

    def become(self, other: Claim) -> None:
        """It has the lock from here on."""
        self.lock, self.token, self._guarded = other.lock, other.token, other._guarded

    def keep(self, ports: Ports) -> None:
        self._beating = asyncio.create_task(self._beat(ports), name=f"lock of {self.key}")

    def stop(self) -> None:
        for each in (self._beating, self.coming):
            if each is not None:
                each.cancel()

    async def _beat(self, ports: Ports) -> None:
        beats, there = 0, True
        while self.lock is not None and there:
            await ports.clock.sleep(BEAT)
            beats += 1
            try:
                there = await self.host.target.beat_lock(self.lock, beats)
            except CockpitError as error:
                log.info("the lock of %s: %s", self.key, error.message)
            except Exception:  # a heart that stops by our own defect would hand the placement to others
                log.exception("the lock of %s", self.key)
        if not there:
            for tell in self.tell:
                tell(f"the lock of {self.key} is gone from its host: {LOST}")


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
        """`kind` is an operation's, RECOVERY or TIDYING. Raises Refused when another is at it, or the host is another
        cockpit's; a rollback takes over from anything but a rollback."""
        host.must_be_ours()
        order = LockOrder(key, operation, kind, actor.name, self._ports.clock.now(), self._ports.me)
        if key in self._claims:
            return await self._joined(self._claims[key], order, actor)
        self._taking.add(key)
        try:
            if key in self._going:
                await asyncio.wait({self._going[key]}, timeout=PATIENCE)
            made = await self._made(host, order, actor)
        finally:
            self._taking.discard(key)
        if key in self._claims:  # a rollback and a recovery asked at the same time
            return self._share(self._claims[key], made)
        self._claims[key] = made
        made.keep(self._ports)
        if made.lock is None:
            made.coming = asyncio.create_task(self._come(made, order, actor), name=f"late lock of {key}")
        return made

    async def _joined(self, claim: Claim, order: LockOrder, actor: Actor) -> Claim:
        """A rollback that joins what still cleans up is what others must see, and not take over from."""
        claim.users += 1
        if order.kind != ROLLBACK or claim.lock is None or claim.lock.order.kind == ROLLBACK:
            return claim
        try:
            with claim.exchanged(self._ports):  # a lock's words cannot be changed: it is taken over from ourselves
                claim.become(await self._made(claim.host, order, actor))
        except BaseException:  # also a cancellation: its share would keep the claim for ever
            await self.release(claim)
            raise
        return claim

    def _share(self, claim: Claim, made: Claim) -> Claim:
        """One claim for both, with the lock that was taken last: the edge's guard is of that one."""
        claim.users += 1
        if made.lock is not None:
            with claim.exchanged(self._ports):
                claim.become(made)
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

    async def _made(self, host: Host, order: LockOrder, actor: Actor) -> Claim:
        if order.kind != ROLLBACK:
            return await self._taken(host, order, actor)
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._taken(host, order, actor)
        except (TargetError, TimeoutError):
            claim = Claim(host, order.key, None, _token())
            with suppress(EdgeError, TimeoutError):  # asked again before the switch
                async with asyncio.timeout(PATIENCE):
                    await claim.guard()
            return claim

    async def _come(self, claim: Claim, order: LockOrder, actor: Actor) -> None:
        """A rollback that went on without a lock has it as soon as Docker answers: from then on nobody else goes on."""
        while True:
            try:
                late = await self._taken(claim.host, order, actor, claim.token)
            except (CockpitError, TimeoutError) as error:  # another rollback may have it: the edge knows whose it is
                log.info("the lock of %s: %s", claim.key, error)
                await self._ports.clock.sleep(BEAT)
                continue
            claim.lock = late.lock
            claim.keep(self._ports)
            return

    async def _taken(self, host: Host, order: LockOrder, actor: Actor, token: str = "") -> Claim:
        """`token` is one that the edge knows already."""
        token = token or _token()
        for _ in range(TRIES):
            lock = await host.target.take_lock(order)
            if lock is not None:
                claim = Claim(host, order.key, lock, token)
                with suppress(EdgeError):  # asked again before the switch
                    await claim.guard()
                return claim
            other = await host.target.lock_of(order.key)
            if other is not None and other.order == order:  # nobody heard that it was taken
                return Claim(host, order.key, other, token)
            if other is None:  # Docker is still removing it
                await self._ports.clock.sleep(AGAIN)
                continue
            why = self._may_take(host, other, order)
            if not why:
                raise self.refusal(other)
            await self._take_over(host, other, actor, why, token)
        raise Refused(f"{order.key} is being changed by others again and again", "try again in a moment")

    def _may_take(self, host: Host, other: HostLock, order: LockOrder) -> str:
        """Why, or "" when its holder has to be asked."""
        if self._gone(host, other):
            return "its holder is gone"
        over = order.kind == ROLLBACK != other.order.kind
        return f"a rollback does not wait for a {other.order.kind}" if over else ""

    async def _take_over(self, host: Host, other: HostLock, actor: Actor, why: str, token: str = "") -> None:
        """From here on the pointer is moved with that token alone, and with none by nobody."""
        await host.target.release_lock(other)
        with suppress(EdgeError):  # a deploy would find out at its switch
            await host.edge.guard(other.order.key, token)
        was = other.order
        if predecessor(was.holder, self._ports.me):
            log.info("%s: let go of the lock %s of our own, of a %s", was.key, other.short, was.kind)
            return
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


def _token() -> str:
    return secrets.token_hex(6)


def at_it(lock: HostLock, now: float) -> str:
    was = lock.order
    return f"{was.by} on {was.holder.bastion} began a {was.kind} {age(now - was.since)} ago (lock {lock.short})"


def elsewhere(host: Host, key: PlacementKey, me: Holder) -> HostLock | None:
    """Which other engine changes that placement, as last seen."""
    return next((lock for lock in host.locks if lock.order.key == key and lock.order.holder != me), None)
