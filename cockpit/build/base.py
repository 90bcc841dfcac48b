"""What the engine asks of a builder. BuildKit and the classic builder give the same lines and the same result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class BuildLine:
    """One line of a build: `text` decoded, not cleaned. `step` counts from 1, 0 is the builder itself."""

    at: float
    step: int
    name: str  # "[2/5] COPY . ."
    text: str
    cached: bool = False
    done: bool = False  # this step ended with this line


Emit = Callable[[BuildLine], None]


@dataclass(frozen=True, slots=True)
class BuildOrder:
    context: Path
    dockerfile: str  # below the context
    tag: str  # local name:tag that the result gets
    args: dict[str, str] = field(default_factory=dict)
    target: str | None = None
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Built:
    image: str  # the image's id, "sha256:…"
    tag: str
    cached: bool = False  # it existed: nothing was built


@dataclass(frozen=True, slots=True)
class Pushed:
    reference: str  # registry/name@sha256:…
    digest: str


@dataclass(frozen=True, slots=True)
class Login:
    server: str
    username: str
    password: str


class Builder(Protocol):
    """Raises BuildError. Cancelling a call ends the build within 2 s and leaves nothing behind."""

    async def find(self, tag: str) -> Built | None:
        """An image of that tag that is on the host already."""

    async def build(self, order: BuildOrder, emit: Emit) -> Built: ...

    async def push(self, image: str, reference: str, login: Login | None, emit: Emit) -> Pushed:
        """`reference` is registry/name:tag."""

    async def close(self) -> None: ...
