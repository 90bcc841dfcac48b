"""Named points around each intent, effect and outcome of the engine: there a test may make it die.

Armed by $COCKPIT_POINTS, the path of a directory; without it a point costs one comparison. Each point that is passed
is a line in its file `passed`. When the first line of its file `die` reads `HOW COUNT NAME` ("exit 2 deploy/switch
edge.point after") and that point is passed for the COUNT-th time according to `passed`, the line is struck and the
process dies there: `exit` at once, without cleaning up; `stop` stops it for good, for somebody outside to kill.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

VARIABLE = "COCKPIT_POINTS"
PASSED = "passed"
DIE = "die"
STATUS = 86  # the exit status of a process that died at a point


class Points:
    """Blocks for a moment; safe to use from any thread."""

    def __init__(self, directory: Path) -> None:
        self._passed, self._die = directory / PASSED, directory / DIE
        self._lock = threading.Lock()

    def passed(self, name: str) -> None:
        with self._lock:
            with self._passed.open("a", encoding="utf-8") as file:
                file.write(f"{name}\n")
            how = self._due(name)
        if how == "exit":
            os._exit(STATUS)
        if how == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)

    def _due(self, name: str) -> str:
        """How to die here and now, or ""."""
        try:
            first, _, rest = self._die.read_text(encoding="utf-8").partition("\n")
        except FileNotFoundError:
            return ""
        how, count, where = (*first.split(" ", 2), "", "")[:3]
        if where != name or self._passed.read_text(encoding="utf-8").split("\n").count(name) != int(count):
            return ""
        struck = self._die.with_suffix(".struck")
        struck.write_text(rest, encoding="utf-8")
        struck.replace(self._die)
        return how


_points = Points(Path(os.environ[VARIABLE])) if VARIABLE in os.environ else None


def passed(name: str) -> None:
    if _points is not None:
        _points.passed(name)
