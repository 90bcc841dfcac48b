"""What real-Docker tests share: one tiny image with a shell and a web server, and names that no other run has."""

from __future__ import annotations

import hashlib
import io
import tarfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from cockpit.targets.edge_image import caddy_binary

if TYPE_CHECKING:
    from docker import DockerClient

BUSYBOX = Path("/bin/busybox")  # Debian's is static

# Caddy first: it is the big layer. --install gives sh, sleep, httpd, nc … their names.
_DOCKERFILE = b"""FROM scratch
COPY caddy /bin/caddy
COPY busybox /bin/busybox
COPY etc /etc
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN ["/bin/busybox", "mkdir", "-m", "1777", "/tmp"]
CMD ["sleep", "1000000"]
"""
_PASSWD = b"root:x:0:0:root:/:/bin/sh\napp:x:1000:1000:app:/tmp:/bin/sh\n"


def fresh_installation() -> str:
    return f"t{uuid.uuid4().hex[:8]}"


def runtime_image(client: DockerClient) -> str:
    """Its name. Built once a machine and kept: the tag is the digest of what is in it."""
    from docker.errors import ImageNotFound

    files = {
        "Dockerfile": (0o644, _DOCKERFILE),
        "busybox": (0o755, BUSYBOX.read_bytes()),
        "caddy": (0o755, caddy_binary().read_bytes()),
        "etc/passwd": (0o644, _PASSWD),
    }
    tag = f"cockpit-test-runtime:{_digest(files)}"
    try:
        client.images.get(tag)
    except ImageNotFound:
        client.images.build(fileobj=_tar(files), custom_context=True, tag=tag, rm=True, forcerm=True)
    return tag


def _digest(files: dict[str, tuple[int, bytes]]) -> str:
    digest = hashlib.sha256()
    for name, (mode, content) in files.items():
        digest.update(f"{name} {mode} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:12]


def _tar(files: dict[str, tuple[int, bytes]]) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, (mode, content) in files.items():
            member = tarfile.TarInfo(name)
            member.mode, member.size = mode, len(content)
            archive.addfile(member, io.BytesIO(content))
    packed.seek(0)
    return packed
