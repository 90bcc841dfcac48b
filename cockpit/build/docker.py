"""The build room's port on a Docker host: BuildKit when a docker on this machine can, the classic builder when not."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import defaultdict, deque
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from cockpit.build import command, context, distribution, login, pull, push, words
from cockpit.build.base import BuildLine, BuildOrder, Built, Emit, Login, Pulled, Pushed
from cockpit.build.classic import ClassicReader
from cockpit.build.command import CommandLine
from cockpit.build.daemon import Begin, Cut, Daemon, Item, answered, image_missing
from cockpit.build.lent import lent
from cockpit.build.lines import lines
from cockpit.build.plain import PlainReader
from cockpit.clock import Clock
from cockpit.errors import BuildError

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from docker import APIClient

LONGEST = 3600.0  # seconds for one build
ASKING = 120.0  # seconds without a line while a base image's registry is asked
# An image's labels are inherited by every container of it, so they are not those that say whose a container is.
INSTALLATION = "deploy-cockpit.image.installation"
ORDER = "deploy-cockpit.image.order"


class DockerBuilder:
    """`host` is "local" or "unix:///path"; `buildkit` False always takes the classic builder."""

    def __init__(self, host: str, installation: str, clock: Clock, *, buildkit: bool = True) -> None:
        self._daemon = Daemon(host)
        self._installation = installation
        self._clock = clock
        self._buildkit = buildkit
        self._tool: CommandLine | None = None
        self._tool_lock = asyncio.Lock()
        self._tool_known = not buildkit
        self._tag_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def find(self, tag: str) -> Built | None:
        """Only an image that this installation built: a tag alone proves nothing."""
        found = await self._labelled(tag)
        if found is None or found[1].get(INSTALLATION) != self._installation:
            return None
        return Built(found[0], tag, cached=True)

    async def build(self, order: BuildOrder, emit: Emit) -> Built:
        """Two orders for one tag are built one after the other, and the same order only once."""
        async with self._tag_locks[order.tag]:
            labels = {**order.labels, INSTALLATION: self._installation, ORDER: fingerprint(order)}
            existing = await self._labelled(order.tag)
            if existing is not None and labels.items() <= existing[1].items():
                emit(
                    BuildLine(self._clock.now(), 0, "", f"{order.tag} exists: nothing to build", cached=True, done=True)
                )
                return Built(existing[0], order.tag, cached=True)
            await self._daemon.aside(context.check, order)
            try:
                async with asyncio.timeout(LONGEST):
                    return await self._built(order, labels, emit)
            except TimeoutError:
                raise BuildError(
                    f"the build took longer than {LONGEST / 60:.0f} min", "split it or speed it up"
                ) from None

    async def push(self, image: str, reference: str, login: Login | None, emit: Emit) -> Pushed:
        return await push.push(self._daemon, image, reference, login, emit, self._clock.now)

    async def available(self, reference: str, login: Login | None) -> str | None:
        return await distribution.available(self._daemon, reference, login)

    async def pull(self, reference: str, digest: str, login: Login | None, emit: Emit) -> Pulled:
        return await pull.pull(self._daemon, reference, digest, login, emit, self._clock.now)

    async def close(self) -> None:
        self._daemon.close()

    # ------------------------------------------------------------ the two builders

    async def _built(self, order: BuildOrder, labels: dict[str, str], emit: Emit) -> Built:
        tool = await self._command_line()
        emit(BuildLine(self._clock.now(), 0, "", f"building with {tool.name if tool else 'the classic builder'}"))
        tails: defaultdict[int, deque[str]] = defaultdict(lambda: deque(maxlen=words.TAIL))

        def keep(line: BuildLine) -> None:
            if line.text != line.name and not line.done:
                tails[line.step].append(line.text)
            emit(line)

        if tool is None:
            image = await self._with_sdk(order, labels, keep, tails)
        else:
            image = await self._with_buildkit(tool, order, labels, keep, tails)
        return await self._verified(image, order.tag)

    async def _with_buildkit(
        self,
        tool: CommandLine,
        order: BuildOrder,
        labels: dict[str, str],
        keep: Emit,
        tails: defaultdict[int, deque[str]],
    ) -> str:
        reader = PlainReader()
        async with (
            self._daemon.kept(command.folder, command.removed) as folder,
            lent(self._daemon, order.logins) as logins,
        ):
            file = folder / "image"
            try:
                async with command.building(tool, self._daemon.url, order, labels, file, logins) as running:
                    await self._read(running, reader, keep)
                    status = await running.wait()
            except FileNotFoundError:
                raise BuildError(f"{tool.program} is gone", "install it again, or restart the engine") from None
            image = await self._daemon.aside(command.written, file)
        if status != 0 or not image:
            raise words.failure(reader.error, reader.names.get(reader.failed_step, ""), tails[reader.failed_step])
        return image

    async def _read(self, running: Process, reader: PlainReader, keep: Emit) -> None:
        """BuildKit itself would wait for a registry or a credential helper without end."""
        assert running.stdout is not None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as limit:
                async for text in lines(running.stdout):
                    line = reader.read(text, self._clock.now())
                    if line is not None:
                        keep(line)
                    limit.reschedule(loop.time() + ASKING if reader.asking else None)
        except TimeoutError:
            raise words.unanswered(reader.names[min(reader.asking)], ASKING) from None

    async def _with_sdk(
        self, order: BuildOrder, labels: dict[str, str], keep: Emit, tails: defaultdict[int, deque[str]]
    ) -> str:
        reader = ClassicReader()
        name = ""

        def each(item: Item) -> None:
            nonlocal name
            for line in reader.read(item, self._clock.now()):
                name = line.name or name
                keep(line)

        auths = await login.everyones(order.logins, lambda error: keep(self._told(error)))
        try:
            await self._daemon.stream(_classic(order, labels, auths), each)
        except BuildError as error:
            if not answered(error):
                raise
            raise words.failure(" ".join(error.log_tail) or error.message, name, ()) from error
        finally:
            await self._remove(reader.containers)
        if reader.error or not reader.image:
            said = reader.error or "error reading from server: the answer ended early"
            raise words.failure(said, name, tails[reader.failed_step])
        return reader.image

    def _told(self, error: BuildError) -> BuildLine:
        return BuildLine(self._clock.now(), 0, "", f"without a login: {error.message}")

    async def _remove(self, containers: Iterable[str]) -> None:
        """A cut build's containers: the daemon removes them itself, mostly."""

        def remove(client: APIClient) -> None:
            import docker.errors

            for container in containers:
                with suppress(docker.errors.APIError):  # gone already, or being removed
                    client.remove_container(container, v=True, force=True)

        if containers:
            with suppress(BuildError):
                await self._daemon.ask(remove)

    # ------------------------------------------------------------ what is there

    async def tool(self) -> str:
        found = await self._command_line()
        return found.name if found else ""

    async def _command_line(self) -> CommandLine | None:
        async with self._tool_lock:
            if not self._tool_known:
                self._tool = await command.find(self._daemon.url)
                self._tool_known = True
            return self._tool

    async def _labelled(self, name: str) -> tuple[str, dict[str, str]] | None:
        """An image's id and labels."""
        try:
            told = await self._daemon.ask(lambda client: _inspect(client, name))
        except BuildError as error:
            if image_missing(error):
                return None
            raise
        return str(told["Id"]), dict((told.get("Config") or {}).get("Labels") or {})

    async def _verified(self, image: str, tag: str) -> Built:
        """The end of a log proves nothing: the image is looked at, under the id that the builder gave."""
        there = await self._labelled(image)
        if there is None or there[1].get(INSTALLATION) != self._installation:
            raise BuildError(f"the builder named the image {image[:19]}, which is not on the host", "build again")
        return Built(there[0], tag)


def _inspect(client: APIClient, name: str) -> Item:
    told: Item = client.inspect_image(name)
    return told


def fingerprint(order: BuildOrder) -> str:
    """Of what shapes an image besides the files that its tag stands for."""
    shape = json.dumps([order.dockerfile, order.target, sorted(order.args.items())])
    return hashlib.sha256(shape.encode()).hexdigest()[:16]


def _classic(order: BuildOrder, labels: dict[str, str], auths: dict[str, login.Auth]) -> Begin:
    def begin(client: APIClient, cut: Cut) -> Iterable[Item]:
        login.only(client, auths)
        with context.pack(order, cut.check) as spool:
            yield from client.build(
                fileobj=spool,
                custom_context=True,
                dockerfile=order.dockerfile,
                tag=order.tag,
                buildargs=order.args,
                target=order.target,
                labels=labels,
                rm=True,
                forcerm=True,
                pull=False,
                decode=True,
            )

    return begin
