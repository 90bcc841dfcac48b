"""What a host remembers when the engine's own memory is lost: a volume that nobody mounts, for each release.

Unlike a container it costs nothing and survives its release's containers; unlike a file it is where Docker is.
Synchronous: runs in the target's threads.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cockpit.model import PlacementKey
from cockpit.targets import labels
from cockpit.targets.base import Claim, Remembered
from cockpit.text import clean

if TYPE_CHECKING:
    from docker import DockerClient

Volume = Mapping[str, Any]

RECORD = "record"  # the role of a release's
CLAIM = "claim"  # … and of the one that says whose the installation is
_TEXT = labels.PREFIX + "record"
_WRITTEN = labels.PREFIX + "written"  # nanoseconds: Docker's own time of creation has whole seconds
_MACHINE, _BASTION, _USER, _STATE = (labels.PREFIX + each for each in ("machine", "bastion", "user", "state"))


def remember(client: DockerClient, installation: str, key: PlacementKey, release: int, text: str) -> None:
    """Labels never change, so another text is another volume; the old one goes when the new one is there."""
    written = labels.release_labels(installation, key, release) | {_TEXT: text}
    _replace(client, labels.release_name(installation, key, release), RECORD, written)


def remembered(client: DockerClient, installation: str) -> tuple[Remembered, ...]:
    found: dict[tuple[PlacementKey, int], Remembered] = {}
    for each in _volumes(client, installation, RECORD):
        written = each["Labels"]
        key = PlacementKey(written.get(labels.SERVICE, ""), written.get(labels.ENVIRONMENT, ""))
        number = written.get(labels.RELEASE, "")
        if number.isdigit():
            found[key, int(number)] = Remembered(key, int(number), written.get(_TEXT, ""))
    return tuple(found[each] for each in sorted(found))


def forget(client: DockerClient, installation: str, key: PlacementKey, release: int) -> None:
    for each in _volumes(client, installation, RECORD):
        if labels.belongs(each["Labels"], installation, key, release):
            _remove(client, each)


def claim(client: DockerClient, mine: Claim) -> None:
    written = {
        labels.INSTALLATION: mine.installation,
        _MACHINE: mine.machine,
        _BASTION: mine.bastion,
        _USER: mine.user,
        _STATE: mine.state,
    }
    _replace(client, f"{labels.network_name(mine.installation)}-owner", CLAIM, written)


def claims(client: DockerClient) -> tuple[Claim, ...]:
    """Of every installation that has one here."""
    theirs: dict[str, set[PlacementKey]] = {}
    for each in _volumes(client, "", RECORD):
        written = each["Labels"]
        key = PlacementKey(written.get(labels.SERVICE, ""), written.get(labels.ENVIRONMENT, ""))
        theirs.setdefault(written[labels.INSTALLATION], set()).add(key)
    found = {each["Labels"][labels.INSTALLATION]: each["Labels"] for each in _volumes(client, "", CLAIM)}
    return tuple(
        Claim(
            installation=name,
            machine=written.get(_MACHINE, ""),
            bastion=clean(written.get(_BASTION, "")),
            user=clean(written.get(_USER, "")),
            state=clean(written.get(_STATE, "")),
            placements=frozenset(theirs.get(name, ())),
        )
        for name, written in sorted(found.items())
    )


def remove_records(client: DockerClient, installation: str) -> None:
    for role in (RECORD, CLAIM):
        for each in _volumes(client, installation, role):
            _remove(client, each)


def _replace(client: DockerClient, name: str, role: str, written: Mapping[str, str]) -> None:
    digest = hashlib.sha256(repr(sorted(written.items())).encode()).hexdigest()[:8]
    wanted, all_of_it = f"{name}-{digest}", {**written, labels.ROLE: role, _WRITTEN: str(time.time_ns())}
    client.api.create_volume(wanted, labels=all_of_it)
    for each in _volumes(client, written[labels.INSTALLATION], role):
        if each["Name"] != wanted and each["Name"].rpartition("-")[0] == name:
            _remove(client, each)


def _volumes(client: DockerClient, installation: str, role: str) -> Iterator[Volume]:
    """In the order in which they were written; `installation` "" is any."""
    whose = f"{labels.INSTALLATION}={installation}" if installation else labels.INSTALLATION
    filters: dict[str, Any] = {"label": [whose, f"{labels.ROLE}={role}"]}
    listed = client.api.volumes(filters=filters)["Volumes"] or ()
    yield from sorted(listed, key=lambda each: each["Labels"].get(_WRITTEN, ""))


def _remove(client: DockerClient, volume: Volume) -> None:
    from docker.errors import NotFound

    try:
        client.api.remove_volume(volume["Name"])
    except NotFound:
        return
