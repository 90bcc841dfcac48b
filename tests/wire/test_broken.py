"""An engine of which a part broke ends, instead of answering for ever with what it saw last."""

from __future__ import annotations

from pathlib import Path

from cockpit import launch
from cockpit import protocol as p
from cockpit.client import Client, connect
from cockpit.paths import Paths
from tests.waiting import until
from tests.wire.conftest import FAKE


async def reach(paths: Paths) -> Client:
    return await connect(paths, client="cli", start=True, command=FAKE)


async def test_an_engine_of_which_one_loop_breaks_ends_with_status_1_and_the_next_client_has_one_that_works(
    engines: Paths,
) -> None:
    engines.config.write_text("real")
    client, process = await reach(engines), launch._children[-1]
    assert (await client.call(p.STATUS, p.Nothing())).engine.pid == process.pid
    _break(engines.state)
    await until(lambda: process.poll() is not None)
    await client.close()
    assert process.returncode == 1
    assert "a defect in one loop" in engines.engine_log.read_text()
    assert not engines.socket.exists()
    (engines.state / "break").unlink()
    again = await reach(engines)
    assert (await again.call(p.STATUS, p.Nothing())).engine.pid not in (0, process.pid)
    await again.close()


async def test_an_engine_of_which_nothing_breaks_goes_on_until_it_is_stopped(engines: Paths) -> None:
    engines.config.write_text("real")
    client, process = await reach(engines), launch._children[-1]
    await client.call(p.STOP_ENGINE, p.Nothing())
    await client.close()
    await until(lambda: process.poll() is not None)
    assert process.returncode == 0


def _break(state: Path) -> None:
    (state / "break").touch()
