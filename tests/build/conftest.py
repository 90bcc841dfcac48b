"""A context to build from nothing but busybox, and builders whose images are removed at the end."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cockpit.build import command
from cockpit.build.base import BuildLine, BuildOrder, Built
from cockpit.build.docker import INSTALLATION, DockerBuilder
from cockpit.clock import SystemClock
from tests.build import registries

if TYPE_CHECKING:
    from docker import DockerClient

BUSYBOX = Path("/bin/busybox")  # Debian's is static
LABEL = "deploy-cockpit.test"  # also on the layers that a failed classic build leaves as its cache


@pytest.fixture
def context(tmp_path: Path, installation: str) -> Path:
    """Named as the installation, so that what is built from it can say whose it is."""
    folder = tmp_path / installation
    folder.mkdir()
    (folder / "busybox").write_bytes(BUSYBOX.read_bytes())
    (folder / "busybox").chmod(0o755)
    return folder


@pytest.fixture
def docker() -> Iterator[DockerClient]:
    import docker

    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
def installation(docker: DockerClient) -> Iterator[str]:
    name = f"t{uuid.uuid4().hex[:10]}"
    yield name
    from docker.errors import ImageNotFound

    made = {}
    for label in (INSTALLATION, LABEL):
        for image in docker.images.list(all=True, filters={"label": f"{label}={name}"}):
            made[image.id or ""] = image.attrs["Created"]
    for identifier in sorted(made, key=lambda each: made[each], reverse=True):  # an image goes before what it is from
        with suppress(ImageNotFound):  # it went with a newer one
            docker.images.remove(identifier, force=True)


@pytest.fixture
async def buildkit_builder(installation: str) -> AsyncIterator[DockerBuilder]:
    if await command.find("unix:///var/run/docker.sock") is None:
        pytest.skip("no docker on this machine has BuildKit")
    made = DockerBuilder("local", installation, SystemClock())
    yield made
    await made.close()


@pytest.fixture
async def classic_builder(installation: str) -> AsyncIterator[DockerBuilder]:
    made = DockerBuilder("local", installation, SystemClock(), buildkit=False)
    yield made
    await made.close()


@pytest.fixture
async def plain_builder() -> AsyncIterator[DockerBuilder]:
    """For what is not about building."""
    made = DockerBuilder("local", "t", SystemClock())
    yield made
    await made.close()


@pytest.fixture(params=["buildkit", "classic"])
def builder(request: pytest.FixtureRequest) -> DockerBuilder:
    made: DockerBuilder = request.getfixturevalue(f"{request.param}_builder")
    return made


@pytest.fixture
def lines() -> list[BuildLine]:
    return []


@pytest.fixture
async def image(installation: str, context: Path) -> AsyncIterator[tuple[DockerBuilder, Built]]:
    builder = DockerBuilder("local", installation, SystemClock(), buildkit=False)
    (context / "Dockerfile").write_text(f"FROM scratch\nCOPY busybox /x\nLABEL unique={uuid.uuid4().hex}\n")
    yield (
        builder,
        await builder.build(BuildOrder(context, "Dockerfile", f"cockpit-test:{installation}"), lambda _: None),
    )
    await builder.close()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    with registries.debian(tmp_path / "registry") as address:
        yield address


@pytest.fixture
def private_registry(tmp_path: Path) -> Iterator[str]:
    """Only registries.USER gets in."""
    with registries.debian(tmp_path / "private", private=True) as address:
        yield address


@pytest.fixture(autouse=True)
def docker_config(own_home: Path) -> Path:
    """Of nobody: empty, and where Docker looks by itself."""
    (own_home / ".docker").mkdir()
    return own_home / ".docker/config.json"
