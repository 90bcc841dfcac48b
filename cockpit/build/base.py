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
class Login:
    """Of the configuration. Where there is none, the user's Docker configuration and its helpers are asked."""

    server: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BuildOrder:
    context: Path
    dockerfile: str  # below the context
    tag: str  # local name:tag that the result gets
    args: dict[str, str] = field(default_factory=dict)
    target: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    logins: tuple[Login, ...] = ()  # for the registries of base images


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
class Pulled:
    reference: str  # registry/name@sha256:…, which a release keeps as its image
    image: str  # the image's id on this host, "sha256:…"


class Builder(Protocol):
    """Raises BuildError. Cancelling a call ends the build within 2 s and leaves nothing behind."""

    async def find(self, tag: str) -> Built | None:
        """An image of that tag that is on the host already."""

    async def build(self, order: BuildOrder, emit: Emit) -> Built: ...

    async def push(self, image: str, reference: str, login: Login | None, emit: Emit) -> Pushed:
        """`reference` is registry/name:tag."""

    async def available(self, reference: str, login: Login | None) -> str | None:
        """The digest of registry/name:tag in its registry; None when it has no such tag (yet).

        Ends within 20 s. Some registries count each question as a pull: ask seldom, and never again once it is known.
        """

    async def pull(self, reference: str, digest: str, login: Login | None, emit: Emit) -> Pulled:
        """The image of that digest, whatever the tag of `reference` says by now; no registry is asked when it is here.

        BuildError also when the image is for another kind of machine than the host's."""

    async def tool(self) -> str:
        """What builds images: "BuildKit (/usr/bin/docker buildx)"; "" for Docker's classic builder."""

    async def close(self) -> None: ...
