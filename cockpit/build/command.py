"""BuildKit through the docker command line: which one can, and how it is called."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from asyncio.subprocess import STDOUT
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cockpit import process
from cockpit.build.base import BuildOrder

if TYPE_CHECKING:
    from asyncio.subprocess import Process

_ASK = 5.0  # seconds for a docker to say what it is
_MAJOR = re.compile(r"(\d+)\.")
_EMBEDDED = range(18, 23)  # majors whose own `docker build` has BuildKit inside; 23 and later want buildx


@dataclass(frozen=True, slots=True)
class CommandLine:
    program: str
    buildx: bool

    @property
    def name(self) -> str:
        return f"BuildKit ({self.program}{' buildx' if self.buildx else ''})"


async def find(host: str) -> CommandLine | None:
    """The first docker of this machine that can do BuildKit; None when there is none."""
    embedded = None
    for program in candidates(os.environ.get("PATH", "")):
        if await _says(host, program, "buildx", "version") is not None:
            return CommandLine(program, buildx=True)
        version = await _says(host, program, "version", "--format", "{{.Client.Version}}")
        major = _MAJOR.match(version or "")
        if embedded is None and major and int(major[1]) in _EMBEDDED:
            embedded = CommandLine(program, buildx=False)
    return embedded


def candidates(path: str) -> tuple[str, ...]:
    """All of PATH, and the distribution's own, which a hand-installed client often hides."""
    places = dict.fromkeys([*(folder for folder in path.split(os.pathsep) if folder.startswith("/")), "/usr/bin"])
    return tuple(file for folder in places if os.access(file := os.path.join(folder, "docker"), os.X_OK))


async def _says(host: str, program: str, *arguments: str) -> str | None:
    """`docker version` prints the client's even when no daemon answers; then its status is 1 and not looked at."""
    try:
        finished = await process.run(
            (program, *arguments), env=environment(os.environ, host, buildx=False), timeout=_ASK, limit=4096
        )
    except (TimeoutError, OSError):
        return None
    return (
        finished.out.decode("utf-8", "replace").strip() if finished.status == 0 or arguments[0] == "version" else None
    )


def arguments(tool: CommandLine, order: BuildOrder, labels: Mapping[str, str], image_file: Path) -> tuple[str, ...]:
    """Options are joined to their values, so that no value is ever read as an option."""
    start = ("buildx", "build", "--builder=default", "--load") if tool.buildx else ("build",)
    options = [
        "--progress=plain",
        "--pull=false",
        f"--iidfile={image_file}",
        f"--file={order.context / order.dockerfile}",
        f"--tag={order.tag}",
        *(f"--label={name}={value}" for name, value in sorted(labels.items())),
        *(f"--build-arg={name}={value}" for name, value in sorted(order.args.items())),
        *((f"--target={order.target}",) if order.target else ()),
    ]
    return (tool.program, *start, *options, str(order.context))


def environment(
    outer: Mapping[str, str], host: str, *, buildx: bool, configuration: Path | None = None
) -> dict[str, str]:
    """The user's environment; which daemon and which builder is ours to say, and where logins of ours are."""
    kept = {
        name: value
        for name, value in outer.items()
        if name == "DOCKER_CONFIG" or not name.startswith(("DOCKER_", "BUILDX_", "BUILDKIT_"))
    }
    ours = {"DOCKER_HOST": host, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
    lent = {} if configuration is None else {"DOCKER_CONFIG": str(configuration)}
    return kept | ours | lent | ({} if buildx else {"DOCKER_BUILDKIT": "1"})


@asynccontextmanager
async def building(
    tool: CommandLine,
    host: str,
    order: BuildOrder,
    labels: Mapping[str, str],
    image_file: Path,
    configuration: Path | None,
) -> AsyncIterator[Process]:
    argv = arguments(tool, order, labels, image_file)
    env = environment(os.environ, host, buildx=tool.buildx, configuration=configuration)
    async with process.started(argv, env=env, stderr=STDOUT) as running:
        yield running


def folder() -> Path:
    """A new one, where the builder writes the image's id: the file itself is the builder's to create."""
    return Path(tempfile.mkdtemp(prefix="cockpit-build-"))


def removed(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def written(file: Path) -> str:
    """ "" when the builder wrote none."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""
