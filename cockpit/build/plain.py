"""BuildKit's `--progress=plain` output as build lines. Holds state between lines, does no I/O."""

from __future__ import annotations

import re

from cockpit.build.base import BuildLine

_VERTEX = re.compile(r"#(\d+) (.*)", re.DOTALL)
_LOGGED = re.compile(r"\d+\.\d+ ?(.*)", re.DOTALL)
_DONE = re.compile(r"DONE \d")
_ASKS = "load metadata for "  # of a base image, from its registry
_NOISE = re.compile(r"(sha256:[0-9a-f]{64}|\.\.\.)$")  # a vertex's digest; "continued below"


class PlainReader:
    """`error` is the line of the step that failed, or what the builder said outside of any step at the end."""

    def __init__(self) -> None:
        self.error = ""
        self.failed_step = 0
        self.names: dict[int, str] = {}
        self.asking: set[int] = set()  # steps that wait for a registry's answer

    def read(self, line: str, at: float) -> BuildLine | None:
        vertex = _VERTEX.match(line)
        if vertex is None:
            return self._outside(line, at)
        step, rest = int(vertex[1]), vertex[2]
        if step not in self.names:
            self.names[step] = rest
            if _ASKS in rest:
                self.asking.add(step)
            return BuildLine(at, step, rest, rest)
        if rest == self.names[step] or _NOISE.match(rest):
            return None
        made = self._of_step(step, rest, at)
        if made.done:
            self.asking.discard(step)
        return made

    def _of_step(self, step: int, rest: str, at: float) -> BuildLine:
        name = self.names[step]
        if rest == "CACHED":
            return BuildLine(at, step, name, rest, cached=True, done=True)
        if rest.startswith("ERROR"):
            self.error, self.failed_step = rest.removeprefix("ERROR").lstrip(": "), step
            return BuildLine(at, step, name, rest, done=True)
        if rest == "CANCELED" or _DONE.match(rest):
            return BuildLine(at, step, name, rest, done=True)
        logged = _LOGGED.match(rest)
        return BuildLine(at, step, name, logged[1] if logged else rest)

    def _outside(self, line: str, at: float) -> BuildLine | None:
        if not line.strip() or set(line.strip()) == {"-"}:
            return None
        if not self.failed_step:
            self.error = line.removeprefix("ERROR:").strip()
        return BuildLine(at, 0, "", line)
