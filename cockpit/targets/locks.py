"""The lock of a placement on its host: a container that is never started, because Docker gives a name only once.

Its labels say who holds it. The holder's heart beats in the retry count of its restart policy, which is the one thing
of a container that may change and means nothing here. The synchronous parts run in the pool's threads.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cockpit.model import PlacementKey
from cockpit.targets import labels
from cockpit.targets.creation import inspect, name_taken
from cockpit.targets.host_lock import Holder, HostLock, LockOrder
from cockpit.targets.removal import remove_container

if TYPE_CHECKING:
    from docker import DockerClient

_TAKEN = 409
_NOTHING = "-"  # the command of what never runs


def lock_name(installation: str, key: PlacementKey) -> str:
    """The same for every engine of the installation, and for no other placement."""
    words = hashlib.sha256(str(key).encode()).hexdigest()[:10]
    return f"{labels.network_name(installation)}-lock-{words}"


def take(client: DockerClient, installation: str, order: LockOrder) -> HostLock | None:
    """None when somebody has it. Raises TargetError when a stranger's container has its name."""
    from docker.errors import APIError

    image = _image(client, installation)
    try:
        made: Mapping[str, Any] = client.api.create_container(
            image,
            [_NOTHING],
            name=lock_name(installation, order.key),
            labels=_labels(installation, order),
            network_disabled=True,
        )
    except APIError as error:
        if error.status_code == _TAKEN:
            return None
        raise
    return HostLock(str(made["Id"]), order, 0)


def find(client: DockerClient, installation: str, key: PlacementKey) -> HostLock | None:
    name = lock_name(installation, key)
    found = inspect(client, name)
    if found is None:
        return None
    written = found["Config"].get("Labels") or {}
    if written.get(labels.INSTALLATION) != installation or labels.LOCK not in written:
        raise name_taken(name, found)
    return _lock(found, written)


def every(client: DockerClient, installation: str) -> tuple[HostLock, ...]:
    ours = {"label": [f"{labels.INSTALLATION}={installation}", labels.LOCK]}
    found = (inspect(client, each["Id"]) for each in client.api.containers(all=True, filters=ours))
    return tuple(_lock(each, each["Config"]["Labels"]) for each in found if each is not None)


def beat(client: DockerClient, identifier: str, beats: int) -> bool:
    """False when it is not there any more: somebody took the placement over, or removed it by hand."""
    from docker.errors import NotFound

    try:
        client.api.update_container(
            identifier,
            restart_policy={"Name": "on-failure", "MaximumRetryCount": beats},
        )
    except NotFound:
        return False
    return True


def release(client: DockerClient, identifier: str) -> None:
    """By its id, so that nobody's later lock goes in its stead. Idempotent."""
    remove_container(client, identifier)


def _lock(found: Mapping[str, Any], written: Mapping[str, str]) -> HostLock:
    said = json.loads(written[labels.LOCK])
    key = PlacementKey(written[labels.SERVICE], written[labels.ENVIRONMENT])
    order = LockOrder(key, said["operation"], said["kind"], said["by"], said["since"], Holder(**said["holder"]))
    return HostLock(str(found["Id"]), order, int(found["HostConfig"]["RestartPolicy"].get("MaximumRetryCount") or 0))


def _labels(installation: str, order: LockOrder) -> dict[str, str]:
    said = {
        "operation": order.operation,
        "kind": order.kind,
        "by": order.by,
        "since": order.since,
        "holder": asdict(order.holder),
    }
    return {
        labels.INSTALLATION: installation,
        labels.SERVICE: order.key.service,
        labels.ENVIRONMENT: order.key.environment,
        labels.LOCK: json.dumps(said),
    }


def _image(client: DockerClient, installation: str) -> str:
    """An empty one, made when it is not there."""
    from docker.errors import ImageNotFound

    repository, tag = f"{labels.network_name(installation)}-lock".lower(), "1"
    name = f"{repository}:{tag}"
    try:
        client.images.get(name)
    except ImageNotFound:
        nothing = io.BytesIO()
        tarfile.open(fileobj=nothing, mode="w").close()
        label = f'LABEL {labels.IMAGE_INSTALLATION}="{installation}"'
        client.api.import_image_from_data(nothing.getvalue(), repository=repository, tag=tag, changes=[label])
        client.images.get(name)  # a failed import answers 200
    return name
