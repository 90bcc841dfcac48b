"""The one way git is run: fixed arguments, no prompts, no hooks, nothing from outside where git reads options.

The user's own git and ssh configuration stays in force (keys, credential helpers, insteadOf, proxies); what could ask,
run code from a repository or change the output's form is overridden. Settings travel in the environment, so that a URL
is neither an argument nor an option.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cockpit import process
from cockpit.errors import SourceError
from cockpit.source import words
from cockpit.source.address import Address

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

QUICK = 15.0  # seconds for what stays on this machine
NETWORK = 60.0  # seconds for a fetch
CONNECT = 10  # seconds for ssh to reach its host
ALL = 256 * 1024 * 1024  # bytes: more output than this is no history that a person looks at

_SETTINGS: Mapping[str, str] = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.askPass": "",
    "core.attributesFile": "/dev/null",
    "core.autocrlf": "false",
    "core.eol": "lf",
    "core.quotePath": "false",
    "color.ui": "false",
    "log.showSignature": "false",
    "i18n.logOutputEncoding": "UTF-8",
    "protocol.ext.allow": "never",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "fetch.unpackLimit": "100",
    "gc.auto": "0",
    "gc.autoDetach": "false",
    "maintenance.auto": "false",
    "credential.interactive": "false",
}
_SSH_OPTIONS = (
    f"-o BatchMode=yes -o ConnectTimeout={CONNECT} -o ServerAliveInterval=10 -o ControlMaster=no -o ForwardAgent=no"
)


class Git:
    """git in one mirror of one remote."""

    def __init__(self, mirror: Path, address: Address) -> None:
        self.mirror = mirror
        self.address = address

    async def text(self, *arguments: str, timeout: float = QUICK) -> str:
        """What it printed, with bytes that are no UTF-8 kept as surrogates. Raises SourceError."""
        return (await self.output(*arguments, timeout=timeout)).decode("utf-8", "surrogateescape")

    async def output(self, *arguments: str, timeout: float = QUICK) -> bytes:
        finished = await self._run(arguments, timeout)
        if finished.status != 0:
            raise words.failure(finished.err, self.address, finished.status)
        return finished.out

    async def answers(self, *arguments: str) -> bool:
        """For commands that answer by exit status: 0 is yes, 1 and 128 (no such object) are no. Raises SourceError."""
        finished = await self._run(arguments, QUICK)
        if finished.status not in (0, 1, 128):
            raise words.failure(finished.err, self.address, finished.status)
        return finished.status == 0

    async def start_of(self, *arguments: str, limit: int) -> bytes:
        """The first `limit` bytes of its output."""
        finished = await self._run(arguments, QUICK, limit)
        if finished.status != 0 and not finished.cut:
            raise words.failure(finished.err, self.address, finished.status)
        return finished.out

    @asynccontextmanager
    async def piped(self, *arguments: str, stdout: int) -> AsyncIterator[Process]:
        """A git that writes into the descriptor `stdout`; the caller reads what it says and its status."""
        async with process.started(self._argv(arguments), env=self._environment(), stdout=stdout) as running:
            yield running

    async def _run(
        self, arguments: tuple[str, ...], timeout: float, limit: int = 256 * 1024 * 1024
    ) -> process.Finished:
        try:
            return await process.run(self._argv(arguments), env=self._environment(), timeout=timeout, limit=limit)
        except TimeoutError:
            raise words.too_slow(arguments[0], timeout, self.address) from None
        except FileNotFoundError:
            raise SourceError("git is not installed on this machine", "install git where the engine runs") from None

    def _argv(self, arguments: tuple[str, ...]) -> tuple[str, ...]:
        return ("git", f"--git-dir={self.mirror}", "--literal-pathspecs", *arguments)

    def _environment(self) -> dict[str, str]:
        return environment(os.environ, self.address)


def environment(outer: Mapping[str, str], address: Address) -> dict[str, str]:
    """The user's environment without its GIT_* (another repository, tracing, replaced programs), and ours on top."""
    kept = {name: value for name, value in outer.items() if not name.startswith(("GIT_", "SSH_ASKPASS"))}
    ours = {
        "LC_ALL": "C",
        "LANGUAGE": "",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": ":".join(address.protocols),
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_SSH_COMMAND": f"{outer.get('GIT_SSH_COMMAND') or 'ssh'} {_SSH_OPTIONS}",
        "GIT_SSH_VARIANT": "ssh",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "SSH_ASKPASS_REQUIRE": "never",
        "GCM_INTERACTIVE": "never",
    }
    return {**kept, **ours, **dict(_numbered({**_SETTINGS, "remote.origin.url": address.url}))}


def _numbered(settings: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield "GIT_CONFIG_COUNT", str(len(settings))
    for number, (key, value) in enumerate(settings.items()):
        yield f"GIT_CONFIG_KEY_{number}", key
        yield f"GIT_CONFIG_VALUE_{number}", value
