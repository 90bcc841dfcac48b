"""The audit's chain: what a row commits to, and how a row that is not as it was written is found. Pure.

A row's hash is SHA-256 over the hash of the row before it, a line feed, and the row itself as a JSON array
(docs/audit.md has the form, which never changes: another one would get another `FORM`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from cockpit.model import AuditRow

FORM = "cockpit-audit-1"
GENESIS = "0" * 64  # what the first row is chained to


def canonical(row: AuditRow) -> bytes:
    """The row without its hashes. ASCII: whatever is not stands as \\uXXXX, numbers in their shortest form."""
    actor, key = row.actor, row.key
    fields = [
        FORM,
        row.id,
        row.at,
        [actor.name, actor.uid, actor.login, actor.claimed],
        row.action,
        row.outcome,
        [key.service, key.environment] if key else None,
        row.operation,
        row.text,
        row.reason,
        row.seconds,
        list(row.overrides),
        row.cli,
    ]
    return json.dumps(fields, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")


def digest(row: AuditRow, previous: str) -> str:
    return hashlib.sha256(previous.encode() + b"\n" + canonical(row)).hexdigest()


def chained(row: AuditRow, previous: str) -> AuditRow:
    """Times become what the database keeps of them."""
    seconds = None if row.seconds is None else float(row.seconds)
    row = replace(row, at=float(row.at), seconds=seconds, previous=previous)
    return replace(row, hash=digest(row, previous))


def head(row: AuditRow | None) -> str:
    """ "17:HASH": what commits to a row and to all before it."""
    return f"{row.id}:{row.hash}" if row else ""


@dataclass(frozen=True, slots=True)
class Broken:
    row: int
    why: str


@dataclass(slots=True)
class Verifier:
    """Follows the chain from its beginning, a page of rows at a time. `wanted` is a head that must be met."""

    wanted: str = ""
    last: AuditRow | None = None
    _met: bool = field(default=False, init=False)

    def follow(self, rows: Iterable[AuditRow]) -> Broken | None:
        """The first row that is not as it was written."""
        for row in rows:
            broken = self._follow(row)
            if broken is not None:
                return broken
            self.last = row
            self._met = self._met or row.hash == _hash(self.wanted)
        return None

    def end(self, highest: int) -> Broken | None:
        """No row follows. `highest` is the largest id that was ever given out."""
        last = self.last.id if self.last else 0
        if highest > last:
            return Broken(last + 1, f"row {last + 1} is missing: the end was cut off, there were {highest} rows")
        if self.wanted and not self._met:
            return Broken(
                last + 1, f"the chain ends at row {last} and never had that head: its end was cut or rewritten"
            )
        return None

    def _follow(self, row: AuditRow) -> Broken | None:
        expected, previous = (self.last.id + 1, self.last.hash) if self.last else (1, GENESIS)
        if row.id > expected:
            return Broken(expected, f"row {expected} is missing")
        if row.id < expected:
            return Broken(row.id, f"row {row.id} was put there: the first is row 1")
        own = digest(row, row.previous) == row.hash
        if row.previous != previous and own and self.last is not None:
            return Broken(self.last.id, f"row {self.last.id} was rewritten: row {row.id} follows another one")
        if row.previous != previous or not own:
            return Broken(row.id, f"row {row.id} was changed, or another row was put in its place")
        if _number(self.wanted) == row.id and row.hash != _hash(self.wanted):
            return Broken(
                row.id, f"row {row.id} has another hash than that head: it, or a row before it, was rewritten"
            )
        return None


def _hash(head: str) -> str:
    return head.rpartition(":")[2].lower()


def _number(head: str) -> int | None:
    number = head.rpartition(":")[0]
    return int(number) if number.isascii() and number.isdigit() else None
