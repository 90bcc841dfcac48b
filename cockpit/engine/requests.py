"""What clients may ask: one method a call. Each reads what is known, or has a word with the operations."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

from cockpit.engine import following
from cockpit.engine.api import Handler, Peer
from cockpit.engine.audit import line_of
from cockpit.engine.commands import Commands
from cockpit.engine.deploy_sheet import deploy_sheet
from cockpit.engine.doctor import examine
from cockpit.engine.following import Following
from cockpit.engine.hosts import Hosts
from cockpit.engine.learning import Learning
from cockpit.engine.locking import Locking, needed
from cockpit.engine.opening import probe_address
from cockpit.engine.operations import Operations
from cockpit.engine.rollback_sheet import rollback_sheet
from cockpit.engine.service_log import ServiceLog
from cockpit.engine.shared import Shared
from cockpit.engine.steps import repository
from cockpit.engine.watch import Watch
from cockpit.engine.window import Window
from cockpit.errors import Refused, UsageError
from cockpit.model import LogLine, Operation, Pending, PlacementKey
from cockpit.protocol import (
    AUDIT,
    AUDIT_VERIFY,
    CANCEL,
    DEPLOY,
    DEPLOY_SHEET,
    DIFF,
    DOCTOR,
    EDGE_UPGRADE,
    EXEC,
    EXEC_ENDED,
    FREEZE,
    LOCK,
    LOGS_CLOSE,
    LOGS_OPEN,
    MAX_AUDIT,
    MAX_TAIL,
    OPEN,
    OPERATION,
    OPERATIONS,
    OTHERS,
    PENDING,
    RANGE,
    REFRESH,
    RELEASES,
    RESTART,
    ROLLBACK,
    ROLLBACK_SHEET,
    STATUS,
    SUBSCRIBE,
    UNFREEZE,
    UNHOLD,
    UNLOCK,
    AuditRequest,
    AuditVerdict,
    AuditVerifyRequest,
    Checks,
    CommitRequest,
    DeployRequest,
    DeploySheet,
    Diff,
    Done,
    EdgeUpgrade,
    EdgeUpgradeRequest,
    ExecEnded,
    ExecRequest,
    ExecTicket,
    For,
    FreezeRequest,
    LockRequest,
    LogKind,
    LogOpened,
    LogRequest,
    Nothing,
    OpenRequest,
    OperationRequest,
    OperationsRequest,
    Others,
    ProbeAddress,
    RangeRequest,
    Releases,
    RestartRequest,
    RollbackRequest,
    RollbackSheet,
    Snapshot,
    Subscription,
    UnfreezeRequest,
    UnholdRequest,
    UnlockRequest,
)
from cockpit.protocol import Audit as AuditRows
from cockpit.protocol import Operations as OperationList
from cockpit.store.logs import OperationLog, path_of
from cockpit.text import clean, clean_block

LISTED = 2000  # commits in one answer
DIFF_LIMIT = 400_000  # characters
COMMIT = re.compile(r"[0-9a-fA-F]{4,40}")
REASON = 500  # characters
HEAD = re.compile(r"(?:[0-9]{1,18}:)?[0-9a-fA-F]{64}")


class Requests:
    def __init__(
        self,
        shared: Shared,
        window: Window,
        watch: Watch,
        operations: Operations,
        logs: Following,
        locking: Locking,
    ) -> None:
        self._ports = ports = shared.ports
        self._world = shared.world
        self._hub = shared.hub
        self._rows = shared.rows
        self._window = window
        self._watch = watch
        self._operations = operations
        self._logs = logs
        self._audit = shared.audit
        self._locking = locking
        self._learning = Learning(ports)
        self._known = ports.secrets.known
        self._commands = Commands(shared)
        self._hosts = Hosts(shared, watch)

    def handlers(self) -> Mapping[str, Handler]:
        return {
            SUBSCRIBE.name: self._subscribe,
            STATUS.name: self._status,
            PENDING.name: self._pending,
            RELEASES.name: self._releases,
            DIFF.name: self._diff,
            RANGE.name: self._range,
            DEPLOY_SHEET.name: self._deploy_sheet,
            ROLLBACK_SHEET.name: self._rollback_sheet,
            DEPLOY.name: self._deploy,
            ROLLBACK.name: self._rollback,
            RESTART.name: self._restart,
            OPEN.name: self._open,
            EXEC.name: self._exec,
            EXEC_ENDED.name: self._exec_ended,
            OTHERS.name: self._others,
            EDGE_UPGRADE.name: self._upgrade_edge,
            CANCEL.name: self._cancel,
            OPERATION.name: self._operation,
            OPERATIONS.name: self._list_operations,
            UNHOLD.name: self._unhold,
            LOCK.name: self._lock,
            UNLOCK.name: self._unlock,
            FREEZE.name: self._lock,
            UNFREEZE.name: self._unlock,
            AUDIT.name: self._rows_of_audit,
            AUDIT_VERIFY.name: self._verify_audit,
            REFRESH.name: self._refresh,
            LOGS_OPEN.name: self._open_log,
            LOGS_CLOSE.name: self._close_log,
            DOCTOR.name: self._doctor,
        }

    async def about(self, params: Any) -> PlacementKey | None:
        """The placement of a request, also where it names only an operation or a command."""
        match params:
            case OperationRequest():
                run = self._operations.run(params.id)
                found = run.operation if run else await self._ports.store.operation(params.id)
                return found.key if found else None
            case ExecEnded():
                return self._commands.about(params.id)
        key = getattr(params, "key", None)
        return key if isinstance(key, PlacementKey) else None

    # ------------------------------------------------------------ the picture

    async def _subscribe(self, peer: Peer, _: Nothing) -> Snapshot:
        self._hub.subscribe(peer)
        return self._window.snapshot()

    async def _status(self, _: Peer, __: Nothing) -> Snapshot:
        return self._window.snapshot()

    async def _pending(self, _: Peer, asked: For) -> Pending:
        self._operations.find(asked.key)
        return await self._watch.repositories.pending(asked.key, min(asked.limit, LISTED))

    async def _releases(self, _: Peer, asked: For) -> Releases:
        self._operations.find(asked.key)
        await self._rows.whole(asked.key)
        return self._window.releases(asked.key, asked.limit)

    async def _refresh(self, _: Peer, asked: For) -> Done:
        self._operations.find(asked.key)
        await self._watch.refresh(asked.key)
        return Done()

    async def _doctor(self, _: Peer, __: Nothing) -> Checks:
        return Checks(await examine(self._ports, self._world, self._window.status(), self._rows.ways_back()))

    # ------------------------------------------------------------ commits

    async def _diff(self, _: Peer, asked: CommitRequest) -> Diff:
        placement = self._operations.find(asked.key)
        where = repository(placement)
        commit = await self._ports.source.commit(where, asked.commit)
        text = await self._ports.source.diff(where, None, commit.sha, placement.service.path)
        return Diff(commit, self._block(text), len(text) >= DIFF_LIMIT)

    async def _range(self, _: Peer, asked: RangeRequest) -> Diff:
        placement = self._operations.find(asked.key)
        where = repository(placement)
        old = await self._ports.source.commit(where, asked.old)
        new = await self._ports.source.commit(where, asked.new)
        text = await self._ports.source.diff(where, old.sha, new.sha, placement.service.path)
        return Diff(new, self._block(text), len(text) >= DIFF_LIMIT)

    def _block(self, text: str) -> str:
        """Without what is known: a secret that somebody committed is one for those who do not have the repository."""
        return self._known.hide(clean_block(self._known.hide(text), DIFF_LIMIT))

    # ------------------------------------------------------------ operations

    async def _deploy_sheet(self, _: Peer, asked: CommitRequest) -> DeploySheet:
        await self._watch.reread()
        placement = self._operations.find(asked.key)
        marked = partial(self._watch.repositories.marked, placement)
        return await deploy_sheet(self._ports, self._window.scene(placement), asked.commit, marked)

    async def _rollback_sheet(self, _: Peer, asked: For) -> RollbackSheet:
        placement = self._operations.find(asked.key)
        await self._rows.whole(asked.key)
        return await rollback_sheet(self._ports, self._window.scene(placement))

    async def _deploy(self, peer: Peer, asked: DeployRequest) -> Operation:
        if asked.commit and not COMMIT.fullmatch(asked.commit):  # no operation, and no log, has it as a commit
            raise UsageError(f"{clean(asked.commit, 80)!r} is not a commit's sha", "give its hexadecimal digits")
        await self._watch.reread()  # what was saved a moment ago is what is meant
        return await self._operations.deploy(asked, peer.actor)

    async def _rollback(self, peer: Peer, asked: RollbackRequest) -> Operation:
        return await self._operations.rollback(asked, peer.actor)

    async def _restart(self, peer: Peer, asked: RestartRequest) -> Operation:
        return await self._operations.restart(asked, peer.actor)

    # ------------------------------------------------------------ containers

    async def _open(self, _: Peer, asked: OpenRequest) -> ProbeAddress:
        placement = self._operations.find(asked.key)
        await self._watch.look(asked.key)
        await self._rows.reload(asked.key)
        return probe_address(self._window.scene(placement), asked.release)

    async def _exec(self, peer: Peer, asked: ExecRequest) -> ExecTicket:
        self._operations.find(asked.key)
        await self._watch.look(asked.key)
        return await self._commands.begin(asked, peer.actor)

    async def _exec_ended(self, _: Peer, asked: ExecEnded) -> Done:
        return Done(await self._commands.end(asked))

    async def _others(self, _: Peer, __: Nothing) -> Others:
        return await self._hosts.others()

    async def _upgrade_edge(self, peer: Peer, asked: EdgeUpgradeRequest) -> EdgeUpgrade:
        await self._watch.reread()  # what was saved a moment ago is what is meant
        return await self._hosts.upgrade_edge(asked, peer.actor)

    # ------------------------------------------------------------ operations, once begun

    async def _cancel(self, peer: Peer, asked: OperationRequest) -> Done:
        run = self._operations.run(asked.id)
        if run is None:
            raise Refused(f"operation {asked.id} is not running", "cockpit status shows what is")
        began = self._ports.clock.monotonic()
        await run.cancel(peer.actor.name)
        row = self._audit.row(
            peer.actor,
            "cancel",
            "succeeded",
            run.operation.key,
            operation=asked.id,
            text=run.operation.summary,
            reason=clean(asked.reason, REASON),
            seconds=self._ports.clock.monotonic() - began,
            cli=line_of(asked),
        )
        await self._audit.record_anyway(row)
        return Done(run.operation.summary)

    async def _operation(self, _: Peer, asked: OperationRequest) -> Operation:
        run = self._operations.run(asked.id)
        found = run.operation if run else await self._ports.store.operation(asked.id)
        if found is None:
            raise UsageError(f"there is no operation {asked.id}", "cockpit status names those that run")
        return self._world.as_it_is(found)

    async def _list_operations(self, _: Peer, asked: OperationsRequest) -> OperationList:
        found = await self._ports.store.operations(asked.key, limit=min(asked.limit, 500))
        running = {run.operation.id: run.operation for run in self._world.runs.values()}
        return OperationList(tuple(running.get(each.id) or self._world.as_it_is(each) for each in found))

    async def _unhold(self, peer: Peer, asked: UnholdRequest) -> Done:
        self._operations.find(asked.key)
        reason = needed(asked.reason, "why deploying is safe again")
        row = self._audit.row(peer.actor, "unhold", "done", asked.key, reason=reason, cli=line_of(asked))
        await self._ports.store.release_hold(asked.key, row)
        await self._watch.changed(asked.key)
        return Done(f"{asked.key} may be deployed again")

    async def _lock(self, peer: Peer, asked: LockRequest | FreezeRequest) -> Done:
        if isinstance(asked, LockRequest):
            self._operations.find(asked.key)
        return await self._locking.set(asked, peer.actor)

    async def _unlock(self, peer: Peer, asked: UnlockRequest | UnfreezeRequest) -> Done:
        if isinstance(asked, UnlockRequest):
            self._operations.find(asked.key)
        return await self._locking.lift(asked, peer.actor)

    # ------------------------------------------------------------ audit

    async def _rows_of_audit(self, _: Peer, asked: AuditRequest) -> AuditRows:
        limit = max(1, min(asked.limit, MAX_AUDIT))
        return AuditRows(await self._ports.store.audit(limit, asked.key, asked.before))

    async def _verify_audit(self, _: Peer, asked: AuditVerifyRequest) -> AuditVerdict:
        if asked.head and not HEAD.fullmatch(asked.head):
            raise UsageError("that is no head", "one is written 17:HASH, with 64 hexadecimal digits, or only HASH")
        last, broken = await self._ports.store.verify_audit(asked.head)
        good = f"{last.id}:{last.hash}" if last else ""
        if broken is None:
            return AuditVerdict(last.id if last else 0, good)
        return AuditVerdict(last.id if last else 0, good, broken.row, broken.why)

    # ------------------------------------------------------------ logs

    async def _open_log(self, peer: Peer, asked: LogRequest) -> LogOpened:
        if asked.kind is LogKind.SERVICE:
            if asked.key is None:
                raise UsageError("a service log needs a service")
            self._operations.find(asked.key)
            tail = min(asked.tail, MAX_TAIL)
            log = ServiceLog(
                self._ports,
                self._world,
                self._rows,
                self._learning,
                asked.key,
                asked.release,
                tail,
                asked.follow,
                asked.process,
            )
            return LogOpened(self._logs.open(peer, log.lines))
        if asked.kind is LogKind.CONTAINER:
            tail, host = min(asked.tail, MAX_TAIL), self._hosts.named(asked.host)
            ours = [each for each in host.containers if each.name == asked.container or each.id[:12] in asked.container]
            await self._learning.of(host, ours)
            names = {asked.container: ""}
            return LogOpened(
                self._logs.open(peer, lambda: following.of_logs(host.target, self._known, names, tail, asked.follow))
            )
        if asked.operation is None:
            raise UsageError("an operation log needs an operation")
        path = path_of(self._ports.paths.logs, asked.operation)
        return LogOpened(self._logs.open(peer, lambda: self._operation_lines(asked)), str(path))

    async def _operation_lines(self, asked: LogRequest) -> AsyncIterator[tuple[LogLine, ...]]:
        run = self._operations.run(asked.operation or 0)
        if run is not None and asked.follow:
            async for lines in following.of_run(run, asked.step, min(asked.tail, MAX_TAIL)):
                yield lines
            return
        path = path_of(self._ports.paths.logs, asked.operation or 0)
        if await asyncio.to_thread(path.exists):
            lines = await asyncio.to_thread(OperationLog.tail_file, path, min(asked.tail, MAX_TAIL))
            yield following.only(lines, asked.step)

    async def _close_log(self, peer: Peer, asked: Subscription) -> Done:
        self._logs.close(peer, asked.subscription)
        return Done()
