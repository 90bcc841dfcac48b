"""`ssh://deploy@shop-1:22`: what ssh is called with. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cockpit.errors import ConfigError

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_ADDRESS = re.compile(
    rf"ssh://(?:(?P<user>{_NAME})@)?(?P<host>{_NAME}|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{{1,5}}))?(?P<path>/\S*)?"
)


@dataclass(frozen=True, slots=True)
class Address:
    """`user` "" and `port` None leave it to the user's ssh configuration, `socket` "" to the host's Docker."""

    user: str
    host: str
    port: int | None = None
    socket: str = ""

    def __str__(self) -> str:
        """As a person would call it: deploy@shop-1:2222."""
        user = f"{self.user}@" if self.user else ""
        return f"{user}{self.host}{f':{self.port}' if self.port else ''}"

    @property
    def words(self) -> str:
        """As arguments for ssh, to be tried by hand: `-p 2222 deploy@shop-1`."""
        return f"{f'-p {self.port} ' if self.port else ''}{f'{self.user}@' if self.user else ''}{self.host}"


def address(host: str) -> Address:
    """Raises ConfigError. A user or host that ssh would take for an option is none."""
    match = _ADDRESS.fullmatch(host)
    port = int(match["port"]) if match and match["port"] else None
    if match is None or port == 0 or (port or 0) > 65535:
        raise ConfigError(f"{host} is no address for ssh", "Write ssh://user@host or ssh://user@host:port.")
    return Address(match["user"] or "", match["host"].strip("[]"), port, (match["path"] or "").rstrip("/"))
