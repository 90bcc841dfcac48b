"""`python -m tests.fakes.engine_main run …`: the real engine process around a FakeEngine.

A configuration file that says `broken` keeps it from starting, `crash` makes it die of a bug, `hang` never lets it
open its socket, `adopted` puts it on hosts that had things before. One that says `real` has it be a real engine on
fakes, of which a loop breaks when a file `break` stands in its state directory."""

from __future__ import annotations

import asyncio
import sys

from cockpit.engine.__main__ import main
from cockpit.engine.api import Engine
from cockpit.errors import ConfigError
from cockpit.paths import Paths
from tests.fakes.engine import FakeEngine


class Hanging(FakeEngine):
    async def start(self) -> None:
        await asyncio.Event().wait()


async def real(paths: Paths) -> Engine:
    from tests.engine.rig import Rig  # which brings all of an engine: the others do without

    engine, broken = await Rig(paths.config.parent).make(), paths.state / "break"

    async def complete() -> None:
        while not await asyncio.to_thread(broken.exists):  # noqa: ASYNC110 another process makes it
            await asyncio.sleep(0.01)
        raise ZeroDivisionError("a defect in one loop")

    engine.rows.complete = complete  # type: ignore[method-assign]  # a loop that nobody foresaw to break
    return engine


async def build(paths: Paths) -> Engine:
    text = paths.config.read_text() if paths.config.exists() else ""
    if "broken" in text:
        raise ConfigError(f"{paths.config}:3:1: unknown key 'servces'", "did you mean 'services'?")
    if "crash" in text:
        raise ZeroDivisionError("a bug in the engine")
    if "real" in text:
        return await real(paths)
    return Hanging() if "hang" in text else FakeEngine(adopted="adopted" in text, record=paths.state / "ended")


if __name__ == "__main__":
    sys.exit(main(build=build))
