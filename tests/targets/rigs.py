"""The same small world twice: on a real Docker host and in memory."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cockpit.clock import SystemClock
from cockpit.model import PlacementKey
from cockpit.targets.base import Container, Target
from cockpit.targets.docker import DockerTarget
from cockpit.targets.labels import IMAGE_INSTALLATION, all_of, images_of
from cockpit.targets.orders import ContainerSpec, RunOrder, StartOrder
from tests.fakes.one_offs import Migration
from tests.fakes.target import FakeTarget, Program
from tests.targets.line import line
from tests.waiting import until
from tests.world import fresh_installation, runtime_image

if TYPE_CHECKING:
    from docker import DockerClient

KEY = PlacementKey("shop", "production")
RUNS = Program()
DONE = Migration()
# Docker watches a container's memory from a moment after its start: its first kill may go unseen, the last does not.
WANTS_MEMORY = "for n in 1 2 3 4 5 6 7 8; do tail /dev/zero; done; exec tail /dev/zero"


def order(
    release: int = 1,
    *,
    operation: int = 1,
    slot: int = 0,
    replicas: int = 1,
    image: str = "fake",
    command: tuple[str, ...] | None = None,
    key: PlacementKey = KEY,
) -> StartOrder:
    spec = ContainerSpec(image, port=8000, replicas=replicas, command=command, stop_grace=2)
    return StartOrder(key, release, operation, slot, spec, {"COCKPIT_RELEASE": f"r{release}"})


def shell(program: Program) -> tuple[str, ...]:
    """The program as a command of the runtime image; it ends at once on SIGTERM."""
    says = [f"echo {shlex.quote(words)}" + (" >&2" if stream == "err" else "") for stream, words in program.lines]
    serves = [f"httpd -p {address}" for address in program.listens]
    sleeps = [f"sleep {1_000_000 if program.exits is None else program.after} & wait"]
    return ("sh", "-c", "; ".join(["trap 'exit 0' TERM", *says, *serves, *sleeps, f"exit {program.exits or 0}"]))


def run_order(
    release: int = 1, *, operation: int = 1, image: str = "fake", command: tuple[str, ...] | None = None
) -> RunOrder:
    return RunOrder(KEY, release, operation, ContainerSpec(image, command=command), {"COCKPIT_RELEASE": f"r{release}"})


def migrates(migration: Migration) -> tuple[str, ...]:
    """The migration as a command of the runtime image."""
    if migration.refuses:
        return ("/nope",)
    if migration.oom:
        return ("sh", "-c", WANTS_MEMORY)
    return shell(Program(exits=migration.exits, after=migration.after, lines=migration.lines))


class Rig(Protocol):
    @property
    def target(self) -> Target: ...

    def migration(self, release: int = 1, migration: Migration = DONE, *, operation: int = 1) -> RunOrder: ...

    def comes_back(self, container: Container) -> bool:
        """Its restart policy is `always`."""

    def network(self) -> str:
        """One of the host that isn't the cockpit's."""

    def lacks_path(self, path: str) -> None:
        """Nothing is there on the host."""

    def breakable(self) -> AbstractAsyncContextManager[tuple[Target, Callable[[], None]]]:
        """A target of the same installation, and what cuts its line to Docker."""

    def order(
        self, release: int = 1, program: Program = RUNS, *, operation: int = 1, slot: int = 0, replicas: int = 1
    ) -> StartOrder: ...

    def take_name(self, name: str) -> None:
        """A container that isn't the cockpit's has that name from now on."""

    def has_foreign(self, name: str) -> bool:
        """It is still there, untouched."""

    def images(self) -> tuple[str, str]:
        """One that is on the host and may be removed, and one that isn't there."""

    def neighbour(self) -> Target:
        """Another installation on the same host."""

    def broken(self) -> Target:
        """A target whose Docker is not there."""


class FakeRig:
    def __init__(self) -> None:
        self.target = FakeTarget()
        self.target.pruned.add("missing")

    def migration(self, release: int = 1, migration: Migration = DONE, *, operation: int = 1) -> RunOrder:
        self.target.migrations[release] = migration
        return run_order(release, operation=operation)

    def comes_back(self, container: Container) -> bool:
        return self.target.always(container.name)

    def network(self) -> str:
        self.target.networks.add("front")
        return "front"

    def lacks_path(self, path: str) -> None:
        self.target.missing_paths.add(path)

    @asynccontextmanager
    async def breakable(self) -> AsyncIterator[tuple[Target, Callable[[], None]]]:
        def cut() -> None:
            self.target.down = "Docker does not answer"

        yield self.target, cut
        self.target.down = ""

    def order(
        self, release: int = 1, program: Program = RUNS, *, operation: int = 1, slot: int = 0, replicas: int = 1
    ) -> StartOrder:
        self.target.programs[release] = program
        return order(release, operation=operation, slot=slot, replicas=replicas)

    def take_name(self, name: str) -> None:
        self.target.foreign.add(name)

    def has_foreign(self, name: str) -> bool:
        return name in self.target.foreign

    def images(self) -> tuple[str, str]:
        return "fake", "missing"

    def neighbour(self) -> Target:
        other = FakeTarget("other")
        other.owners = self.target.owners
        return other

    def broken(self) -> Target:
        target = FakeTarget()
        target.down = "Docker does not answer"
        return target


