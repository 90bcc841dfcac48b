"""What the edge's container is made of, and whether the one that runs is still that. Pure but for the making."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cockpit.errors import TargetError
from cockpit.targets import labels
from cockpit.targets.edge_spec import EdgeSpec

if TYPE_CHECKING:
    from docker import DockerClient

State = dict[str, Any]  # an inspected container

ROLE = labels.PREFIX + "role"
LABELS = labels.PREFIX + "edge.labels"  # a digest of what the configuration said
INSIDE = "/edge"  # where the container has the edge directory
RUN = "run"  # in it, a link to the directory with the sockets of the edge that counts
RUNS = ("run-a", "run-b")  # an edge and its successor: whoever stops unlinks its sockets by name
RUN_VARIABLE = "EDGE_RUN"
ADMIN_SOCKET = "admin.sock"  # below RUN
_HOST = "host"


def edge_name(installation: str) -> str:
    return f"{labels.network_name(installation)}-edge"


def networks(installation: str, spec: EdgeSpec) -> tuple[str, ...]:
    """Ours first, since the releases are there; () is the host's network."""
    own = labels.network_name(installation)
    return (own, *(each for each in dict.fromkeys(spec.networks) if each != own)) if spec.networks else ()


def outdated(edge: State, installation: str, spec: EdgeSpec, image: str) -> str:
    """Why only a new container is what `spec` says; "" when it is that already."""
    wanted, joined = networks(installation, spec), set(edge["NetworkSettings"]["Networks"] or {})
    if edge["Config"]["Image"] != image:
        return "its image is another one"
    if joined != set(wanted or (_HOST,)):
        return f"it is in {_words(joined)}, not in {_words(set(wanted or (_HOST,)))}"
    return "" if edge["Config"]["Labels"].get(LABELS) == _digest(spec.labels) else "its labels are others"


def create(client: DockerClient, installation: str, spec: EdgeSpec, name: str, image: str, run: str) -> str:
    """Created, with its sockets' directory; not started. Raises TargetError when a network is missing."""
    joined = networks(installation, spec)
    refuse_missing(client, joined)
    alias = edge_name(installation)  # the name that leads to it also while two of them run
    made = client.api.create_container(
        image,
        name=name,
        entrypoint=["/caddy"] if spec.image is None else ["caddy"],
        command=["run", "--config", f"{INSIDE}/config.json"],
        user="0:0",
        working_dir="/",
        environment={
            "HOME": f"{INSIDE}/storage",
            "XDG_DATA_HOME": f"{INSIDE}/storage",
            RUN_VARIABLE: run,
        },
        labels={
            **spec.labels,
            labels.INSTALLATION: installation,
            ROLE: "edge",
            LABELS: _digest(spec.labels),
        },
        host_config=host_config(client, spec, joined[0] if joined else _HOST, read_only=False),
        networking_config=endpoints(client, joined[:1], (alias,)),
    )
    for network in joined[1:]:
        client.api.connect_container_to_network(made["Id"], network, aliases=[alias])
    point(client, str(made["Id"]), spec, run)
    return str(made["Id"])


def host_config(client: DockerClient, spec: EdgeSpec, network: str, *, read_only: bool) -> Any:
    from docker.types import LogConfig, Mount

    capabilities = ["NET_BIND_SERVICE", *(["DAC_OVERRIDE"] if owner(spec) else [])]  # its directory is for one user
    return client.api.create_host_config(
        network_mode=network,
        restart_policy={"Name": "always"},
        mounts=[Mount(INSIDE, str(spec.directory), type="bind", read_only=read_only)],
        read_only=True,
        cap_drop=["ALL"],
        cap_add=capabilities,
        security_opt=["no-new-privileges:true"],
        log_config=LogConfig(type=LogConfig.types.JSON, config={"max-size": "10m", "max-file": "2"}),
    )


def endpoints(client: DockerClient, joined: tuple[str, ...], names: tuple[str, ...]) -> Any:
    if not joined:
        return None
    api: Any = client.api  # its stub is wrong about endpoints
    return api.create_networking_config({joined[0]: api.create_endpoint_config(aliases=list(names))})


def refuse_missing(client: DockerClient, wanted: tuple[str, ...]) -> None:
    there = {each["Name"] for each in client.api.networks()} if wanted else set()
    missing = [each for each in wanted if each not in there]
    if missing:
        raise TargetError(
            f"the host has no Docker network {', '.join(missing)}",
            "`docker network ls` lists them; the cockpit joins networks and creates none of these.",
        )


def point(client: DockerClient, identifier: str, spec: EdgeSpec, run: str) -> None:
    """`run` leads to the sockets of this container from now on."""
    user, content = owner(spec), io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        directory, link = tarfile.TarInfo(run), tarfile.TarInfo(RUN)
        directory.type, directory.mode, link.type, link.linkname = tarfile.DIRTYPE, 0o755, tarfile.SYMTYPE, run
        for entry in (directory, link):
            entry.uid = user
            archive.addfile(entry)
    client.api.put_archive(identifier, INSIDE, content.getvalue())


def run_of(edge: State) -> str:
    variables = dict(each.split("=", 1) for each in edge["Config"]["Env"] or ())
    return str(variables.get(RUN_VARIABLE, ""))


def other_run(edge: State | None) -> str:
    return RUNS[1] if edge is not None and run_of(edge) == RUNS[0] else RUNS[0]


def owner(spec: EdgeSpec) -> int:
    return Path(spec.directory).stat().st_uid if spec.owner is None else spec.owner


def admin_socket(spec: EdgeSpec) -> Path:
    return spec.admin or Path(spec.directory) / RUN / ADMIN_SOCKET


def _digest(texts: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(texts, sort_keys=True).encode()).hexdigest()[:12]


def _words(names: set[str]) -> str:
    return (
        "the host's network" if names == {_HOST} else f"the network{'s' * (len(names) > 1)} {', '.join(sorted(names))}"
    )
