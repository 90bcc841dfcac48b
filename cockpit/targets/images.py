"""Images on the host. Synchronous: runs in the pool's threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cockpit.targets import labels

if TYPE_CHECKING:
    from docker import DockerClient


def has_image(client: DockerClient, image: str) -> bool:
    from docker.errors import NotFound

    try:
        client.images.get(image)
    except NotFound:
        return False
    return True


def remove_image(client: DockerClient, installation: str, image: str) -> None:
    """All names of an image that this installation built and no container uses; of one that CI built only the digest
    by which it was pulled: what somebody else calls it stays.

    Docker takes an image's names away one by one and refuses only the last while a container uses it, so use is asked
    for first. Its filter counts containers of images built upon this one as well."""
    from docker.errors import APIError, NotFound

    try:
        found = client.images.get(image)
    except NotFound:
        return
    written = (found.attrs.get("Config") or {}).get("Labels") or {}  # an imported image has no configuration
    built, pulled = written.get(labels.IMAGE_INSTALLATION) == installation, "@" in image
    if not built and not pulled:
        return
    if client.api.containers(all=True, filters={"ancestor": str(found.id)}):
        return
    for name in (found.tags or [str(found.id)]) if built else [image]:
        try:
            client.api.remove_image(name)
        except APIError as error:
            if error.status_code not in (404, 409):  # gone, or taken into use just now
                raise
