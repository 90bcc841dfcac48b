"""The one place that wires: real adapters for every port of an engine."""

from __future__ import annotations

import asyncio
import secrets
from functools import partial

from cockpit.clock import SystemClock
from cockpit.config.load import load
from cockpit.engine import leftovers
from cockpit.engine.configuration import ConfigurationFile
from cockpit.engine.core import Cockpit
from cockpit.engine.holder import lives, this_process
from cockpit.engine.host_opener import HostOpener
from cockpit.engine.ports import Ports
from cockpit.engine.secrets import Secrets
from cockpit.engine.syslog import Syslog
from cockpit.paths import Paths


async def open_engine(paths: Paths) -> Cockpit:
    """Raises ConfigError before anything is opened, StoreError when the release log cannot be."""
    configuration = await asyncio.to_thread(ConfigurationFile, paths.config, load, SystemClock())
    return Cockpit(await _open(paths), configuration)


async def _open(paths: Paths) -> Ports:
    from cockpit.build import lent
    from cockpit.source.git import GitSource
    from cockpit.store.log import ReleaseLog

    await asyncio.to_thread(leftovers.clear, paths.state)
    await asyncio.to_thread(lent.clear)
    clock = SystemClock()
    me = await asyncio.to_thread(this_process)
    name = await asyncio.to_thread(installation, paths)
    return Ports(
        installation=name,
        paths=paths,
        clock=clock,
        store=await ReleaseLog.open(paths.database, clock, Syslog(name).send),
        source=GitSource(paths.mirrors, clock),
        secrets=await asyncio.to_thread(Secrets, paths.state / "secret.key"),
        open_host=HostOpener(paths, name, clock).open,
        me=me,
        lives=partial(lives, me=me),
    )


def installation(paths: Paths) -> str:
    """Names all that this engine makes on a host; chosen once for each state directory."""
    file = paths.state / "installation"
    try:
        return file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        name = secrets.token_hex(4)
        file.write_text(name + "\n", encoding="ascii")
        return name
