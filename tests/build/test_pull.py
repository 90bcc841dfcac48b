"""Pulls by digest from a real registry on loopback, and from ones that misbehave."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cockpit.build import pull
from cockpit.build.base import BuildLine, Built, Login
from cockpit.build.docker import DockerBuilder
from cockpit.clock import SystemClock
from cockpit.errors import BuildError
from cockpit.targets.docker import DockerTarget
from tests.build.registries import HANG, PASSWORD, USER, V2, answer, odd, sha256
from tests.waiting import until

if TYPE_CHECKING:
    from docker import DockerClient

NOWHERE = f"sha256:{'1' * 64}"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture
def made(docker: DockerClient) -> Iterator[list[str]]:
    """Names of images that the test leaves."""
    names: list[str] = []
    yield names
    from docker.errors import APIError

    for name in names:
        with suppress(APIError):
            docker.images.remove(name, force=True)


@pytest.mark.docker
async def test_a_pull_brings_what_was_asked_for_and_not_what_the_tag_is_now(
    image: tuple[DockerBuilder, Built], registry: str, docker: DockerClient, lines: list[BuildLine], made: list[str]
) -> None:
    builder, built = image
    reference = f"{registry}/team/shop:{'a' * 40}"
    pushed = await builder.push(built.image, reference, None, lambda _: None)
    other = load(docker, "amd64")
    made.append(other)
    await builder.push(other, reference, None, lambda _: None)
    docker.images.remove(built.image, force=True)
    pulled = await builder.pull(reference, pushed.digest, None, lines.append)
    assert (pulled.reference, pulled.image) == (pushed.reference, built.image)
    assert pulled.reference in docker.images.get(pulled.image).attrs["RepoDigests"]
    layers = {line.step for line in lines if line.step}
    assert layers
    assert {line.step for line in lines if line.done and line.text == "Pull complete"} == layers
    assert all(line.name.startswith("pull ") for line in lines if line.step)


@pytest.mark.docker
async def test_what_is_on_the_host_is_not_asked_for_again(
    image: tuple[DockerBuilder, Built], lines: list[BuildLine], registry: str
) -> None:
    builder, built = image
    pushed = await builder.push(built.image, f"{registry}/team/shop:r1", None, lambda _: None)
    # This login fits no registry: who asked one would say so.
    pulled = await builder.pull(f"{registry}/team/shop:r1", pushed.digest, Login("x", "y", "z"), lines.append)
    assert (pulled.reference, pulled.image) == (pushed.reference, built.image)
    assert [line.cached for line in lines] == [True]


@pytest.mark.docker
async def test_an_image_for_another_machine_is_told_and_not_kept(
    plain_builder: DockerBuilder, registry: str, docker: DockerClient, made: list[str]
) -> None:
    host = docker.version()["Arch"]
    foreign = "arm64" if host == "amd64" else "amd64"
    loaded = load(docker, foreign)
    made.append(loaded)
    pushed = await plain_builder.push(loaded, f"{registry}/team/shop:r1", None, lambda _: None)
    docker.images.remove(loaded, force=True)
    with pytest.raises(BuildError, match=f"the image is for {foreign}, this host is {host}"):
        await plain_builder.pull(f"{registry}/team/shop:r1", pushed.digest, None, lambda _: None)
    assert not [each for each in docker.images.list(all=True) if pushed.reference in each.attrs["RepoDigests"]]


@pytest.mark.docker
async def test_a_digest_that_the_registry_has_not_is_said(plain_builder: DockerBuilder, registry: str) -> None:
    with pytest.raises(BuildError, match=f"{registry} has no such image") as caught:
        await plain_builder.pull(f"{registry}/team/shop:r1", NOWHERE, None, lambda _: None)
    assert "CI" in caught.value.hint


@pytest.mark.docker
async def test_a_pull_logs_in(image: tuple[DockerBuilder, Built], private_registry: str, docker: DockerClient) -> None:
    builder, built = image
    reference, login = f"{private_registry}/team/shop:r1", Login(private_registry, USER, PASSWORD)
    pushed = await builder.push(built.image, reference, login, lambda _: None)
    docker.images.remove(built.image, force=True)
    with pytest.raises(BuildError, match="wants a login"):
        await builder.pull(reference, pushed.digest, None, lambda _: None)
    assert (await builder.pull(reference, pushed.digest, login, lambda _: None)).image == built.image


@pytest.mark.docker
async def test_a_pull_from_a_registry_that_never_answers_ends_by_itself(
    plain_builder: DockerBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "SILENT", 0.5)
    async with odd(HANG, V2) as registry:
        with pytest.raises(BuildError, match=f"{registry.address} gave no answer"):
            await plain_builder.pull(f"{registry.address}/a/b:c", NOWHERE, None, lambda _: None)


@pytest.mark.docker
async def test_a_pull_that_is_cancelled_within_a_layer_ends_at_once_and_can_be_done_again(
    plain_builder: DockerBuilder, docker: DockerClient, lines: list[BuildLine], made: list[str]
) -> None:
    content = _tar({"unique": os.urandom(1_000_000)})
    layer, config = gzip.compress(content), _config(docker.version()["Arch"], content)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _part("application/vnd.docker.container.image.v1+json", config),
            "layers": [_part("application/vnd.docker.image.rootfs.diff.tar.gzip", layer)],
        }
    ).encode()
    of_layer = f"/v2/a/b/blobs/{sha256(layer)}"
    paths: dict[str, bytes | None] = {
        **V2,
        f"/v2/a/b/manifests/{sha256(manifest)}": answer("200 OK", manifest, Content_Type=MANIFEST),
        f"/v2/a/b/blobs/{sha256(config)}": answer("200 OK", config),
        of_layer: answer("200 OK", layer)[:-500_000],
    }
    async with odd(HANG, paths) as registry:
        reference = f"{registry.address}/a/b:c"
        pulling = asyncio.create_task(plain_builder.pull(reference, sha256(manifest), None, lines.append))
        await until(lambda: any(line.text.startswith("Downloading") for line in lines))
        pulling.cancel()
        async with asyncio.timeout(2):
            with pytest.raises(asyncio.CancelledError):
                await pulling
        assert not [each for each in docker.api.images(all=True) if each["Id"] == sha256(config)]
        paths[of_layer] = answer("200 OK", layer)
        pulled = await plain_builder.pull(reference, sha256(manifest), None, lines.append)
    made.append(pulled.image)
    assert pulled.image == sha256(config)


@pytest.mark.parametrize(
    "said", [b'14\r\n{"status": "Pull', b'd\r\n{"status": "P\r\n0\r\n\r\n', b""], ids=["chunk", "item", "answer"]
)
async def test_a_docker_that_goes_away_in_the_middle_of_a_pull_is_said(tmp_path: Path, said: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            if b"/version" in head:
                writer.write(answer("200 OK", b'{"MinAPIVersion": "1.12"}'))
                continue
            if b"/images/create" in head:
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + said)
                writer.close()
                return
            writer.write(answer("404 Not Found", b'{"message": "No such image: x"}'))

    server = await asyncio.start_unix_server(serve, tmp_path / "docker.sock")
    builder = DockerBuilder(f"unix://{tmp_path}/docker.sock", "t", SystemClock())
    with pytest.raises(BuildError, match="Docker does not answer"):
        await builder.pull("r.test/a/b:c", NOWHERE, None, lambda _: None)
    await builder.close()
    server.close()


@pytest.mark.parametrize(
    ("image", "host", "fits"),
    [("amd64", "amd64", True), ("arm64", "amd64", False), ("386", "amd64", True), ("", "amd64", True)],
)
def test_what_a_host_runs(image: str, host: str, fits: bool) -> None:
    assert pull.runs(image, host) is fits


def load(docker: DockerClient, architecture: str) -> str:
    """An image with one small layer, made for that architecture."""
    layer = _tar({"unique": uuid.uuid4().hex.encode()})
    config = _config(architecture, layer)
    manifest = json.dumps([{"Config": "config.json", "RepoTags": None, "Layers": ["layer.tar"]}]).encode()
    docker.images.load(_tar({"config.json": config, "layer.tar": layer, "manifest.json": manifest}))
    return sha256(config)


def _config(architecture: str, layer: bytes) -> bytes:
    return json.dumps(
        {"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": [sha256(layer)]}}
    ).encode()


def _part(kind: str, data: bytes) -> dict[str, object]:
    return {"mediaType": kind, "size": len(data), "digest": sha256(data)}


def _tar(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.mark.docker
async def test_a_pulled_image_is_given_up_by_its_digest_and_what_others_call_it_stays(
    plain_builder: DockerBuilder, registry: str, docker: DockerClient, made: list[str]
) -> None:
    loaded = load(docker, docker.version()["Arch"])
    made.append(loaded)
    pushed = await plain_builder.push(loaded, f"{registry}/team/shop:r1", None, lambda _: None)
    docker.images.remove(loaded, force=True)
    pulled = await plain_builder.pull(f"{registry}/team/shop:r1", pushed.digest, None, lambda _: None)
    docker.images.get(pulled.image).tag("theirs", uuid.uuid4().hex)
    (theirs,) = docker.images.get(pulled.image).tags
    made.append(theirs)
    target = DockerTarget("local", "t0", subnet=None, clock=SystemClock())
    try:
        await target.remove_image(pulled.reference)
        assert docker.images.get(theirs).id == pulled.image
        docker.images.remove(theirs)
        await target.remove_image(pulled.reference)
        assert not await target.has_image(pulled.reference)
    finally:
        await target.close()
