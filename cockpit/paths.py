"""Where files live. One state directory is one engine; `COCKPIT_STATE` and `COCKPIT_CONFIG` choose others."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

APP = "deploy-cockpit"  # Debian's own `cockpit` packages own the shorter name


@dataclass(frozen=True, slots=True)
class Paths:
    """`state` holds everything that outlives a process; the socket lives in the runtime directory."""

    config: Path
    state: Path
    socket: Path

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


def find(config: Path | None = None, state: Path | None = None) -> Paths:
    """Explicit arguments win, then the environment, then the directories of the user (of the system for root)."""
    config = config or _from_environment("COCKPIT_CONFIG") or _default_config()
    state = state or _from_environment("COCKPIT_STATE") or _default_state()
    state = state.expanduser().absolute()
    return Paths(config.expanduser().absolute(), state, _socket(state))


def _from_environment(name: str) -> Path | None:
    value = os.environ.get(name)
    return Path(value) if value else None


def _default_config() -> Path:
    here = Path("cockpit.yaml")
    if here.exists():
        return here
    if os.geteuid() == 0:
        return Path("/etc") / APP / "config.yaml"
    return platformdirs.user_config_path(APP) / "config.yaml"


def _default_state() -> Path:
    return Path("/var/lib") / APP if os.geteuid() == 0 else platformdirs.user_state_path(APP)


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
