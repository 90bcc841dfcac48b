"""Builds and runs commits of the shop in real containers, for the tests of the demo."""

from __future__ import annotations

import asyncio
import io
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import NotFound

from cockpit.demo.exchange import Connection, Cut, Response
from cockpit.demo.repo import Shop


@dataclass(frozen=True, slots=True)
class Bench:
    """One installation of its own: everything with its label goes when the tests end."""

    client: docker.DockerClient
    installation: str
    runtime: str

    def build(self, shop: Shop, service: str, change: str) -> str:
        archive = subprocess.run(
            ["git", "-C", str(shop.path), "archive", f"{shop[change]}:{service}"], check=True, capture_output=True
        ).stdout
        image, _ = self.client.images.build(
            fileobj=io.BytesIO(archive),
            custom_context=True,
            buildargs={"RUNTIME": self.runtime},
            tag=f"{self.installation}:{service}-{change}",
            rm=True,
            forcerm=True,
        )
        return str(image.id)

    @contextmanager
    def run(self, image: str, **environment: str) -> Iterator[Running]:
        container = self.client.containers.run(
            image,
            detach=True,
            name=f"{self.installation}-{uuid.uuid4().hex[:6]}",
            environment={"COCKPIT_RELEASE": "r7", "COCKPIT_COMMIT": "abc1234", **environment},
        )
        try:
            yield Running(container)
        finally:
            container.remove(force=True)

    def clear(self) -> None:
        images = self.client.images.list(filters={"label": f"deploy-cockpit.image.installation={self.installation}"})
        for image in images:
            with_tags = image.tags or [str(image.id)]
            for tag in with_tags:
                try:
                    self.client.images.remove(tag, force=True)
                except NotFound:
                    continue
        self.client.close()


class Running:
    def __init__(self, container: Any) -> None:
        self._container = container

    @property
    def address(self) -> str:
        self._container.reload()
        return str(self._container.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"])

    @property
    def log(self) -> str:
        return str(self._container.logs().decode())

    def exit_status(self) -> int:
        return int(self._container.wait(timeout=20)["StatusCode"])

    def stop(self) -> int:
        self._container.stop(timeout=20)
        return self.exit_status()

    async def get(self, path: str) -> Response | None:
        """None when nothing listens (yet)."""
        request = f"GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"
        try:
            connection = await Connection.open(self.address, 8000)
            try:
                return await connection.exchange(request.encode())
            finally:
                connection.close()
        except Cut:
            return None

    async def up(self, seconds: float = 20) -> Response:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if answer := await self.get("/up"):
                return answer
            await asyncio.sleep(0.05)
        raise AssertionError(f"nothing listened within {seconds} s:\n{self.log}")
