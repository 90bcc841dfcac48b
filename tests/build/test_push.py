"""Pushes to a real registry on loopback, and to ones that misbehave."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from cockpit.build.base import BuildLine, Built, Login
from cockpit.build.docker import DockerBuilder
from cockpit.errors import BuildError
from tests.build.registries import HANG, RESET, answer, odd
from tests.waiting import until

if TYPE_CHECKING:
    from docker import DockerClient


@pytest.mark.docker
async def test_a_push_gives_the_digest_that_the_registry_has(
    image: tuple[DockerBuilder, Built], registry: str, docker: DockerClient, lines: list[BuildLine]
) -> None:
    builder, built = image
    pushed = await builder.push(built.image, f"{registry}/team/shop:r1", None, lines.append)
    assert pushed.reference == f"{registry}/team/shop@{pushed.digest}"
    assert pushed.reference in docker.images.get(built.image).attrs["RepoDigests"]
    assert any(line.text == "Pushed" and line.done for line in lines)
    again = await builder.push(built.image, f"{registry}/team/shop:r2", None, lines.append)
    assert again.digest == pushed.digest
    assert any(line.cached for line in lines)


@pytest.mark.docker
@pytest.mark.parametrize(
    ("told", "message"),
    [
        (answer("401 Unauthorized", WWW_Authenticate="Basic realm=x"), "refused the login"),
        (answer("403 Forbidden"), "does not allow a push"),
        # Docker itself tries five times, for 50 s; the words for it are tested without it as well.
        pytest.param(answer("500 Internal Server Error"), "answered with a server error", marks=pytest.mark.slow),
        (RESET, "cut the connection"),
    ],
)
async def test_what_a_registry_answers_is_explained(
    image: tuple[DockerBuilder, Built], told: bytes, message: str
) -> None:
    builder, built = image
    async with odd(told) as registry:
        login = Login(registry.address, "ann", "s3cret")
        with pytest.raises(BuildError) as caught:
            await builder.push(built.image, f"{registry.address}/team/shop:r1", login, lambda _: None)
    assert message in caught.value.message
    assert caught.value.hint
    assert "s3cret" not in str(caught.value) + str(caught.value.log_tail)
    assert registry.heard


@pytest.mark.docker
async def test_a_registry_that_is_not_there_is_said(image: tuple[DockerBuilder, Built]) -> None:
    builder, built = image
    with pytest.raises(BuildError, match=r"127\.0\.0\.1:9 cannot be reached"):
        await builder.push(built.image, "127.0.0.1:9/team/shop:r1", None, lambda _: None)


@pytest.mark.docker
async def test_a_push_to_a_registry_that_never_answers_can_be_cancelled(image: tuple[DockerBuilder, Built]) -> None:
    builder, built = image
    async with odd(HANG) as registry:
        reference = f"{registry.address}/team/shop:r1"
        pushing = asyncio.create_task(builder.push(built.image, reference, None, lambda _: None))
        await until(lambda: bool(registry.heard))
        pushing.cancel()
        async with asyncio.timeout(2):
            with pytest.raises(asyncio.CancelledError):
                await pushing


@pytest.mark.docker
async def test_a_password_goes_only_to_its_own_registry(image: tuple[DockerBuilder, Built]) -> None:
    builder, built = image
    async with odd(RESET) as registry:
        login = Login("other.test", "ann", "s3cret")
        with pytest.raises(BuildError, match=r"the login is for other\.test"):
            await builder.push(built.image, f"{registry.address}/a/b:c", login, lambda _: None)
    assert registry.heard == []
