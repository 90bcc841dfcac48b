"""The Docker host as a story looks at it: what an installation has there, and how one of its processes dies."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from docker import DockerClient

LABEL = "deploy-cockpit.installation"


class Host:
    def __init__(self, client: DockerClient, installation: str) -> None:
        self.client = client
        self.installation = installation

    def containers(self, service: str = "", *, running: bool = False) -> dict[str, str]:
        """Containers of releases by name, each with its state; of all services when none is named."""
        wanted = [f"{LABEL}={self.installation}", "deploy-cockpit.release"]
        wanted += [f"deploy-cockpit.service={service}"] if service else []
        listed = self.client.api.containers(all=not running, filters={"label": wanted})
        return {each["Names"][0].lstrip("/"): each["State"] for each in listed}

    def releases(self, service: str, *, running: bool = False) -> dict[int, int]:
        """How many containers each release of a service has here."""
        numbers = [
            int(self.inspect(name)["Config"]["Labels"]["deploy-cockpit.release"])
            for name in self.containers(service, running=running)
        ]
        return {number: numbers.count(number) for number in sorted(set(numbers))}

    def name(self, service: str, release: int, index: int = 1) -> str:
        return f"cockpit-{self.installation}-{service}-production-r{release}-{index}"

    @property
    def edge(self) -> str:
        return f"cockpit-{self.installation}-edge"

    def inspect(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.api.inspect_container(name)
        return found

    def restart_policy(self, name: str) -> str:
        return str(self.inspect(name)["HostConfig"]["RestartPolicy"]["Name"])

    def crash(self, name: str) -> None:
        """Its process dies as if by itself: unlike `docker kill`, which Docker takes for somebody's wish."""
        os.kill(self.inspect(name)["State"]["Pid"], signal.SIGKILL)

    def log(self, name: str) -> str:
        return bytes(self.client.api.logs(name)).decode("utf-8", "replace")

    def names(self) -> list[str]:
        """Containers, networks and image tags that carry the installation's name or label."""
        label = {"label": [f"{LABEL}={self.installation}"]}
        found = [each["Names"][0] for each in self.client.api.containers(all=True, filters=label)]
        found += [each["Name"] for each in self.client.api.networks(filters=label)]
        images = {"label": [f"deploy-cockpit.image.installation={self.installation}"]}
        return found + [str(each["RepoTags"]) for each in self.client.api.images(filters=images)]


def processes(command: str) -> list[int]:
    """Of the whole host, those in containers and builds included."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            said = each.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue  # it ended meanwhile
        if command in said:
            found.append(int(each.parent.name))
    return found
