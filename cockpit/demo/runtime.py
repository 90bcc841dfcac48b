"""The image that the demo's services are built on, made FROM scratch: nothing is pulled from anywhere."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from cockpit.demo.busybox import busybox
from cockpit.errors import TargetDown, TargetError
from cockpit.targets.edge_image import caddy_binary
from cockpit.targets.labels import IMAGE_INSTALLATION

if TYPE_CHECKING:
    import docker

NAME = "deploy-cockpit-runtime"
LABEL = IMAGE_INSTALLATION  # inherited by the images built on it, so that they are found with it
_APPLETS = """
awk cat cp cut date echo env false grep head hostname kill ls mkdir mkfifo mv nc ps rm sed seq sh sleep sort tail test
touch tr true uname wc wget
"""
# The label comes first, so that not one layer is shared with another installation.
_DOCKERFILE = """FROM scratch
LABEL {label}={installation}
COPY root/ /
ENV PATH=/bin
CMD ["sh"]
"""


def build(installation: str, url: str | None = None) -> str:
    """The tag of the image, which is built when it is not there yet. Blocks for seconds.

    `url` is another engine's socket. Raises UsageError without busybox, TargetError without Caddy or on a refusal."""
    import docker
    import requests

    programs = {"bin/caddy": caddy_binary(), "bin/busybox": busybox()}
    dockerfile = _DOCKERFILE.format(label=LABEL, installation=installation)
    tag = f"{NAME}:{_digest(dockerfile, programs)}"
    try:
        client = docker.DockerClient(base_url=url) if url else docker.from_env()
        try:
            _build_once(client, tag, dockerfile, programs)
        finally:
            client.close()
    except (docker.errors.BuildError, docker.errors.APIError) as error:
        raise TargetError(f"the runtime image could not be built: {error}", "cockpit doctor") from None
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise TargetDown(f"Docker does not answer: {error}", "start it, or run scripts/docker-up") from None
    return tag


def _build_once(client: docker.DockerClient, tag: str, dockerfile: str, programs: dict[str, Path]) -> None:
    import docker

    try:
        client.images.get(tag)
    except docker.errors.ImageNotFound:
        client.images.build(fileobj=_context(dockerfile, programs), custom_context=True, tag=tag, rm=True, forcerm=True)


def _digest(dockerfile: str, programs: dict[str, Path]) -> str:
    digest = hashlib.sha256(f"{dockerfile}{_APPLETS}".encode())
    for name, path in programs.items():
        digest.update(name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:12]


def _context(dockerfile: str, programs: dict[str, Path]) -> io.BytesIO:
    """Always the same bytes for the same programs: no owner, no times."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        _add(tar, "Dockerfile", dockerfile.encode(), 0o644)
        for name, path in programs.items():
            _add(tar, f"root/{name}", path.read_bytes(), 0o755)
        for applet in _APPLETS.split():
            link = tarfile.TarInfo(f"root/bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        tmp = tarfile.TarInfo("root/tmp")
        tmp.type, tmp.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(tmp)
    archive.seek(0)
    return archive


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))
