"""Values that must turn up nowhere, every way of writing them, and those who look: a client's wire, and procfs."""

from __future__ import annotations

import asyncio
import base64
import codecs
import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from cockpit import rpc
from cockpit.protocol import (
    HELLO,
    LOGS_OPEN,
    MAX_MESSAGE,
    PROTOCOL,
    SUBSCRIBE,
    Call,
    Hello,
    LogRequest,
    Nothing,
)

SHORT = 6  # what is shorter is not looked for


def forms(value: str) -> set[str]:
    """Told without the product's own words for it."""
    found = {value, *value.splitlines()}
    for each in [*found]:
        found |= {quote(each), quote(each, safe=""), quote_plus(each)}
        found |= {json.dumps(each)[1:-1], json.dumps(each, ensure_ascii=False)[1:-1]}
    for each in (value, *value.splitlines()):
        data = each.encode()
        for before in range(3):
            coded = base64.b64encode(b"\0" * before + data).decode()
            found.add(coded[(0, 2, 3)[before] : (8 * (before + len(data))) // 6])
    return {each for each in found if len(each) >= SHORT}


def all_forms(values: Iterable[str]) -> set[bytes]:
    return {form.encode() for value in values for form in forms(value)}


def leaks(where: Mapping[str, bytes], wanted: set[bytes]) -> list[str]:
    """What was found, and where."""
    return [
        f"{form.decode()} in {name}, after {content.partition(form)[0][-200:]!r}"
        for name, content in where.items()
        for form in wanted
        if form in content
    ]


def turned(text: str) -> str:
    """With its letters thirteen further: `tr a-zA-Z n-za-mN-ZA-M` in a container turns it back."""
    return codecs.encode(text, "rot13")


BACK = "tr a-zA-Z n-za-mN-ZA-M"


def written(*directories: Path) -> dict[str, bytes]:
    found = {}
    for directory in directories:
        for each in directory.rglob("*"):
            with suppress(OSError):  # it went meanwhile, or is a socket
                found[str(each)] = each.read_bytes() if each.is_file() else b""
    return found


class Wire:
    """A client that keeps every byte that the engine sends it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard = bytearray()
        self._reader, self._writer = reader, writer
        self._number = 0
        self._answered = asyncio.Condition()
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def tap(cls, socket: Path) -> Wire:
        made = cls(*await asyncio.open_unix_connection(socket, limit=MAX_MESSAGE))
        await made.ask(HELLO, Hello("tap", PROTOCOL, "tui"))
        await made.ask(SUBSCRIBE, Nothing())
        return made

    async def ask(self, call: Call[Any, Any], params: Any) -> bytes:
        self._number += 1
        self._writer.write(rpc.request(self._number, call, params))
        mark = f'"id":{self._number},'.encode()
        async with asyncio.timeout(30), self._answered:
            await self._answered.wait_for(lambda: mark in self.heard)
        return bytes(self.heard)

    async def log(self, request: LogRequest) -> None:
        """To its end."""
        before = self.heard.count(b'"ended":true')
        await self.ask(LOGS_OPEN, request)
        async with asyncio.timeout(30), self._answered:
            await self._answered.wait_for(lambda: self.heard.count(b'"ended":true') > before)

    async def hang_up(self) -> None:
        self._writer.close()
        await self._listening

    async def _listen(self) -> None:
        with suppress(ConnectionError):
            while data := await self._reader.read(65536):
                async with self._answered:
                    self.heard += data
                    self._answered.notify_all()


class Sampler:
    """The command line of every process of the host, and the environment of those outside of containers."""

    def __init__(self) -> None:
        self.seen: dict[str, bytes] = {}
        self.rounds = 0
        self._ours = os.readlink("/proc/self/ns/pid")
        self._enough = threading.Event()

    @contextmanager
    def looking(self) -> Iterator[None]:
        thread = threading.Thread(target=self._look, name="sampler")
        thread.start()
        try:
            yield
        finally:
            self._enough.set()
            thread.join()

    def _look(self) -> None:
        while not self._enough.wait(0.005):
            self.rounds += 1
            for process in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):  # it ended meanwhile
                    said = (process / "cmdline").read_bytes()
                    self.seen.setdefault(f"argv: {said[:300]!r}", said)
                    if os.readlink(process / "ns/pid") == self._ours:
                        has = (process / "environ").read_bytes()
                        self.seen.setdefault(f"environment of {said[:300]!r}: {hash(has)}", has)
