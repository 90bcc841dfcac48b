"""One bare mirror per repository address, in a directory that only this engine writes."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from cockpit.errors import SourceError
from cockpit.source.address import Address
from cockpit.source.command import NETWORK, Git

HEADS = "refs/heads/"
KEEP = "refs/cockpit/keep/"
_MEMORY = "cockpit.json"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Memory:
    """What the mirror's references don't say: when it was fetched, the remote's default branch, where branches were."""

    at: float
    default: str = ""
    seen: Mapping[str, str] = field(default_factory=dict)  # branches that were asked for, and their last head


class Mirror:
    """`lock` is held by whatever writes; reading needs none."""

    def __init__(self, directory: Path, address: Address, pool: Executor, engine_started: float) -> None:
        self.directory = directory / address.digest
        self.git = Git(self.directory, address)
        self.lock = asyncio.Lock()
        self.begun = 0  # fetches so far, whether they ended well or not
        self.ended = 0  # the number of the last one that ended well
        self._pool = pool
        self._stale_before: float | None = engine_started

    async def prepare(self) -> None:
        """It exists, and what a killed git left is gone. Call with the lock held."""
        if not (self.directory / "HEAD").exists():
            await self._create()
        if self._stale_before is not None:
            await self._aside(sweep, self.directory, self._stale_before)
            self._stale_before = None

    async def fetch(self) -> None:
        """All branches as they are at the remote, those that are gone removed. Call with the lock held."""
        self.begun += 1
        try:
            await self.git.output(
                "fetch",
                "--quiet",
                "--prune",
                "--force",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-recurse-submodules",
                "--update-shallow",
                "--end-of-options",
                "origin",
                f"+{HEADS}*:{HEADS}*",
                timeout=NETWORK,
            )
        except (asyncio.CancelledError, SourceError):
            # Our git has ended and the lock is held: nobody else writes here.
            await self._aside(sweep, self.directory, float("inf"))
            raise

    async def tidy(self) -> None:
        """Pack when there is much to pack. Not being able to is no reason to fail a fetch."""
        with suppress(SourceError):
            await self.git.output("-c", "gc.auto=2000", "gc", "--auto", "--quiet", timeout=NETWORK)

    async def default_branch(self) -> str:
        """As the remote's HEAD says, "" when it says nothing."""
        text = await self.git.text("ls-remote", "--symref", "--end-of-options", "origin", "HEAD", timeout=NETWORK)
        for line in text.splitlines():
            target, _, name = line.partition("\t")
            if name == "HEAD" and target.startswith(f"ref: {HEADS}"):
                return target.removeprefix(f"ref: {HEADS}")
        return ""

    async def heads(self) -> dict[str, str]:
        """Branch name to full sha. Names are as git has them: data, never an argument."""
        text = await self.git.text("for-each-ref", "--format=%(objectname) %(refname)", HEADS)
        pairs = (line.split(" ", 1) for line in text.split("\n") if line)
        return {name.removeprefix(HEADS): sha for sha, name in pairs}

    @property
    def shallow(self) -> bool:
        file = self.directory / "shallow"
        return file.exists() and file.stat().st_size > 0

    async def recall(self) -> Memory | None:
        return await self._aside(_load, self.directory / _MEMORY)

    async def remember(self, memory: Memory) -> None:
        await self._aside(_save, self.directory / _MEMORY, memory)

    async def _create(self) -> None:
        """Made beside and renamed into place, so that a half-made mirror is never met."""
        draft = await self._aside(_draft, self.directory.parent)
        try:
            await Git(draft, self.git.address).output("init", "--quiet", "--bare", "--template=")
            await self._aside(_move, draft, self.directory)
        finally:
            await self._aside(shutil.rmtree, draft, True)

    async def _aside(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)


def _draft(parent: Path) -> Path:
    try:
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Path(tempfile.mkdtemp(prefix="new-", dir=parent))
    except OSError as error:
        raise SourceError(f"{parent} cannot be written: {error.strerror}", "check the state directory") from None


def _move(draft: Path, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    draft.rename(place)


def _load(file: Path) -> Memory | None:
    try:
        return Memory(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _save(file: Path, memory: Memory) -> None:
    """Replaced whole: a crash leaves the old one or the new one."""
    draft = file.with_suffix(".new")
    try:
        draft.write_text(json.dumps({"at": memory.at, "default": memory.default, "seen": dict(memory.seen)}))
        draft.replace(file)
    except OSError as error:
        raise SourceError(f"{file.parent} cannot be written: {error.strerror}", "check the state directory") from None


def sweep(mirror: Path, before: float) -> None:
    """Remove lock files and half-written packs that a git killed before that time left."""
    for root, _, names in os.walk(mirror):
        for name in names:
            file = Path(root, name)
            if name.endswith(".lock") or name.startswith("tmp_"):
                with suppress(OSError):
                    if file.lstat().st_mtime < before:
                        file.unlink()
