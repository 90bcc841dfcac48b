"""What is checked before a build starts, and the context as the classic builder wants it: one tar, in a file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

from cockpit.build import words
from cockpit.build.base import BuildOrder
from cockpit.errors import BuildError


def check(order: BuildOrder) -> None:
    """Raises BuildError when the context or the Dockerfile is not there, or leads out of the commit."""
    context = order.context.resolve()
    if not context.is_dir():
        raise words.missing("the build context", order.context.name, "check `build.context` in the configuration")
    file = (context / order.dockerfile).resolve()
    if not file.is_relative_to(context):
        raise BuildError("the Dockerfile lies outside the build context", "check `build.dockerfile`")
    if not file.is_file():
        raise words.missing("the Dockerfile", order.dockerfile, "check `build.dockerfile` in the configuration")


class Spool:
    """A temporary file that can be cut off: each read and write first asks whether to go on."""

    def __init__(self, file: IO[bytes], check: Callable[[], None]) -> None:
        self._file = file
        self._check = check

    def write(self, data: bytes) -> int:
        self._check()
        return self._file.write(data)

    def read(self, size: int = -1) -> bytes:
        self._check()
        return self._file.read(size)

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def pack(order: BuildOrder, check: Callable[[], None]) -> IO[bytes]:
    """The context less what .dockerignore leaves out. The file has no name and is gone when closed."""
    from docker.utils import build

    spool = cast(IO[bytes], Spool(tempfile.TemporaryFile(prefix="cockpit-build-"), check))  # noqa: SIM115  the caller closes it
    try:
        build.tar(order.context, _ignored(order.context), (order.dockerfile, None), spool)
        spool.seek(0)
    except BaseException:  # also a cancellation: nobody else knows of the file yet
        spool.close()
        raise
    return spool


def _ignored(context: Path) -> list[str]:
    file = context / ".dockerignore"
    if not file.is_file():
        return []
    return [line for line in map(str.strip, file.read_text("utf-8", "replace").splitlines()) if line]
