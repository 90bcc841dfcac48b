"""A Docker configuration for one build: all of the user's own, and the logins of ours. For the command line only.

It holds passwords, so it lies in a directory that nobody else may enter, in memory where the system has such a place.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cockpit.build import login
from cockpit.build.base import Login
from cockpit.build.daemon import Daemon

_FILE = "config.json"
_NAME = re.compile(r"cockpit-login-(\d+)-\w+")  # whose engine had that pid


@asynccontextmanager
async def lent(daemon: Daemon, logins: tuple[Login, ...]) -> AsyncIterator[Path | None]:
    """The directory for DOCKER_CONFIG, gone at the end however that comes; None, the user's own, without logins."""
    if not logins:
        yield None
        return
    async with daemon.kept(lambda: _made(logins), removed) as folder:
        yield folder


def _made(logins: tuple[Login, ...]) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"cockpit-login-{os.getpid()}-", dir=_place()))
    try:
        _fill(folder, logins)
    except BaseException:  # also a cancellation: nobody else knows of the folder yet
        removed(folder)
        raise
    return folder


def _place() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return Path(runtime if os.path.isdir(runtime) else tempfile.gettempdir())


def clear() -> None:
    """What engines that were killed in a build have left of it. Synchronous."""
    for folder in _place().glob("cockpit-login-*"):
        named = _NAME.fullmatch(folder.name)
        if named and not os.path.exists(f"/proc/{named[1]}") and folder.lstat().st_uid == os.getuid():
            removed(folder)


def removed(folder: Path) -> None:
    """What the links lead to is the user's, and stays."""
    shutil.rmtree(folder, ignore_errors=True)


def _fill(folder: Path, logins: tuple[Login, ...]) -> None:
    theirs = login.folder()
    for each in theirs.iterdir() if theirs.is_dir() else ():
        if each.name != _FILE:  # plugins, contexts, certificates
            (folder / each.name).symlink_to(each.absolute())
    handle = os.open(folder / _FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(merged(login.content(theirs / _FILE), logins), file)


def merged(theirs: Mapping[str, Any], logins: Iterable[Login]) -> dict[str, Any]:
    """An empty helper keeps Docker from asking the user's about a registry whose login is in the file."""
    ours = {login.address(each.server): {"auth": _encoded(each)} for each in logins}
    return {
        **theirs,
        "auths": {**(theirs.get("auths") or {}), **ours},
        "credHelpers": {**(theirs.get("credHelpers") or {}), **dict.fromkeys(ours, "")},
    }


def _encoded(each: Login) -> str:
    return base64.b64encode(f"{each.username}:{each.password}".encode()).decode()
