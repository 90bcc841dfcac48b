"""Registries on loopback: Debian's own, with or without a password, and ones that misbehave."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.waiting import LOOK_EVERY

USER, PASSWORD = "ann", "open-s3same"
_BCRYPT = "$2b$04$C9BPGiFsdsrqxmeJJsD1geenK.HcHZed2EsgZ7M1Qev2lifHI6JJu"  # of that password
_LISTENS = 15  # seconds


@contextmanager
def debian(folder: Path, *, private: bool = False) -> Iterator[str]:
    """docker-registry on a free port, its files in a directory of this test; `private` lets only USER in."""
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    (folder / "users").write_text(f"{USER}:{_BCRYPT}\n")
    auth = f"auth: {{htpasswd: {{realm: test, path: {folder}/users}}}}\n" if private else ""
    (folder / "registry.yml").write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/images}}}}\n"
        f'http: {{addr: "127.0.0.1:{port}"}}\n{auth}'
    )
    with subprocess.Popen(
        ["docker-registry", "serve", str(folder / "registry.yml")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        try:
            _reached(port)
            yield f"127.0.0.1:{port}"
        finally:
            running.kill()


def _reached(port: int) -> None:
    until = time.monotonic() + _LISTENS
    while time.monotonic() < until:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(LOOK_EVERY)
    raise AssertionError(f"docker-registry does not listen on port {port}")


@dataclass
class Odd:
    """A registry that answers what the test says."""

    address: str = ""
    heard: list[bytes] = field(default_factory=list)  # heads of requests


HANG = None
RESET = b""


def answer(status: str, body: bytes = b"", **headers: str) -> bytes:
    told = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{told}\r\n".encode() + body


V2 = {"/v2/": answer("200 OK", b"{}")}  # it is a registry, whatever it answers to the rest


@asynccontextmanager
async def odd(everywhere: bytes | None, paths: Mapping[str, bytes | None] | None = None) -> AsyncIterator[Odd]:
    """`paths` have answers of their own; an incomplete answer hangs at its end."""
    made = Odd()
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        first = await reader.read(1)
        if first in (b"", b"\x16"):  # Docker tries TLS first
            writer.close()
            return
        head = first + await reader.readuntil(b"\r\n\r\n")
        made.heard.append(head)
        method, target, _ = head.split(b" ", 2)
        told = (paths or {}).get(target.decode(), everywhere)
        if told:
            writer.write(told.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == b"HEAD" else told)
            await writer.drain()
        if told is not None and not _incomplete(told):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        made.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield made
    finally:
        server.close()
        for writer in writers:
            writer.close()


def _incomplete(told: bytes) -> bool:
    head, _, body = told.partition(b"\r\n\r\n")
    return any(
        line.lower().startswith(b"content-length:") and int(line.split(b":")[1]) > len(body)
        for line in head.split(b"\r\n")
    )


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
