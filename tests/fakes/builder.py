"""A builder that builds nothing and keeps the contract of `cockpit.build.base.Builder`."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from dataclasses import dataclass, field

from cockpit.build.base import BuildLine, BuildOrder, Built, Emit, Login, Pushed
from cockpit.clock import Clock
from cockpit.errors import BuildError


@dataclass
class FakeBuilder:
    """An image is the digest of its files. Set `fails` to a message, or `gate` to hold builds until it is set."""

    clock: Clock
    fails: str = ""
    push_fails: str = ""
    gate: asyncio.Event | None = None
    images: dict[str, str] = field(default_factory=dict)  # tag to id
    built: list[BuildOrder] = field(default_factory=list)
    pushed: list[str] = field(default_factory=list)
    closed: bool = False
    _locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def find(self, tag: str) -> Built | None:
        return Built(self.images[tag], tag, cached=True) if tag in self.images else None

    async def build(self, order: BuildOrder, emit: Emit) -> Built:
        async with self._locks[order.tag]:
            return await self._build(order, emit)

    async def _build(self, order: BuildOrder, emit: Emit) -> Built:
        if order.tag in self.images:
            emit(BuildLine(self.clock.now(), 0, "", f"{order.tag} exists: nothing to build", cached=True, done=True))
            return Built(self.images[order.tag], order.tag, cached=True)
        if not order.context.is_dir():
            raise BuildError(f"the build context {order.context.name} does not exist in this commit", "check `context`")
        if not (order.context / order.dockerfile).is_file():
            raise BuildError(f"the Dockerfile {order.dockerfile} does not exist in this commit", "check `dockerfile`")
        name = "[1/1] COPY . ."
        emit(BuildLine(self.clock.now(), 1, name, name))
        if self.gate is not None:
            await self.gate.wait()
        if self.fails:
            emit(BuildLine(self.clock.now(), 1, name, f"ERROR: {self.fails}", done=True))
            raise BuildError(self.fails, "its last lines say why", (self.fails,))
        emit(BuildLine(self.clock.now(), 1, name, "DONE", done=True))
        self.images[order.tag] = f"sha256:{await asyncio.to_thread(_digest, order)}"
        self.built.append(order)
        return Built(self.images[order.tag], order.tag)

    async def push(self, image: str, reference: str, login: Login | None, emit: Emit) -> Pushed:
        if self.push_fails:
            raise BuildError(self.push_fails, "look at the registry")
        if image not in self.images and image not in self.images.values():
            raise BuildError(f"Docker refused: No such image: {image}", "build it first")
        digest = f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"
        emit(BuildLine(self.clock.now(), 1, "push", "Pushed", done=True))
        self.pushed.append(reference)
        return Pushed(f"{reference.rpartition(':')[0]}@{digest}", digest)

    async def close(self) -> None:
        self.closed = True


def _digest(order: BuildOrder) -> str:
    files = sorted(file for file in order.context.rglob("*") if file.is_file())
    return hashlib.sha256(b"".join(file.name.encode() + file.read_bytes() for file in files)).hexdigest()
