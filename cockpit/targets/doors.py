"""Doors: small containers that carry a network alias and hand each request to the edge, so that it follows the pointer.

A door has no routes of its own: it dials a Unix socket of the edge. Switches, reloads and upgrades of the edge need
nothing of it. Synchronous: runs in the target's threads.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

from cockpit.errors import TargetError
from cockpit.targets import labels
from cockpit.targets.edge_container import INSIDE, ROLE, State, endpoints, host_config, refuse_missing
from cockpit.targets.edge_image import make_image
from cockpit.targets.edge_spec import EdgeAlias, EdgeSpec
from cockpit.text import clean, decode

if TYPE_CHECKING:
    from docker import DockerClient

DOOR = labels.PREFIX + "door"
MADE_OF = labels.PREFIX + "door.made-of"
START = 20.0  # seconds until a door listens
DRAIN = 10  # seconds that a replaced door finishes its requests
_POLL = 0.05
_NEXT = "-next"
_UP = b"serving initial configuration"  # Caddy's own word for it


def ensure_doors(client: DockerClient, installation: str, spec: EdgeSpec, *, anew: bool = False) -> tuple[str, ...]:
    """A door for each alias and no other; what keeps one from being there, in words. `anew` replaces all."""
    there = _settled(client, installation)
    for gone in there.keys() - {alias.door for alias in spec.aliases}:
        client.api.remove_container(there[gone]["Id"], force=True)
    problems = []
    for alias in spec.aliases:
        try:
            _ensure(client, installation, spec, alias, there.get(alias.door), anew)
        except TargetError as error:
            problems.append(f"{error.message}. {error.hint}")
    return tuple(problems)


def remove_doors(client: DockerClient, installation: str) -> None:
    for door in _doors(client, installation):
        client.api.remove_container(door["Id"], force=True)


def _ensure(
    client: DockerClient, installation: str, spec: EdgeSpec, alias: EdgeAlias, door: State | None, anew: bool
) -> None:
    if not alias.networks:
        raise TargetError(f"nobody can call {', '.join(alias.names)}", "An alias needs networks: name the callers'.")
    refuse_missing(client, alias.networks)
    for network in alias.networks:
        _refuse_held(client, network, alias, "" if door is None else door["Id"])
    made_of = _made_of(client, spec, alias)
    if door is not None and not anew and door["Config"]["Labels"].get(MADE_OF) == made_of:
        if not door["State"]["Running"]:
            client.api.start(door["Id"])
        return
    _replace(client, installation, spec, alias, door, made_of)


def _replace(
    client: DockerClient, installation: str, spec: EdgeSpec, alias: EdgeAlias, old: State | None, made_of: str
) -> None:
    """The new door has the names as soon as it listens, and before the old one goes: for a moment both have them."""
    image, name = make_image(client, installation, spec), _name(installation, alias)
    made = client.api.create_container(
        image,
        name=name if old is None else f"{name}{_NEXT}",
        entrypoint=["/caddy"] if spec.image is None else ["caddy"],
        command=["run", "--config", f"{INSIDE}/doors/{alias.door}.json"],
        user="0:0",
        working_dir="/",
        environment={"HOME": "/", "XDG_DATA_HOME": "/"},
        labels={labels.INSTALLATION: installation, ROLE: "door", DOOR: alias.door, MADE_OF: made_of},
        host_config=host_config(client, spec, alias.networks[0], read_only=True),
        networking_config=endpoints(client, alias.networks[:1], ()),
    )
    client.api.start(made["Id"])
    _wait_until_up(client, made["Id"], alias)
    client.api.disconnect_container_from_network(made["Id"], alias.networks[0])
    for network in alias.networks:
        client.api.connect_container_to_network(made["Id"], network, aliases=list(alias.names))
    if old is not None:
        client.api.stop(old["Id"], timeout=DRAIN)
        client.api.remove_container(old["Id"], force=True)
        client.api.rename(made["Id"], name)


def _wait_until_up(client: DockerClient, identifier: str, alias: EdgeAlias) -> None:
    """Its log is all that a host elsewhere can be asked for: nothing of the door is reached from there."""
    deadline = time.monotonic() + START
    while _UP not in (said := client.api.logs(identifier, tail=50)):
        if time.monotonic() > deadline or not client.api.inspect_container(identifier)["State"]["Running"]:
            client.api.remove_container(identifier, force=True)
            last = clean(decode(said).strip().rpartition("\n")[2], 300)
            raise TargetError(f"the door for {', '.join(alias.names)} does not start: {last}", "See the port.")
        time.sleep(_POLL)


def _refuse_held(client: DockerClient, network: str, alias: EdgeAlias, own: str) -> None:
    """Docker would give a name that two containers have to either, by turns."""
    for identifier in client.api.inspect_network(network)["Containers"] or {}:
        if identifier == own:
            continue
        other = client.api.inspect_container(identifier)
        held = set(_names(other, network)) & set(alias.names)
        if held:
            name = clean(other["Name"].lstrip("/"))
            raise TargetError(
                f"{', '.join(sorted(held))} in the network {network} is the container {name}",
                f"Stop it, and the alias follows within a minute: docker stop {name}",
            )


def _names(container: State, network: str) -> list[str]:
    joined: dict[str, Any] = container["NetworkSettings"]["Networks"].get(network) or {}
    return [container["Name"].lstrip("/"), *(joined.get("Aliases") or ())]


def _made_of(client: DockerClient, spec: EdgeSpec, alias: EdgeAlias) -> str:
    """The networks by their ids too: one that was made anew under its name has to be joined again."""
    ids = [client.api.inspect_network(each)["Id"] for each in alias.networks]
    facts = [alias.networks, ids, alias.names, alias.port, str(spec.directory)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]


def _settled(client: DockerClient, installation: str) -> dict[str, State]:
    """By door, after what a replacement left is undone (the old one is there) or finished."""
    doors = {each["Name"].lstrip("/"): each for each in _doors(client, installation)}
    for name, heir in doors.items():
        plain = name.removesuffix(_NEXT)
        if name != plain and plain in doors:
            client.api.remove_container(heir["Id"], force=True)
        elif name != plain:
            client.api.rename(heir["Id"], plain)
    kept = [each for name, each in doors.items() if not (name.endswith(_NEXT) and name.removesuffix(_NEXT) in doors)]
    return {str(each["Config"]["Labels"].get(DOOR)): each for each in kept}


def _doors(client: DockerClient, installation: str) -> list[State]:
    filters = {"label": [f"{labels.INSTALLATION}={installation}", f"{ROLE}=door"]}
    return [client.api.inspect_container(each["Id"]) for each in client.api.containers(all=True, filters=filters)]


def _name(installation: str, alias: EdgeAlias) -> str:
    """Names in the configuration may have characters that Docker's names may not."""
    plain = "".join(char if char.isascii() and (char.isalnum() or char in "_.-") else "-" for char in alias.door)
    mark = "" if plain.replace("-", "@", 1) == alias.door else f"-{hashlib.sha256(alias.door.encode()).hexdigest()[:6]}"
    return f"{labels.network_name(installation)}-{plain}{mark}-door"
