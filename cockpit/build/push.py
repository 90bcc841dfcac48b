"""A push through the daemon: the login goes along with this one request, and the digest is asked for again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from cockpit.build import words
from cockpit.build.base import BuildLine, Emit, Login, Pushed
from cockpit.build.daemon import Cut, Daemon, Item, answered
from cockpit.errors import BuildError

if TYPE_CHECKING:
    from docker import APIClient

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


async def push(
    daemon: Daemon, image: str, reference: str, login: Login | None, emit: Emit, now: Callable[[], float]
) -> Pushed:
    repository, tag = split(reference)
    registry = repository.split("/", 1)[0]
    _check_login(login, registry)
    reader = _Reader(emit, now)
    await daemon.ask(lambda client: _tag(client, image, repository, tag))
    try:
        await daemon.stream(_pushing(repository, tag, login), reader.read)
    except BuildError as error:
        raise _blamed(error, registry) from error
    if reader.error:
        raise words.push_failure(reader.error, registry)
    if not reader.digest:
        raise BuildError("the push ended without a digest", "check that Docker still runs, then deploy again")
    await _confirm(daemon, repository, reader.digest, login, registry)
    return Pushed(f"{repository}@{reader.digest}", reader.digest)


def split(reference: str) -> tuple[str, str]:
    """registry/name:tag into registry/name and tag. Raises BuildError."""
    repository, colon, tag = reference.rpartition(":")
    if not colon or "/" not in repository or not _TAG.fullmatch(tag):
        raise BuildError(f"{reference!r} is not registry/name:tag", "check `image` in the configuration")
    return repository, tag


def _check_login(login: Login | None, registry: str) -> None:
    """A password is never sent to a registry that it was not given for."""
    if login is None:
        return
    server = re.sub(r"^https?://", "", login.server).split("/", 1)[0]
    if server != registry and not {server, registry} <= _HUB:
        raise BuildError(f"the login is for {server}, the image goes to {registry}", "check `registries` and `image`")


def _tag(client: APIClient, image: str, repository: str, tag: str) -> None:
    client.tag(image, repository, tag)


def _pushing(repository: str, tag: str, login: Login | None) -> Callable[[APIClient, Cut], Iterable[Item]]:
    def begin(client: APIClient, cut: Cut) -> Iterable[Item]:
        cut.check()
        items: Iterable[Item] = client.push(repository, tag, stream=True, decode=True, auth_config=_auth(login))
        return items

    return begin


def _auth(login: Login | None) -> dict[str, str] | None:
    if login is None:
        return None
    return {"username": login.username, "password": login.password, "serveraddress": login.server}


async def _confirm(daemon: Daemon, repository: str, digest: str, login: Login | None, registry: str) -> None:
    """The registry itself is asked for what it was just given."""

    def ask(client: APIClient) -> str:
        told = client.inspect_distribution(f"{repository}@{digest}", _auth(login))  # type: ignore[no-untyped-call]
        return str(told["Descriptor"]["digest"])

    try:
        told = await daemon.ask(ask)
    except BuildError as error:
        raise _blamed(error, registry) from error
    if told != digest:
        raise BuildError(f"{registry} has another image under {digest[:19]}", "do not use this registry; ask its owner")


def _blamed(error: BuildError, registry: str) -> BuildError:
    """The registry's refusal comes through the daemon; a daemon that does not answer is no registry's fault."""
    return words.push_failure(" ".join((error.message, *error.log_tail)), registry) if answered(error) else error


class _Reader:
    """Steps are layers, numbered in the order in which they are first heard of."""

    def __init__(self, emit: Emit, now: Callable[[], float]) -> None:
        self.digest = ""
        self.error = ""
        self._emit = emit
        self._now = now
        self._layers: dict[str, int] = {}

    def read(self, item: Item) -> None:
        if "error" in item:
            self.error = str(item["error"])
            self._emit(BuildLine(self._now(), 0, "push", f"ERROR: {self.error}", done=True))
        elif "status" in item and "progress" not in item:
            self._line(str(item.get("id", "")), str(item["status"]))
        aux = item.get("aux")
        if isinstance(aux, dict) and _DIGEST.fullmatch(str(aux.get("Digest", ""))):
            self.digest = str(aux["Digest"])

    def _line(self, layer: str, status: str) -> None:
        step = self._layers.setdefault(layer, len(self._layers) + 1) if layer else 0
        there = status in ("Layer already exists", "Mounted")
        name = f"push {layer}".strip()
        self._emit(BuildLine(self._now(), step, name, status, cached=there, done=there or status == "Pushed"))
