"""The edge as it runs: Caddy, told through files it reads and an admin socket that only this user reaches."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from cockpit.edge import certificates
from cockpit.edge.base import EdgePlan, Hit, Pointer, Route
from cockpit.edge.certificates import Copies
from cockpit.edge.config import ACCESS_LOG, ADMIN_SOCKET, PROBE_SOCKET, document
from cockpit.edge.doors import door_document
from cockpit.edge.files import Files
from cockpit.edge.hits import AccessLog
from cockpit.edge.pointers import DIRECTORY, PointerFiles, Seen
from cockpit.errors import EdgeError, LineDown
from cockpit.http import Answer, Http
from cockpit.model import PlacementKey
from cockpit.text import clean, decode

T = TypeVar("T")

INSIDE = Path("/edge")  # where the edge's container sees the edge directory
SOCKET_BYTES = 107  # the kernel's limit of a Unix socket's path

DISK = 10.0  # seconds that a file may take before the operator hears of the disk
ASK = 3.0  # seconds for a question to the admin or the private listener
RELOAD = 20.0
UPSTREAMS_LIMIT = 4 * 1024 * 1024  # bytes: Caddy lists each address seen in the last hour

_NOBODY = ("connection refused", "no such socket")
_NOBODY_THERE = (*_NOBODY, "closed without an answer")  # at a socket that leads to another host


class CaddyEdge:
    """Implements `Edge`. The edge starts from its `config.json`, so what is loaded outlives its restart."""

    def __init__(self, files: Files, subnet: str, inside: Path = INSIDE) -> None:
        self.files = files
        self.probe_socket = files.sockets / PROBE_SOCKET
        if len(os.fsencode(self.probe_socket)) > SOCKET_BYTES:
            raise EdgeError(
                f"the path {self.probe_socket} is too long for a socket", "Choose a shorter state directory."
            )
        self._subnet, self._inside = subnet, inside
        self._pointers = PointerFiles(files)
        self._log = AccessLog(files.tail(ACCESS_LOG))
        self._admin, self._private = Http(files.sockets / ADMIN_SOCKET), Http(self.probe_socket)
        # One thread each: a write that outlives its deadline is still before the read that asks what became of it.
        self._disk = ThreadPoolExecutor(1, "edge-files")
        self._follower = ThreadPoolExecutor(1, "edge-log")
        self._loading = asyncio.Lock()

    async def load(self, plan: EdgePlan | tuple[Route, ...]) -> bool:
        """The edge serves exactly this; True when that needed a reload. An edge that is not up gets the file only.

        Raises ConfigError for routes that clash and certificates that cannot be used, EdgeError when the edge refuses
        them (then nothing has changed)."""
        plan = plan if isinstance(plan, EdgePlan) else EdgePlan(plan)
        async with self._loading:
            copies = await self._do(self._disk, lambda: certificates.gathered(plan))
            owner = await self._do(self._disk, lambda: self._prepare(copies))
            mode = "0600" if owner == 0 else "0666"  # the edge runs as root; the directory lets in only its owner
            content, digest = document(plan, self._inside, self._subnet, mode, copies.names)
            running = await self._running()
            reload = running is not None and running != digest
            if reload:
                await self._reload(content)
            await self._do(self._disk, lambda: self._keep(content, plan, copies))
            return reload

    async def guard(self, key: PlacementKey, token: str) -> None:
        await self._do(self._disk, lambda: self._pointers.guard(key, token))

    async def guarded(self, key: PlacementKey, token: str) -> bool:
        return await self._do(self._disk, lambda: self._pointers.guarded(key, token))

    async def point(self, key: PlacementKey, pointer: Pointer, token: str = "") -> None:
        """Customers of `key` go there from now on: durable when it returns, and done even when cancelled meanwhile."""
        try:
            await self._do(self._disk, lambda: self._pointers.write(key, pointer, token))
        except ValueError as error:
            raise EdgeError(f"{key} cannot be switched: {error}") from None

    async def pointer(self, key: PlacementKey) -> Pointer | None:
        reading = await self._do(self._disk, lambda: self._pointers.read(key))
        path = self._pointers.where(key)
        if reading.seen is Seen.TORN:
            raise EdgeError(f"the pointer of {key} is damaged, so its customers get 503", f"Look at {path}; roll back.")
        if reading.seen is Seen.HELD:
            raise EdgeError(f"{key} is on hold: its customers get 503", f"Somebody wrote “hold” into {path}.")
        return reading.pointer

    async def in_flight(self) -> dict[str, int]:
        answer = await self._ask(self._admin, "/reverse_proxy/upstreams", limit=UPSTREAMS_LIMIT)
        try:
            return _counts(json.loads(answer.body))
        except (ValueError, TypeError, KeyError) as error:
            raise EdgeError(f"the edge's count of open requests makes no sense: {error}") from None

    async def answers(self) -> bool:
        return (await self._private.ask("GET", "http://edge/", timeout=ASK)).status == 200

    async def hits(self) -> tuple[Hit, ...]:
        return await self._do(self._follower, self._log.look)

    async def close(self) -> None:
        """Leaves the edge as it is: customers do not notice."""
        await self._admin.close()
        await self._private.close()
        self._disk.shutdown(wait=False)
        self._follower.shutdown(wait=False)
        self._log.close()

    def _prepare(self, copies: Copies) -> int:
        """Whoever may enter the directory may move customers, so it is for one user alone: who that is."""
        self.files.ensure(DIRECTORY, "log", "storage", "doors", certificates.DIRECTORY)
        certificates.keep(self.files, copies)
        return self.files.owner()

    def _keep(self, content: bytes, plan: EdgePlan, copies: Copies) -> None:
        self._write("config.json", content)
        certificates.forget(self.files, copies)
        for alias in plan.aliases:
            self._write(f"doors/{alias.door}.json", door_document(alias, self._inside))
        for key in {each.key for each in plan.routes} | {each.key for each in plan.aliases}:
            self._pointers.mend(key)

    def _write(self, name: str, content: bytes) -> None:
        if self.files.read(name) != (content,):
            self.files.replace(name, content)

    async def _running(self) -> str | None:
        """The digest of what the edge runs, "" when it is not ours, None when no edge is up."""
        admin = await self._admin.ask("GET", "http://edge/config/admin/listen", timeout=ASK)
        if admin.status == 0 and admin.error in (_NOBODY_THERE if self.files.far else _NOBODY):
            if await self.answers():
                raise EdgeError(
                    "the edge serves, but its admin socket is gone: its routes stay as they are",
                    "Deploys and rollbacks work. For other routes restart its container, which cuts customers once.",
                )
            return None
        if admin.status != 200:
            raise _silent(admin)
        answer = await self._private.ask("GET", "http://edge/", timeout=ASK)
        return decode(answer.body) if answer.status == 200 else ""

    async def _reload(self, content: bytes) -> None:
        answer = await self._admin.ask(
            "POST",
            "http://edge/load",
            timeout=RELOAD,
            headers={"Content-Type": "application/json"},
            content=content,
        )
        if answer.status == 0:
            raise _silent(answer)
        if answer.status != 200:
            why = _reason(answer.body)
            taken = "address already in use" in why
            hint = "Something else has that port: see edge.listen." if taken else "The old routes stay in force."
            raise EdgeError(f"the edge refused its routes: {why}", hint)

    async def _ask(self, http: Http, path: str, limit: int) -> Answer:
        answer = await http.ask("GET", f"http://edge{path}", timeout=ASK, limit=limit)
        if answer.status == 0:
            raise _silent(answer)
        if answer.status != 200:
            raise EdgeError(f"the edge answered {answer.status} to {path}: {_reason(answer.body)}")
        return answer

    async def _do(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        """In a thread, and never abandoned half-way: a cancelled caller hears of it when the work is over."""
        future = asyncio.get_running_loop().run_in_executor(pool, work)
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # heard, even if nobody waits
        try:
            async with asyncio.timeout(DISK):
                return await asyncio.shield(future)
        except TimeoutError:
            hint = "It may still happen: read the pointer before you decide."
            raise EdgeError(f"the disk of {self.files.where()} did not answer within {DISK:g} s", hint) from None
        except asyncio.CancelledError:
            await asyncio.wait([future], timeout=DISK)
            raise
        except LineDown as error:
            raise EdgeError(error.message, error.hint) from None
        except OSError as error:
            raise EdgeError(
                f"a file of the edge cannot be used: {error.strerror}: {error.filename}",
                "Look at its disk: `df`, `mount`. Customers stay where they are.",
            ) from None


def _counts(listed: list[dict[str, Any]]) -> dict[str, int]:
    """Caddy lists an address twice when it is in use; a probe's own placeholder is no address."""
    counts: dict[str, int] = {}
    for entry in listed:
        address = str(entry["address"])
        if "{" not in address:
            counts[address] = max(counts.get(address, 0), int(entry["num_requests"]))
    return counts


def _reason(body: bytes) -> str:
    try:
        said: Any = json.loads(body)["error"]
    except (ValueError, TypeError, KeyError):
        said = decode(body)
    return clean(str(said), 400)


def _silent(answer: Answer) -> EdgeError:
    said = f"status {answer.status}" if answer.status else answer.error
    return EdgeError(f"the edge does not answer: {said}", "Customers may still be served. See `cockpit doctor`.")
