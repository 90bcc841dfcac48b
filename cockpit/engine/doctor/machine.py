"""Hazards of the machine that the engine runs on: who ends it, its limits, its clock, its SQLite."""

from __future__ import annotations

import ctypes
import grp
import os
import re
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

from cockpit.config.settings import Settings
from cockpit.engine import identity
from cockpit.model import EngineStatus
from cockpit.protocol import Check, CheckState
from cockpit.store.opening import BUILD, journal_mode

INSTALL = "as root: cockpit engine install"
WEAKER = "it may end at logout, who others are is not checked, its user can rewrite the log"
NOFILE = 4096  # files at once: some for each followed log, probe and client
STRICT = (3, 37)  # the first SQLite that has the tables of the release log
UNSYNCHRONIZED = 5  # adjtimex: TIME_ERROR
_LOGIND = ("usr/lib/systemd/logind.conf", "etc/systemd/logind.conf")
_LOGIND_PARTS = ("usr/lib/systemd/logind.conf.d", "run/systemd/logind.conf.d", "etc/systemd/logind.conf.d")


def groups(settings: Settings, exists: Callable[[str], bool] | None = None) -> Check:
    """A role's group that is misspelled gives nobody the role, and says nothing."""
    services = (each.service.deployers or () for each in settings.placements)
    roles = settings.roles
    named = sorted(
        {*(roles.viewer or ()), *roles.deployer, *roles.admin, *(name for each in services for name in each)}
    )
    missing = [each for each in named if not (exists or _exists)(each)]
    if missing:
        said = f"no group is called {', '.join(missing)}, so nobody has the role that the configuration gives it"
        return Check("roles", CheckState.WARN, said, f"groupadd {missing[0]}, or correct the configuration")
    return Check("roles", CheckState.PASS, f"groups {', '.join(named)}" if named else "no group is given one")


def _exists(group: str) -> bool:
    try:
        return group.isdigit() or bool(grp.getgrnam(group))
    except KeyError:
        return False


def sharing(status: EngineStatus) -> Check:
    if status.group:
        return Check("engine", CheckState.PASS, f"a system engine, shared by group {status.group}")
    return Check("engine", CheckState.WARN, f"one user's own: {WEAKER}", f"{INSTALL}; docs/sharing.md")


def logind(*, shared: bool, root: Path = Path("/"), uid: int | None = None) -> Check:
    """With KillUserProcesses=yes an engine that a client started ends with the session it was started in."""
    name, user = "logout", identity.user_name(os.geteuid() if uid is None else uid)
    if shared:
        return Check(name, CheckState.PASS, "a system service outlives it")
    if not (root / "run/systemd/seats").is_dir():
        return Check(name, CheckState.PASS, "no systemd-logind here, which could end the engine")
    said = dict(_logind(root))
    kills = said.get("KillUserProcesses", "no").lower() in ("yes", "true", "1", "on")
    spared = user in said.get("KillExcludeUsers", "root").split()
    if kills and not spared:
        return Check(name, CheckState.WARN, f"KillUserProcesses=yes: the engine ends when {user} logs out", INSTALL)
    lingers = (root / "var/lib/systemd/linger" / user).exists()
    why = f"KillExcludeUsers has {user}" if kills else "KillUserProcesses=no"
    return Check(name, CheckState.PASS, f"{why}, lingering is {'on' if lingers else 'off'}")


def _logind(root: Path) -> Iterator[tuple[str, str]]:
    """Options, the one that counts last. What a distribution compiled in stands commented in its own file."""
    parts = sorted(
        (each for folder in _LOGIND_PARTS for each in (root / folder).glob("*.conf")), key=lambda at: at.name
    )
    main = [_read(root / each) for each in _LOGIND]
    yield from (found for text in main for found in re.findall(r"^#(Kill\w+)=(.*)$", text, re.MULTILINE))
    for text in (*main, *map(_read, parts)):
        yield from re.findall(r"^(Kill\w+)=(.*)$", text, re.MULTILINE)


def sqlite(version: tuple[int, ...] = BUILD) -> Check:
    """The store keeps WAL for builds without the race that corrupts it: journal_mode."""
    named = ".".join(map(str, version))
    if version < STRICT:
        return Check("SQLite", CheckState.FAIL, f"{named} is too old", "a Python with SQLite 3.37 or newer")
    if journal_mode(version) == "wal":
        return Check("SQLite", CheckState.PASS, f"{named}, WAL")
    why = f"{named} has the WAL-reset race, so the release log is kept without WAL: safe, and slower"
    return Check("SQLite", CheckState.PASS, why, "none needed; 3.51.3 or newer has WAL")


def open_files(limits: tuple[int, int] | None = None) -> Check:
    soft, hard = limits or resource.getrlimit(resource.RLIMIT_NOFILE)
    said = f"at most {_number(soft)} at once (hard limit {_number(hard)})"
    if soft == resource.RLIM_INFINITY or soft >= NOFILE:
        return Check("open files", CheckState.PASS, said)
    raising = hard == resource.RLIM_INFINITY or hard >= NOFILE
    cure = f"`ulimit -n {NOFILE}` before the engine starts" if raising else "raise nofile in /etc/security/limits.conf"
    return Check("open files", CheckState.WARN, said, cure)


def synchronized(state: Callable[[], int] | None = None) -> Check:
    """Whether the kernel's clock is disciplined; by whom is all the same."""
    found = (state or _clock_state)()
    if found < 0:
        return Check("clock", CheckState.UNKNOWN, "the kernel does not say whether it is synchronized")
    if found == UNSYNCHRONIZED:
        return Check("clock", CheckState.WARN, "not synchronized: times may be wrong", "timedatectl set-ntp true")
    return Check("clock", CheckState.PASS, "synchronized")


def _clock_state() -> int:
    """adjtimex that changes nothing; -1 when it may not be asked."""
    try:
        return int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512)))
    except (OSError, AttributeError):
        return -1


def _number(limit: int) -> str:
    return "any number" if limit == resource.RLIM_INFINITY else str(limit)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
