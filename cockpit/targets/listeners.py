"""Which addresses the processes of a container listen on, read from /proc: what `ss -ltn` would say inside it."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker import DockerClient

_LISTEN = "0A"
_DOCKER_DNS = "127.0.0.11"  # Docker's own resolver in each container


def container_listeners(client: DockerClient, container: str) -> tuple[str, ...]:
    """Synchronous: runs in the pool's threads."""
    from docker.errors import NotFound

    try:
        inspected = client.api.inspect_container(container)
    except NotFound:
        return ()
    return listening(int(inspected["State"].get("Pid") or 0), str(inspected["Id"]))


def listening(pid: int, container_id: str, proc: Path = Path("/proc")) -> tuple[str, ...]:
    """() when it cannot be known: another host's or namespace's process, gone, or forbidden."""
    process = proc / str(pid)
    try:
        if pid <= 0 or container_id not in (process / "cgroup").read_text():
            return ()
        return _addresses((process / "net/tcp").read_text()) + _addresses(_read_if_there(process / "net/tcp6"))
    except OSError:
        return ()


def _read_if_there(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _addresses(table: str) -> tuple[str, ...]:
    rows = [line.split() for line in table.splitlines()[1:]]
    found = [_decode(row[1]) for row in rows if len(row) > 3 and row[3] == _LISTEN]
    return tuple(sorted({address for address in found if not address.startswith(_DOCKER_DNS)}))


def _decode(field: str) -> str:
    """`0100007F:0BB8` is 127.0.0.1:3000: each 32-bit word is in the machine's byte order, the port is not."""
    address, _, port = field.partition(":")
    words = struct.unpack(f"!{len(address) // 8}I", bytes.fromhex(address))
    packed = struct.pack(f"={len(words)}I", *words)
    if len(packed) == 4:
        return f"{socket.inet_ntoa(packed)}:{int(port, 16)}"
    return f"[{IPv6Address(packed)}]:{int(port, 16)}"
