"""Pushes to a real registry on loopback, and to ones that misbehave."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cockpit.build.base import BuildLine, BuildOrder, Built, Login
from cockpit.build.docker import DockerBuilder
from cockpit.build.reference import split
from cockpit.clock import SystemClock
from cockpit.errors import BuildError
from tests.waiting import until

if TYPE_CHECKING:
    from docker import DockerClient


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
    """Debian's docker-registry on a free port, its files in a directory of this test."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not installed")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    (tmp_path / "registry.yml").write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/registry}}}}\n"
        f'http: {{addr: "127.0.0.1:{port}"}}\n'
    )
    running = subprocess.Popen(
        [program, "serve", str(tmp_path / "registry.yml")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    yield f"127.0.0.1:{port}"
    running.kill()
    running.wait()


@pytest.mark.docker
async def test_a_push_gives_the_digest_that_the_registry_has(
    image: tuple[DockerBuilder, Built], registry: str, docker: DockerClient, lines: list[BuildLine]
) -> None:
    builder, built = image
    await until(lambda: _listens(registry))
    pushed = await builder.push(built.image, f"{registry}/team/shop:r1", None, lines.append)
    assert pushed.reference == f"{registry}/team/shop@{pushed.digest}"
    assert pushed.reference in docker.images.get(built.image).attrs["RepoDigests"]
    assert any(line.text == "Pushed" and line.done for line in lines)
    again = await builder.push(built.image, f"{registry}/team/shop:r2", None, lines.append)
    assert again.digest == pushed.digest
    assert any(line.cached for line in lines)


@pytest.mark.docker
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"401 Unauthorized\r\nWWW-Authenticate: Basic realm=x", "refused the login"),
        (b"403 Forbidden", "does not allow a push"),
        # Docker itself tries five times, for 50 s; the words for it are tested without it as well.
        pytest.param(b"500 Internal Server Error", "answered with a server error", marks=pytest.mark.slow),
        (b"", "cut the connection"),
    ],
)
async def test_what_a_registry_answers_is_explained(
    image: tuple[DockerBuilder, Built], answer: bytes, message: str
) -> None:
    builder, built = image
    async with _answering(answer) as (where, heard):
        login = Login(where, "ann", "s3cret")
        with pytest.raises(BuildError) as caught:
            await builder.push(built.image, f"{where}/team/shop:r1", login, lambda _: None)
    assert message in caught.value.message
    assert caught.value.hint
    assert "s3cret" not in str(caught.value) + str(caught.value.log_tail)
    assert heard


@pytest.mark.docker
async def test_a_registry_that_is_not_there_is_said(image: tuple[DockerBuilder, Built]) -> None:
    builder, built = image
    with pytest.raises(BuildError, match=r"127\.0\.0\.1:9 cannot be reached"):
        await builder.push(built.image, "127.0.0.1:9/team/shop:r1", None, lambda _: None)


@pytest.mark.docker
async def test_a_push_to_a_registry_that_never_answers_can_be_cancelled(image: tuple[DockerBuilder, Built]) -> None:
    builder, built = image
    async with _answering(None) as (where, heard):
        pushing = asyncio.create_task(builder.push(built.image, f"{where}/team/shop:r1", None, lambda _: None))
        await until(lambda: bool(heard))
        pushing.cancel()
        async with asyncio.timeout(2):
            with pytest.raises(asyncio.CancelledError):
                await pushing


@pytest.mark.docker
async def test_a_password_goes_only_to_its_own_registry(image: tuple[DockerBuilder, Built]) -> None:
    builder, built = image
    async with _answering(b"") as (where, heard):
        with pytest.raises(BuildError, match=r"the login is for other\.test"):
            await builder.push(built.image, f"{where}/a/b:c", Login("other.test", "ann", "s3cret"), lambda _: None)
    assert heard == []


@pytest.mark.parametrize("reference", ["shop", "shop:1", "r.test/shop", "r.test:5000/shop", "r.test/shop:a b"])
def test_a_reference_without_registry_name_and_tag_is_refused(reference: str) -> None:
    with pytest.raises(BuildError, match="is not registry/name:tag"):
        split(reference)


def test_a_port_is_no_tag() -> None:
    assert split("r.test:5000/team/shop:v1") == ("r.test:5000/team/shop", "v1")


@asynccontextmanager
async def _answering(answer: bytes | None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A registry that gives everyone the same answer (None: none at all), and the requests that it heard."""
    heard: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        first = await reader.read(1)
        if first in (b"", b"\x16"):  # Docker tries TLS first
            writer.close()
            return
        heard.append(first + await reader.readuntil(b"\r\n\r\n"))
        if answer is not None:
            writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % answer if answer else b"")
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", heard
    finally:
        server.close()
        for writer in writers:
            writer.close()


def _listens(address: str) -> bool:
    host, port = address.split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0
