"""The first words with a host: where things are there. The script is plain POSIX shell, and ends in an echo."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from cockpit.paths import APP
from cockpit.text import clean, decode

# In a directory of the login user, so that nobody needs to be root there. XDG_STATE_HOME is not asked: what a login by
# hand sets there and what sshd gives may differ, and the edge's directory must be found again.
_STATE = f".local/state/{APP}"

# In braces, so that the shell has read all of it before it runs any: what is sent next is for `read`.
_SCRIPT = """{{ LC_ALL=C; export LC_ALL; umask 077
cd && mkdir -p {state}/edge && cd {state} && chmod 700 . edge || exit 3
s={socket}
if [ -z "$s" ]; then
  case ${{DOCKER_HOST:-}} in unix://*) s=${{DOCKER_HOST#unix://}} ;; *) s=/var/run/docker.sock
    [ -S "$s" ] || [ ! -S "${{XDG_RUNTIME_DIR:-}}/docker.sock" ] || s=$XDG_RUNTIME_DIR/docker.sock ;; esac
fi
if [ ! -S "$s" ]; then a=absent; elif [ -r "$s" ] && [ -w "$s" ]; then a=open; else a=closed; fi
if grep -qs -e " 00010000 .* $s\\$" -e " 00010000 .* $(readlink -f "$s")\\$" /proc/net/unix; then l=yes; else l=no; fi
printf '\\n'; printf '%s\\n' {token} "$(id -u)" "$(id -un)" "$(pwd -P)" "$s" "$a" $l "$(stat -c %G "$s" 2>/dev/null)"
while IFS= read -r l; do printf '%s\\n' "$l"; done
}}
"""
LINES = 7  # after the token


class Access(StrEnum):
    OPEN = "open"
    CLOSED = "closed"  # it is there, and this user may not use it
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Facts:
    """`root` is the installation's own directory on the host; the edge's is in it."""

    uid: int
    user: str
    root: PurePosixPath
    docker: str
    access: Access
    listens: bool  # somebody is seen to; not seen says nothing
    group: str  # of Docker's socket

    @property
    def edge(self) -> PurePosixPath:
        return self.root / "edge"


def script(installation: str, socket: str, token: str) -> bytes:
    state = shlex.quote(f"{_STATE}/{installation}")
    return _SCRIPT.format(state=state, socket=shlex.quote(socket), token=token).encode()


def root(installation: str) -> str:
    """Relative to the login user's home, quoted."""
    return shlex.quote(f"{_STATE}/{installation}")


def facts(lines: list[bytes]) -> Facts:
    """Raises ValueError when the host printed something else."""
    uid, user, where, docker, access, listens, group = (decode(line).rstrip("\r\n") for line in lines)
    if not where.startswith("/") or clean(where) != where or not docker.startswith("/") or clean(docker) != docker:
        raise ValueError(f"strange paths: {clean(where)} {clean(docker)}")
    return Facts(
        int(uid), clean(user, 64), PurePosixPath(where), docker, Access(access), listens == "yes", clean(group, 64)
    )
