"""What a Docker daemon says of itself and of its host."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cockpit.targets.base import HostInfo
from cockpit.targets.times import seconds

if TYPE_CHECKING:
    from docker import DockerClient

_BUILDKIT_SINCE = (18, 9)


def host_info(client: DockerClient) -> HostInfo:
    info: dict[str, Any] = client.api.info()
    version = str(info.get("ServerVersion", ""))
    return HostInfo(
        str(info.get("ID", "")),
        str(info.get("Name", "")),
        version,
        has_buildkit(version),
        architecture(str(info.get("Architecture", ""))),
        str(info.get("OSType", "")),
        str(client.api.version(api_version=False).get("ApiVersion", "")),
        seconds(str(info.get("SystemTime", ""))),
        info.get("LiveRestoreEnabled"),
        str(info.get("DockerRootDir", "")),
    )


def architecture(machine: str) -> str:
    """Go's word for what Docker tells as the kernel's."""
    return {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}.get(machine, machine)


def has_buildkit(version: str) -> bool:
    """ "20.10.24+dfsg1", "29.0.1", "dev"."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= _BUILDKIT_SINCE
