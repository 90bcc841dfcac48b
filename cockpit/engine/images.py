"""Images that CI makes: which commits have one in the registry yet, and waiting for the one that is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from cockpit.build.base import Login
from cockpit.build.reference import reference, registry, server
from cockpit.config.settings import PlacementSettings, Registry
from cockpit.engine.host import Host
from cockpit.engine.ports import Ports
from cockpit.engine.secrets import Secrets
from cockpit.engine.world import World
from cockpit.errors import CockpitError, Failed
from cockpit.model import Commit, Failure, Side
from cockpit.text import took

NEWEST = 8  # commits whose images are asked for; some registries count each question as a pull
AGAIN = 5.0  # seconds between questions while a deploy waits


class Images:
    """What registries said. An image that is there stays there; one that is missing is asked for again."""

    def __init__(self, ports: Ports, world: World) -> None:
        self._ports = ports
        self._world = world
        self._there: dict[str, bool] = {}

    async def look(self, placement: PlacementSettings, commits: tuple[Commit, ...]) -> None:
        """A registry that does not answer leaves what is not known unknown."""
        host = self._world.host(placement.key)
        for commit in commits[:NEWEST]:
            name = _reference(placement, commit.sha)
            if self._there.get(name):
                continue
            try:
                login = await login_for(self._ports.secrets, self._world.settings.registry, name)
                self._there[name] = await host.builder.available(name, login) is not None
            except CockpitError:
                return

    def marked(self, placement: PlacementSettings, commits: tuple[Commit, ...]) -> tuple[Commit, ...]:
        if not placement.service.from_ci:
            return commits
        return tuple(replace(each, image=self._there.get(_reference(placement, each.sha))) for each in commits)


async def wait_for(
    ports: Ports, host: Host, name: str, login: Login | None, timeout: float, tell: Callable[[str], None]
) -> str:
    """The digest of `name`, once it is in its registry. Raises Failed after `timeout` seconds, BuildError at once when
    the registry refuses."""
    clock = ports.clock
    began = clock.monotonic()
    while True:
        digest = await host.builder.available(name, login)
        if digest is not None:
            return digest
        waited = clock.monotonic() - began
        if waited >= timeout:
            raise Failed(
                Failure(
                    "pull",
                    Side.BUILD,
                    f"{name} is not in its registry after {took(waited)}",
                    means="CI has not pushed an image of this commit: it failed, is slow, or names them otherwise",
                    next="look at the commit's CI run; image_timeout in the configuration says how long is waited",
                )
            )
        tell(f"waiting for {name}: {took(waited)} of {took(timeout)}")
        await clock.sleep(AGAIN)


async def login_for(secrets: Secrets, registries: tuple[Registry, ...], image: str) -> Login | None:
    """What the configuration says of that registry; without it, Docker's own logins are used."""
    registry = registry_of(registries, image)
    if registry is None or registry.username is None or registry.password is None:
        return None
    secret = await secrets.resolve({"registry password": registry.password})
    return Login(registry.server, registry.username, secret["registry password"])


async def all_logins(secrets: Secrets, registries: tuple[Registry, ...]) -> tuple[Login, ...]:
    """For the base images of a build."""
    found = await asyncio.gather(*(login_for(secrets, registries, f"{each.server}/") for each in registries))
    return tuple(login for login in found if login is not None)


def registry_of(registries: tuple[Registry, ...], image: str) -> Registry | None:
    return next((each for each in registries if server(each.server) == registry(image)), None)


def _reference(placement: PlacementSettings, sha: str) -> str:
    assert placement.service.image is not None, "only asked of services whose images come from CI"
    return reference(placement.service.image, sha)
