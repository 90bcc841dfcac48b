"""Containers stopped and things removed; what is gone already is fine. Synchronous: runs in the pool's threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cockpit.targets import labels

if TYPE_CHECKING:
    from docker import DockerClient

_GONE = 404
_BUSY = 409  # being removed by someone else; of an image: in use


def set_restart_policy(client: DockerClient, identifier: str, policy: str) -> None:
    """In Docker's words, which are those of `Standing`."""
    client.api.update_container(identifier, restart_policy={"Name": policy})  # type: ignore[arg-type]  # its stub knows no `no`


def stop(client: DockerClient, identifier: str, grace: int, remove: bool) -> None:
    """First the restart policy, or Docker brings back after a reboot what was stopped by hand."""
    with _accepting(_GONE, _BUSY):
        set_restart_policy(client, identifier, "no")
        client.api.stop(identifier, timeout=grace)
    if remove:
        remove_container(client, identifier)


def remove_container(client: DockerClient, identifier: str) -> None:
    """With its anonymous volumes; named ones stay."""
    with _accepting(_GONE, _BUSY):
        client.api.remove_container(identifier, force=True, v=True)


def remove_all(client: DockerClient, installation: str) -> None:
    """Everything of the installation but volumes of its services, which may hold data."""
    from cockpit.targets.edge_host import remove_edge
    from cockpit.targets.records import remove_records

    ours = labels.all_of(installation)
    remove_edge(client, installation)
    for each in client.api.containers(all=True, filters=ours):
        remove_container(client, each["Id"])
    for network in client.api.networks(filters=ours):
        with _accepting(_GONE):
            client.api.remove_network(network["Id"])
    for image in client.api.images(all=True, filters=labels.images_of(installation)):
        with _accepting(_GONE, _BUSY):
            client.api.remove_image(image["Id"], force=True)
    remove_records(client, installation)


@contextmanager
def _accepting(*statuses: int) -> Iterator[None]:
    from docker.errors import APIError

    try:
        yield
    except APIError as error:
        if error.status_code not in statuses:
            raise
