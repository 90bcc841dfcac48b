"""Where files live. One state directory is one engine; `COCKPIT_STATE` and `COCKPIT_CONFIG` choose others.

A system engine, which a group shares, comes before a user's own; `COCKPIT_SOCKET` names one in another place."""

from __future__ import annotations

import grp
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import platformdirs

APP = "deploy-cockpit"  # Debian's own `cockpit` packages own the shorter name
SYSTEM_CONFIG = Path("/etc") / APP / "config.yaml"
SYSTEM_STATE = Path("/var/lib") / APP
SYSTEM_SOCKET = Path("/run") / APP / "engine.sock"
SYSTEM_GROUP = f"{APP}-users"  # whose members reach a system engine, when no other is named
_GROUP_ENTERS = stat.S_IRGRP | stat.S_IXGRP


@dataclass(frozen=True, slots=True)
class Paths:
    """`state` holds everything that outlives a process; the socket lives in the runtime directory.

    `group` is the Unix group whose members reach the engine: a system engine's, which no client starts."""

    config: Path
    state: Path
    socket: Path
    group: str = ""  # "": only its own user

    @property
    def database(self) -> Path:
        return self.state / "releases.db"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def mirrors(self) -> Path:
        return self.state / "mirrors"

    @property
    def edge(self) -> Path:
        return self.state / "edge"

    @property
    def lock(self) -> Path:
        return self.state / "engine.lock"

    @property
    def engine_log(self) -> Path:
        return self.state / "engine.log"


def find(config: Path | None = None, state: Path | None = None, *, shared: bool = True) -> Paths:
    """Explicit arguments win, then the environment, then the system engine if this user may reach it, then the
    directories of the user (of the system for root). Without `shared` a system engine is passed over."""
    config = config or _from_environment("COCKPIT_CONFIG")
    state = state or _from_environment("COCKPIT_STATE")
    if shared and config is None and state is None and (found := system()) and os.access(found.socket.parent, os.X_OK):
        return found
    config = (config or _default_config()).expanduser().absolute()
    state = (state or _default_state()).expanduser().absolute()
    return Paths(config, state, _socket(state))


def system(socket: Path = SYSTEM_SOCKET) -> Paths | None:
    """The system engine of this machine, whether or not it runs and this user may reach it.

    Its directory tells it from root's own: that one is open to nobody else."""
    socket = (_from_environment("COCKPIT_SOCKET") or socket).expanduser().absolute()
    try:
        found = socket.parent.lstat()
    except OSError:
        return None
    if not stat.S_ISDIR(found.st_mode) or found.st_mode & _GROUP_ENTERS != _GROUP_ENTERS:
        return None
    return Paths(SYSTEM_CONFIG, SYSTEM_STATE, socket, _group(found.st_gid))


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _from_environment(name: str) -> Path | None:
    value = os.environ.get(name)
    return Path(value) if value else None


def _default_config() -> Path:
    here = Path("cockpit.yaml")
    if here.exists():
        return here
    if os.geteuid() == 0:
        return SYSTEM_CONFIG
    return platformdirs.user_config_path(APP) / "config.yaml"


def _default_state() -> Path:
    return SYSTEM_STATE if os.geteuid() == 0 else platformdirs.user_state_path(APP)


def _socket(state: Path) -> Path:
    """A socket's path may be 107 bytes at most, so it is named by a digest of the state directory."""
    name = hashlib.sha256(str(state).encode()).hexdigest()[:12]
    return _runtime() / f"{name}.sock"


def _runtime() -> Path:
    """Only this user may enter it; a predictable name in a world-writable directory is checked by the server."""
    if os.geteuid() == 0 and Path("/run").is_dir():
        return Path("/run") / APP
    chosen = os.environ.get("XDG_RUNTIME_DIR")
    if chosen and Path(chosen).is_dir():
        return Path(chosen) / APP
    return Path("/tmp") / f"{APP}-{os.geteuid()}"
