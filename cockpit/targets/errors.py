"""Docker's and the SDK's errors in our words, with what the operator does next.

Docker answers problems of its users with status codes that say little (a missing command is a 400, a taken address a
403, a full disk a 500), so the text decides; the patterns are those of engines 20.10 to 29.
"""

from __future__ import annotations

import grp
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cockpit import text
from cockpit.errors import TargetDown, TargetError

_SERVICE = "See `systemctl status docker` on the host; containers that run go on running."

_OTHER_ENGINE = re.compile(r"client version .* is too (?:old|new)")

_REFUSALS: tuple[tuple[str, str, str], ...] = (
    # pattern in Docker's text, what it means, what to do
    (
        r"No such image",
        "the image is not on the host",
        "Someone pruned it? Deploy the commit again: it is rebuilt or pulled.",
    ),
    (
        r"network cockpit-\S+ not found",
        "the cockpit's network is gone",
        "It is created again at the next attempt; try again.",
    ),
    (
        r"network .* not found",
        "a network that it joins went away just now",
        "Try again when it is back: `docker network ls`.",
    ),
    (
        r"Address already in use",
        "another container has its address",
        "A container outside of the cockpit took an address of its network: find it with `docker network inspect`.",
    ),
    (
        r"port is already allocated|address already in use",
        "a port it needs is taken on the host",
        "See who has it with `ss -ltnp`.",
    ),
    (r"no space left on device", "the host's disk is full", "Free space: `docker system df` says what Docker holds."),
    (
        r"Pool overlaps|invalid pool request",
        "its subnet overlaps another Docker network",
        "Choose another with network.subnet in the configuration; `docker network ls` lists the others.",
    ),
    (r"unable to find (?:user|group)", "its user does not exist in the image", "Look at `user`."),
    (
        r"bind source path does not exist",
        "a path of `volumes` is not on the host",
        "Make it there, with the owner that the process needs, or correct `volumes`: the cockpit makes no directories.",
    ),
    (
        r"tmpfs option",
        "a tmpfs cannot be mounted",
        "Look at `tmpfs`: /path or /path:size=64m,mode=1777.",
    ),
    (
        r"invalid (?:volume|mount|bind)|mount path|mounting |local volume name|Duplicate mount|not a shared mount",
        "a volume cannot be mounted",
        "Look at `volumes`: name:/path or /host/path:/path, with :ro to protect it.",
    ),
    (
        r"executable file not found|exec: .*(?:no such file|permission denied)|exec format error",
        "its command cannot be run",
        "Look at command and entrypoint, and at the image's architecture.",
    ),
    (
        r"(?i:minimum memory limit|memory limit|cannot allocate memory|range of cpus)",
        "the host cannot give it these limits",
        "Look at limits.memory and limits.cpus.",
    ),
    (
        r"rlimit|ulimit",
        "the host refuses one of its ulimits",
        "Look at `ulimits`: soft is at most hard, and hard at most what `ulimit -Ha` tells for the Docker engine.",
    ),
    (
        r"does not support reading",
        "its logging driver keeps no lines to be read",
        "They are where logging.driver sends them; json-file, local and journald can be read here.",
    ),
    (
        r"logging (?:plugin|driver)|log opt",
        "it cannot log as `logging` says",
        "Look at logging.driver and logging.options; `docker info` names the drivers that the host has.",
    ),
    (r"unknown capability", "a capability is none", "Look at cap_add and cap_drop: names like NET_BIND_SERVICE."),
    (r"add-host", "an extra host is none", "Look at extra_hosts: name:address."),
    (r"Invalid signal", "its stop signal is none", "Look at stop_signal: a name like SIGTERM."),
    (
        r"connected to (?:host|multiple) network|not manually attachable",
        "a network cannot be joined",
        "Look at `networks`: bridges, and overlays that were made with --attachable.",
    ),
    (r"invalid reference format", "the image's name is none", "Look at `image`."),
    (
        r"did not receive an exit event|tried to kill container",
        "its process does not die",
        "Look at the host: `ps` shows state D when a disk or network mount hangs.",
    ),
)


@contextmanager
def docker_errors(doing: str, socket: Path) -> Iterator[None]:
    """Turn whatever the SDK raises into TargetDown or TargetError; `doing` reads "start web/production r42"."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except APIError as error:
        raise refused(doing, error.status_code or 0, explanation(error)) from error
    except (DockerException, RequestException, HTTPError, OSError) as error:
        raise unreachable(doing, socket, error) from error


def explanation(error: Exception) -> str:
    """Docker's own sentence of an SDK error, cleaned."""
    words = getattr(error, "explanation", None) or str(error)
    return text.clean(text.decode(words) if isinstance(words, bytes) else str(words), 600)


def refused(doing: str, status: int, words: str) -> TargetError:
    """Docker answered, and the answer was no."""
    if _OTHER_ENGINE.search(words):
        return TargetDown(f"another Docker engine answers now ({words})", "The next attempt speaks its version.")
    for pattern, meaning, hint in _REFUSALS:
        if re.search(pattern, words):
            return TargetError(f"Docker refused to {doing}: {meaning} ({words})", hint)
    hint = _SERVICE if status >= 500 else ""
    return TargetError(f"Docker refused to {doing}: {words or f'status {status}'}", hint)


def hung(doing: str, seconds: float) -> TargetDown:
    return TargetDown(
        f"Docker does not answer: no reply within {seconds:g} s to {doing}",
        f"The engine hangs or the host is overloaded. {_SERVICE}",
    )


def unreachable(doing: str, socket: Path, error: BaseException) -> TargetDown:
    """For an error below Docker's own answers: the socket is absent, closed to us, or silent."""
    from requests.exceptions import Timeout
    from urllib3.exceptions import TimeoutError as SilentError

    causes = tuple(_chain(error))
    if any(isinstance(cause, PermissionError) for cause in causes):
        return _forbidden(socket)
    if any(isinstance(cause, FileNotFoundError) for cause in causes):
        return TargetDown(f"Docker does not answer: there is no socket {socket}", f"Is Docker running? {_SERVICE}")
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return TargetDown(f"Docker does not answer: nobody listens on {socket}", f"The engine stopped. {_SERVICE}")
    if any(isinstance(cause, Timeout | SilentError | TimeoutError) for cause in causes):
        return TargetDown(f"Docker does not answer: silence when asked to {doing}", f"The engine hangs. {_SERVICE}")
    words = text.clean(str(error), 200) or type(error).__name__
    return TargetDown(f"Docker does not answer: {words}, when asked to {doing}", _SERVICE)


def _forbidden(socket: Path) -> TargetDown:
    group = _group(socket)
    hint = (
        f"The engine's user must be in the group {group}: `usermod -aG {group} USER`, then start the engine again."
        if group
        else "The engine's user must be allowed to write to it."
    )
    return TargetDown(f"Docker does not answer: no permission for {socket}", hint)


def _group(socket: Path) -> str:
    try:
        return grp.getgrgid(socket.stat().st_gid).gr_name
    except (OSError, KeyError):
        return ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all it was made of: the SDK keeps the telling one in `args` or `__context__`."""
    seen: set[int] = set()
    queue = [error]
    while queue:
        cause = queue.pop()
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        queue += [cause.__cause__, cause.__context__, getattr(cause, "reason", None)]
        queue += [each for each in cause.args if isinstance(each, BaseException)]
