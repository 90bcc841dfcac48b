"""An engine whose wall clock is ahead by the seconds that a file tells, so that a test can make it jump."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cockpit.clock import SystemClock

FILE = "TEST_CLOCK_AHEAD"  # the variable that names the file

COMMAND = (sys.executable, "-c", "from tests.faults.jumping import main; main()", "cockpit.engine", "run")


def main() -> None:
    from cockpit.engine.__main__ import main as engine

    true = SystemClock.now

    def now(self: SystemClock) -> float:
        return true(self) + float(Path(os.environ[FILE]).read_text())

    SystemClock.now = now  # type: ignore[method-assign]  # the whole process has this clock
    sys.exit(engine(sys.argv[2:]))
