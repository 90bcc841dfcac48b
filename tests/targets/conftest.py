"""A Docker host for the targets' tests, real or in memory; whatever a test made on the real one is removed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.targets.rigs import DockerRig, FakeRig, Rig

if TYPE_CHECKING:
    from docker import DockerClient


@pytest.fixture(scope="session")
def docker_client() -> Iterator[DockerClient]:
    import docker

    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
async def docker_rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[DockerRig]:
    made = DockerRig(request.getfixturevalue("docker_client"), tmp_path)
    try:
        yield made
    finally:
        await made.target.close()
        made.clean()


@pytest.fixture(params=["fake", pytest.param("docker", marks=pytest.mark.docker)])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    if request.param == "fake":
        yield FakeRig()
        return
    made = DockerRig(request.getfixturevalue("docker_client"), tmp_path)
    try:
        yield made
    finally:
        await made.target.close()
        made.clean()
