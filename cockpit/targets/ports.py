"""Who listens on a port of this host, in words an operator can act on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cockpit.text import clean

if TYPE_CHECKING:
    from docker import DockerClient

_LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp
_SERVERS = ("nginx", "apache2", "httpd", "haproxy", "traefik", "caddy", "lighttpd")


@dataclass(frozen=True, slots=True)
class Listener:
    """`pid` is None when this user may not look into the process that has the socket; `name` is a guess then, or ""."""

    port: int
    inode: str
    pid: int | None = None
    name: str = ""


PortOwners = Callable[[tuple[int, ...]], tuple[Listener, ...]]  # of the host, which need not be this machine


def listeners(ports: tuple[int, ...], proc: Path = Path("/proc")) -> tuple[Listener, ...]:
    """All that listen on these ports, on any address; () where there is no /proc."""
    found = [each for table in ("tcp", "tcp6") for each in _rows(proc / "net" / table) if each.port in ports]
    holders = _holders({each.inode for each in found}, proc) if found else {}
    likely = _likely(proc) if any(each.inode not in holders for each in found) else ""
    names = {inode: _name(pid, proc) for inode, pid in holders.items()}
    return tuple(
        Listener(each.port, each.inode, holders.get(each.inode), names.get(each.inode, likely)) for each in found
    )


def publisher(client: DockerClient, port: int) -> str | None:
    """The id of the container that publishes this port: Docker may do it without any listening process."""
    for container in client.api.containers():
        for published in container.get("Ports") or ():
            if published.get("PublicPort") == port and published.get("Type", "tcp") == "tcp":
                return str(container["Id"])
    return None


def host_networked(client: DockerClient, pid: int) -> str | None:
    """The id of the container that this process belongs to: with the host's network nothing is published."""
    for listed in client.api.containers(filters={"network": "host"}):
        if pid in _processes(client, listed["Id"]):
            return str(listed["Id"])
    return None


def _processes(client: DockerClient, identifier: str) -> set[int]:
    """As the host numbers them: a server's workers hold the socket as well as its main process."""
    from docker.errors import APIError

    try:
        listed = client.api.top(identifier, "-eo pid")
    except APIError:  # it ended meanwhile
        return set()
    return {int(row[0]) for row in listed["Processes"] or () if row and row[0].isdigit()}


def _rows(table: Path) -> Iterator[Listener]:
    try:
        text = table.read_text()
    except OSError:
        return
    yield from rows(text)


def rows(table: str) -> Iterator[Listener]:
    """What /proc/net/tcp tells of those that listen."""
    for fields in map(str.split, table.splitlines()):
        if len(fields) > 9 and fields[3] == _LISTEN:
            yield Listener(int(fields[1].rpartition(":")[2], 16), fields[9])


def _holders(inodes: set[str], proc: Path) -> dict[str, int]:
    """Socket inode to process, for the processes that this user may look into."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    holders: dict[str, int] = {}
    for process in proc.iterdir():
        if process.name.isdigit():
            for link in _links(process / "fd"):
                if link in wanted:
                    holders.setdefault(wanted[link], int(process.name))
    return holders


def _links(descriptors: Path) -> Iterator[str]:
    try:
        for each in descriptors.iterdir():
            yield str(each.readlink())
    except OSError:
        return  # it ended, or is another user's


def _name(pid: int, proc: Path) -> str:
    return clean(_text(proc / str(pid) / "comm"))


def _likely(proc: Path) -> str:
    """The one well-known server that runs outside of containers: names may be read of everybody's processes."""
    pids = [each for each in proc.iterdir() if each.name.isdigit()]
    named = {pid: _text(pid / "comm").strip() for pid in pids}
    servers = {name for pid, name in named.items() if name in _SERVERS and "docker" not in _text(pid / "cgroup")}
    return servers.pop() if len(servers) == 1 else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""  # it ended
