"""Where a demo lives, and its configuration. Everything it makes is below one directory or carries one installation."""

from __future__ import annotations

import hashlib
import json
import socket
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from cockpit import private
from cockpit.model import PlacementKey
from cockpit.paths import APP, Paths, find

PORTS = (8100, 8101)  # production's and staging's, when they are free
STAGING = tuple(PlacementKey(service, "staging") for service in ("web", "checkout"))
PRODUCTION = tuple(PlacementKey(service, "production") for service in ("web", "checkout"))
HOSTS = {"web": "shop.localhost", "checkout": "checkout.localhost"}  # names that browsers take for this machine


@dataclass(frozen=True, slots=True)
class World:
    root: Path

    @property
    def installation(self) -> str:
        """The same for the same directory, so that what is left of a lost one is still found."""
        return f"demo{hashlib.sha256(str(self.root).encode()).hexdigest()[:8]}"

    @property
    def paths(self) -> Paths:
        return find(self.root / "cockpit.yaml", self.root / "state")

    @property
    def shop(self) -> Path:
        return self.root / "shop"

    @property
    def status(self) -> Path:
        """What the customers meet, rewritten each second (cockpit.demo.customers)."""
        return self.root / "customers.json"

    @property
    def pid_file(self) -> Path:
        return self.root / "customers.pid"

    def url(self, key: PlacementKey) -> str:
        production, staging = self.ports()
        port = production if key.environment == "production" else staging
        return f"http://{HOSTS[key.service]}:{port}/echo"

    def customer_urls(self) -> tuple[str, ...]:
        return tuple(self.url(key) for key in PRODUCTION)

    def ports(self) -> tuple[int, int]:
        """Chosen once, so that a second start finds its edge where it was."""
        file = self.root / "ports.json"
        if not file.exists():
            file.write_text(json.dumps([_free(port) for port in PORTS]))
        production, staging = json.loads(file.read_text())
        return int(production), int(staging)

    def prepare(self) -> None:
        """The directories, and the installation's name where the engine looks for it."""
        private.make(self.root)
        private.make(self.paths.state)
        (self.paths.state / "installation").write_text(f"{self.installation}\n", encoding="ascii")

    def configure(self, runtime: str) -> None:
        production, staging = self.ports()
        self.paths.config.write_text(_CONFIG.format(shop=self.shop, runtime=runtime, p=production, s=staging))
        self.paths.config.chmod(0o600)


def default() -> World:
    return World(platformdirs.user_cache_path(APP).resolve() / "demo")


def scripted() -> World:
    """A world of its own: what someone keeps for later is not played in."""
    return World(platformdirs.user_cache_path(APP).resolve() / "demo-script")


def _free(wanted: int) -> int:
    """That port when nothing listens there, else one that the kernel chooses."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


_CONFIG = """# Written by `cockpit demo`, anew at each start.
environments:
  production:
    protected: true
    edge: {{listen: "127.0.0.1:{p}"}}
  staging:
    edge: {{listen: "127.0.0.1:{s}"}}

services:
  checkout:
    repo: "{shop}"
    path: checkout
    build: {{args: {{RUNTIME: "{runtime}"}}}}
    hosts: [checkout.localhost]
    replicas: 2
    deploy_timeout: 20s
    bake: 2m
    keep_hot: 15m
    environments: {{production: {{}}, staging: {{replicas: 1}}}}
  web:
    repo: "{shop}"
    path: web
    build: {{args: {{RUNTIME: "{runtime}"}}}}
    hosts: [shop.localhost]
    deploy_timeout: 20s
    bake: 2m
    keep_hot: 15m
    environments: {{production: {{}}, staging: {{}}}}

fetch_every: 10s
"""
