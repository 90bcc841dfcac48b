"""A pull through the daemon, by digest: what arrives is what was asked for, whatever its tag says by now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cockpit.build import distribution, login, words
from cockpit.build.base import BuildLine, Emit, Login, Pulled
from cockpit.build.daemon import Begin, Cut, Daemon, Item, image_missing
from cockpit.build.progress import Layers
from cockpit.build.reference import registry, split
from cockpit.errors import BuildError

if TYPE_CHECKING:
    from docker import APIClient

SILENT = 180.0  # seconds without a word from Docker; it tells when it tries again
_RUNS_TOO = {("amd64", "386"), ("arm64", "arm")}  # host and image


async def pull(
    daemon: Daemon, reference: str, digest: str, given: Login | None, emit: Emit, now: Callable[[], float]
) -> Pulled:
    repository, _ = split(reference)
    name = f"{repository}@{digest}"
    held = await _held(daemon, name)
    if held is not None:
        emit(BuildLine(now(), 0, "pull", f"{name} is on the host already", cached=True, done=True))
        return held.fitting(name)
    at = registry(repository)
    auth = await login.of(given, at)
    layers = Layers("pull", emit, now)
    try:
        await _stream(daemon, _pulling(repository, digest, auth), layers.read, at)
    except BuildError as error:
        raise distribution.blamed(error, at, words.PULL, auth) from error
    if layers.error:
        raise words.registry(layers.error, at, words.PULL, anonymous=not auth)
    held = await _held(daemon, name)
    if held is None:
        raise BuildError("the pull ended without the image", "check that Docker still runs, then deploy again")
    try:
        return held.fitting(name)
    except BuildError:
        await daemon.ask(lambda client: client.remove_image(name))
        raise


@dataclass(frozen=True, slots=True)
class _Held:
    image: str
    made: str  # architecture
    host: str

    def fitting(self, name: str) -> Pulled:
        if not runs(self.made, self.host):
            raise words.other_machine(self.made, self.host)
        return Pulled(name, self.image)


def runs(image: str, host: str) -> bool:
    """Architectures as Docker names them; one that is not known is given the benefit of the doubt."""
    return not image or not host or image == host or (host, image) in _RUNS_TOO


async def _stream(daemon: Daemon, begin: Begin, each: Callable[[Item], None], at: str) -> None:
    loop = asyncio.get_running_loop()

    def heard(item: Item) -> None:
        with suppress(RuntimeError):  # it came together with the time-out
            limit.reschedule(loop.time() + SILENT)
        each(item)

    try:
        async with asyncio.timeout(SILENT) as limit:
            await daemon.stream(begin, heard)
    except TimeoutError:
        raise words.silent(at, SILENT) from None


def _pulling(repository: str, digest: str, auth: login.Auth) -> Begin:
    def begin(client: APIClient, cut: Cut) -> Iterable[Item]:
        cut.check()
        items: Iterable[Item] = client.pull(repository, digest, stream=True, decode=True, auth_config=auth)
        return items

    return begin


async def _held(daemon: Daemon, name: str) -> _Held | None:
    """None when it is not on the host."""

    def look(client: APIClient) -> _Held:
        image = client.inspect_image(name)
        host = client.version(api_version=False)
        return _Held(str(image["Id"]), str(image.get("Architecture", "")), str(host.get("Arch", "")))

    try:
        return await daemon.ask(look)
    except BuildError as error:
        if image_missing(error):
            return None
        raise
