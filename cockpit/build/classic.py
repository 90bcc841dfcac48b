"""The classic builder's JSON stream as build lines, the same as BuildKit's. Holds state between items, does no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cockpit.build.base import BuildLine

_STEP = re.compile(r"Step (\d+)/(\d+) : (.*)", re.DOTALL)
_RUNNING = re.compile(r" ---> Running in ([0-9a-f]{12})$")
_ENDED = re.compile(r" ---> ([0-9a-f]{12})?$")
_REMOVED = re.compile(r"Removing intermediate container ([0-9a-f]{12})$")
_RED, _RESET = "\x1b[91m", "\x1b[0m"  # how the daemon marks standard error, around a whole item


class ClassicReader:
    """`image` is set only by the daemon's own word, `error` likewise; `containers` are those still there."""

    def __init__(self) -> None:
        self.image = ""
        self.error = ""
        self.failed_step = 0
        self.exit_status: int | None = None
        self.containers: set[str] = set()
        self._rest = ""
        self._step = 0
        self._name = ""
        self._cached = False

    def read(self, item: Mapping[str, Any], at: float) -> Iterator[BuildLine]:
        if "error" in item:
            yield self._failed(item, at)
        elif "stream" in item:
            yield from self._stream(str(item["stream"]), at)
        elif "status" in item and "progress" not in item:
            yield BuildLine(at, self._step, self._name, " ".join(filter(None, (item.get("id"), item["status"]))))
        if isinstance(item.get("aux"), Mapping) and "ID" in item["aux"]:
            self.image = str(item["aux"]["ID"])

    def _failed(self, item: Mapping[str, Any], at: float) -> BuildLine:
        self.error, self.failed_step = str(item["error"]), self._step
        detail = item.get("errorDetail")
        code = detail.get("code") if isinstance(detail, Mapping) else None
        self.exit_status = code if isinstance(code, int) else None
        return BuildLine(at, self._step, self._name, f"ERROR: {self.error}", done=True)

    def _stream(self, text: str, at: float) -> Iterator[BuildLine]:
        if text.startswith(_RED) and text.endswith(_RESET):
            text = text[len(_RED) : -len(_RESET)]
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            made = self._line(line, at)
            if made is not None:
                yield made

    def _line(self, line: str, at: float) -> BuildLine | None:
        if step := _STEP.match(line):
            self._step, self._name, self._cached = int(step[1]), f"[{step[1]}/{step[2]}] {step[3]}", False
            return BuildLine(at, self._step, self._name, self._name)
        if running := _RUNNING.match(line):
            self.containers.add(running[1])
            return None
        if removed := _REMOVED.match(line):
            self.containers.discard(removed[1])
            return None
        if line == " ---> Using cache":
            self._cached = True
            return None
        if _ENDED.match(line):
            return BuildLine(
                at, self._step, self._name, "CACHED" if self._cached else "DONE", cached=self._cached, done=True
            )
        if line.startswith(("Successfully built ", "Successfully tagged ")):
            return BuildLine(at, 0, "", line)
        return BuildLine(at, self._step, self._name, line) if line else None
