"""The edge on a Docker host: made once, then left alone, so that an engine's upgrade never touches it.

Synchronous: runs in the target's threads, which turn the SDK's errors into ours.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from cockpit.errors import TargetError
from cockpit.targets import labels
from cockpit.targets.doors import ensure_doors, remove_doors
from cockpit.targets.edge_container import (
    INSIDE,
    State,
    admin_socket,
    create,
    edge_name,
    other_run,
    outdated,
    point,
    run_of,
)
from cockpit.targets.edge_image import image_name, image_repository, make_image
from cockpit.targets.edge_spec import EdgeSpec, EdgeState
from cockpit.targets.mounted import gone
from cockpit.targets.ports import PortOwners, listeners
from cockpit.targets.taken import refuse_taken
from cockpit.targets.times import seconds
from cockpit.text import clean, decode

if TYPE_CHECKING:
    from docker import DockerClient

START = 20.0  # seconds until its routes must be in force
DRAIN = 30  # seconds that a replaced edge finishes its requests
_POLL = 0.05

_turns: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)  # a look must not undo an upgrade


def ensure_edge(client: DockerClient, installation: str, spec: EdgeSpec, who: PortOwners = listeners) -> EdgeState:
    """`spec.directory` holds its config.json already.

    Raises TargetError that names who has a port it needs, or tells why it does not start."""
    with _turns[client.api.base_url, installation]:
        edge = _settled(client, installation, spec)
        running = edge is not None and _runs(edge)
        if not spec.networks:
            refuse_taken(client, spec.ports, edge["State"]["Pid"] if edge is not None and running else 0, who)
        old = "" if edge is None else _outdated(client, edge, installation, spec)
        if edge is not None and running and spec.admin is None and gone(edge["State"]["Pid"], INSIDE):
            _mount_again(client, spec, edge)
            return EdgeState(started=True, aliases=ensure_doors(client, installation, spec, anew=True))
        if edge is not None and running:
            if edge["State"]["Paused"]:
                client.api.unpause(edge["Id"])
            return EdgeState(bool(edge["State"]["Paused"]), old, ensure_doors(client, installation, spec))
        if edge is not None and old:
            client.api.remove_container(edge["Id"], force=True)
            edge = None
        _start(client, installation, spec, edge)
        return EdgeState(started=True, aliases=ensure_doors(client, installation, spec))


def check_ports(client: DockerClient, installation: str, spec: EdgeSpec, who: PortOwners = listeners) -> None:
    """Raises TargetError that names who has a port that the edge is about to be told to listen on."""
    edge = _inspect(client, edge_name(installation))
    if not spec.networks:
        refuse_taken(client, spec.ports, edge["State"]["Pid"] if edge is not None and _runs(edge) else 0, who)


def edge_image_made(client: DockerClient, installation: str) -> float | None:
    edge = _inspect(client, edge_name(installation))
    return seconds(str(client.api.inspect_image(edge["Image"])["Created"])) if edge else None


def upgrade_edge(client: DockerClient, installation: str, spec: EdgeSpec, who: PortOwners = listeners) -> None:
    """The new edge runs beside the old one before that one stops: both listen, and the kernel shares out connections.

    Raises TargetError; the old edge then serves as before."""
    with _turns[client.api.base_url, installation]:
        edge = _settled(client, installation, spec)
        if edge is not None and _runs(edge):
            if not spec.networks:
                refuse_taken(client, spec.ports, edge["State"]["Pid"], who)
            _replace(client, installation, spec, edge)
            ensure_doors(client, installation, spec, anew=True)
            return
    ensure_edge(client, installation, spec, who)


def edge_address(client: DockerClient, installation: str) -> str:
    """On the cockpit's own network; "" on the host's."""
    edge = _inspect(client, edge_name(installation))
    joined = edge["NetworkSettings"]["Networks"] if edge is not None else {}
    return str((joined or {}).get(labels.network_name(installation), {}).get("IPAddress", ""))


def remove_edge(client: DockerClient, installation: str) -> None:
    """The containers and their own image, if they are ours. The directory stays."""
    from docker.errors import APIError

    remove_doors(client, installation)
    for name in (edge_name(installation), _heir_name(installation)):
        edge = _inspect(client, name)
        if edge is not None and _is_ours(edge, installation):
            client.api.remove_container(edge["Id"], force=True)
    for image in client.api.images(name=image_repository(installation)):
        for tag in image["RepoTags"] or ():
            with contextlib.suppress(APIError):  # in use elsewhere
                client.api.remove_image(tag)


def _start(client: DockerClient, installation: str, spec: EdgeSpec, edge: State | None) -> None:
    from docker.errors import APIError

    if edge is not None:
        point(client, edge["Id"], spec, run_of(edge))  # its directory may be another one by now
        client.api.restart(edge["Id"], timeout=1)
        _wait_until_up(client, edge["Id"], spec)
        return
    image = make_image(client, installation, spec)
    made = create(client, installation, spec, edge_name(installation), image, other_run(None))
    try:
        client.api.start(made)
        _wait_until_up(client, made, spec)
    except (TargetError, APIError):
        _remove(client, made)  # leave nothing that starts again and again
        raise


def _mount_again(client: DockerClient, spec: EdgeSpec, edge: State) -> None:
    """Its directory was removed under it, with the pointers in it; a start mounts the one of that name today."""
    client.api.stop(edge["Id"], timeout=1)
    point(client, edge["Id"], spec, run_of(edge))
    client.api.start(edge["Id"])
    _wait_until_up(client, edge["Id"], spec)


def _replace(client: DockerClient, installation: str, spec: EdgeSpec, old: State) -> None:
    from docker.errors import APIError

    image = make_image(client, installation, spec)
    try:
        heir = create(client, installation, spec, _heir_name(installation), image, other_run(old))
        client.api.start(heir)
        _wait_until_up(client, heir, spec)
    except (TargetError, APIError):
        _settled(client, installation, spec)
        raise
    client.api.stop(old["Id"], timeout=DRAIN)
    _settled(client, installation, spec)


def _settled(client: DockerClient, installation: str, spec: EdgeSpec) -> State | None:
    """The edge, after what an upgrade left is finished (the old one has stopped) or undone (it still runs)."""
    edge, heir = _inspect(client, edge_name(installation)), _inspect(client, _heir_name(installation))
    for each in (edge, heir):
        if each is not None:
            _refuse_foreign(each, installation, spec)
    if heir is None:
        return edge
    if edge is not None and _runs(edge):
        point(client, edge["Id"], spec, run_of(edge))
        client.api.stop(heir["Id"], timeout=DRAIN)
        client.api.remove_container(heir["Id"], force=True)
        return edge
    if edge is not None:
        client.api.remove_container(edge["Id"], force=True)
    client.api.rename(heir["Id"], edge_name(installation))
    return _inspect(client, edge_name(installation))


def _heir_name(installation: str) -> str:
    return f"{edge_name(installation)}-next"


def _runs(edge: State) -> bool:
    return bool(edge["State"]["Running"] and not edge["State"]["Restarting"])


def _inspect(client: DockerClient, name: str) -> State | None:
    from docker.errors import NotFound

    try:
        found: State = client.api.inspect_container(name)
    except NotFound:
        return None
    return found


def _remove(client: DockerClient, identifier: str) -> None:
    from docker.errors import APIError

    with contextlib.suppress(APIError):
        client.api.remove_container(identifier, force=True)


def _is_ours(edge: State, installation: str) -> bool:
    return bool((edge["Config"]["Labels"] or {}).get(labels.INSTALLATION) == installation)


def _refuse_foreign(edge: State, installation: str, spec: EdgeSpec) -> None:
    name = edge["Name"].lstrip("/")
    if not _is_ours(edge, installation):
        raise TargetError(f"a container called {name} is not ours", "Rename or remove it: the edge needs that name.")
    sources = [mount["Source"] for mount in edge["Mounts"] if mount["Destination"] == INSIDE]
    if sources != [str(spec.directory)]:
        raise TargetError(
            f"the edge {name} uses the directory {', '.join(sources) or 'of nobody'}, not {spec.directory}",
            "Customers are served by it: start the engine with the state directory that this belongs to.",
        )


def _outdated(client: DockerClient, edge: State, installation: str, spec: EdgeSpec) -> str:
    try:
        return outdated(edge, installation, spec, image_name(client, installation, spec))
    except TargetError as error:  # there is no image to upgrade to, and the edge serves without one
        return f"it cannot be compared: {error.message}"


def _wait_until_up(client: DockerClient, identifier: str, spec: EdgeSpec) -> None:
    deadline = time.monotonic() + START
    while not _serves(spec):
        state = client.api.inspect_container(identifier)
        failed = not state["State"]["Running"] or state["State"]["Restarting"] or state["RestartCount"] > 0
        if failed or time.monotonic() > deadline:
            raise TargetError(f"the edge does not start: {_last_words(client, identifier)}", "See edge.listen.")
        time.sleep(_POLL)


def _serves(spec: EdgeSpec) -> bool:
    """The admin socket tells of a configuration only once all of it runs; it listens long before."""
    connection = http.client.HTTPConnection("edge")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(2)
    try:
        connection.sock.connect(str(admin_socket(spec)))
        connection.request("GET", "/config/admin/listen")
        answer = connection.getresponse()
        return answer.status == 200 and b"unix" in answer.read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _last_words(client: DockerClient, identifier: str) -> str:
    lines = [clean(line) for line in decode(client.api.logs(identifier, tail=20)).splitlines()]
    told = [line for line in lines if line.startswith("Error")] or lines
    return told[-1] if told else "it says nothing"
