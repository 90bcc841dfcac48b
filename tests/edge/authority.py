"""Certificates for tests: by openssl, and by Debian's pebble, a small ACME authority on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cockpit.edge.base import Tls
from tests.edge.world import free_port


@dataclass(frozen=True)
class Pair:
    certificate: Path
    key: Path


def signed(directory: Path, name: str, *hosts: str, by: Pair | None = None) -> Pair:
    """A certificate for these hosts; an authority's own without `by`."""
    made = Pair(directory / f"{name}.pem", directory / f"{name}.key")
    names = ",".join(f"{'IP' if host[0].isdigit() else 'DNS'}:{host}" for host in hosts)
    more = ["-addext", f"subjectAltName={names}"] if hosts else []
    if by is not None:
        more += ["-CA", str(by.certificate), "-CAkey", str(by.key)]
    new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
    files = ["-keyout", str(made.key), "-out", str(made.certificate), "-subj", f"/CN={name}"]
    subprocess.run(["openssl", *new, *files, *more], check=True, capture_output=True)
    return made


@dataclass(frozen=True)
class Acme:
    """An authority that asks `http` and `https` on loopback, whatever the host."""

    directory: str  # its URL
    ca: Path  # vouches for that URL
    http: int
    https: int

    def tls(self, **said: Any) -> Tls:
        return Tls(f"127.0.0.1:{self.https}", directory=self.directory, ca=self.ca, **said)


@contextlib.asynccontextmanager
async def acme(directory: Path, http: int, https: int, *, refuses: str = "") -> AsyncIterator[Acme]:
    """`refuses` makes one kind of challenge fail: "http" or "https" is asked where nobody listens."""
    ca = await asyncio.to_thread(signed, directory, "authority")
    own = await asyncio.to_thread(signed, directory, "pebble", "127.0.0.1", by=ca)
    port, names = free_port(), _free_udp_port()
    settings = {
        "listenAddress": f"127.0.0.1:{port}",
        "managementListenAddress": f"127.0.0.1:{free_port()}",
        "certificate": str(own.certificate),
        "privateKey": str(own.key),
        "httpPort": free_port() if refuses == "http" else http,
        "tlsPort": free_port() if refuses == "https" else https,
    }
    config = directory / "pebble.json"
    config.write_text(json.dumps({"pebble": settings}))
    async with (
        _running(
            "pebble-challtestsrv",
            *("-dns01", f"127.0.0.1:{names}", "-management", f"127.0.0.1:{free_port()}"),
            *("-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", ""),
            until="Starting",
        ),
        _running("pebble", "-config", str(config), "-dnsserver", f"127.0.0.1:{names}", until="Listening on"),
    ):
        yield Acme(f"https://127.0.0.1:{port}/dir", ca.certificate, http, https)


@contextlib.asynccontextmanager
async def _running(*command: str, until: str) -> AsyncIterator[None]:
    quick = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
    process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **quick}, stdout=PIPE, stderr=STDOUT)
    assert process.stdout is not None
    said = b""
    async with asyncio.timeout(15):
        while until.encode() not in said:
            line = await process.stdout.readline()
            assert line, said.decode()
            said += line
    drain = asyncio.create_task(process.stdout.read(-1))
    try:
        yield
    finally:
        process.kill()
        await process.wait()
        await drain


def _free_udp_port() -> int:
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
