"""Hazards of the engine's own files: others who may read or change them, other processes that have them open."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from cockpit.config.read import trusted
from cockpit.engine.lock import holder
from cockpit.paths import Paths
from cockpit.protocol import Check, CheckState

OTHERS = 0o077  # what nobody but the owner may
SHOWN = 3  # files named in one line


def modes(paths: Paths) -> Check:
    """Owner, group and mode of whatever others must not read, change or put their own in place of."""
    wrong = [*_state(paths), *_socket(paths), *_config(paths)]
    if not wrong:
        return Check("files", CheckState.PASS, "nobody else may read or change them")
    said = "; ".join(evidence for evidence, _ in wrong[:SHOWN]) + (" …" if len(wrong) > SHOWN else "")
    return Check("files", CheckState.FAIL, said, wrong[0][1])


def held(paths: Paths, proc: Path = Path("/proc")) -> Check:
    """Somebody else's hand on the release log or the lock; files of other users' processes only root can see."""
    mine = str(os.getpid())
    pid = holder(paths.lock)
    if pid != mine:
        said = f"{paths.lock} names pid {pid or '?'}, not this engine: it was replaced, and a second engine could start"
        return Check("lock", CheckState.FAIL, said, "cockpit engine stop, and start it again")
    for other in _holders(paths.database, proc):
        if other != mine:
            said = f"pid {other} ({_name(proc / other)}) has the release log open: it can lock it, or break its locks"
            return Check("lock", CheckState.WARN, said, f"end it: kill {other}; read the log with cockpit --json")
    return Check("lock", CheckState.PASS, "only this engine has the release log open")


def _state(paths: Paths) -> Iterator[tuple[str, str]]:
    private = (paths.state, paths.database, paths.lock, paths.state / "secret.key", paths.engine_log)
    for path in private:
        found = _stat(path)
        if found is None:
            continue
        if found.st_uid != os.geteuid():
            yield f"{path} belongs to uid {found.st_uid}", f"chown {os.geteuid()} {path}"
        elif found.st_mode & OTHERS:
            yield f"{path} is open to others ({_mode(found)})", f"chmod go= {path}"


def _socket(paths: Paths) -> Iterator[tuple[str, str]]:
    allowed = {paths.socket.parent: 0o050, paths.socket: 0o060} if paths.group else {}
    for path in (paths.socket.parent, paths.socket):
        found = _stat(path)
        if found and found.st_mode & OTHERS & ~allowed.get(path, 0):
            yield f"{path} is open to others ({_mode(found)})", "cockpit engine stop: the next one sets it right"


def _config(paths: Paths) -> Iterator[tuple[str, str]]:
    found = _stat(paths.config)
    if found and (why := trusted(found, os.geteuid(), os.getegid())):
        said, _, cure = why.rpartition("; ")
        yield f"{paths.config}: {said or why}", f"{cure} {paths.config}" if said else ""
    above = _stat(paths.config.parent)
    if above and above.st_mode & stat.S_IWOTH and not above.st_mode & stat.S_ISVTX:
        yield f"whoever likes can replace {paths.config}", f"chmod o-w {paths.config.parent}"


def _holders(path: Path, proc: Path) -> Iterator[str]:
    """Pids of processes that have it open; links are read and nothing is opened, for that would drop SQLite's locks."""
    wanted = str(path.resolve())
    for process in proc.iterdir():
        if process.name.isdigit() and any(link == wanted for link in _links(process / "fd")):
            yield process.name


def _links(directory: Path) -> Iterator[str]:
    try:
        for each in os.listdir(directory):
            yield os.readlink(directory / each)
    except OSError:  # it ended meanwhile, or is another user's
        return


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text(errors="replace").strip()
    except OSError:
        return "?"


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _mode(found: os.stat_result) -> str:
    return f"{stat.S_IMODE(found.st_mode):04o}"
