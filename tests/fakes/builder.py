"""A builder that builds nothing and keeps the contract of `cockpit.build.base.Builder`."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from dataclasses import dataclass, field

from cockpit.build.base import BuildLine, BuildOrder, Built, Emit, Login, Pulled, Pushed
from cockpit.build.reference import registry, split
from cockpit.clock import Clock
from cockpit.errors import BuildError


@dataclass
class FakeBuilder:
    """An image is the digest of its files. Set `fails` to a message, or `gate` to hold builds until it is set.

    All registries are one, which remembers what was pushed or, as CI would, published.
    """

    clock: Clock
    fails: str = ""
    push_fails: str = ""
    ask_fails: str = ""
    pull_fails: str = ""
    gate: asyncio.Event | None = None
    pull_gate: asyncio.Event | None = None
    images: dict[str, str] = field(default_factory=dict)  # tag to id
    built: list[BuildOrder] = field(default_factory=list)
    pushed: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)  # registry/name:tag to digest
    held: dict[str, str] = field(default_factory=dict)  # registry/name@digest on the host to image id
    asked: list[str] = field(default_factory=list)
    pulled: list[str] = field(default_factory=list)
    logins: list[Login | None] = field(default_factory=list)  # one for each push, question and pull
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
        self.logins.append(login)
        if self.push_fails:
            raise BuildError(self.push_fails, "look at the registry")
        held = self.images.get(image, image)
        if held not in self.images.values():
            raise BuildError(f"Docker refused: No such image: {image}", "build it first")
        pushed = _named(reference, _sha(held))
        emit(BuildLine(self.clock.now(), 1, "push", "Pushed", done=True))
        self.pushed.append(reference)
        self.tags[reference] = pushed.digest
        self.held[pushed.reference] = held
        return pushed

    def publish(self, reference: str) -> str:
        """What CI does: the image is in its registry from now on. Returns its digest."""
        self.tags[reference] = _sha(reference)
        return self.tags[reference]

    async def available(self, reference: str, login: Login | None) -> str | None:
        self.logins.append(login)
        self.asked.append(reference)
        split(reference)
        if self.ask_fails:
            raise BuildError(self.ask_fails, "look at the registry")
        return self.tags.get(reference)

    async def pull(self, reference: str, digest: str, login: Login | None, emit: Emit) -> Pulled:
        self.logins.append(login)
        name = _named(reference, digest).reference
        if name in self.held:
            emit(BuildLine(self.clock.now(), 0, "", f"{name} is here: nothing to pull", cached=True, done=True))
            return Pulled(name, self.held[name])
        emit(BuildLine(self.clock.now(), 1, "pull 1", "Pulling fs layer"))
        if self.pull_gate is not None:
            await self.pull_gate.wait()
        if self.pull_fails:
            raise BuildError(self.pull_fails, "look at the registry")
        if digest not in self.tags.values():
            raise BuildError(f"{registry(reference)} has no such image", "have CI push it again")
        emit(BuildLine(self.clock.now(), 1, "pull 1", "Pull complete", done=True))
        self.pulled.append(name)
        self.held[name] = _sha(digest)
        return Pulled(name, self.held[name])

    async def tool(self) -> str:
        return "BuildKit (docker buildx)"

    async def close(self) -> None:
        self.closed = True


def _named(reference: str, digest: str) -> Pushed:
    return Pushed(f"{split(reference)[0]}@{digest}", digest)


def _sha(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _digest(order: BuildOrder) -> str:
    files = sorted(file for file in order.context.rglob("*") if file.is_file())
    return hashlib.sha256(b"".join(file.name.encode() + file.read_bytes() for file in files)).hexdigest()
