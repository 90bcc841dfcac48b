"""Somebody else's proxy in front of the edge: another Caddy, with nothing of the cockpit's in its configuration."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from cockpit.targets.edge_image import caddy_binary
from tests.edge.world import free_port


@contextlib.asynccontextmanager
async def proxy(
    directory: Path, to: str, transport: dict[str, Any] | None = None, *, tls: bool = False
) -> AsyncIterator[int]:
    """The port on loopback where it listens, with a certificate of its own for shop.test or in plain HTTP."""
    port = free_port()
    handler = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": to}],
        "transport": transport or {"protocol": "http"},
        "headers": {"request": {"set": {"Host": ["{http.request.host}"]}}},
    }
    server: dict[str, Any] = {
        "listen": [f"127.0.0.1:{port}"],
        "automatic_https": {"disable_redirects": True} if tls else {"disable": True},
        "routes": [{"match": [{"host": ["shop.test"]}], "handle": [handler]}],
    }
    if tls:
        server["tls_connection_policies"] = [{}]
    config = {
        "admin": {"disabled": True, "config": {"persist": False}},
        "storage": {"module": "file_system", "root": str(directory / "storage")},
        "apps": {
            "http": {"servers": {"front": server}},
            "tls": {"automation": {"policies": [{"issuers": [{"module": "internal"}]}]}},
            "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
        },
    }
    file = directory / "front.json"
    file.write_text(json.dumps(config))
    binary, quiet = await asyncio.to_thread(caddy_binary), asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(str(binary), "run", "--config", str(file), stderr=quiet)
    try:
        yield port
    finally:
        process.kill()
        await process.wait()
