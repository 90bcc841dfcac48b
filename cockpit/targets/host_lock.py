"""The words of a placement's lock on a host: who has it, what for, and how often they showed that they live."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.model import PlacementKey


@dataclass(frozen=True, slots=True)
class Holder:
    """An engine, told apart from every other that ever ran anywhere.

    `started` is the process's start in clock ticks since the boot, `processes` names its table of processes: a pid
    means nothing in another one."""

    bastion: str  # for people
    machine: str
    boot: str
    processes: str
    pid: int
    started: int
    state: str = ""  # its directory: only one process at a time has that


@dataclass(frozen=True, slots=True)
class LockOrder:
    key: PlacementKey
    operation: int  # its number in the holder's own log
    kind: str  # "deploy", "rollback", …
    by: str  # the person
    since: float
    holder: Holder


@dataclass(frozen=True, slots=True)
class HostLock:
    id: str
    order: LockOrder
    beats: int

    @property
    def short(self) -> str:
        return self.id[:12]
