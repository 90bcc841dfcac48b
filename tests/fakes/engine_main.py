"""`python -m tests.fakes.engine_main run …`: the real engine process around a FakeEngine.

A configuration file that says `broken` keeps it from starting, `crash` makes it die of a bug, `hang` never lets it
open its socket, `adopted` puts it on hosts that had things before."""

from __future__ import annotations

import asyncio
import sys

from cockpit.engine.__main__ import main
from cockpit.errors import ConfigError
from cockpit.paths import Paths
from tests.fakes.engine import FakeEngine


class Hanging(FakeEngine):
    async def start(self) -> None:
        await asyncio.Event().wait()


async def build(paths: Paths) -> FakeEngine:
    text = paths.config.read_text() if paths.config.exists() else ""
    if "broken" in text:
        raise ConfigError(f"{paths.config}:3:1: unknown key 'servces'", "did you mean 'services'?")
    if "crash" in text:
        raise ZeroDivisionError("a bug in the engine")
    return Hanging() if "hang" in text else FakeEngine(adopted="adopted" in text, record=paths.state / "ended")


if __name__ == "__main__":
    sys.exit(main(build=build))
