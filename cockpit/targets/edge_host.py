"""The edge's container on a Docker host: made once, then left alone, so that an engine's upgrade never touches it.

Synchronous: runs in the target's threads, which turn the SDK's errors into ours.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from typing import TYPE_CHECKING, Any

from cockpit.errors import TargetError
from cockpit.targets import labels
from cockpit.targets.base import EdgeSpec
from cockpit.targets.edge_image import BINARY, caddy_binary, ensure_image, image_repository
from cockpit.targets.ports import Listener, host_networked, listeners, publisher
from cockpit.text import clean, decode

if TYPE_CHECKING:
    from docker import DockerClient

ROLE = labels.PREFIX + "role"
INSIDE = "/edge"  # where the container has the edge directory
ADMIN_SOCKET = "admin.sock"  # below it
START = 20.0  # seconds until its routes must be in force
_POLL = 0.05

State = dict[str, Any]


def edge_name(installation: str) -> str:
    return f"{labels.network_name(installation)}-edge"


def ensure_edge(client: DockerClient, installation: str, spec: EdgeSpec) -> bool:
    """The edge runs; True when it was started just now. `spec.directory` holds its config.json already.

    Raises TargetError that names who has a port it needs, or tells why it does not start."""
    from docker.errors import APIError

    edge = _inspect(client, edge_name(installation))
    if edge is not None:
        _refuse_foreign(edge, installation, spec)
    running = edge is not None and edge["State"]["Running"] and not edge["State"]["Restarting"]
    _refuse_taken(client, spec.ports, edge["State"]["Pid"] if edge is not None and running else 0)
    if edge is not None and running:
        if edge["State"]["Paused"]:
            client.api.unpause(edge["Id"])
        return bool(edge["State"]["Paused"])
    if not (spec.directory / "config.json").is_file():
        raise TargetError(f"the edge has no configuration in {spec.directory}", "Load its routes before it is started.")
    identifier = edge["Id"] if edge is not None else _create(client, installation, spec)
    try:
        client.api.restart(identifier, timeout=1)
        _wait_until_up(client, identifier, spec)
    except (TargetError, APIError):
        if edge is None:  # leave nothing that starts again and again
            with contextlib.suppress(APIError):
                client.api.remove_container(identifier, force=True)
        raise
    return True


def remove_edge(client: DockerClient, installation: str) -> None:
    """The container and its own image, if they are ours. Its directory stays."""
    from docker.errors import APIError

    edge = _inspect(client, edge_name(installation))
    if edge is not None and _is_ours(edge, installation):
        client.api.remove_container(edge["Id"], force=True)
    for image in client.api.images(name=image_repository(installation)):
        for tag in image["RepoTags"] or ():
            with contextlib.suppress(APIError):  # in use elsewhere
                client.api.remove_image(tag)


def _inspect(client: DockerClient, name: str) -> State | None:
    from docker.errors import NotFound

    try:
        found: State = client.api.inspect_container(name)
    except NotFound:
        return None
    return found


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
            f"Start the engine with the state directory of that edge, or remove it: docker rm -f {name}",
        )


def _refuse_taken(client: DockerClient, ports: tuple[int, ...], own: int) -> None:
    """Caddy shares a port with any process that allows it, and then each gets a part of the customers: look before.

    `own` is the running edge's process, 0 when it does not run."""
    for port in ports:
        container = publisher(client, port)
        if container is not None:
            raise _taken(port, f"the container {container}")
    for listener in listeners(ports):
        unknown = listener.pid is None
        if listener.pid != own and not (own and unknown):
            raise _taken(listener.port, _words(client, listener))


def _words(client: DockerClient, listener: Listener) -> str:
    if listener.pid is None:
        return "a process of another user"
    container = host_networked(client, listener.pid)
    return f"the container {container}" if container else f"{listener.name or 'process'} (pid {listener.pid})"


def _taken(port: int, owner: str) -> TargetError:
    return TargetError(
        f"port {port} is taken by {owner}", f"Stop it, or give the edge another port: edge.listen (now {port})."
    )


def _create(client: DockerClient, installation: str, spec: EdgeSpec) -> str:
    from docker.types import LogConfig

    image, entrypoint = _image(client, installation, spec)
    owner = spec.directory.stat().st_uid
    capabilities = ["NET_BIND_SERVICE", *(["DAC_OVERRIDE"] if owner else [])]  # the directory lets in only its owner
    host = client.api.create_host_config(
        network_mode="host",
        restart_policy={"Name": "always"},
        binds=[f"{spec.directory}:{INSIDE}"],
        read_only=True,
        cap_drop=["ALL"],
        cap_add=capabilities,
        security_opt=["no-new-privileges:true"],
        log_config=LogConfig(type=LogConfig.types.JSON, config={"max-size": "10m", "max-file": "2"}),
    )
    created = client.api.create_container(
        image,
        name=edge_name(installation),
        entrypoint=entrypoint,
        command=["run", "--config", f"{INSIDE}/config.json"],
        user="0:0",
        working_dir="/",
        environment={"HOME": f"{INSIDE}/storage", "XDG_DATA_HOME": f"{INSIDE}/storage"},
        labels={labels.INSTALLATION: installation, ROLE: "edge"},
        host_config=host,
    )
    return str(created["Id"])


def _image(client: DockerClient, installation: str, spec: EdgeSpec) -> tuple[str, list[str]]:
    from docker.errors import ImageNotFound

    if spec.image is None:
        return ensure_image(client, installation, spec.binary or caddy_binary()), [BINARY]
    try:
        client.images.get(spec.image)
    except ImageNotFound:
        client.images.pull(spec.image)
    return spec.image, ["caddy"]


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
        connection.sock.connect(str(spec.directory / ADMIN_SOCKET))
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
