"""Who did what, into the log's audit: also what was refused, and late where the log cannot be written now.

Operations enter their own begin and end (`ReleaseLog.begin_operation`, `end_operation`), locks and holds theirs with
the change itself; all else comes through here. docs/audit.md has the words.
"""

from __future__ import annotations

import logging
import re
import shlex
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from cockpit.clock import Clock
from cockpit.engine.api import Handler, Peer
from cockpit.engine.journal import Backlog
from cockpit.errors import CockpitError, Refused, StoreError, UsageError
from cockpit.model import Actor, AuditRow, PlacementKey, Role
from cockpit.protocol import (
    AUDIT,
    AUDIT_VERIFY,
    CALLS,
    MAX_AUDIT,
    AuditRequest,
    AuditVerdict,
    AuditVerifyRequest,
    Call,
    DeployRequest,
    EdgeUpgradeRequest,
    ExecRequest,
    FreezeRequest,
    LockRequest,
    OperationRequest,
    RestartRequest,
    RollbackRequest,
    TakeoverRequest,
    UnfreezeRequest,
    UnholdRequest,
    UnlockRequest,
)
from cockpit.protocol import Audit as AuditRows
from cockpit.store.log import ReleaseLog
from cockpit.text import clean

log = logging.getLogger(__name__)

ENGINE = Actor("cockpit")  # what nobody asked for
ACTIONS = {"exec.ended": "exec"}  # the others are called as their call is, with a blank for the dot
HEAD = re.compile(r"(?:[0-9]{1,18}:)?[0-9a-fA-F]{64}")  # of the chain, as syslog has it

About = Callable[[Any], Awaitable[PlacementKey | None]]


class Audit:
    def __init__(self, store: ReleaseLog, clock: Clock, backlog: Backlog) -> None:
        self._store = store
        self._clock = clock
        self._backlog = backlog

    def row(self, actor: Actor, action: str, outcome: str, key: PlacementKey | None = None, **more: Any) -> AuditRow:
        """As of now. `more` are fields of AuditRow."""
        return AuditRow(0, self._clock.now(), actor, action, outcome, key, **more)

    async def record(self, row: AuditRow) -> None:
        """What must not be done without being recorded. Raises StoreError."""
        await self._store.record(row)

    async def record_anyway(self, row: AuditRow) -> None:
        """What was done, or refused, whatever the log says: entered later when it refuses."""
        try:
            await self._store.record(row)
        except StoreError as error:
            if self._store.read_only_reason:
                log.warning("not in the audit: %s %s by %s", row.action, row.outcome, row.actor.name)
            else:
                self._backlog.keep(lambda: self._store.record(row), error)

    # ------------------------------------------------------------ what clients ask of it

    def handlers(self) -> Mapping[str, Handler]:
        return {AUDIT.name: self._page, AUDIT_VERIFY.name: self._verify}

    async def _page(self, _: Peer, asked: AuditRequest) -> AuditRows:
        limit = max(1, min(asked.limit, MAX_AUDIT))
        return AuditRows(await self._store.audit(limit, asked.key, asked.before))

    async def _verify(self, _: Peer, asked: AuditVerifyRequest) -> AuditVerdict:
        if asked.head and not HEAD.fullmatch(asked.head):
            raise UsageError("that is no head", "one is written 17:HASH, with 64 hexadecimal digits, or only HASH")
        last, broken = await self._store.verify_audit(asked.head)
        good = f"{last.id}:{last.hash}" if last else ""
        if broken is None:
            return AuditVerdict(last.id if last else 0, good)
        return AuditVerdict(last.id if last else 0, good, broken.row, broken.why)

    # ------------------------------------------------------------ attempts

    def watching(self, handlers: Mapping[str, Handler], about: About) -> Mapping[str, Handler]:
        """The same, and what each that changes something refuses or fails at is recorded."""
        return {
            name: handler if CALLS[name].needs is Role.VIEWER else self._watched(CALLS[name], handler, about)
            for name, handler in handlers.items()
        }

    def _watched(self, call: Call[Any, Any], handler: Handler, about: About) -> Handler:
        async def answer(peer: Peer, asked: Any) -> Any:
            began = self._clock.monotonic()
            try:
                return await handler(peer, asked)
            except CockpitError as error:
                await self.refused(peer.actor, call, asked, await about(asked), error, self._clock.monotonic() - began)
                raise

        return answer

    async def refused(
        self,
        actor: Actor,
        call: Call[Any, Any],
        asked: Any,
        key: PlacementKey | None,
        error: CockpitError,
        seconds: float | None = None,
    ) -> None:
        """Looking is no attempt at anything."""
        if call.needs is Role.VIEWER or (isinstance(asked, EdgeUpgradeRequest) and not asked.confirmed):
            return
        row = self.row(
            actor,
            ACTIONS.get(call.name, call.name.replace(".", " ")),
            "refused" if isinstance(error, Refused | UsageError) else "failed",
            key,
            operation=asked.id if isinstance(asked, OperationRequest) else None,
            text=clean(error.message, 500),
            reason=clean(getattr(asked, "reason", ""), 500),
            seconds=seconds,
            cli=line_of(asked, call.name),
        )
        await self.record_anyway(row)


def line_of(asked: Any, of_operation: str = "cancel") -> str:
    """The command line that asks for the same; "" where there is none. `of_operation` is what is asked of one. Pure."""
    match asked:
        case DeployRequest():
            words = ["deploy", str(asked.key)] + (["--commit", asked.commit] if asked.commit else [])
            words += ["--force"] if asked.force else []
        case RollbackRequest():
            words = ["rollback", str(asked.key)] + ([f"--to=r{asked.to}"] if asked.to is not None else [])
        case RestartRequest():
            words = ["restart", str(asked.key)]
        case OperationRequest():
            words = [of_operation, str(asked.id)]
        case TakeoverRequest():
            words = ["takeover", asked.key.service, asked.key.environment, asked.lock]
        case LockRequest():
            words = ["lock", str(asked.key), "--for", f"{asked.seconds:.0f}s"]
        case UnlockRequest():
            words = ["unlock", str(asked.key)]
        case UnholdRequest():
            words = ["unhold", str(asked.key)]
        case FreezeRequest():
            words = ["freeze", "--for", f"{asked.seconds:.0f}s"]
        case UnfreezeRequest():
            words = ["unfreeze"]
        case ExecRequest():
            words = ["exec", str(asked.key)] + (["--one-off"] if asked.one_off else [])
            words += ["--process", asked.process] if asked.process else []
            return clean(shlex.join(["cockpit", *words, *(["--", *asked.command] if asked.command else [])]), 500)
        case EdgeUpgradeRequest():
            words = ["edge", "upgrade"] + ([asked.host] if asked.host else [])
        case _:
            return ""
    reason = getattr(asked, "reason", "")
    return clean(shlex.join(["cockpit", *words, *(["--reason", reason] if reason else [])]), 500)
