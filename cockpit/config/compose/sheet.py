"""One Compose service while its keys are carried over."""

from __future__ import annotations

import os.path
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cockpit.config.compose.project import Left, Project, Service
from cockpit.config.problems import Mark


@dataclass(frozen=True, slots=True)
class Published:
    """A port of the host."""

    address: str  # "" is every address
    port: str

    @property
    def loopback(self) -> bool:
        return self.address.startswith("127.") or self.address in {"::1", "[::1]"}


@dataclass
class Sheet:
    """`options` are a process's, in our own words; every key that is in neither them nor `left` is a bug."""

    service: Service
    project: Project
    options: dict[str, Any] = field(default_factory=dict)
    left: list[Left] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)  # our key -> what was chosen there
    secrets: dict[str, str] = field(default_factory=dict)  # variables that belong into a file of their own
    proxied: dict[str, str] = field(default_factory=dict)  # labels that a proxy reads
    virtual: dict[str, str] = field(default_factory=dict)  # variables that one does
    published: list[Published] = field(default_factory=list)
    called: list[str] = field(default_factory=list)  # names that Compose's own container has besides the service's
    after: dict[str, tuple[Mark, dict[str, str]]] = field(default_factory=dict)  # services that it waits for, and how

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def port(self) -> int | None:
        port = self.options.get("port")
        return port if isinstance(port, int) else None

    @property
    def wanting(self) -> bool:
        """Whether it has customers, and a person has to say at which port."""
        return "port" in self.options and self.port is None

    def leave(self, key: str, mark: Mark, why: str) -> None:
        self.left.append(Left(self.name, key, mark.line, why))

    def drop(self, option: str, key: str, why: str) -> None:
        """An option that was carried and has to go again; `key` is its name in the Compose file."""
        self.options.pop(option, None)
        self.leave(key, self.mark(key), why)

    def mark(self, key: str) -> Mark:
        """Where a key is written; the service itself for one that is not."""
        return self.service.keys[key][0] if key in self.service.keys else self.service.mark

    def note(self, option: str, text: str) -> None:
        self.notes.setdefault(option, []).append(text)

    def absolute(self, path: str) -> str:
        """As Compose resolves a path of its file; the path is not looked at."""
        return os.path.normpath(self.project.directory / Path(path).expanduser())
