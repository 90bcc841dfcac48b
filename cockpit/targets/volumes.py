"""Volumes in Compose's short form as Docker's mounts. Pure.

A mount refuses a host path that isn't there; what Docker calls a bind would make it, as an empty directory of root's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_SELINUX = frozenset({"z", "Z"})  # relabelling: only Docker's binds can do it
_PROPAGATION = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})


@dataclass(frozen=True, slots=True)
class _Volume:
    source: str  # "" is an anonymous volume
    path: str
    options: frozenset[str]

    @property
    def bind(self) -> bool:
        return self.source.startswith("/")

    @property
    def relabelled(self) -> bool:
        return self.bind and not self.options.isdisjoint(_SELINUX)


def mounts(volumes: tuple[str, ...]) -> list[dict[str, Any]]:
    return [_mount(each) for each in map(_parsed, volumes) if not each.relabelled]


def binds(volumes: tuple[str, ...]) -> list[str]:
    """Those that a mount cannot express."""
    return [each for each in volumes if _parsed(each).relabelled]


def unlabelled(volumes: Iterable[str]) -> list[dict[str, Any]]:
    """Binds as mounts, without what these cannot express: Docker refuses them when their host path isn't there."""
    return [_mount(_parsed(each)) for each in volumes]


def _parsed(volume: str) -> _Volume:
    """`/path`, `NAME:/path`, `/host/path:/path`, and `:ro,…` after the last two."""
    source, _, rest = volume.partition(":")
    if not rest:
        return _Volume("", source, frozenset())
    path, _, options = rest.partition(":")
    return _Volume(source, path, frozenset(options.split(",")) - {""})


def _mount(volume: _Volume) -> dict[str, Any]:
    mount: dict[str, Any] = {
        "Type": "bind" if volume.bind else "volume",
        "Target": volume.path,
        "ReadOnly": "ro" in volume.options,
    }
    if volume.source:
        mount["Source"] = volume.source
    if volume.bind:
        propagation = min(volume.options & _PROPAGATION, default="")
        mount |= {"BindOptions": {"Propagation": propagation}} if propagation else {}
    elif "nocopy" in volume.options:
        mount["VolumeOptions"] = {"NoCopy": True}
    return mount
