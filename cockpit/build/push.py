"""A push through the daemon: the login goes along with this one request, and the digest is asked for again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from cockpit.build import distribution, login, words
from cockpit.build.base import Emit, Login, Pushed
from cockpit.build.daemon import Begin, Cut, Daemon, Item
from cockpit.build.progress import Layers
from cockpit.build.reference import registry, split
from cockpit.errors import BuildError

if TYPE_CHECKING:
    from docker import APIClient


async def push(
    daemon: Daemon, image: str, reference: str, given: Login | None, emit: Emit, now: Callable[[], float]
) -> Pushed:
    repository, tag = split(reference)
    at = registry(repository)
    auth = await login.of(given, at)
    layers = Layers("push", emit, now)
    await daemon.ask(lambda client: _tag(client, image, repository, tag))
    try:
        await daemon.stream(_pushing(repository, tag, auth), layers.read)
    except BuildError as error:
        raise distribution.blamed(error, at, words.PUSH, auth) from error
    if layers.error:
        raise words.registry(layers.error, at, words.PUSH, anonymous=not auth)
    if not layers.digest:
        raise BuildError("the push ended without a digest", "check that Docker still runs, then deploy again")
    await _confirm(daemon, f"{repository}@{layers.digest}", layers.digest, auth, at)
    return Pushed(f"{repository}@{layers.digest}", layers.digest)


def _tag(client: APIClient, image: str, repository: str, tag: str) -> None:
    client.tag(image, repository, tag)


def _pushing(repository: str, tag: str, auth: login.Auth) -> Begin:
    def begin(client: APIClient, cut: Cut) -> Iterable[Item]:
        cut.check()
        items: Iterable[Item] = client.push(repository, tag, stream=True, decode=True, auth_config=auth)
        return items

    return begin


async def _confirm(daemon: Daemon, name: str, digest: str, auth: login.Auth, at: str) -> None:
    """The registry itself is asked for what it was just given."""
    if await distribution.digest(daemon, name, auth, at) != digest:
        raise BuildError(
            f"{at} does not have the image that it took: {digest[:19]}", "do not use this registry; ask its owner"
        )