class DockerRig:
    def __init__(self, client: DockerClient, folder: Path) -> None:
        self.client, self._folder = client, folder
        self.target = DockerTarget("local", fresh_installation(), subnet=None, clock=SystemClock())
        self.installations = [self.target.installation]
        self.image = runtime_image(client)
        self._foreign: dict[str, str] = {}
        self.networks: list[str] = []

    def migration(self, release: int = 1, migration: Migration = DONE, *, operation: int = 1) -> RunOrder:
        return run_order(release, operation=operation, image=self.image, command=migrates(migration))

    def comes_back(self, container: Container) -> bool:
        told = self.client.api.inspect_container(container.id)["HostConfig"]["RestartPolicy"]["Name"]
        return bool(told == "always")

    def network(self) -> str:
        name = f"{self.target.installation}-front{len(self.networks)}"
        self.client.networks.create(name)
        self.networks.append(name)
        return name

    def lacks_path(self, path: str) -> None:
        assert not Path(path).exists()

    @asynccontextmanager
    async def breakable(self) -> AsyncIterator[tuple[Target, Callable[[], None]]]:
        with tempfile.TemporaryDirectory(prefix="ck") as folder:
            async with line(Path(folder) / "docker.sock") as laid:
                host = f"unix://{laid.path}"
                target = DockerTarget(host, self.target.installation, subnet=None, clock=SystemClock())
                yield target, laid.cut
                await target.close()

    def order(
        self, release: int = 1, program: Program = RUNS, *, operation: int = 1, slot: int = 0, replicas: int = 1
    ) -> StartOrder:
        command = ("/bin/no-such-command",) if program.refuses else shell(program)
        return order(release, operation=operation, slot=slot, replicas=replicas, image=self.image, command=command)

    def take_name(self, name: str) -> None:
        made = self.client.containers.run(self.image, ["sleep", "1000000"], name=name, detach=True)
        self._foreign[name] = str(made.id)

    def has_foreign(self, name: str) -> bool:
        found = self.client.containers.get(name)
        return found.id == self._foreign[name] and found.status == "running"

    def images(self) -> tuple[str, str]:
        return self.build("one", self.target.installation), f"{self.target.installation}:two"

    def build(self, name: str, owner: str) -> str:
        """A new image with that installation's label."""
        tag = f"{self.target.installation}:{name}"
        dockerfile = f"FROM {self.image}\nLABEL {IMAGE_INSTALLATION}={owner} of={tag}\n"
        self._folder.joinpath("Dockerfile").write_text(dockerfile)
        self.client.images.build(path=str(self._folder), tag=tag, rm=True)
        self.installations.append(owner)
        return tag

    def neighbour(self) -> DockerTarget:
        other = DockerTarget("local", fresh_installation(), subnet=None, clock=SystemClock())
        self.installations.append(other.installation)
        return other

    def broken(self) -> Target:
        return DockerTarget(f"unix://{self._folder}/absent.sock", "t0", subnet=None, clock=SystemClock())

    def clean(self) -> None:
        for installation in self.installations:
            ours = all_of(installation)
            for each in self.client.api.containers(all=True, filters=ours):
                self.client.api.remove_container(each["Id"], force=True, v=True)
            for volume in self.client.api.volumes(filters=ours)["Volumes"] or ():
                self.client.api.remove_volume(volume["Name"])
            for network in self.client.api.networks(filters=ours):
                self.client.api.remove_network(network["Id"])
            for image in self.client.api.images(filters=images_of(installation)):
                self.client.api.remove_image(image["Id"], force=True)
        for identifier in self._foreign.values():
            self.client.api.remove_container(identifier, force=True)
        for name in self.networks:
            self.client.api.remove_network(name)


async def observed(target: Target, true: Callable[[tuple[Container, ...]], bool]) -> tuple[Container, ...]:
    """What the host has, as soon as that is true."""
    found: tuple[Container, ...] = ()

    async def look() -> bool:
        nonlocal found
        found = await target.observe()
        return true(found)

    await until(look)
    return found


async def started(rig: DockerRig, script: str, **settings: Any) -> str:
    """The id of a container of release 1 that runs this script, with these settings of its spec."""
    plain = order(image=rig.image, command=("sh", "-c", script))
    (container,) = await rig.target.start(replace(plain, spec=replace(plain.spec, **settings)))
    return container.id
