"""An engine without Docker, git or a release log: it answers each call from `world`, and plays operations.

The commit that is asked for decides how a deploy goes: `bad…` fails, `slow…` waits for a cancel, `late…` for
its image; all else succeeds.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cockpit import protocol as p
from cockpit.engine.api import Handler, Note, Peer, Standing
from cockpit.engine.known import Known
from cockpit.errors import BuildError, Refused, UsageError
from cockpit.model import (
    Actor,
    Failure,
    Lock,
    LogLine,
    Operation,
    OperationKind,
    OperationState,
    PlacementKey,
    Role,
    Side,
    Step,
    StepState,
    Tier,
)
from tests.fakes import world

LINES = ("fetching\x1b]52;c;aGk=\x07 layers", "\x1b[32mCOPY . .\x1b[0m", "[/x] [@click=app.quit]done[/]")


class FakeEngine:
    """`seen` are the params of the calls that change something, with who asked.

    `adopted`: it runs on hosts that had things before. `record` gets a line for each command that ended."""

    def __init__(self, *, adopted: bool = False, record: Path | None = None) -> None:
        self.adopted, self.record = adopted, record
        self.known = Known()
        self.edge_is_old = True
        self.locks: dict[PlacementKey | None, Lock] = {}  # None is the freeze
        self.peers: list[Peer] = []
        self.subscribed: set[Peer] = set()
        self.operations: dict[int, Operation] = {}
        self.seen: list[tuple[Actor, Any]] = []
        self.cancelled: dict[int, asyncio.Event] = {}
        self.tails: list[tuple[Peer, int, int]] = []  # peer, subscription, operation
        self.release_held = asyncio.Event()  # `diff` waits for it
        self.handler_ended = 0
        self._playing: set[asyncio.Task[None]] = set()

    def handlers(self) -> Mapping[str, Handler]:
        return {
            p.SUBSCRIBE.name: self._subscribe,
            p.STATUS.name: self._status,
            p.PENDING.name: self._pending,
            p.RELEASES.name: self._releases,
            p.DEPLOY_SHEET.name: self._deploy_sheet,
            p.ROLLBACK_SHEET.name: self._rollback_sheet,
            p.DEPLOY.name: self._deploy,
            p.ROLLBACK.name: self._rollback,
            p.RESTART.name: self._restart,
            p.OPEN.name: self._open,
            p.EXEC.name: self._exec,
            p.EXEC_ENDED.name: self._exec_ended,
            p.OTHERS.name: self._others,
            p.EDGE_UPGRADE.name: self._edge_upgrade,
            p.CANCEL.name: self._cancel,
            p.OPERATION.name: self._operation,
            p.OPERATIONS.name: self._operations,
            p.UNHOLD.name: self._unhold,
            p.LOCK.name: self._lock,
            p.UNLOCK.name: self._unlock,
            p.FREEZE.name: self._lock,
            p.UNFREEZE.name: self._unlock,
            p.AUDIT.name: self._audit,
            p.AUDIT_VERIFY.name: self._verify_audit,
            p.LOGS_OPEN.name: self._open_logs,
            p.LOGS_CLOSE.name: self._close_logs,
            p.DOCTOR.name: self._doctor,
            p.DIFF.name: self._diff,
            p.REFRESH.name: self._refresh,
        }

    async def start(self) -> None:
        pass

    async def lasts(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        for task in self._playing:
            task.cancel()
        await asyncio.gather(*self._playing, return_exceptions=True)

    def standing(self, peer: Peer) -> Standing:
        return Standing(Role.VIEWER if peer.read_only else Role.ADMIN)

    async def permit(self, peer: Peer, call: p.Call[Any, Any], params: Any) -> None:
        if not self.standing(peer).role.covers(call.needs):
            raise Refused("This connection is read-only")

    def idle(self) -> bool:
        return not any(not operation.state.ended for operation in self.operations.values())

    def joined(self, peer: Peer) -> None:
        self.peers.append(peer)
        peer.on_close.append(lambda: self.subscribed.discard(peer))

    def left(self, peer: Peer) -> None:
        self.peers.remove(peer)

    def tell(self, note: Note) -> None:
        for peer in list(self.subscribed):
            peer.send(note)

    # ------------------------------------------------------------ reads

    async def _subscribe(self, peer: Peer, _: p.Nothing) -> p.Snapshot:
        self.subscribed.add(peer)
        return self._snapshot()

    async def _status(self, peer: Peer, _: p.Nothing) -> p.Snapshot:
        return self._snapshot()

    async def _pending(self, peer: Peer, asked: p.For) -> Any:
        return world.pending(asked.key)

    async def _releases(self, peer: Peer, asked: p.For) -> p.Releases:
        tiers = ((42, Tier.LIVE), (41, Tier.HOT), (40, Tier.RETAINED))
        return p.Releases(asked.key, tuple(world.release(asked.key, number, tier) for number, tier in tiers))

    async def _deploy_sheet(self, peer: Peer, asked: p.CommitRequest) -> p.DeploySheet:
        return world.deploy_sheet(asked.key, asked.commit)

    async def _rollback_sheet(self, peer: Peer, asked: p.For) -> p.RollbackSheet:
        return world.rollback_sheet(asked.key)

    async def _operation(self, peer: Peer, asked: p.OperationRequest) -> Operation:
        if asked.id not in self.operations:
            raise UsageError(f"There is no operation {asked.id}", "cockpit status lists them")
        return self.operations[asked.id]

    async def _operations(self, peer: Peer, asked: p.OperationsRequest) -> p.Operations:
        return p.Operations(tuple(self.operations.values())[::-1])

    async def _doctor(self, peer: Peer, _: p.Nothing) -> p.Checks:
        return p.Checks(
            (p.Check("docker", p.CheckState.PASS, "ok"), p.Check("edge", p.CheckState.UNKNOWN, "no answer"))
        )

    async def _diff(self, peer: Peer, asked: p.CommitRequest) -> p.Diff:
        """A slow call; `boom` is a bug, `build` a foreign failure."""
        if asked.commit == "boom":
            raise ZeroDivisionError("a bug")
        if asked.commit == "build":
            raise BuildError("RUN failed", "fix the Dockerfile", ("one", "two"))
        if asked.commit == "huge":
            return p.Diff(world.COMMITS[0], "x" * (p.MAX_MESSAGE + 1))
        await self.release_held.wait()
        self.handler_ended += 1
        return p.Diff(world.COMMITS[0], "+ one line")

    async def _refresh(self, peer: Peer, asked: p.For) -> p.Done:
        return p.Done("fetched")

    # ------------------------------------------------------------ changes

    async def _deploy(self, peer: Peer, asked: p.DeployRequest) -> Operation:
        self.seen.append((peer.actor, asked))
        if asked.seen_live != 42:
            raise Refused("r42 is live, not what your sheet showed", "Look again")
        return self._begin(OperationKind.DEPLOY, asked.key, peer.actor, asked.commit, 43)

    async def _rollback(self, peer: Peer, asked: p.RollbackRequest) -> Operation:
        self.seen.append((peer.actor, asked))
        return self._begin(OperationKind.ROLLBACK, asked.key, peer.actor, "", asked.to or 41)

    async def _restart(self, peer: Peer, asked: p.RestartRequest) -> Operation:
        self.seen.append((peer.actor, asked))
        if asked.seen_live != 42:
            raise Refused("r42 is live, not what your sheet showed", "Look again")
        return self._begin(OperationKind.RESTART, asked.key, peer.actor, "", 42)

    async def _open(self, peer: Peer, asked: p.OpenRequest) -> p.ProbeAddress:
        if asked.release == 7:
            raise UsageError(f"{asked.key} has no release r7")
        return world.address(asked.key, asked.release)

    async def _exec(self, peer: Peer, asked: p.ExecRequest) -> p.ExecTicket:
        """The ticket runs the command here. `absent` as the process is a program that is not there."""
        if asked.process == "nope":
            raise UsageError(f"{asked.key} has no process 'nope'", "It has: web, worker")
        argv = ("no-such-docker",) if asked.process == "absent" else asked.command or ("sh",)
        told = f"{asked.process or 'main'} {'one-off' if asked.one_off else 'live'} {'tty' if asked.tty else 'pipe'}"
        return p.ExecTicket(5, argv, {"TICKET": told}, "cockpit-x-web-production-r42-1", 42)

    async def _exec_ended(self, peer: Peer, asked: p.ExecEnded) -> p.Done:
        if self.record is not None:
            with self.record.open("a") as file:
                file.write(f"{asked.id} {asked.status}\n")
        return p.Done("recorded")

    async def _others(self, peer: Peer, _: p.Nothing) -> p.Others:
        return world.OTHERS if self.adopted else p.Others(())

    async def _edge_upgrade(self, peer: Peer, asked: p.EdgeUpgradeRequest) -> p.EdgeUpgrade:
        if asked.host not in ("", "local"):
            raise UsageError(f"There is no host {asked.host!r}", "There is: local")
        was_old, self.edge_is_old = self.edge_is_old, self.edge_is_old and not asked.confirmed
        outdated = "Caddy 2.10, this cockpit brings 2.11" if was_old else ""
        return p.EdgeUpgrade("local", outdated, "new connections wait up to 2 s", done=asked.confirmed)

    async def _cancel(self, peer: Peer, asked: p.OperationRequest) -> p.Done:
        if asked.id not in self.cancelled:
            raise UsageError(f"There is no operation {asked.id}")
        self.cancelled[asked.id].set()
        return p.Done("Cancelling")

    async def _unhold(self, peer: Peer, asked: p.UnholdRequest) -> p.Done:
        self.seen.append((peer.actor, asked))
        return p.Done(f"{asked.key} is no longer held")

    async def _lock(self, peer: Peer, asked: p.LockRequest | p.FreezeRequest) -> p.Done:
        self.seen.append((peer.actor, asked))
        key = asked.key if isinstance(asked, p.LockRequest) else None
        now = time.time()
        self.locks[key] = Lock(peer.actor.name, now, asked.reason, now + asked.seconds)
        return p.Done(f"{key or 'everything'} is locked for {asked.seconds:.0f} s")

    async def _unlock(self, peer: Peer, asked: p.UnlockRequest | p.UnfreezeRequest) -> p.Done:
        self.seen.append((peer.actor, asked))
        key = asked.key if isinstance(asked, p.UnlockRequest) else None
        if self.locks.pop(key, None) is None:
            raise Refused(f"{key or 'everything'} is not locked")
        return p.Done(f"{key or 'everything'} is unlocked")

    async def _audit(self, peer: Peer, asked: p.AuditRequest) -> p.Audit:
        rows = [each for each in world.AUDIT if asked.key in (None, each.key)]
        older = [each for each in rows if asked.before is None or each.id < asked.before]
        return p.Audit(tuple(older[: asked.limit]))

    async def _verify_audit(self, peer: Peer, asked: p.AuditVerifyRequest) -> p.AuditVerdict:
        if asked.head:
            return p.AuditVerdict(3, f"3:{'c' * 64}", 4, "row 4 is missing: the end was cut off")
        return p.AuditVerdict(3, f"3:{'c' * 64}")

    def _begin(self, kind: OperationKind, key: PlacementKey, actor: Actor, commit: str, to: int) -> Operation:
        id = len(self.operations) + 7
        steps = (Step("build", StepState.RUNNING, world.AT), Step("switch"))
        operation = Operation(id, kind, key, actor, OperationState.RUNNING, world.AT, None, 42, to, commit, steps=steps)
        self.operations[id] = operation
        self.cancelled[id] = asyncio.Event()
        task = asyncio.create_task(self._play(operation))
        self._playing.add(task)
        task.add_done_callback(self._playing.discard)
        return operation

    async def _play(self, operation: Operation) -> None:
        state, failure = OperationState.SUCCEEDED, None
        summary = f"Customers have r{operation.to_release}"
        if operation.commit.startswith("slow"):
            await self.cancelled[operation.id].wait()
            state, summary = OperationState.CANCELLED, "Customers have r42"
        if operation.commit.startswith("bad"):
            failure = Failure("build", Side.BUILD, "exited 1", "no such file", "a file is missing", "add it")
            state, summary = OperationState.FAILED, "Customers have r42"
        if operation.commit.startswith("late"):
            for waited in ("5.0 s", "10 s"):
                said = f"waiting for registry/web:late: {waited} of 10 min"
                self._show(replace(operation, steps=(Step("build", StepState.RUNNING, world.AT, detail=said),)))
        await asyncio.sleep(0.05)
        ended = Step("build", StepState.FAILED if failure else StepState.DONE, world.AT, world.AT + 3)
        self._show(replace(operation, steps=(ended, Step("switch", StepState.RUNNING, world.AT + 3))))
        await asyncio.sleep(0.05)
        steps = (ended, Step("switch", StepState.DONE, world.AT + 3, world.AT + 4))
        done = replace(operation, state=state, failure=failure, summary=summary, ended_at=world.AT + 4, steps=steps)
        self._show(done)
        for peer, subscription, id in list(self.tails):
            if id == operation.id:
                peer.send(p.LogChunk(subscription, (), ended=True))

    def _show(self, operation: Operation) -> None:
        self.operations[operation.id] = operation
        self.tell(p.Event(operation=operation))

    # ------------------------------------------------------------ logs

    async def _open_logs(self, peer: Peer, asked: p.LogRequest) -> p.LogOpened:
        subscription = len(self.tails) + 1
        source = asked.process or "build"
        lines = tuple(LogLine(n, world.AT + n, text, source) for n, text in enumerate(LINES))[-asked.tail :]
        running = asked.operation in self.operations and not self.operations[asked.operation].state.ended
        followed = asked.follow and (asked.kind is p.LogKind.SERVICE or running)
        if followed:
            self.tails.append((peer, subscription, asked.operation or 0))
        peer.send(p.LogChunk(subscription, lines, ended=not followed))
        return p.LogOpened(subscription)

    async def _close_logs(self, peer: Peer, asked: p.Subscription) -> p.Done:
        return p.Done()

    def _snapshot(self) -> p.Snapshot:
        running = {each.key: each.id for each in self.operations.values() if not each.state.ended}
        shown = world.adopted if self.adopted else world.placement
        placements = tuple(
            replace(shown(key), operation=running.get(key), lock=self.locks.get(key)) for key in world.KEYS
        )
        status = replace(world.status(os.getpid()), freeze=self.locks.get(None))
        if self.adopted:
            status = replace(status, hosts=world.HOSTS, config_note="config.yaml:12:5 unknown key 'servces'")
        return p.Snapshot(status, placements, tuple(self.operations.values())[-20:])
